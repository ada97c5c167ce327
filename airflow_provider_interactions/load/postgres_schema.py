"""The table in PostgreSQL: find it, make it, add the columns of newer versions of the schema, give it its key."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import pyarrow as pa

from airflow_provider_interactions.errors import ConfigError, LoadError
from airflow_provider_interactions.load.misfit import describe_misfit
from airflow_provider_interactions.load.sql import quote_name, quote_text
from airflow_provider_interactions.schema import INSTANT, KEY, find_since, find_version, refuse_newer

#: The table's comment holds its schema version. Tables without one were made by version 1.
COMMENT = "Contact interactions, one row each. Made by airflow-provider-interactions, schema version {}"
_VERSION = re.compile(r"schema version (\d+)")

#: The column beside ``attributes`` of type jsonb; see `postgres_rows`.
RAW_ATTRIBUTES = pa.field(
    "attributes_raw",
    pa.string(),
    metadata={"meaning": "the vendor's fields as they came, if jsonb cannot hold them as they are"},
)

#: PostgreSQL cuts longer names off, so that two tables could become one.
_LONGEST_NAME = 63

#: What the queries of docs/table.md look for, and what an erasure looks for.
_INDEXES = (("contact_id", "vendor"), ("occurred_at",))

_KINDS = {INSTANT: "timestamp with time zone", pa.int32(): "integer", pa.int64(): "bigint"}


@dataclass(frozen=True, slots=True)
class Found:
    """A table as the catalogue has it. ``columns`` are the types by name, ``needed`` those that a row must have."""

    oid: int
    version: int
    keyed: bool
    jsonb: bool
    columns: Mapping[str, str]
    needed: frozenset[str]

    def is_ready(self, columns: pa.Schema) -> bool:
        """Whether rows of these columns can be merged into it as it is."""
        return self.keyed and self.version == find_version(columns) and self.columns.keys() >= set(columns.names)


def split_name(table: str) -> tuple[str | None, str]:
    """The schema, if one is given, and the table. Raises ConfigError for what cannot be a table's name."""
    *schemas, name = table.split(".")
    parts = [*schemas, name]
    if len(parts) > 2 or not all(part and len(part.encode()) <= _LONGEST_NAME and "\0" not in part for part in parts):
        msg = (
            f"{table!r} cannot be the name of a table in PostgreSQL. Give a name or schema.name, each of 1 to "
            f"{_LONGEST_NAME} bytes; the connection names the database."
        )
        raise ConfigError(msg)
    return (schemas[0] if schemas else None), name


def find_table(cursor: Any, table: str, columns: pa.Schema) -> Found | None:
    """The table, or None if it is absent. Raises LoadError if it is another one, and ConfigError if it is newer."""
    cursor.execute(_FIND, (quote_name(table),))
    row = cursor.fetchone()
    if row is None:
        return None
    oid, kind, comment, keyed = row
    if kind not in ("r", "p"):
        raise LoadError(explain_misfit(table, "it is a view or a foreign table"))
    version = int(match[1]) if (match := _VERSION.search(comment or "")) else 1
    refuse_newer(version, columns, f"The table {table}")
    cursor.execute(_COLUMNS, (oid,))
    rows = cursor.fetchall()
    types = {name: _SAME.get(kind, kind) for name, kind, _ in rows}
    needed = frozenset(name for name, _, need in rows if need)
    found = Found(oid, version, keyed, types.get("attributes") == "jsonb", types, needed)
    _refuse_other_columns(table, found, columns)
    return found


def prepare_table(cursor: Any, table: str, columns: pa.Schema, *, jsonb: bool) -> Found:
    """Make the table if it is absent, and add the columns that it lacks. Columns are never dropped or retyped.

    The caller has the table's lock. Raises as `find_table` does. The key comes with the first rows (`add_key`).
    """
    found = find_table(cursor, table, columns)
    name = quote_name(table)
    if found is None:
        _create(cursor, table, columns, jsonb=jsonb)
    else:
        added = [field for field in columns if field.name not in found.columns]
        alter = [f'ALTER TABLE {name} ADD COLUMN "{field.name}" {sql_type(field)}' for field in added]
        if added or found.version != find_version(columns):
            _run(cursor, [*alter, *_comment(name, columns, added)])
    return find_table(cursor, table, columns) or _raise_absent(table)


