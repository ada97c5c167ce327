"""The canonical rows of a window into a DuckDB file.

A merge by (vendor, account, interaction_id): a row that is there already is replaced by one that was extracted later,
or that the same extraction was normalized to anew, so loading any window again, in any order, leaves the same table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import stamina

from airflow_provider_interactions.errors import ConfigError, LoadError, Unreconciled
from airflow_provider_interactions.lake import Lake
from airflow_provider_interactions.manifest import Manifest
from airflow_provider_interactions.schema import CANONICAL, KEY

#: A DuckDB file has one writer at a time. Seconds to wait for one's turn.
TURN = 300.0

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


class Loaded(msgspec.Struct, frozen=True):
    """What a load did. ``rows`` arrived; ``merged`` were the same interaction twice among them.

    ``unchanged`` ones are in the table as they are here, or newer.
    ``inserted`` + ``updated`` + ``unchanged`` + ``merged`` = ``rows``.
    """

    rows: int
    inserted: int
    updated: int
    unchanged: int
    merged: int


def load(lake: Lake, manifest: Manifest, database: str, table: str = "interactions") -> Loaded:
    """Merge a normalized window into a table, made if absent; raises LoadError, after which nothing has changed."""
    name = quoted(table)
    _prepare(database)
    with _turn(database) as connection:
        try:
            connection.execute("SET preserve_insertion_order = false")  # so that it inserts on every core
            connection.begin()
            connection.execute(_create(name, zstd=_knows_zstd(connection)))
            loaded = _merge(connection, name, lake, manifest)
            connection.commit()
        except (duckdb.Error, OSError, pa.ArrowException) as wrong:
            connection.rollback()
            # DuckDB's own text can quote a value, an identifier of a person among them: it is not passed on.
            raise LoadError(_refusal(wrong, lake, manifest)) from None
        return loaded


def _refusal(wrong: Exception, lake: Lake, manifest: Manifest) -> str:
    kind = type(wrong).__name__
    there = all(lake.fs.exists(lake.full(file.path)) for file in manifest.files)
    if there and isinstance(wrong, duckdb.Error):
        return (
            f"DuckDB refused the rows of window {manifest.window} ({kind}); the table is unchanged. If the table was "
            "not made by this provider, its columns, types or constraints may not fit: name another, and it is made."
        )
    return (
        f"The lake no longer holds, or garbles, the rows of window {manifest.window} ({kind}); the table is unchanged."
    )


def _prepare(database: str) -> None:
    try:
        Path(database).parent.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        msg = f"The DuckDB file's folder cannot be made ({wrong.strerror}). Check the database argument."
        raise ConfigError(msg) from wrong


def quoted(table: str) -> str:
    """A name as an SQL identifier, whatever is in it; dots separate schema and table."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in table.split("."))


class _NotNow(Exception):
    """The file cannot be opened. Retries are logged, and a path may hold a person's name: so it has the file's only."""

    def __init__(self, database: str, fault: duckdb.Error) -> None:
        super().__init__(f"{Path(database).name}: {type(fault).__name__}")
        # Only another writer goes away by waiting; a file that is no database stays one.
        self.taken = "lock" in str(fault)


