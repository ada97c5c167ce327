"""Which window a run is about. The same for all of its tasks, whatever timetable or trigger made the run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

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


def resolve_window(
    context: Mapping[str, Any], start: Instant | None = None, end: Instant | None = None, width: timedelta = DAY
) -> Window:
    """The window of a run: arguments or params ``start`` and ``end``; else the partition; else the data interval.

    ``width`` is how long a partition is from its date on. Raises ConfigError that says what to write when the run has
    none of them, when the window is naive, empty or reversed, and when a partition is not over yet.
    """
    params = context.get("params") or {}
    first, last = first_given(start, params.get("start")), first_given(end, params.get("end"))
    if first is not None or last is not None:
        return _read_explicit(first, last)
    partition = context.get("partition_date")
    if partition is not None:
        begin = instant(partition)
        return _require_over(Window.of(begin, begin + width))
    if getattr(context.get("dag_run"), "partition_key", None) and "partition_date" not in context:
        raise ConfigError(UNDATED)
    return _read_interval(context.get("data_interval_start"), context.get("data_interval_end"))


def first_given(*values: T | None) -> T | None:
    """The first value that is one: a template of a parameter nobody set leaves an empty text, or "None"."""
    return next((value for value in values if value not in NOT_GIVEN), None)


def _require_over(window: Window) -> Window:
    if window.end > datetime.now(UTC):
        raise ConfigError(f"The partition {window} is not over yet, so it would be read in part only. {NOT_OVER}")
    return window


def _read_explicit(start: Instant | None, end: Instant | None) -> Window:
    if start is None or end is None:
        msg = f"Only the window's {'end' if start is None else 'start'} is given. Give start and end, or neither."
        raise ConfigError(msg)
    return Window.of(start, end)


def _read_interval(start: datetime | None, end: datetime | None) -> Window:
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


#: Windows that one run writes at most: about three years of days.
MOST = 1_000


def choose_split_width(
    context: Mapping[str, Any], start: Instant | None, window: Window, width: timedelta
) -> timedelta | None:
    """``width``, when the run's window has to be split into windows of that length; None for one window.

    That is so when somebody chose the window, as argument ``start`` or as the run's param, and it is longer. Windows of
    timetables are as long as they should be. Raises ConfigError when there would be too many windows for one run.
    """
    params = context.get("params") or {}
    if first_given(start, params.get("start")) is None:
        return None
    number = window.count(width)
    if number > MOST:
        msg = (
            f"This run would write {number:,} windows of {width}, and one run writes {MOST:,} at most. Give the "
            "pipeline a greater width, or fill the time in several runs."
        )
        raise ConfigError(msg)
    return width if number > 1 else None


def is_aligned(window: Window, width: timedelta) -> bool:
    """Whether a window consists of whole ones of this width, counted from midnight UTC."""
    midnight = datetime(1970, 1, 1, tzinfo=UTC)
    return not any((moment - midnight) % width for moment in (window.start, window.end))


#: How a template writes a truth.
TRUTHS = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


def read_history_age(context: Mapping[str, Any], age: object = None, refresh: object = None) -> timedelta | None:
    """Arguments, else the run's params ``history_age`` and ``refresh``; None when none of them says anything.

    An age is a timedelta or seconds; ``refresh`` makes it zero. Raises ConfigError for what is neither.
    """
    params = context.get("params") or {}
    if _read_bool(first_given(refresh, params.get("refresh"))):
        return timedelta(0)
    found = first_given(age, params.get("history_age"))
    return None if found is None else _read_age(found)


def _read_bool(value: object) -> bool:
    known = TRUTHS.get(str(value).lower()) if value is not None else False
    if known is None:
        msg = f"refresh is {value!r}. Give true or false."
        raise ConfigError(msg)
    return known


def _read_age(value: object) -> timedelta:
    try:
        found = value if isinstance(value, timedelta) else timedelta(seconds=float(str(value)))
    except (ValueError, OverflowError):
        found = -timedelta.resolution
    if found < timedelta(0):
        msg = f"history_age is {value!r}. Give a timedelta, or seconds; zero asks anew."
        raise ConfigError(msg)
    return found


class Run(NamedTuple):
    """What tries have in common: their ``name``, None where there is no task instance, until the next clear.

    ``generation`` is another number after each clear.
    """

    name: str | None
    generation: int


def identify_run(context: Mapping[str, Any], retries: int) -> Run:
    """The run that the task at hand belongs to.

    Airflow adds a task's retries to the number of the last try when it is cleared, so the first try since then is
    ``max_tries - retries + 1``: that is the generation.
    """
    ti = context.get("ti") or context.get("task_instance")
    if ti is None or not hasattr(ti, "run_id"):
        return Run(None, 0)
    first = getattr(ti, "max_tries", retries) - retries + 1
    return Run(f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}", first)
