"""Merge the rows of a window into a table of DuckDB, or of DuckLake, that is open in a transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from airflow_provider_interactions.errors import InteractionsError, Unreconciled
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.reader import read_canonical
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load import Loaded
from airflow_provider_interactions.load.duckdb_schema import sql_type
from airflow_provider_interactions.load.sql import build_newer, build_order, list_names, quote_name, quote_text
from airflow_provider_interactions.schema import KEY, find_since, refuse_newer


def merge(
    connection: duckdb.DuckDBPyConnection, table: str, columns: pa.Schema, lake: Lake, manifest: Manifest
) -> Loaded:
    """Merge a window into a table that is prepared, in the transaction of the connection. Raises Unreconciled."""
    _stage_rows(connection, columns, lake, manifest)
    # A manifest has one vendor and account, so the id alone is the key of its rows.
    rows, distinct = query_numbers(connection, "SELECT count(*), count(DISTINCT interaction_id) FROM arrived")
    fresh = "arrived"
    if distinct < rows:
        connection.execute(build_fresh(columns))
        fresh = "fresh"
    name, same = quote_name(table), _build_same(manifest)
    matches = f"FROM {fresh} new JOIN {name} old ON {same}"
    newer = build_newer(columns)
    known, replaced = query_numbers(connection, f"SELECT count(*), count(*) FILTER (WHERE {newer}) {matches}")
    if replaced:
        old = f"SELECT old.rowid {matches} WHERE {newer}"
        connection.execute(f"DELETE FROM {name} WHERE rowid IN ({old})")  # noqa: S608 - quoted
    added = 0
    if distinct > known - replaced:
        there = f"SELECT 1 FROM {name} old WHERE {same}"  # noqa: S608 - quoted
        absent = f" WHERE NOT EXISTS ({there})" if known > replaced else ""
        names = list_names(columns)
        source = f"SELECT {names} FROM {fresh} new{absent}"  # noqa: S608 - quoted
        [added] = query_numbers(connection, f"INSERT INTO {name} ({names}) {source}")
    if rows != manifest.counts.canonical or added != distinct - known + replaced:
        msg = (
            f"{manifest.counts.canonical} rows are in the manifest, {rows} in its files, {added} were added. The table "
            "is unchanged. Run the extraction again; if that does not help, report this as a defect."
        )
        raise Unreconciled(msg)
    return Loaded(rows, distinct - known, replaced, known - replaced, rows - distinct)


def build_fresh(columns: pa.Schema) -> str:
    """The statement that keeps the newest row of each interaction, if one is in a window twice, as of two contacts."""
    newest = f"row_number() OVER (PARTITION BY {', '.join(KEY)} ORDER BY {build_order(columns)}) = 1"
    return f"CREATE OR REPLACE TEMP TABLE fresh AS SELECT * FROM arrived QUALIFY {newest}"  # noqa: S608 - constants


def _build_same(manifest: Manifest) -> str:
    """The SQL condition under which a row of the window and one of the table are the same interaction."""
    mine = f"old.vendor = {quote_text(manifest.vendor)} AND old.account = {quote_text(manifest.account)}"
    return f"old.interaction_id = new.interaction_id AND {mine}"


def _stage_rows(connection: duckdb.DuckDBPyConnection, columns: pa.Schema, lake: Lake, manifest: Manifest) -> None:
    """Name the window's rows ``arrived``. DuckDB reads local files itself; other files pass as Arrow batches."""
    refuse_newer(manifest.schema_version, columns, f"Window {manifest.window}")
    if lake.local and manifest.files:
        files = ", ".join(quote_text(lake.full(file.path)) for file in manifest.files)
        rows = f"SELECT * FROM read_parquet([{files}], hive_partitioning = false, union_by_name = true)"  # noqa: S608 - quoted
        later = [column for column in columns if find_since(column) > 1]
        added = ", ".join(f'NULL::{sql_type(column)} AS "{column.name}"' for column in later)
        if added:  # files of an older version have nulls in the columns added since
            rows = f"SELECT {added} WHERE false UNION ALL BY NAME {rows}"
        connection.execute(f"CREATE OR REPLACE TEMP VIEW arrived AS SELECT {list_names(columns)} FROM ({rows})")  # noqa: S608 - quoted
        return
    wanted = ", ".join(f'"{column.name}" {sql_type(column)}' for column in columns)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE arrived ({wanted})")
    if manifest.files:
        batches = Batches(read_canonical(lake, manifest, columns))
        connection.register("batches", pa.RecordBatchReader.from_batches(columns, batches))
        try:
            connection.execute("INSERT INTO arrived BY NAME SELECT * FROM batches")
        except duckdb.Error:
            if isinstance(batches.fault, InteractionsError):
                raise batches.fault from None
            raise
        connection.unregister("batches")


@dataclass(slots=True)
class Batches:
    """Rows, and what ended them early: DuckDB would make it an error of its own."""

    rows: Iterator[pa.RecordBatch]
    fault: Exception | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The same rows. Raises the same errors."""
        try:
            yield from self.rows
        except Exception as fault:
            self.fault = fault
            raise


def query_numbers(connection: duckdb.DuckDBPyConnection, sql: str, values: Sequence[str] = ()) -> list[int]:
    """The numbers of the only row."""
    [row] = connection.execute(sql, values).fetchall()
    return [int(number) for number in row]
