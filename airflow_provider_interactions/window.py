"""Windows: half-open intervals of time in UTC. Every step works on one window.

A window is ``[start, end)``. An interaction at ``start`` belongs to it, and one at ``end`` belongs to the next window.
Nothing subtracts a tick from the end, so neighbouring windows share no instant and miss none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from airflow_provider_interactions.errors import ConfigError

Instant = datetime | date | str

#: A number as text. Eight digits do not match: they are a date in ISO 8601 (20260131).
_NUMBER = re.compile(r"(?![0-9]{8}$)[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?")
_FOR_EXAMPLE = "Write for example 2026-01-31T00:00:00Z, or 2026-01-31 for midnight UTC."


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """``[start, end)`` as two aware datetimes in UTC. Raises ConfigError if it is naive, empty or reversed."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for name, value in (("start", self.start), ("end", self.end)):
            if value.tzinfo is None:
                text = value.isoformat()
                raise ConfigError(f"The window's {name} {text} has no time zone. Write for example {text}Z.")
            object.__setattr__(self, name, _to_utc(value))
        if self.start >= self.end:
            raise ConfigError(_describe_wrong_end(self.start, self.end))

    @classmethod
    def of(cls, start: Instant, end: Instant) -> Window:
        """Make a window from datetimes, dates, or ISO 8601 texts with a zone. A date means midnight UTC."""
        return cls(read_instant(start), read_instant(end))

    @property
    def slug(self) -> str:
        """A name for files that sorts by time, to the second: ``20260101T000000Z-20260102T000000Z``."""
        return f"{_compact(self.start)}-{_compact(self.end)}"

    def __str__(self) -> str:
        """``[2026-01-01T00:00:00Z, 2026-01-02T00:00:00Z)``."""
        return f"[{zulu(self.start)}, {zulu(self.end)})"

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def count(self, span: timedelta) -> int:
        """The number of windows that ``split`` makes."""
        return -((self.start - self.end) // span)

    def split(self, span: timedelta) -> Iterator[Window]:
        """Split into neighbouring windows of at most ``span``. Together they are exactly this window."""
        if span <= timedelta(0):
            msg = f"A window cannot be split into windows of {span}. Give a positive length."
            raise ConfigError(msg)
        start = self.start
        while start < self.end:
            end = min(start + span, self.end)
            yield Window(start, end)
            start = end

    def list_days(self) -> list[date]:
        """Every UTC calendar day that has an instant in this window, in order."""
        last = (self.end - timedelta(microseconds=1)).date()
        count = (last - self.start.date()).days + 1
        return [self.start.date() + timedelta(days=n) for n in range(count)]

    @classmethod
    def day(cls, day: date) -> Window:
        """The UTC calendar day as a window."""
        start = datetime.combine(day, time.min, UTC)
        return cls(start, start + timedelta(days=1))


def read_instant(value: object) -> datetime:
    """Read one end of a window: an aware datetime, a date (midnight UTC), or ISO 8601 text with an offset or Z.

    Raises ConfigError for a time without a zone, for text that is not a time, and for other types. A number is refused
    because its unit is unknown.
    """
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, str):
        msg = f"A window cannot start or end at a value of the type {type(value).__name__}. {_FOR_EXAMPLE}"
        raise ConfigError(msg)
    import pendulum

    text = value.strip()
    if _NUMBER.fullmatch(text):
        msg = f"{text!r} is a number, not a time. {_FOR_EXAMPLE}"
        raise ConfigError(msg)
    try:
        parsed: object = pendulum.parse(text, exact=True)
        if isinstance(parsed, datetime):
            parsed.utcoffset()  # raises ValueError for an offset of a day
    except (ValueError, TypeError) as error:
        msg = f"{text!r} is not a valid ISO 8601 time. Write for example 2026-01-31T00:00:00Z."
        raise ConfigError(msg) from error
    if isinstance(parsed, datetime):
        return _require_zone(parsed, text)
    if isinstance(parsed, date):
        return datetime.combine(parsed, time.min, UTC)
    msg = f"{text!r} is not an instant. Write for example 2026-01-31T00:00:00Z."
    raise ConfigError(msg)


def zulu(moment: datetime) -> str:
    """ISO 8601 in UTC with a Z. Microseconds appear only if they are not zero."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _require_zone(parsed: datetime, text: str) -> datetime:
    # pendulum reads a missing zone as UTC. Only the text shows whether it has a zone.
    if not (text.endswith(("Z", "z")) or "+" in text[10:] or "-" in text[10:]):
        msg = f"{text!r} has no time zone. Write for example {text}Z."
        raise ConfigError(msg)
    return _to_utc(parsed)


def _to_utc(moment: datetime) -> datetime:
    """A plain datetime in UTC. Airflow provides pendulum's DateTime, which msgspec cannot encode."""
    if type(moment) is datetime and moment.tzinfo is UTC:
        return moment
    try:
        utc = moment.astimezone(UTC)
    except OverflowError as error:
        msg = f"{moment.isoformat()} is outside the years 1 to 9999 in UTC. Write a time inside them."
        raise ConfigError(msg) from error
    return datetime(utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second, utc.microsecond, UTC)


def _compact(moment: datetime) -> str:
    return zulu(moment).replace("-", "").replace(":", "")


def _describe_wrong_end(start: datetime, end: datetime) -> str:
    kind = "is empty" if start == end else "ends before it starts"
    return f"The window [{zulu(start)}, {zulu(end)}) {kind}. Its end must be later than its start."


#: "All time": the window of a whole history.
ALWAYS = Window(datetime(1900, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))


def join_windows(windows: Iterable[Window], most: int) -> list[Window]:
    """Windows in order, neighbours of one width joined into stretches of at most ``most`` windows."""
    joined = list[list[Window]]()
    for window in sorted(windows, key=lambda one: (one.start, one.end)):
        last = joined[-1] if joined else []
        if last and len(last) < most and last[-1].end == window.start and _is_as_wide(last[-1], window):
            last.append(window)
        else:
            joined.append([window])
    return [Window(stretch[0].start, stretch[-1].end) for stretch in joined]


def _is_as_wide(one: Window, other: Window) -> bool:
    return one.end - one.start == other.end - other.start
