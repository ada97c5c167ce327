"""The canonical rows of a window into a DuckDB file.

A merge by (vendor, account, interaction_id): a row that is there already is replaced by one that was extracted later,
or that the same extraction was normalized to anew, so loading any window again, in any order, leaves the same table.
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

#: Of the same extraction, and yet not the same: it was normalized by other code.
_OTHERS = (f"old.{field.name} IS DISTINCT FROM new.{field.name}" for field in CANONICAL if field.name not in KEY)
_OTHER = f"(new.extracted_at = old.extracted_at AND ({' OR '.join(_OTHERS)}))"

#: Of one interaction that came twice in a window (for two contacts), the newest; which one must not depend on threads.
_ORDER = ", ".join(field.name for field in CANONICAL if field.name not in ("extracted_at", "occurred_at", *KEY))
_FRESH = f"""
    CREATE OR REPLACE TEMP TABLE fresh AS SELECT * FROM arrived
    QUALIFY row_number() OVER (PARTITION BY {", ".join(KEY)} ORDER BY extracted_at DESC, occurred_at DESC, {_ORDER}) = 1
"""  # noqa: S608 - constants only


#: A DuckDB file has one writer at a time. Seconds to wait for one's turn.
TURN = 300.0

#: The columns by name: a table may have them in any order.
_NAMES = ", ".join(f'"{field.name}"' for field in CANONICAL)


def load(lake: Lake, manifest: Manifest, database: str, table: str = "interactions") -> Loaded:
    """Merge a normalized window into a table, made if absent; raises LoadError, after which nothing has changed."""
    name = quote_name(table)
    _make_folder(database)
    with open_in_turn(database, TURN) as connection:
        try:
            connection.execute("SET preserve_insertion_order = false")  # so that it inserts on every core
            connection.begin()
            connection.execute(_create_sql(name, zstd=_knows_zstd(connection)))
            _refuse_other_columns(connection, name, str(manifest.window))
            loaded = _merge(connection, name, lake, manifest)
            connection.commit()
        except (duckdb.Error, OSError, pa.ArrowException) as wrong:
            # DuckDB ends the transaction itself after some faults, a full disk among them; then there is none to end.
            with suppress(duckdb.Error):
                connection.rollback()
            # DuckDB's own text can quote a value, an identifier of a person among them: it is not passed on.
            raise LoadError(_explain_refusal(wrong, lake, manifest)) from None
        return loaded


def _explain_refusal(wrong: Exception, lake: Lake, manifest: Manifest) -> str:
    kind = type(wrong).__name__
    if is_full(wrong):
        return (
            f"There is no room on the disk of the DuckDB file, or of DuckDB's temporary files: window "
            f"{manifest.window} was not loaded; the table is unchanged. Free some room, then clear the task."
        )
    there = all(lake.fs.exists(lake.full(file.path)) for file in manifest.files)
    if there and isinstance(wrong, duckdb.Error):
        return _explain_misfit(str(manifest.window), kind)
    return (
        f"The lake no longer holds, or garbles, the rows of window {manifest.window} ({kind}); the table is unchanged."
    )


def _make_folder(database: str) -> None:
    try:
        Path(database).parent.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        msg = f"The DuckDB file's folder cannot be made ({wrong.strerror}). Check the database argument."
        raise ConfigError(msg) from wrong


def quote_name(table: str) -> str:
    """A name as an SQL identifier, whatever is in it; dots separate schema and table."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in table.split("."))


def _knows_zstd(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the file's format is one in which DuckDB compresses texts by zstd: 2.0 or later."""
    sql = "SELECT tags FROM duckdb_databases() WHERE database_name = current_database()"
    [[tags]] = connection.execute(sql).fetchall()
    found = re.match(r"v(\d+)", str(tags.get("storage_version")))
    return found is not None and int(found[1]) >= 2


def _create_sql(name: str, *, zstd: bool) -> str:
    # No two ids are alike: to look for what they share costs DuckDB much time, and saves some twenty bytes of each.
    kept = {"interaction_id": "uncompressed"}
    if zstd:  # half of DuckDB's own time for these long texts, and a quarter of its space
        kept["attributes"] = "zstd"
    columns = [_column_sql(field, kept.get(field.name)) for field in CANONICAL]
    schema = f"CREATE SCHEMA IF NOT EXISTS {name.rpartition('.')[0]}; " if '"."' in name else ""
    return f"{schema}CREATE TABLE IF NOT EXISTS {name} ({', '.join(columns)})"


def _column_sql(field: pa.Field, compression: str | None) -> str:
    stored = f" USING COMPRESSION {compression}" if compression else ""
    return f'"{field.name}" {_sql_type(field)}{"" if field.nullable else " NOT NULL"}{stored}'


#: How DuckDB calls the types of the columns.
_STORED = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}


