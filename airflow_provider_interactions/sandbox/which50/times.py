"""Which50's times: instants to a tenth of a microsecond with the offset of Irish time.

Source: the samples of the help pages (app.which50.com/Which50API/documentation) as of 2024-05 and 2025-11, read
2026-11; that the offset is Ireland's is an inference from these.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from airflow_provider_interactions.sandbox.world import to_datetime

_MINUTE = 60_000_000
_DUBLIN = ZoneInfo("Europe/Dublin")


class Moment(NamedTuple):
    """A .NET DateTimeOffset: ticks of 100 ns since 1970 in UTC, and how far ahead of UTC its clock is."""

    ticks: int
    offset_minutes: int

    def format_local(self) -> str:
        """As JSON writes it: the local time and its offset, e.g. ``2025-11-04T14:24:58.0527074+00:00``."""
        sign, minutes = "-" if self.offset_minutes < 0 else "+", abs(self.offset_minutes)
        return f"{_format_clock(self.ticks, self.offset_minutes)}{sign}{minutes // 60:02d}:{minutes % 60:02d}"

    def format_utc(self) -> str:
        """As the XML member DateTime writes it: UTC with a Z."""
        return f"{_format_clock(self.ticks, 0)}Z"


def _format_clock(ticks: int, offset_minutes: int) -> str:
    """A clock's reading; trailing zeros of the fraction are dropped, and its dot if nothing remains."""
    local = to_datetime(ticks // 10 + offset_minutes * _MINUTE).replace(tzinfo=None, microsecond=0)
    return f"{local.isoformat()}.{ticks % 10_000_000:07d}".rstrip("0").rstrip(".")


def get_irish_minutes(at_us: int) -> int:
    """How far Irish time is ahead of UTC."""
    return (to_datetime(at_us).astimezone(_DUBLIN).utcoffset() or timedelta(0)) // timedelta(minutes=1)
