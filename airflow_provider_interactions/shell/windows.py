"""The windows of a command: a day, or a span cut into windows of one width."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from airflow_provider_interactions.contract import Vendor
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.person.request import choose_all_time
from airflow_provider_interactions.window import Window, read_instant

_WIDTH = re.compile(r"([1-9][0-9]{0,3})([hdw])")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def choose_windows(
    day: str | None, start: str | None, end: str | None, width: str = "1d", time_zone: str | None = None
) -> list[Window]:
    """The windows of the options ``--day``, ``--start``, ``--end``, ``--width`` and ``--time-zone``.

    A date means its midnight in the time zone. Days and weeks are those of the calendar there: a day on which clocks
    change is 23 or 25 hours long, as in a schedule of that time zone. Raises ConfigError.
    """
    zone, span = find_zone(time_zone), parse_length("--width", width)
    if day is not None:
        if start is not None or end is not None:
            raise ConfigError("Give --day, or --start and --end, not both.")
        first = _read_instant(day, zone).astimezone(zone)
        return list(_split_span(first, _add(first, timedelta(days=1)).astimezone(UTC), span))
    if start is None or end is None:
        raise ConfigError("Give --day 2026-01-31, or --start and --end, for example 2026-01-01 and 2026-02-01.")
    whole = Window(_read_instant(start, zone), _read_instant(end, zone))
    return list(_split_span(whole.start.astimezone(zone), whole.end, span))


def find_zone(name: str | None) -> tzinfo:
    """A time zone by its name; UTC without one. Raises ConfigError."""
    if name is None:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
        msg = f"--time-zone is {name!r}, which is not a known time zone. Write for example Europe/Berlin."
        raise ConfigError(msg) from unknown


def _read_instant(text: str, zone: tzinfo) -> datetime:
    """A date's midnight in a time zone, or a time with a zone of its own."""
    found = read_instant(text)
    return datetime.combine(found.date(), time.min, zone) if _DATE.fullmatch(text) else found


def _split_span(start: datetime, end: datetime, span: timedelta) -> Iterator[Window]:
    # Python compares times of one zone by their clocks, which repeat an hour once a year: so in UTC.
    while start.astimezone(UTC) < end:
        after = _add(start, span)
        yield Window(start, min(after.astimezone(UTC), end))
        start = after


def _add(moment: datetime, span: timedelta) -> datetime:
    """Whole days are added on the calendar of the moment's time zone, hours on the clock."""
    if span % timedelta(days=1):
        return (moment.astimezone(UTC) + span).astimezone(moment.tzinfo)
    return moment + span


def choose_span(vendor: Vendor, start: str | None, end: str | None, time_zone: str | None = None) -> Window:
    """The time of ``--start`` and ``--end``, each of which may be left out. Raises ConfigError."""
    full, (first, last) = choose_all_time(vendor), read_ends(start, end, time_zone)
    return Window(first or full.start, last or full.end)


def read_ends(start: str | None, end: str | None, time_zone: str | None) -> tuple[datetime | None, datetime | None]:
    """``--start`` and ``--end``, each None if it was left out. Raises ConfigError."""
    zone = find_zone(time_zone)
    first, last = (None if text is None else _read_instant(text, zone) for text in (start, end))
    return first, last


def choose_bounds(start: str | None, end: str | None, time_zone: str | None = None) -> Window | None:
    """The window of ``--start`` and ``--end``, None without both. Raises ConfigError for one alone."""
    if start is None and end is None:
        return None
    if start is None or end is None:
        raise ConfigError("Give both --start and --end, or neither.")
    zone = find_zone(time_zone)
    return Window(_read_instant(start, zone), _read_instant(end, zone))


def parse_length(option: str, text: str) -> timedelta:
    """``6h``, ``1d`` or ``1w``. Raises ConfigError for anything else."""
    found = _WIDTH.fullmatch(text)
    if found is None:
        raise ConfigError(f"{option} is {text!r}. Write for example 6h, 1d or 1w.")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
