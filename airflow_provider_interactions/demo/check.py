"""Compare the table with the sandbox: is every interaction there, once, unchanged?

First a digest of a window's rows is compared with the oracle's. Only if they differ are the interactions themselves
fetched, to count those that are missing, doubled, changed or unknown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

import duckdb

from airflow_provider_interactions.demo.errors import DemoError
from airflow_provider_interactions.sandbox import Expected, Fact, digest
from airflow_provider_interactions.window import Window

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: What is read of the table; ``occurred_at`` in microseconds since 1970.
COLUMNS = (
    "occurred_at", "contact_id", "interaction_id", "native_type", "status", "subject", "campaign_id", "campaign_name",
    "message_id", "count", "revision", "attributes",
)  # fmt: skip


class Oracle(Protocol):
    """Knows which interactions exist."""

    def fetch_expected(self, vendor: str, window: Window, read: Window) -> Expected:
        """How many interactions exist in a window for who has read the other one, and their digest."""

    def facts(self, vendor: str, window: Window, read: Window) -> Iterable[Fact]:
        """Each of them."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How rows differ from what exists; ``columns`` are those in which changed rows differ."""

    missing: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The numbers, each with the id of one interaction to look at."""
        kinds = ("missing", "doubled", "changed", "unknown")
        counts = [f"{len(ids)} {kind} (e.g. {ids[0]})" for kind in kinds if (ids := getattr(self, kind))]
        columns = [f"changed columns: {', '.join(self.columns)}"] if self.columns else []
        return "; ".join([*counts, *columns]) or "no difference found, yet the digests differ"


@dataclass(frozen=True, slots=True)
class Finding:
    """One window of a vendor, or all its rows: what exists, what the table has, and how they differ, if they do.

    ``digest`` is that of the table's rows, ``truth`` the oracle's.
    """

    vendor: str
    where: str
    expected: int
    found: int
    digest: str
    truth: str
    difference: Difference | None = None

    def __str__(self) -> str:
        """One sentence with the numbers."""
        numbers = f"{self.expected} interactions exist, the table has {self.found}"
        return f"{self.vendor}, {self.where}: {numbers}" + (f": {self.difference}." if self.difference else ".")


def check(database: Path, oracle: Oracle, vendor: str, windows: Sequence[Window]) -> list[Finding]:
    """Compare each window's rows, and last all rows of the vendor, with what exists; windows are neighbours."""
    return check_rows(read_rows(database, vendor), oracle, vendor, windows)


def check_rows(rows: Sequence[Fact], oracle: Oracle, vendor: str, windows: Sequence[Window]) -> list[Finding]:
    """The same for rows that were read already."""
    whole = Window(windows[0].start, windows[-1].end)
    check_some = partial(_check_rows, oracle, vendor, whole)
    each = [check_some(window, str(window), [row for row in rows if _is_inside(window, row)]) for window in windows]
    # All rows, not only those in the windows: there must be none elsewhere.
    return [*each, check_some(whole, "all windows", rows)]


def read_rows(database: Path, vendor: str, table: str = "interactions") -> list[Fact]:
    """A vendor's rows of the table as facts; raises DemoError when they cannot be read."""
    columns = ", ".join(f'"{name}"' for name in COLUMNS).replace('"occurred_at"', "epoch_us(occurred_at)")
    sql = f'SELECT {columns} FROM "{table}" WHERE vendor = ?'  # noqa: S608 - names of its own
    try:
        with duckdb.connect(str(database), read_only=True) as connection:
            rows = connection.execute(sql, [vendor]).fetchall()
    except duckdb.Error as wrong:
        raise DemoError(f"The table {table} cannot be read from {database.name}: {wrong}") from wrong
    return [build_fact(vendor, row) for row in rows]


def choose_person(database: Path, people: Mapping[str, Sequence[str]]) -> list[str]:
    """The ids, by vendor, of the contact that most vendors have records of; among equals, the shortest history.

    ``people`` are the ids of all contacts by vendor; those of one position are the same person.
    """
    with duckdb.connect(str(database), read_only=True) as connection:
        found = connection.execute("SELECT vendor, contact_id, count(*) FROM interactions GROUP BY ALL").fetchall()
    rows = {(vendor, contact): count for vendor, contact, count in found}

    def worth(number: int) -> tuple[int, int]:
        counts = [rows.get((vendor, ids[number]), 0) for vendor, ids in people.items()]
        return sum(map(bool, counts)), -sum(counts)

    best = max(range(min(map(len, people.values()))), key=worth)
    return [ids[best] for ids in people.values()]


def compare(expected: Iterable[Fact], found: Iterable[Fact]) -> Difference:
    """Compare by interaction id. A row that is there twice is doubled once, one there thrice twice."""
    known = {fact.interaction_id: fact for fact in expected}
    there = {key: list(rows) for key, rows in groupby(sorted(found, key=_get_id), _get_id)}
    wrong = {key: [row for row in rows if row != known[key]] for key, rows in there.items() if key in known}
    columns = {name for key, rows in wrong.items() for row in rows for name in _list_changed_columns(known[key], row)}
    return Difference(
        missing=tuple(sorted(known.keys() - there.keys())),
        doubled=tuple(key for key, rows in there.items() for _ in rows[1:]),
        changed=tuple(key for key, rows in wrong.items() if rows),
        unknown=tuple(sorted(there.keys() - known.keys())),
        columns=tuple(sorted(columns)),
    )


def _check_rows(oracle: Oracle, vendor: str, read: Window, window: Window, where: str, rows: Sequence[Fact]) -> Finding:
    expected, found = oracle.fetch_expected(vendor, window, read), digest(rows)
    same = (expected.interactions, expected.digest) == (len(rows), found)
    differs = None if same else compare(oracle.facts(vendor, window, read), rows)
    return Finding(vendor, where, expected.interactions, len(rows), found, expected.digest, differs)


def build_fact(vendor: str, row: Sequence[Any]) -> Fact:
    """A row of the table, as the values of `COLUMNS`."""
    values = dict(zip(COLUMNS, row, strict=True))
    return Fact(vendor=vendor, **(values | {"attributes": _parse_attributes(values["attributes"])}))


def _parse_attributes(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"(no JSON object)": text}


def _is_inside(window: Window, row: Fact) -> bool:
    return _to_micros(window.start) <= row.occurred_at < _to_micros(window.end)


def _to_micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _get_id(fact: Fact) -> str:
    return fact.interaction_id


def _list_changed_columns(one: Fact, other: Fact) -> list[str]:
    return [name for name in one.__struct_fields__ if getattr(one, name) != getattr(other, name)]
