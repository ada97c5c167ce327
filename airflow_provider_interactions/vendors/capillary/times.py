"""Capillary's local times: two spellings, mostly without a zone.

``sentDate`` is ``DD-MM-YYYY HH:mm:ss`` (page "Get Customer Interactions", read 2026-11), ``sent_time`` is
``YYYY-MM-DD HH:MM:SS`` (v1.1 documentation, github.com/capillary, read 2026-11), now and then without padding.
Which zone they are in is not published for interactions: clusters in India and Singapore are said to keep +05:30, in
the EU UTC (page "Timezone Management", about transactions). So the zone comes from the connection, never from here.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

_TIME = re.compile(
    r"\s*(\d{1,4})-(\d{1,2})-(\d{1,4})[ T]+(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,9}))?\s*(Z|[+-]\d{2}:?[0-5]\d)?\s*",
    re.ASCII,
)


@lru_cache
def find_zone(name: str) -> ZoneInfo:
    """A zone by its IANA name; raises ValueError for any other text."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError) as unknown:  # a folder of the zone database is an OSError
        msg = "no IANA time zone"
        raise ValueError(msg) from unknown


def read_instant(text: str, local: tzinfo) -> datetime:
    """The instant in UTC; raises ValueError if the text is not a time in the years 1 to 9999.

    A time with Z or an offset is taken at its word, one without is in ``local``: of the two readings that the end of
    summer time allows, the first. Digits beyond microseconds are cut.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        msg = "no time"
        raise ValueError(msg)
    first, month, third, hour, minute, second, fraction, offset = found.groups()
    year, day = (first, third) if len(first) == 4 else (third, first)
    if len(year) != 4:
        msg = "no year of four digits"
        raise ValueError(msg)
    micro = int((fraction or "").ljust(6, "0")[:6])
    moment = datetime(
        int(year), int(month), int(day), int(hour), int(minute), int(second), micro, _read_offset(offset, local)
    )
    try:
        return moment.astimezone(UTC)
    except OverflowError as wrong:
        msg = "outside the years 1 to 9999"
        raise ValueError(msg) from wrong


def _read_offset(offset: str | None, local: tzinfo) -> tzinfo:
    if offset is None:
        return local
    if offset == "Z":
        return UTC
    ahead = timedelta(hours=int(offset[1:3]), minutes=int(offset[-2:]))
    return timezone(-ahead if offset[0] == "-" else ahead)
