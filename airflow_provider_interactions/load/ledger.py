"""The ledger as a table beside the table of interactions: ``<table>_ledger``. Rows are only ever added.

The table catches up: it gets what the lake's ledger has and it has not. So a load may leave that out, and a load that
is repeated adds nothing twice. All of the lake's steps come along, also failed ones and those of other DAGs. A table
belongs to one lake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeAlias, runtime_checkable

import pyarrow as pa

from airflow_provider_interactions.load.sql import quote_name
from airflow_provider_interactions.schema import INSTANT, STEPS

#: Reads the rows of tries that ended at an instant or later, but for those in some files.
ReadSteps: TypeAlias = Callable[[datetime | None, frozenset[str]], pa.Table]

#: Tries that ended so long before the newest one may still be missing: clocks differ, and files take time to appear.
OVERLAP = timedelta(minutes=15)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@runtime_checkable
class LedgerTarget(Protocol):
    """A target that can have the ledger as a table."""

    def add_steps(self, read: ReadSteps) -> int:
        """Bring the table of the ledger up to date, and return the number of new rows.

        Makes the table if it is absent. Raises LoadError: then nothing was added.
        """


def name_table(table: str) -> str:
    """The ledger's table."""
    return f"{table}_ledger"


def build_create(table: str, types: Mapping[pa.DataType, str]) -> str:
    """The statement that makes the table. ``types`` are the database's, text is that of ``pa.string()``."""
    columns = (f'"{field.name}" {types[field.type]}{"" if field.nullable else " NOT NULL"}' for field in STEPS)
    return f"CREATE TABLE IF NOT EXISTS {quote_name(table)} ({', '.join(columns)}, PRIMARY KEY (file))"


def build_insert(table: str, source: str) -> str:
    """The statement that adds the rows of another table, but for those that are there."""
    names = ", ".join(f'"{name}"' for name in STEPS.names)
    return f"INSERT INTO {quote_name(table)} ({names}) SELECT {names} FROM {source} ON CONFLICT (file) DO NOTHING"  # noqa: S608 - quoted


def find_missing(table: str, query: Callable[[str], list[Any]], read: ReadSteps) -> pa.Table:
    """The rows to add. ``query`` runs a statement, and returns its rows."""
    name = quote_name(table)
    [[newest]] = query(f"SELECT CAST(extract(epoch FROM max(ended_at)) AS BIGINT) FROM {name}")  # noqa: S608 - quoted
    if newest is None:
        return read(None, frozenset())
    since = _EPOCH + timedelta(seconds=newest) - OVERLAP
    where = f"ended_at >= TIMESTAMPTZ '{since.isoformat()}'"
    return read(since, frozenset(row[0] for row in query(f"SELECT file FROM {name} WHERE {where}")))  # noqa: S608 - quoted


#: Types of the columns, as DuckDB and PostgreSQL call them.
DUCKDB_TYPES = {
    pa.string(): "VARCHAR",
    INSTANT: "TIMESTAMPTZ",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
}
POSTGRES_TYPES = {**DUCKDB_TYPES, pa.string(): "text", pa.float64(): "double precision"}
