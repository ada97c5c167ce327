"""Load the canonical rows of a window into a DuckDB file.

Rows merge by (vendor, account, interaction_id). A row replaces the one in the table if it was extracted later, or if
the same extraction was normalized again to other values. Loading windows again, in any order, gives the same table.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa

from airflow_provider_interactions.errors import ConfigError, LoadError, Unreconciled
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.reader import read_rows
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load import Loaded
from airflow_provider_interactions.load.duckdb_turn import is_full, open_in_turn
from airflow_provider_interactions.schema import CANONICAL, KEY

_LATER = "new.extracted_at > old.extracted_at"

#: The same extraction with other values: it was normalized by another version of the code.
_OTHERS = (f"old.{field.name} IS DISTINCT FROM new.{field.name}" for field in CANONICAL if field.name not in KEY)
_OTHER = f"(new.extracted_at = old.extracted_at AND ({' OR '.join(_OTHERS)}))"

#: If an interaction is twice in a window (for two contacts), keep the newest. The choice must not depend on threads.
_ORDER = ", ".join(field.name for field in CANONICAL if field.name not in ("extracted_at", "occurred_at", *KEY))
_FRESH = f"""
    CREATE OR REPLACE TEMP TABLE fresh AS SELECT * FROM arrived
    QUALIFY row_number() OVER (PARTITION BY {", ".join(KEY)} ORDER BY extracted_at DESC, occurred_at DESC, {_ORDER}) = 1
"""  # noqa: S608 - constants only


#: Seconds to wait while another process has the file open: a DuckDB file has one writer at a time.
TURN = 300.0

#: The columns by name, because a table may have them in any order.
_NAMES = ", ".join(f'"{field.name}"' for field in CANONICAL)


def load(lake: Lake, manifest: Manifest, database: str, table: str = "interactions") -> Loaded:
    """Merge a normalized window into a table, made if absent. Raises LoadError; the table is then unchanged."""
    name = quote_name(table)
    _make_folder(database)
    with open_in_turn(database, TURN) as connection:
        try:
            connection.execute("SET preserve_insertion_order = false")  # lets DuckDB insert on all cores
            connection.begin()
            connection.execute(_create_sql(name, zstd=_knows_zstd(connection)))
            _refuse_other_columns(connection, name, str(manifest.window))
            loaded = _merge(connection, name, lake, manifest)
            connection.commit()
        except (duckdb.Error, OSError, pa.ArrowException) as wrong:
            # After some faults, such as a full disk, DuckDB has already ended the transaction.
            with suppress(duckdb.Error):
                connection.rollback()
            # Do not pass DuckDB's message on: it can quote a value, such as a person's identifier.
            raise LoadError(_explain_refusal(wrong, lake, manifest)) from None
        return loaded


def _explain_refusal(wrong: Exception, lake: Lake, manifest: Manifest) -> str:
    kind = type(wrong).__name__
    if is_full(wrong):
        return (
            f"The disk of the DuckDB file, or of DuckDB's temporary files, is full. Window {manifest.window} was not "
            "loaded; the table is unchanged. Free some space, then clear the task."
        )
    there = all(lake.fs.exists(lake.full(file.path)) for file in manifest.files)
    if there and isinstance(wrong, duckdb.Error):
        return _explain_misfit(str(manifest.window), kind)
    return (
        f"The files of window {manifest.window} in the lake are missing or damaged ({kind}); the table is unchanged. "
        "Run the extraction again."
    )


def _make_folder(database: str) -> None:
    try:
        Path(database).parent.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        msg = f"Cannot create the folder of the DuckDB file ({wrong.strerror}). Check the database argument."
        raise ConfigError(msg) from wrong


def quote_name(table: str) -> str:
    """Quote a name as an SQL identifier. Dots separate schema and table."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in table.split("."))


