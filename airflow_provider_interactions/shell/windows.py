"""The windows of a command: a day, or a span cut into windows of one width."""

from __future__ import annotations

import re
from datetime import timedelta

from airflow_provider_interactions.contract import Vendor
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.person.request import all_time
from airflow_provider_interactions.window import Window, instant

_WIDTH = re.compile(r"([1-9][0-9]{0,3})([hdw])")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def choose_windows(day: str | None, start: str | None, end: str | None, width: str = "1d") -> list[Window]:
    """The windows of the options ``--day``, ``--start``, ``--end`` and ``--width``. Raises ConfigError."""
    span = parse_width(width)
    if day is not None:
        if start is not None or end is not None:
            raise ConfigError("Give --day, or --start and --end, not both.")
        first = instant(day)
        return list(Window(first, first + timedelta(days=1)).split(span))
    if start is None or end is None:
        raise ConfigError("Give --day 2026-01-31, or --start and --end, for example 2026-01-01 and 2026-02-01.")
    return list(Window.of(start, end).split(span))


def choose_span(vendor: Vendor, start: str | None, end: str | None) -> Window:
    """The time of ``--start`` and ``--end``, each of which may be left out. Raises ConfigError."""
    full = all_time(vendor)
    return Window(full.start if start is None else instant(start), full.end if end is None else instant(end))


def choose_bounds(start: str | None, end: str | None) -> Window | None:
    """The window of ``--start`` and ``--end``, None without both. Raises ConfigError for one alone."""
    if start is None and end is None:
        return None
    if start is None or end is None:
        raise ConfigError("Give both --start and --end, or neither.")
    return Window.of(start, end)


def parse_width(text: str) -> timedelta:
    """``6h``, ``1d`` or ``1w``. Raises ConfigError for anything else."""
    found = _WIDTH.fullmatch(text)
    if found is None:
        raise ConfigError(f"--width is {text!r}. Write for example 6h, 1d or 1w.")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