def add_key(cursor: Any, table: str) -> None:
    """Give the table its primary key and its indexes. After the first rows this takes half the time."""
    name = quote_name(table)
    indexes = (f"CREATE INDEX ON {name} ({', '.join(names)})" for names in _INDEXES)
    _run(cursor, [f"ALTER TABLE {name} ADD PRIMARY KEY ({', '.join(KEY)})", *indexes])


def table_columns(columns: pa.Schema, *, jsonb: bool) -> pa.Schema:
    """The columns of the table: with `RAW_ATTRIBUTES` if ``attributes`` is jsonb."""
    return columns.append(RAW_ATTRIBUTES) if jsonb else columns


def sql_type(field: pa.Field, *, jsonb: bool = False) -> str:
    """PostgreSQL's type of a canonical column."""
    return "jsonb" if jsonb and field.name == "attributes" else _KINDS.get(field.type, "text")


def explain_misfit(table: str, why: str) -> str:
    """The message for a table, or rows in it, that do not fit."""
    return (
        f"PostgreSQL refused the rows of table {table} ({why}); the table is unchanged. If the table was not made by "
        "this provider, its columns, types or constraints may not fit. Name another table; the load makes it."
    )


def _create(cursor: Any, table: str, columns: pa.Schema, *, jsonb: bool) -> None:
    schema, _ = split_name(table)
    if schema is not None:
        cursor.execute("SELECT to_regnamespace($1) IS NULL", (quote_name(schema),))
        [absent] = cursor.fetchone()
        if absent:
            cursor.execute(f"CREATE SCHEMA {quote_name(schema)}")
    name, fields = quote_name(table), table_columns(columns, jsonb=jsonb)
    wanted = (
        f'"{field.name}" {sql_type(field, jsonb=jsonb)}{"" if field.nullable else " NOT NULL"}' for field in fields
    )
    _run(cursor, [f"CREATE TABLE {name} ({', '.join(wanted)})", *_comment(name, columns, list(fields))])


def _raise_absent(table: str) -> NoReturn:
    msg = f"Table {table} was dropped while it was prepared. Load again."
    raise LoadError(msg)


def _comment(name: str, columns: pa.Schema, fields: Sequence[pa.Field]) -> list[str]:
    """The statements that say what the table and some columns are."""
    each = (
        f'COMMENT ON COLUMN {name}."{field.name}" IS {quote_text(field.metadata[b"meaning"].decode())}'
        for field in fields
    )
    return [f"COMMENT ON TABLE {name} IS {quote_text(COMMENT.format(find_version(columns)))}", *each]


def _run(cursor: Any, statements: Sequence[str]) -> None:
    """Run several statements by one call. ADBC sends one statement at a time."""
    body = "BEGIN " + "".join(f"{statement}; " for statement in statements) + "END"
    cursor.execute(f"DO {quote_text(body)}")


def _refuse_other_columns(table: str, found: Found, columns: pa.Schema) -> None:
    """Raise LoadError, with their names, for missing columns, wrong types, and other columns that are required.

    Columns of newer versions may be missing: they are added.
    """
    wanted = {field.name: sql_type(field, jsonb=found.jsonb) for field in table_columns(columns, jsonb=found.jsonb)}
    later = {field.name for field in columns if find_since(field) > 1}
    problems = describe_misfit(wanted, found.columns, sorted(found.needed - wanted.keys()), later)
    if problems:
        raise LoadError(explain_misfit(table, problems))


#: Types that hold the same values.
_SAME = {"character varying": "text"}

_FIND = f"""
SELECT c.oid::bigint, c.relkind::text, obj_description(c.oid, 'pg_class'), EXISTS (
    SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
    AND ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
              ORDER BY 1) = ARRAY[{", ".join(map(quote_text, sorted(KEY)))}]
)
FROM pg_class c WHERE c.oid = to_regclass($1)
"""  # noqa: S608 - constants

_COLUMNS = """
SELECT attname::text, format_type(atttypid, atttypmod),
       attnotnull AND NOT atthasdef AND attidentity = '' AND attgenerated = ''
FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped
"""
