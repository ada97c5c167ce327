"""Merge staged rows into a table of PostgreSQL: by MERGE if it returns what it did, else by statements that count."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from airflow_provider_interactions.errors import LoadError
from airflow_provider_interactions.load import Loaded
from airflow_provider_interactions.load.sql import build_newer, build_order, list_names, quote_name
from airflow_provider_interactions.schema import KEY

#: The first version whose MERGE returns what it did with each row.
_RETURNS = 17_00_00

#: The rows of the window and of the table that are the same interaction. All of the key, so that its index is used.
_SAME = " AND ".join(f'old."{name}" = new."{name}"' for name in KEY)


def merge(cursor: Any, table: str, columns: pa.Schema, *, jsonb: bool) -> Loaded:
    """Write the rows of the temporary table ``arrived`` that are new, or newer and different.

    The caller has the rows of this vendor and account to itself. Raises LoadError if a program without the lock
    changes them meanwhile, and adbc's error for what the server refuses.
    """
    rows, merged = _remove_duplicates(cursor, columns)
    name, new, names = quote_name(table), _select_new(columns, jsonb=jsonb), list_names(columns)
    [filled] = query(cursor, f"SELECT EXISTS (SELECT FROM {name})")  # noqa: S608 - quoted
    if not filled:
        inserted = write(cursor, f"INSERT INTO {name} ({names}) SELECT {names} FROM {new}")  # noqa: S608 - quoted
        return Loaded(rows, inserted, 0, 0, merged)
    [version] = query(cursor, "SELECT current_setting('server_version_num')::int")
    write_changes = _merge if version >= _RETURNS else _find_and_write
    inserted, updated = write_changes(cursor, table, columns, new)
    return Loaded(rows, inserted, updated, rows - merged - inserted - updated, merged)


def query(cursor: Any, sql: str, values: tuple[str, ...] = ()) -> tuple[Any, ...]:
    """The only row."""
    cursor.execute(sql, values or None)
    [row] = cursor.fetchall()
    return tuple(row)


def write(cursor: Any, sql: str) -> int:
    """Run a statement, and return the number of rows that it wrote. ADBC counts none if it has parameters."""
    cursor.execute(sql)
    return int(cursor.rowcount)


def _merge(cursor: Any, table: str, columns: pa.Schema, new: str) -> tuple[int, int]:
    """Insert and update by one MERGE; the numbers of both. The join is made once, so it takes the least time."""
    sets, names = _build_sets(columns), list_names(columns)
    statement = (
        f"MERGE INTO {quote_name(table)} old USING {new} ON {_SAME}"  # noqa: S608 - quoted
        f" WHEN MATCHED AND {build_newer(columns)} THEN UPDATE SET {sets}"
        f" WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({list_names(columns, 'new.')})"
        " RETURNING merge_action() AS done"
    )
    counts = ", ".join(f"count(*) FILTER (WHERE done = '{action}')" for action in ("INSERT", "UPDATE"))
    inserted, updated = query(cursor, f"WITH written AS ({statement}) SELECT {counts} FROM written")  # noqa: S608 - quoted
    return inserted, updated


def _find_and_write(cursor: Any, table: str, columns: pa.Schema, new: str) -> tuple[int, int]:
    """Find the rows to write, and keep them apart. This counts exactly in versions whose MERGE returns nothing."""
    name, names = quote_name(table), list_names(columns)
    matches = f"FROM {new} LEFT JOIN {name} old ON {_SAME} WHERE old.vendor IS NULL OR ({build_newer(columns)})"
    changes = f"SELECT {list_names(columns, 'new.')}, old.ctid AS place {matches}"
    cursor.execute(f"CREATE TEMP TABLE changes ON COMMIT DROP AS {changes}")
    changed, known = query(cursor, "SELECT count(*), count(place) FROM changes")
    where = f"old.ctid = new.place AND {_SAME}"
    update = f"UPDATE {name} old SET {_build_sets(columns)} FROM changes new WHERE {where}"  # noqa: S608 - quoted
    updated = write(cursor, update) if known else 0
    source = f"SELECT {names} FROM changes WHERE place IS NULL"  # noqa: S608 - quoted
    inserted = write(cursor, f"INSERT INTO {name} ({names}) {source}") if changed > known else 0
    if (updated, inserted) != (known, changed - known):
        msg = f"Another program changed rows of table {table} at the same time, so nothing was loaded. Load again."
        raise LoadError(msg)
    return inserted, updated


def _build_sets(columns: pa.Schema) -> str:
    return ", ".join(f'"{one}" = new."{one}"' for one in columns.names if one not in KEY)


def _remove_duplicates(cursor: Any, columns: pa.Schema) -> tuple[int, int]:
    """Keep the newest row of each interaction, if one is in a window twice, as of two contacts.

    Returns the number of staged rows, and of those that were removed. A manifest has one vendor and account, so the id
    alone is the key of its rows. Hashes of the ids show in half the time that there are no duplicates; two ids of one
    hash only cost a closer look.
    """
    hashes = "count(DISTINCT hashtextextended(interaction_id, 0))"
    rows, distinct = query(cursor, f"SELECT count(*), {hashes} FROM arrived")  # noqa: S608 - constants
    if distinct == rows:
        return rows, 0
    twice = "SELECT interaction_id FROM arrived GROUP BY interaction_id HAVING count(*) > 1"
    rank = f"row_number() OVER (PARTITION BY interaction_id ORDER BY {build_order(columns)})"
    ranked = f"SELECT ctid AS mine, {rank} AS rank FROM arrived WHERE interaction_id IN ({twice})"  # noqa: S608 - constants
    return rows, write(cursor, f"DELETE FROM arrived USING ({ranked}) ranked WHERE arrived.ctid = mine AND rank > 1")  # noqa: S608 - constants


def _select_new(columns: pa.Schema, *, jsonb: bool) -> str:
    """The staged rows as ``new``, with the types of the table."""
    names = list_names(columns)
    if jsonb:  # ADBC cannot send jsonb
        names = names.replace('"attributes"', '"attributes"::jsonb AS "attributes"')
    return f"(SELECT {names} FROM arrived) new"  # noqa: S608 - quoted
