"""Which windows of a lake are complete, and which are missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby

import msgspec

from airflow_provider_interactions.coverage.cells import Cell
from airflow_provider_interactions.coverage.read import find_gaps, read_coverage
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.shell.session import Session
from airflow_provider_interactions.window import Window, zulu

COLUMNS = ("account", "from", "to", "windows", "state", "rows", "rejects")


def show_coverage(
    session: Session, lake: Lake, vendor: str | None, account: str | None, within: Window | None, *, gaps: bool
) -> None:
    """Print the windows of the lake: a line for neighbours of one state. ``gaps`` prints only what is missing."""
    cells = read_coverage(lake, vendor=vendor, account=account, within=within)
    missing = find_gaps(cells)
    shown = missing if gaps else cells
    session.result |= {"missing": len(missing), "windows": [_describe(cell) for cell in shown]}
    session.show_table(COLUMNS, _list_rows(shown))
    session.say(f"{len(missing)} of {len(cells)} windows are missing.")


def _describe(cell: Cell) -> dict[str, object]:
    names = ("vendor", "account", "state", "rows", "rejects", "bytes", "manifest")
    counts = msgspec.to_builtins(cell.counts)
    return {name: getattr(cell, name) for name in names} | {
        "start": zulu(cell.start),
        "end": zulu(cell.end),
        "counts": counts,
    }


def _list_rows(cells: Sequence[Cell]) -> Iterator[tuple[object, ...]]:
    for (vendor, account, state), group in groupby(cells, lambda cell: (cell.vendor, cell.account, str(cell.state))):
        found = list(group)
        rows, rejects = _sum(found, "rows"), _sum(found, "rejects")
        span = (_name(found[0].start), _name(found[-1].end))
        yield f"{vendor}\n{account}", *span, len(found), state, f"{rows:,}", f"{rejects:,}"


def _sum(cells: Iterable[Cell], name: str) -> int:
    return sum(getattr(cell, name) for cell in cells)


def _name(moment: datetime) -> str:
    """An instant in short: midnight by its date."""
    return zulu(moment).removesuffix("T00:00:00Z")
