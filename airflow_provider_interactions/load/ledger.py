"""The ledger as a table beside the table of interactions: ``<table>_ledger``. Rows are only ever added.

The table catches up: it gets what the lake's ledger has and it has not. So a load may leave that out, and a load that
is repeated adds nothing twice. All of the lake's steps come along, also failed ones and those of other DAGs. A table
belongs to one lake.

The key of a row is the name of its file, which begins with the instant at which the try ended. So names alone, as plain
texts, say what is missing, in any database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import pyarrow as pa

from airflow_provider_interactions.lake.paths import begin_step_name, read_step_end
from airflow_provider_interactions.load.sql import quote_name
from airflow_provider_interactions.schema import INSTANT, STEPS

#: Reads the rows of tries that ended at an instant or later, but for those in some files.
ReadSteps: TypeAlias = Callable[[datetime | None, frozenset[str]], pa.Table]

#: Tries that ended so long before the newest one may still be missing: clocks differ, and files take time to appear.
OVERLAP = timedelta(minutes=15)

#: The column that is the key of the table.
KEY = "file"


def name_table(table: str) -> str:
    """The ledger's table."""
    return f"{table}_ledger"


def read_missing(newest: str | None, list_names: Callable[[str], Iterable[str]], read: ReadSteps) -> pa.Table:
    """The rows to add to a table whose greatest key is ``newest``. ``list_names`` gives its keys from one on."""
    if newest is None:
        return read(None, frozenset())
    since = read_step_end(newest) - OVERLAP
    return read(since, frozenset(list_names(begin_step_name(since))))


def query_missing(
    table: str, query: Callable[[str], list[Any]], read: ReadSteps, quote: Callable[[str], str] = quote_name
) -> pa.Table:
    """The same of a table in a database. ``query`` runs a statement, and returns its rows."""
    name, key = quote(table), quote(KEY)

    def list_names(start: str) -> Iterable[str]:
        return (row[0] for row in query(f"SELECT {key} FROM {name} WHERE {key} >= '{start}'"))  # noqa: S608 - quoted

    [[newest]] = query(f"SELECT max({key}) FROM {name}")  # noqa: S608 - quoted
    return read_missing(newest, list_names, read)


def build_create(table: str, types: Mapping[pa.DataType, str], *, keyed: bool = True) -> str:
    """The statement that makes the table. ``types`` are the database's, text is that of ``pa.string()``."""
    columns = [f'"{field.name}" {types[field.type]}{"" if field.nullable else " NOT NULL"}' for field in STEPS]
    unique = [f'PRIMARY KEY ("{KEY}")'] if keyed else []
    return f"CREATE TABLE IF NOT EXISTS {quote_name(table)} ({', '.join(columns + unique)})"


def build_insert(table: str, source: str, quote: Callable[[str], str] = quote_name) -> str:
    """The statement that adds the rows of another table, but for those that are there."""
    name, key, names = quote(table), quote(KEY), ", ".join(map(quote, STEPS.names))
    there = f"SELECT 1 FROM {name} old WHERE old.{key} = new.{key}"  # noqa: S608 - quoted
    return f"INSERT INTO {name} ({names})\nSELECT {names}\nFROM {source} new\nWHERE NOT EXISTS ({there})"


#: Types of the columns, as DuckDB and PostgreSQL call them.
DUCKDB_TYPES = {
    pa.string(): "VARCHAR",
    INSTANT: "TIMESTAMPTZ",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
}
POSTGRES_TYPES = {**DUCKDB_TYPES, pa.string(): "text", pa.float64(): "double precision"}
