"""Which window a run is about. The same for all of its tasks, whatever timetable or trigger made the run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.window import Instant, Window, instant, zulu

T = TypeVar("T")

DAY = timedelta(days=1)

#: What a template leaves where a parameter is null.
NOT_GIVEN = (None, "", "None")

WHAT_TO_WRITE = (
    'Schedule the DAG with CronDataIntervalTimetable("@daily", timezone="UTC"): in Airflow 3 a bare cron string, also '
    '"@daily", gives every run an empty interval. For a manual run give the params start and end, for example '
    '{"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}, and declare both in the DAG.'
)

UNDATED = (
    "This run is about a partition, and Airflow 3.2 does not tell tasks the date of one. Use Airflow 3.3, or schedule "
    'the DAG with CronDataIntervalTimetable("@daily", timezone="UTC"), or give the run the params start and end.'
)

NOT_OVER = (
    "Give the DAG's CronPartitionTimetable run_offset=-1, so that a run is about the partition that has just ended, "
    "and let backfills end with the last one that is over."
)


def resolve(
    context: Mapping[str, Any], start: Instant | None = None, end: Instant | None = None, width: timedelta = DAY
) -> Window:
    """The window of a run: arguments or params ``start`` and ``end``; else the partition; else the data interval.

    ``width`` is how long a partition is from its date on. Raises ConfigError that says what to write when the run has
    none of them, when the window is naive, empty or reversed, and when a partition is not over yet.
    """
    params = context.get("params") or {}
    first, last = given(start, params.get("start")), given(end, params.get("end"))
    if first is not None or last is not None:
        return _explicit(first, last)
    partition = context.get("partition_date")
    if partition is not None:
        begin = instant(partition)
        return _over(Window.of(begin, begin + width))
    if getattr(context.get("dag_run"), "partition_key", None) and "partition_date" not in context:
        raise ConfigError(UNDATED)
    return _interval(context.get("data_interval_start"), context.get("data_interval_end"))


def given(*values: T | None) -> T | None:
    """The first value that is one: a template of a parameter nobody set leaves an empty text, or "None"."""
    return next((value for value in values if value not in NOT_GIVEN), None)


def _over(window: Window) -> Window:
    if window.end > datetime.now(UTC):
        raise ConfigError(f"The partition {window} is not over yet, so it would be read in part only. {NOT_OVER}")
    return window


def _explicit(start: Instant | None, end: Instant | None) -> Window:
    if start is None or end is None:
        msg = f"Only the window's {'end' if start is None else 'start'} is given. Give start and end, or neither."
        raise ConfigError(msg)
    return Window.of(start, end)


def _interval(start: datetime | None, end: datetime | None) -> Window:
    if start is None or end is None:
        msg = (
            f"This run has no window: it has no data interval, no partition date, and no start and end. {WHAT_TO_WRITE}"
        )
        raise ConfigError(msg)
    if start == end:
        msg = (
            f"This run has no window: its data interval is empty (it starts and ends at {zulu(start)}). {WHAT_TO_WRITE}"
        )
        raise ConfigError(msg)
    return Window.of(start, end)