def _sql_type(field: pa.Field) -> str:
    kinds = {pa.timestamp("us", "UTC"): "TIMESTAMPTZ", pa.int32(): "INTEGER"}
    return kinds.get(field.type, "VARCHAR")


def _refuse_other_columns(connection: duckdb.DuckDBPyConnection, name: str, window: str) -> None:
    """Refuse a table that lacks columns, has them with other types, or needs more; raises LoadError that names them.

    Their order is free, and so are further columns that may be empty.
    """
    # Name, type, YES or NO for null, key, default. PRAGMA table_info of DuckDB 1.2 cannot read every quoted name.
    rows = connection.execute(f"DESCRIBE {name}").fetchall()
    found = {str(row[0]).lower(): str(row[1]) for row in rows}
    needed = [
        str(row[0]) for row in rows if row[2] == "NO" and row[4] is None and row[0].lower() not in CANONICAL.names
    ]
    wanted = {field.name: _STORED.get(_sql_type(field), _sql_type(field)) for field in CANONICAL}
    problems = {
        "it lacks": [one for one in wanted if one not in found],
        "of another type are": [
            f"{one} {found[one]}, not {kind}" for one, kind in wanted.items() if found.get(one, kind) != kind
        ],
        "without a default, yet NOT NULL, are": needed,
    }
    told = "; ".join(f"{what} {', '.join(columns)}" for what, columns in problems.items() if columns)
    if told:
        raise LoadError(_explain_misfit(window, told))


def _explain_misfit(window: str, why: str) -> str:
    return (
        f"DuckDB refused the rows of window {window} ({why}); the table is unchanged. If the table was not made by "
        "this provider, its columns, types or constraints may not fit: name another, and it is made."
    )


def _merge(connection: duckdb.DuckDBPyConnection, name: str, lake: Lake, manifest: Manifest) -> Loaded:
    _stage_rows(connection, lake, manifest)
    # One manifest is one vendor's account, so among its rows the id alone is the key.
    rows, distinct = _query_numbers(connection, "SELECT count(*), count(DISTINCT interaction_id) FROM arrived")
    fresh = "arrived"
    if distinct < rows:
        connection.execute(_FRESH)
        fresh = "fresh"
    newer, meeting = (
        _newer_condition(connection, name, fresh),
        f"FROM {fresh} new JOIN {name} old ON {_key_condition(manifest)}",
    )
    known, replaced = _query_numbers(connection, f"SELECT count(*), count(*) FILTER (WHERE {newer}) {meeting}")
    if replaced:
        old = f"SELECT old.rowid {meeting} WHERE {newer}"
        connection.execute(f"DELETE FROM {name} WHERE rowid IN ({old})")  # noqa: S608 - quoted
    added = 0
    if distinct > known - replaced:
        there = f"SELECT 1 FROM {name} old WHERE {_key_condition(manifest)}"  # noqa: S608 - quoted
        absent = f" WHERE NOT EXISTS ({there})" if known > replaced else ""
        source = f"SELECT {_NAMES} FROM {fresh} new{absent}"  # noqa: S608 - quoted
        added, _ = _query_numbers(connection, f"INSERT INTO {name} ({_NAMES}) {source}")
    if rows != manifest.counts.canonical or added != distinct - known + replaced:
        msg = f"{manifest.counts.canonical} rows are in the manifest, {rows} in its files, {added} were added."
        raise Unreconciled(msg)
    return Loaded(rows, distinct - known, replaced, known - replaced, rows - distinct)


def _newer_condition(connection: duckdb.DuckDBPyConnection, name: str, fresh: str) -> str:
    """When a row replaces the one that is there. To compare all columns is only worth it for the same extraction."""
    again = f"extracted_at IN (SELECT extracted_at FROM {fresh})"  # noqa: S608 - quoted
    [[is_again]] = connection.execute(f"SELECT count(*) > 0 FROM {name} WHERE {again}").fetchall()  # noqa: S608 - quoted
    return f"({_LATER} OR {_OTHER})" if is_again else _LATER


def _key_condition(manifest: Manifest) -> str:
    """When a row of the window and one of the table are one interaction; vendor and account are the manifest's."""
    mine = f"old.vendor = {_quote_text(manifest.vendor)} AND old.account = {_quote_text(manifest.account)}"
    return f"old.interaction_id = new.interaction_id AND {mine}"


def _stage_rows(connection: duckdb.DuckDBPyConnection, lake: Lake, manifest: Manifest) -> None:
    """Make the window's rows known as ``arrived``: DuckDB reads local files itself, others come as Arrow batches."""
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
    """The first numbers of the only row; 0 for one that is not there."""
    [row] = connection.execute(sql).fetchall()
    return int(row[0]), int(row[1]) if len(row) > 1 else 0