def _knows_zstd(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether DuckDB can compress text by zstd in this file: its format is 2.0 or later."""
    sql = "SELECT tags FROM duckdb_databases() WHERE database_name = current_database()"
    [[tags]] = connection.execute(sql).fetchall()
    found = re.match(r"v(\d+)", str(tags.get("storage_version")))
    return found is not None and int(found[1]) >= 2


def _create_sql(name: str, *, zstd: bool) -> str:
    # Ids are unique: compressing them costs DuckDB much time and saves about twenty bytes each.
    compression = {"interaction_id": "uncompressed"}
    if zstd:  # for these long texts, half the time and a quarter of the space of DuckDB's default
        compression["attributes"] = "zstd"
    columns = [_column_sql(field, compression.get(field.name)) for field in CANONICAL]
    schema = f"CREATE SCHEMA IF NOT EXISTS {name.rpartition('.')[0]}; " if '"."' in name else ""
    return f"{schema}CREATE TABLE IF NOT EXISTS {name} ({', '.join(columns)})"


def _column_sql(field: pa.Field, compression: str | None) -> str:
    stored = f" USING COMPRESSION {compression}" if compression else ""
    return f'"{field.name}" {_sql_type(field)}{"" if field.nullable else " NOT NULL"}{stored}'


#: DuckDB's own names of column types.
_STORED = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}


def _sql_type(field: pa.Field) -> str:
    kinds = {pa.timestamp("us", "UTC"): "TIMESTAMPTZ", pa.int32(): "INTEGER"}
    return kinds.get(field.type, "VARCHAR")


def _refuse_other_columns(connection: duckdb.DuckDBPyConnection, name: str, window: str) -> None:
    """Raise LoadError, with their names, for missing columns, wrong types, and other columns that are required.

    The order of columns does not matter. Further columns are allowed if they may be null.
    """
    # Columns: name, type, YES or NO for null, key, default. PRAGMA table_info of DuckDB 1.2 fails on some quoted names.
    rows = connection.execute(f"DESCRIBE {name}").fetchall()
    found = {str(row[0]).lower(): str(row[1]) for row in rows}
    needed = [
        str(row[0]) for row in rows if row[2] == "NO" and row[4] is None and row[0].lower() not in CANONICAL.names
    ]
    wanted = {field.name: _STORED.get(_sql_type(field), _sql_type(field)) for field in CANONICAL}
    problems = {
        "missing columns:": [one for one in wanted if one not in found],
        "columns of another type:": [
            f"{one} {found[one]}, not {kind}" for one, kind in wanted.items() if found.get(one, kind) != kind
        ],
        "NOT NULL columns without a default:": needed,
    }
    found_problems = "; ".join(f"{what} {', '.join(columns)}" for what, columns in problems.items() if columns)
    if found_problems:
        raise LoadError(_explain_misfit(window, found_problems))


def _explain_misfit(window: str, why: str) -> str:
    return (
        f"DuckDB refused the rows of window {window} ({why}); the table is unchanged. If the table was not made by "
        "this provider, its columns, types or constraints may not fit. Name another table; the load makes it."
    )


def _merge(connection: duckdb.DuckDBPyConnection, name: str, lake: Lake, manifest: Manifest) -> Loaded:
    _stage_rows(connection, lake, manifest)
    # A manifest has one vendor and account, so the id alone is the key of its rows.
    rows, distinct = _query_numbers(connection, "SELECT count(*), count(DISTINCT interaction_id) FROM arrived")
    fresh = "arrived"
    if distinct < rows:
        connection.execute(_FRESH)
        fresh = "fresh"
    newer = _newer_condition(connection, name, fresh)
    matches = f"FROM {fresh} new JOIN {name} old ON {_key_condition(manifest)}"
    known, replaced = _query_numbers(connection, f"SELECT count(*), count(*) FILTER (WHERE {newer}) {matches}")
    if replaced:
        old = f"SELECT old.rowid {matches} WHERE {newer}"
        connection.execute(f"DELETE FROM {name} WHERE rowid IN ({old})")  # noqa: S608 - quoted
    added = 0
    if distinct > known - replaced:
        there = f"SELECT 1 FROM {name} old WHERE {_key_condition(manifest)}"  # noqa: S608 - quoted
        absent = f" WHERE NOT EXISTS ({there})" if known > replaced else ""
        source = f"SELECT {_NAMES} FROM {fresh} new{absent}"  # noqa: S608 - quoted
        added, _ = _query_numbers(connection, f"INSERT INTO {name} ({_NAMES}) {source}")
    if rows != manifest.counts.canonical or added != distinct - known + replaced:
        msg = (
            f"{manifest.counts.canonical} rows are in the manifest, {rows} in its files, {added} were added. The table "
            "is unchanged. Run the extraction again; if that does not help, report this as a defect."
        )
        raise Unreconciled(msg)
    return Loaded(rows, distinct - known, replaced, known - replaced, rows - distinct)


def _newer_condition(connection: duckdb.DuckDBPyConnection, name: str, fresh: str) -> str:
    """The SQL condition under which a row replaces the one in the table. Compares all columns only where needed."""
    again = f"extracted_at IN (SELECT extracted_at FROM {fresh})"  # noqa: S608 - quoted
    [[is_again]] = connection.execute(f"SELECT count(*) > 0 FROM {name} WHERE {again}").fetchall()  # noqa: S608 - quoted
    return f"({_LATER} OR {_OTHER})" if is_again else _LATER


def _key_condition(manifest: Manifest) -> str:
    """The SQL condition under which a row of the window and one of the table are the same interaction."""
    mine = f"old.vendor = {_quote_text(manifest.vendor)} AND old.account = {_quote_text(manifest.account)}"
    return f"old.interaction_id = new.interaction_id AND {mine}"


def _stage_rows(connection: duckdb.DuckDBPyConnection, lake: Lake, manifest: Manifest) -> None:
    """Name the window's rows ``arrived``. DuckDB reads local files itself; other files pass as Arrow batches."""
    if lake.local and manifest.files:
        files = ", ".join(_quote_text(lake.full(file.path)) for file in manifest.files)
        source = f"read_parquet([{files}], hive_partitioning = false)"
        connection.execute(f"CREATE OR REPLACE TEMP VIEW arrived AS SELECT {_NAMES} FROM {source}")  # noqa: S608 - quoted
        return
    columns = ", ".join(f'"{field.name}" {_sql_type(field)}' for field in CANONICAL)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE arrived ({columns})")
    for file in manifest.files:
        connection.register("batches", pa.RecordBatchReader.from_batches(CANONICAL, read_rows(lake, [file])))
        connection.execute("INSERT INTO arrived BY NAME SELECT * FROM batches")
        connection.unregister("batches")


def _quote_text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _query_numbers(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, int]:
    """The first two numbers of the only row; 0 for a missing one."""
    [row] = connection.execute(sql).fetchall()
    return int(row[0]), int(row[1]) if len(row) > 1 else 0
