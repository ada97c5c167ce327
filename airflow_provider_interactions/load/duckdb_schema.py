"""The table in DuckDB: make it, add columns that newer versions of the schema have, and refuse a table that differs."""

from __future__ import annotations

import re
from collections.abc import Mapping

import duckdb
import pyarrow as pa

from airflow_provider_interactions.errors import LoadError
from airflow_provider_interactions.load.misfit import describe_misfit
from airflow_provider_interactions.load.sql import quote_name, quote_text
from airflow_provider_interactions.schema import find_since, find_version, refuse_newer

#: The table's comment holds its schema version. Tables without one were made by version 1.
COMMENT = "Contact interactions, schema version {}"
_VERSION = re.compile(r"schema version (\d+)")

#: DuckDB's own names of column types.
_STORED = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}


def prepare_table(connection: duckdb.DuckDBPyConnection, table: str, columns: pa.Schema) -> None:
    """Make the table if it is absent, and add the columns that it lacks. Columns are never dropped or retyped.

    Raises LoadError if it is another table, and ConfigError if its schema is newer than this code.
    """
    name = quote_name(table)
    connection.execute(_create_sql(name, columns, _choose_compression(connection)))
    found = _read_version(connection, table)
    refuse_newer(found or 1, columns, f"The table {table}")
    present = {row[0].lower() for row in _describe(connection, name)}
    for column in columns:
        if find_since(column) > 1 and column.name.lower() not in present:
            connection.execute(f'ALTER TABLE {name} ADD COLUMN "{column.name}" {sql_type(column)}')
    _refuse_other_columns(connection, name, columns)
    if found != find_version(columns):
        connection.execute(f"COMMENT ON TABLE {name} IS {quote_text(COMMENT.format(find_version(columns)))}")


def sql_type(field: pa.Field) -> str:
    """DuckDB's type of a canonical column."""
    kinds = {pa.timestamp("us", "UTC"): "TIMESTAMPTZ", pa.int32(): "INTEGER", pa.int64(): "BIGINT"}
    return kinds.get(field.type, "VARCHAR")


def explain_misfit(name: str, why: str) -> str:
    """The message for a table, or rows in it, that do not fit."""
    return (
        f"DuckDB refused the rows of table {name} ({why}); the table is unchanged. If the table was not made by this "
        "provider, its columns, types or constraints may not fit. Name another table; the load makes it."
    )


def _read_version(connection: duckdb.DuckDBPyConnection, table: str) -> int | None:
    """The schema version in the table's comment; None without one. DuckDB ignores the case of names."""
    *schemas, name = table.lower().split(".")
    sql = (
        "SELECT comment FROM duckdb_tables() WHERE database_name = current_database()"
        " AND lower(table_name) = ? AND lower(schema_name) = coalesce(?, lower(current_schema()))"
    )
    [[comment]] = connection.execute(sql, [name, schemas[-1] if schemas else None]).fetchall()
    found = _VERSION.search(comment or "")
    return int(found[1]) if found else None


def _describe(connection: duckdb.DuckDBPyConnection, name: str) -> list[tuple[str, str, str, str, str | None]]:
    """Name, type, YES or NO for null, key, default. PRAGMA table_info of DuckDB 1.2 fails on some quoted names."""
    return connection.execute(f"DESCRIBE {name}").fetchall()  # type: ignore[no-any-return]


def _choose_compression(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """DuckDB's methods for some columns, by the database's kind and format."""
    sql = "SELECT type, tags FROM duckdb_databases() WHERE database_name = current_database()"
    [[kind, tags]] = connection.execute(sql).fetchall()
    if kind == "ducklake":  # its files are Parquet
        return {}
    # Ids are unique: compressing them costs DuckDB much time and saves about twenty bytes each.
    methods = {"interaction_id": "uncompressed"}
    found = re.match(r"v(\d+)", str(tags.get("storage_version")))
    if found and int(found[1]) >= 2:  # for these long texts, half the time and a quarter of the space of the default
        methods["attributes"] = "zstd"
    return methods


def _create_sql(name: str, columns: pa.Schema, compression: Mapping[str, str]) -> str:
    wanted = [_column_sql(field, compression.get(field.name)) for field in columns]
    schema = f"CREATE SCHEMA IF NOT EXISTS {name.rpartition('.')[0]}; " if '"."' in name else ""
    return f"{schema}CREATE TABLE IF NOT EXISTS {name} ({', '.join(wanted)})"


def _column_sql(field: pa.Field, compression: str | None) -> str:
    stored = f" USING COMPRESSION {compression}" if compression else ""
    return f'"{field.name}" {sql_type(field)}{"" if field.nullable else " NOT NULL"}{stored}'


def _refuse_other_columns(connection: duckdb.DuckDBPyConnection, name: str, columns: pa.Schema) -> None:
    """Raise LoadError, with their names, for missing columns, wrong types, and other columns that are required.

    The order of columns does not matter. Further columns are allowed if they may be null.
    """
    rows = _describe(connection, name)
    found = {row[0].lower(): str(row[1]) for row in rows}
    needed = [row[0] for row in rows if row[2] == "NO" and row[4] is None and row[0].lower() not in columns.names]
    wanted = {field.name: _STORED.get(sql_type(field), sql_type(field)) for field in columns}
    problems = describe_misfit(wanted, found, needed)
    if problems:
        raise LoadError(explain_misfit(name, problems))
