"""Refuse, while Airflow reads a DAG, a schedule whose runs have no window."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, CronTriggerTimetable, DeltaTriggerTimetable, MultipleCronTriggerTimetable

from airflow_provider_interactions.runtime.context import WHAT_TO_WRITE


def require_intervals(dag: DAG | None) -> None:
    """Raise ValueError if the data intervals of the DAG's scheduled runs are empty.

    A bare cron text such as ``"@daily"`` is such a schedule, unless ``[scheduler] create_cron_data_intervals`` is set.
    A default of the DAG's param ``start`` gives its runs a window of their own.
    """
    if dag is None or dag.params.get("start"):
        return
    if _read_interval(dag.timetable) == timedelta():
        msg = f"The scheduled runs of DAG {dag.dag_id} would have no window. {WHAT_TO_WRITE}"
        raise ValueError(msg)


def _read_interval(timetable: Any) -> object:
    """The length of the data intervals of a timetable that runs at given times; None for other timetables."""
    if type(timetable) is MultipleCronTriggerTimetable:
        return timetable.timetables[0].interval
    # Not their subclasses: a timetable of partitions is one of them.
    return timetable.interval if type(timetable) in (CronTriggerTimetable, DeltaTriggerTimetable) else None
