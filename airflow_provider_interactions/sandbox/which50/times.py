"""Which50's times: instants to a tenth of a microsecond with the offset of Irish time.

Source: the samples of the help pages (app.which50.com/Which50API/documentation) as of 2024-05 and 2025-11, read
2026-11; that the offset is Ireland's is an inference from these.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from airflow_provider_interactions.sandbox.world import instant, micros

_MINUTE = 60_000_000
_SUNDAY = 6


class Moment(NamedTuple):
    """A .NET DateTimeOffset: ticks of 100 ns since 1970 in UTC, and how far ahead of UTC its clock is."""

    ticks: int
    offset_minutes: int

    def offset_form(self) -> str:
        """As JSON writes it: the local time and its offset, e.g. ``2025-11-04T14:24:58.0527074+00:00``."""
        sign, minutes = "-" if self.offset_minutes < 0 else "+", abs(self.offset_minutes)
        return f"{_clock(self.ticks, self.offset_minutes)}{sign}{minutes // 60:02d}:{minutes % 60:02d}"

    def utc_form(self) -> str:
        """As the XML member DateTime writes it: UTC with a Z."""
        return f"{_clock(self.ticks, 0)}Z"


def _clock(ticks: int, offset_minutes: int) -> str:
    """A clock's reading; trailing zeros of the fraction are dropped, and its dot if nothing remains."""
    local = instant(ticks // 10 + offset_minutes * _MINUTE).replace(tzinfo=None, microsecond=0)
    return f"{local.isoformat()}.{ticks % 10_000_000:07d}".rstrip("0").rstrip(".")


def irish_minutes(at_us: int) -> int:
    """60 in Irish summer: from the last Sunday of March, 01:00 UTC, to that of October; else 0."""
    begin, end = _summer(instant(at_us).year)
    return 60 if begin <= at_us < end else 0


@lru_cache(maxsize=256)
def _summer(year: int) -> tuple[int, int]:
    return _last_sunday(year, 3), _last_sunday(year, 10)


def _last_sunday(year: int, month: int) -> int:
    last = datetime(year, month, 31, 1, tzinfo=UTC)
    return micros(last - timedelta(days=(last.weekday() - _SUNDAY) % 7))
