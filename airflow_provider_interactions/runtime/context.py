"""Find the window of a run. It is the same for all tasks of the run, whatever timetable or trigger created the run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.window import Instant, Window, read_instant, zulu

T = TypeVar("T")

DAY = timedelta(days=1)

#: What a template renders if a parameter is null.
NOT_GIVEN = (None, "", "None")

WHAT_TO_WRITE = (
    'Schedule the DAG with CronDataIntervalTimetable("@daily", timezone="UTC"): in Airflow 3 a bare cron string, also '
    '"@daily", gives every run an empty interval. For a manual run give the params start and end, for example '
    '{"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}, and declare both in the DAG.'
)

#: How to start a manual run that has a window.
BY_HAND = (
    "A run that is started by hand has a window only if you give it one: a logical date (airflow dags trigger "
    "--logical-date 2026-01-02T00:00:00Z reads the day before it), or the params start and end, for example "
    '{"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}, which the DAG must declare.'
)

NOT_IN_BACKFILL = (
    "This run belongs to a backfill, and the params start and end are given, so each of its runs would read that whole "
    "time again. Leave both empty in a backfill, or trigger a single run with them."
)

UNDATED = (
    "This run processes a partition, and Airflow 3.2 does not give tasks the partition's date. Use Airflow 3.3, or "
    'schedule the DAG with CronDataIntervalTimetable("@daily", timezone="UTC"), or give the run the params start and '
    "end."
)

NOT_OVER = (
    "Give the DAG's CronPartitionTimetable run_offset=-1. A run then processes the partition that has just ended. "
    "End backfills with the last partition that is over."
)


def resolve_window(
    context: Mapping[str, Any], start: Instant | None = None, end: Instant | None = None, width: timedelta = DAY
) -> Window:
    """The window of a run: arguments or params ``start`` and ``end``; else the partition; else the data interval.

    A partition starts at its date and has the length ``width``. Raises ConfigError, which says what to write, if the
    run has none of the three, if the window is naive, empty or reversed, if a partition is not over yet, and for params
    in a backfill.
    """
    params = context.get("params") or {}
    first, last = pick_given(start, params.get("start")), pick_given(end, params.get("end"))
    if first is not None or last is not None:
        if (start, end) != (first, last) and _is_run(context, "backfill"):
            raise ConfigError(NOT_IN_BACKFILL)
        return _read_explicit(first, last)
    partition = context.get("partition_date")
    if partition is not None:
        begin = read_instant(partition)
        return _require_over(Window.of(begin, begin + width))
    if getattr(context.get("dag_run"), "partition_key", None) and "partition_date" not in context:
        raise ConfigError(UNDATED)
    advice = BY_HAND if _is_run(context, "manual") else WHAT_TO_WRITE
    return _read_interval(context.get("data_interval_start"), context.get("data_interval_end"), advice)


def _is_run(context: Mapping[str, Any], kind: str) -> bool:
    """Whether Airflow made the run in this way: backfill, manual, scheduled, and so on."""
    return getattr(context.get("dag_run"), "run_type", None) == kind


def pick_given(*values: T | None) -> T | None:
    """The first value that was given. A template renders a parameter that was not set as an empty text, or "None"."""
    return next((value for value in values if value not in NOT_GIVEN), None)


def find_user(context: Mapping[str, Any]) -> str | None:
    """The name of the user who triggered the run; None if a schedule or a program without a user did."""
    return getattr(context.get("dag_run"), "triggering_user_name", None)


def _require_over(window: Window) -> Window:
    if window.end > datetime.now(UTC):
        raise ConfigError(f"The partition {window} is not over yet, so only a part of it could be read. {NOT_OVER}")
    return window


def _read_explicit(start: Instant | None, end: Instant | None) -> Window:
    if start is None or end is None:
        msg = f"Only the window's {'end' if start is None else 'start'} is given. Give start and end, or neither."
        raise ConfigError(msg)
    return Window.of(start, end)


def _read_interval(start: datetime | None, end: datetime | None, advice: str) -> Window:
    if start is None or end is None:
        msg = f"This run has no window: it has no data interval, no partition date, and no start and end. {advice}"
        raise ConfigError(msg)
    if start == end:
        msg = f"This run has no window: its data interval is empty (it starts and ends at {zulu(start)}). {advice}"
        raise ConfigError(msg)
    return Window.of(start, end)


#: Runs that read again the windows before their own. Others have a window that somebody chose.
_LOOKING_BACK = ("scheduled", "asset_triggered")


def is_scheduled(context: Mapping[str, Any]) -> bool:
    """Whether a schedule or an asset started the run, and not a person or a backfill."""
    return any(_is_run(context, kind) for kind in _LOOKING_BACK)


def look_back(context: Mapping[str, Any], window: Window, windows: int, width: timedelta) -> Window:
    """The run's window, and the ``windows`` before it, which a scheduled run reads again for late data.

    Returns only the window for other runs: backfills and manual runs. Raises ConfigError if the window is not one of
    length ``width`` that starts at a boundary of UTC days, or of ``width`` if that is shorter.
    """
    if not windows or not is_scheduled(context):
        return window
    if window.end - window.start != width or not _is_boundary(window.start, min(width, DAY)):
        msg = (
            f"lookback reads windows of {width} again that start at a boundary in UTC, and this run's window is "
            f"{window}. Schedule the DAG in UTC, with width as long as its data interval, or leave lookback out."
        )
        raise ConfigError(msg)
    return Window(window.start - windows * width, window.end)


#: The most windows that one run writes: about three years of days.
MOST_WINDOWS = 1_000


def choose_split_width(
    context: Mapping[str, Any], start: Instant | None, window: Window, width: timedelta, late: int = 0
) -> timedelta | None:
    """``width`` if the run's window must be split into windows of that length, else None.

    A window is split if it is longer than ``width`` and comes from the argument ``start`` or from the run's param, or
    if it holds ``late`` windows before the run's own. The windows of timetables already have the right length. Raises
    ConfigError if one run would write too many windows.
    """
    params = context.get("params") or {}
    if not late and pick_given(start, params.get("start")) is None:
        return None
    number = window.count(width)
    if number > MOST_WINDOWS:
        msg = (
            f"This run would write {number:,} windows of {width}, and one run writes {MOST_WINDOWS:,} at most. Give "
            "the pipeline a larger width, or split the time into several runs."
        )
        raise ConfigError(msg)
    return width if number > 1 else None


def is_aligned(window: Window, width: timedelta) -> bool:
    """Whether a window consists of whole windows of this width, counted from midnight UTC."""
    return all(_is_boundary(moment, width) for moment in (window.start, window.end))


def _is_boundary(moment: datetime, width: timedelta) -> bool:
    return not (moment - datetime(1970, 1, 1, tzinfo=UTC)) % width


#: How templates write booleans.
BOOLEANS = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


def read_history_age(context: Mapping[str, Any], age: object = None, refresh: object = None) -> timedelta | None:
    """The greatest age of a history that may be used again; None if it was not given.

    It comes from the arguments, else from the run's params ``history_age`` and ``refresh``. An age is a timedelta or
    seconds; ``refresh`` makes it zero. Raises ConfigError for any other value.
    """
    params = context.get("params") or {}
    if read_switch("refresh", pick_given(refresh, params.get("refresh"))):
        return timedelta(0)
    chosen = pick_given(age, params.get("history_age"))
    return None if chosen is None else _read_age(chosen)


def read_switch(name: str, value: object) -> bool:
    """A boolean of a run's params or of a template; no for one that was not given. Raises ConfigError for any other."""
    flag = BOOLEANS.get(str(value).lower()) if pick_given(value) is not None else False
    if flag is None:
        msg = f"{name} is {value!r}. Give true or false."
        raise ConfigError(msg)
    return flag


