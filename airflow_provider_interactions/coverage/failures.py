"""Windows whose last try of a step failed, found by the keys of the ledger's rows: few files need to be read."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from airflow_provider_interactions.coverage.ledger import RECENT
from airflow_provider_interactions.coverage.ledger_files import parse_name, read_chosen
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
    rows = read_chosen(lake, today - RECENT, None, _choose_failed).to_pylist()
    return [
        Failure(row["vendor"], row["account"], Window(row["window_start"], row["window_end"]), row["ended_at"])
        for row in rows
        if row["vendor"] and row["account"] and row["window_start"] and row["step"] not in _OTHER_STEPS
    ]


def _choose_failed(names: list[str]) -> list[str]:
    """The rows of the last tries, one for each step of a window, if they failed."""
    last = {found.key: (found.state, name) for name in names if (found := parse_name(name))}
    return [name for state, name in last.values() if state == "failed"]