@contextmanager
def _turn(database: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the file, waiting while another process writes to it."""
    try:
        for attempt in stamina.retry_context(on=_taken, attempts=None, timeout=TURN, wait_max=2.0):
            with attempt:
                connection = _opened(database)
    except _NotNow as wrong:
        msg = f"The DuckDB file cannot be opened ({wrong}). Is another program writing to it?"
        raise LoadError(msg) from wrong
    try:
        yield connection
    finally:
        connection.close()


def _taken(fault: Exception) -> bool:
    return isinstance(fault, _NotNow) and fault.taken


def _odd(fault: Exception) -> bool:
    return isinstance(fault, _NotNow) and not fault.taken


def _opened(database: str) -> duckdb.DuckDBPyConnection:
    # While another process makes the file, it is for an instant no database.
    for attempt in stamina.retry_context(on=_odd, attempts=4, wait_initial=0.05, wait_jitter=0.05):
        with attempt:
            return _connected(database)
    raise AssertionError  # unreachable: the policy returns or raises


def _connected(database: str) -> duckdb.DuckDBPyConnection:
    try:
        return duckdb.connect(database)
    except duckdb.Error as fault:
        raise _NotNow(database, fault) from None


def _knows_zstd(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the file's format is one in which DuckDB compresses texts by zstd: 2.0 or later."""
    sql = "SELECT tags FROM duckdb_databases() WHERE database_name = current_database()"
    [[tags]] = connection.execute(sql).fetchall()
    found = re.match(r"v(\d+)", str(tags.get("storage_version")))
    return found is not None and int(found[1]) >= 2


def _create(name: str, *, zstd: bool) -> str:
    # No two ids are alike: to look for what they share costs DuckDB much time, and saves some twenty bytes of each.
    kept = {"interaction_id": "uncompressed"}
    if zstd:  # half of DuckDB's own time for these long texts, and a quarter of its space
        kept["attributes"] = "zstd"
    columns = [_column(field, kept.get(field.name)) for field in CANONICAL]
    schema = f"CREATE SCHEMA IF NOT EXISTS {name.rpartition('.')[0]}; " if '"."' in name else ""
    return f"{schema}CREATE TABLE IF NOT EXISTS {name} ({', '.join(columns)})"


def _column(field: pa.Field, compression: str | None) -> str:
    stored = f" USING COMPRESSION {compression}" if compression else ""
    return f'"{field.name}" {_sql(field)}{"" if field.nullable else " NOT NULL"}{stored}'


def _sql(field: pa.Field) -> str:
    kinds = {pa.timestamp("us", "UTC"): "TIMESTAMPTZ", pa.int32(): "INTEGER"}
    return kinds.get(field.type, "VARCHAR")


def _merge(connection: duckdb.DuckDBPyConnection, name: str, lake: Lake, manifest: Manifest) -> Loaded:
    _arrive(connection, lake, manifest)
    # One manifest is one vendor's account, so among its rows the id alone is the key.
    rows, distinct = _two(connection, "SELECT count(*), count(DISTINCT interaction_id) FROM arrived")
    fresh = "arrived"
    if distinct < rows:
        connection.execute(_FRESH)
        fresh = "fresh"
    newer, meeting = _newer(connection, name, fresh), f"FROM {fresh} new JOIN {name} old ON {_same(manifest)}"
    known, replaced = _two(connection, f"SELECT count(*), count(*) FILTER (WHERE {newer}) {meeting}")
    if replaced:
        old = f"SELECT old.rowid {meeting} WHERE {newer}"
        connection.execute(f"DELETE FROM {name} WHERE rowid IN ({old})")  # noqa: S608 - quoted
    added = 0
    if distinct > known - replaced:
        there = f"SELECT 1 FROM {name} old WHERE {_same(manifest)}"  # noqa: S608 - quoted
        absent = f" WHERE NOT EXISTS ({there})" if known > replaced else ""
        added, _ = _two(connection, f"INSERT INTO {name} SELECT * FROM {fresh} new{absent}")  # noqa: S608 - quoted
    if rows != manifest.counts.canonical or added != distinct - known + replaced:
        msg = f"{manifest.counts.canonical} rows are in the manifest, {rows} in its files, {added} were added."
        raise Unreconciled(msg)
    return Loaded(rows, distinct - known, replaced, known - replaced, rows - distinct)


def _newer(connection: duckdb.DuckDBPyConnection, name: str, fresh: str) -> str:
    """When a row replaces the one that is there. To compare all columns is only worth it for the same extraction."""
    again = f"extracted_at IN (SELECT extracted_at FROM {fresh})"  # noqa: S608 - quoted
    [[is_again]] = connection.execute(f"SELECT count(*) > 0 FROM {name} WHERE {again}").fetchall()  # noqa: S608 - quoted
    return f"({_LATER} OR {_OTHER})" if is_again else _LATER


def _same(manifest: Manifest) -> str:
    """When a row of the window and one of the table are one interaction; vendor and account are the manifest's."""
    mine = f"old.vendor = {_literal(manifest.vendor)} AND old.account = {_literal(manifest.account)}"
    return f"old.interaction_id = new.interaction_id AND {mine}"


def _arrive(connection: duckdb.DuckDBPyConnection, lake: Lake, manifest: Manifest) -> None:
    """Make the window's rows known as ``arrived``: DuckDB reads local files itself, others come as Arrow batches."""
    if lake.local and manifest.files:
        files = ", ".join(_literal(lake.full(file.path)) for file in manifest.files)
        names = ", ".join(f'"{field.name}"' for field in CANONICAL)
        source = f"read_parquet([{files}], hive_partitioning = false)"
        connection.execute(f"CREATE OR REPLACE TEMP VIEW arrived AS SELECT {names} FROM {source}")  # noqa: S608 - quoted
        return
    columns = ", ".join(f'"{field.name}" {_sql(field)}' for field in CANONICAL)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE arrived ({columns})")
    for file in manifest.files:
        with lake.fs.open(lake.full(file.path), "rb") as stream:
            parquet = pq.ParquetFile(stream)
            reader = pa.RecordBatchReader.from_batches(parquet.schema_arrow, parquet.iter_batches())
            connection.register("batches", reader)
            connection.execute("INSERT INTO arrived SELECT * FROM batches")
            connection.unregister("batches")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _two(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, int]:
    """The first numbers of the only row; 0 for one that is not there."""
    [row] = connection.execute(sql).fetchall()
    return int(row[0]), int(row[1]) if len(row) > 1 else 0