def _read_age(value: object) -> timedelta:
    try:
        age = value if isinstance(value, timedelta) else timedelta(seconds=float(str(value)))
    except (ValueError, OverflowError):
        age = -timedelta.resolution
    if age < timedelta(0):
        msg = f"history_age is {value!r}. Give a timedelta or seconds. Zero fetches all histories again."
        raise ConfigError(msg)
    return age


class Span(NamedTuple):
    """What a run reads: one window, to be split into windows of ``width`` unless that is None.

    The first ``late`` of them are older than the run's own window.
    """

    window: Window
    width: timedelta | None = None
    late: int = 0


class Run(NamedTuple):
    """Identifies the tries of one task instance between two clears.

    ``name`` is None without a task instance. ``generation`` changes with each clear.
    """

    name: str | None
    generation: int


def identify_run(context: Mapping[str, Any], retries: int) -> Run:
    """The run of the current task.

    When a task is cleared, Airflow sets ``max_tries`` to the number of the last try plus the task's retries. So the
    first try after the clear is ``max_tries - retries + 1``. That number is the generation.
    """
    ti = context.get("ti") or context.get("task_instance")
    if ti is None or not hasattr(ti, "run_id"):
        return Run(None, 0)
    first = getattr(ti, "max_tries", retries) - retries + 1
    return Run(f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}", first)
