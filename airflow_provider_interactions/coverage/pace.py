"""How fast the last extractions of an account went, by the ledger: the pace that plans take for the next ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from airflow_provider_interactions.coverage.ledger import read_ledger
from airflow_provider_interactions.lake.storage import Lake

#: How far back tries count: vendors change their limits.
LAST = timedelta(days=14)

#: Seconds of work from which on its pace counts. Most of a shorter time may be the start.
LONG_ENOUGH = 30.0

_COLUMNS = ["vendor", "account", "step", "state", "started_at", "ended_at", "requests", "throttled"]


@dataclass(slots=True)
class _Stretch:
    """A time in which an account was asked without a break, by one task or by several side by side."""

    start: datetime
    end: datetime
    requests: int = 0
    deferred: bool = False

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


def measure_pace(lake: Lake, vendor: str, account: str, today: date) -> float | None:
    """Requests that an account accepts in a second, with the vendor's pauses; ``today`` is a UTC day.

    None if nothing of the last `LAST` took at least `LONG_ENOUGH`. Raises as ``read_ledger`` does.
    """
    tries = [
        row
        for row in read_ledger(lake, today - LAST).select(_COLUMNS).to_pylist()
        if (row["vendor"], row["account"], row["step"]) == (vendor, account, "extract") and row["requests"]
    ]
    found = [one for one in _join_tries(tries) if one.seconds >= LONG_ENOUGH]
    requests = sum(one.requests for one in found)
    return requests / sum(one.seconds for one in found) if requests else None


def _join_tries(tries: Iterable[dict[str, Any]]) -> list[_Stretch]:
    """Tries that overlap as one stretch. A deferred task waits for its vendor, so its next try belongs to it, too."""
    found: list[_Stretch] = []
    for row in sorted(tries, key=lambda row: row["started_at"]):
        start, end = row["started_at"], row["ended_at"]
        if not found or (start > found[-1].end and not found[-1].deferred):
            found.append(_Stretch(start, end))
        last = found[-1]
        if end >= last.end:
            last.end, last.deferred = end, row["state"] == "deferred"
        last.requests += max(0, row["requests"] - row["throttled"])
    return found
