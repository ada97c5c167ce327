"""What the tries of each day took, summed up from the ledger: for charts."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import msgspec

from airflow_provider_interactions.coverage.ledger import read_ledger
from airflow_provider_interactions.lake.storage import Lake

#: The most days to sum up at once.
MOST_DAYS = 31

#: What is summed up, and by what.
COLUMNS = ("vendor", "account", "step", "state", "ended_at", "requests", "rows", "throttled_seconds")


class Usage(msgspec.Struct):
    """All tries that ended on one UTC day.

    ``rows`` are those that were normalized. ``throttled_seconds`` is the time that requests waited because a vendor
    asked for a pause. ``failed`` are tries.
    """

    day: date
    requests: int = 0
    rows: int = 0
    throttled_seconds: float = 0.0
    failed: int = 0


def sum_days(lake: Lake, last: date, days: int, vendor: str | None = None, account: str | None = None) -> list[Usage]:
    """One entry for each of the ``days`` days up to ``last``, at most ``MOST_DAYS``. None chooses all accounts."""
    first = last - timedelta(days=min(days, MOST_DAYS) - 1)
    found = {day: Usage(day) for day in (first + timedelta(days=n) for n in range((last - first).days + 1))}
    for row in read_ledger(lake, first, last).select(COLUMNS).to_pylist():
        if vendor in (None, row["vendor"]) and account in (None, row["account"]):
            _add_try(found[row["ended_at"].date()], row)
    return list(found.values())


def _add_try(usage: Usage, row: dict[str, Any]) -> None:
    usage.requests += row["requests"]
    usage.throttled_seconds += row["throttled_seconds"]
    usage.failed += row["state"] == "failed"
    if row["step"] == "normalize" and row["state"] == "success":
        usage.rows += row["rows"] or 0
