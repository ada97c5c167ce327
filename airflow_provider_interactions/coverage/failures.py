"""Windows whose last try of a step failed, found by the names of the ledger's files: few of them need to be read."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from airflow_provider_interactions.coverage.ledger import RECENT, list_recent, parse_name, read_rows
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.window import Window

#: Steps that are not about what the lake holds of a window.
_OTHER_STEPS = frozenset({"request"})


class Failure(msgspec.Struct, frozen=True):
    """A step of a window whose last try failed, at an instant (UTC)."""

    vendor: str
    account: str
    window: Window
    ended_at: datetime


def find_failures(lake: Lake, today: date) -> list[Failure]:
    """The failures of the last ``RECENT`` days that no later try of the same step has mended.

    A process that was killed has no row in the ledger. Raises as the lake does if it cannot be read.
    """
    named = [(name, path) for path in list_recent(lake, today - RECENT) if (name := parse_name(path))]
    last = {name.key: (name.state, path) for name, path in named}
    rows = read_rows(lake, [path for state, path in last.values() if state == "failed"]).to_pylist()
    return [
        Failure(row["vendor"], row["account"], Window(row["window_start"], row["window_end"]), row["ended_at"])
        for row in rows
        if row["vendor"] and row["account"] and row["window_start"] and row["step"] not in _OTHER_STEPS
    ]
