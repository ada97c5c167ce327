"""BigQuery: load jobs read the files from Google's storage, or the worker sends them, and one MERGE writes the table.

Not run against the service. BigQuery has no lock: it lets one of two merges of a table wait, or refuses it, and then
the load tries again. The staging table expires after a day, if a killed load leaves it behind.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load.dialects import find_url, list_present
from airflow_provider_interactions.load.dialects.merging import MergingDialect
from airflow_provider_interactions.load.dialects.session import Result, drop_after
from airflow_provider_interactions.schema import KEY

#: A load job takes at most so many addresses. https://cloud.google.com/bigquery/quotas#load_jobs
_URLS = 10_000


class BigQuerySession:
    """A session on BigQuery's own client, as Airflow's hook returns it. Each statement is a job."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def run(self, sql: str, values: Sequence[str] = ()) -> Result:
        """Run a statement. A MERGE returns one row: what it inserted, updated and deleted."""
        from google.cloud import bigquery

        parameters = [bigquery.ScalarQueryParameter(None, "STRING", value) for value in values]
        job = self.client.query(sql, job_config=bigquery.QueryJobConfig(query_parameters=parameters))
        found = job.result()
        rows = [tuple(row.values()) for row in found]
        stats = job.dml_stats
        if stats is not None:
            rows = [(stats.inserted_row_count, stats.updated_row_count, stats.deleted_row_count)]
        return Result(rows, [field.name for field in found.schema or ()], job.num_dml_affected_rows or 0)

    def load_urls(self, staging: str, urls: Sequence[str], columns: Sequence[tuple[str, str]]) -> None:
        """Append Parquet files in Google's storage to a table."""
        for start in range(0, len(urls), _URLS):
            some = urls[start : start + _URLS]
            self.client.load_table_from_uri(some, self._find(staging), job_config=_configure(columns)).result()

    def load_stream(self, staging: str, stream: Any, columns: Sequence[tuple[str, str]]) -> None:
        """Append one Parquet file to a table."""
        self.client.load_table_from_file(stream, self._find(staging), job_config=_configure(columns)).result()

    def _find(self, table: str) -> str:
        return table if table.count(".") > 1 else f"{self.client.project}.{table}"


def _configure(columns: Sequence[tuple[str, str]]) -> Any:
    from google.cloud import bigquery

    return bigquery.LoadJobConfig(
        source_format=bigquery.SourceFormat.PARQUET,
        write_disposition=bigquery.WriteDisposition.WRITE_APPEND,
        schema=[bigquery.SchemaField(name, kind) for name, kind in columns],
    )


@dataclass(frozen=True)
class BigQuery(MergingDialect):
    """Tables are named ``dataset.table``, or with the project before."""

    title = "BigQuery"
    sqlglot = "bigquery"
    mark = "?"
    types = {  # noqa: RUF012 - constant
        "text": "STRING",
        "instant": "TIMESTAMP",
        "integer": "INT64",
        "long": "INT64",
        "float": "FLOAT64",
    }
    fits = {**types, "instant": "TIMESTAMP$"}  # noqa: RUF012 - constant
    grants = (
        "the roles BigQuery Job User on the project and BigQuery Data Editor on the dataset, and Storage Object Viewer "
        "on the lake's bucket"
    )
    conflict = re.compile(r"concurrent update|due to concurrent|rateLimitExceeded", re.IGNORECASE)
    denied = re.compile(r"Forbidden|accessDenied|Access Denied", re.IGNORECASE)
    absent = re.compile(r"^NotFound")

    def open(self, connection: Any) -> BigQuerySession:
        """A session on a client."""
        return BigQuerySession(connection)

    def quote(self, name: str) -> str:
        """An identifier; in BigQuery a backslash escapes a quote."""
        return ".".join(f"`{part}`" for part in name.replace("\\", "\\\\").replace("`", "\\`").split("."))

    def comment_column(self, field: pa.Field) -> str:
        """A description, as BigQuery calls it."""
        meaning = (field.metadata or {}).get(b"meaning", b"").decode()
        return f" OPTIONS (description = {self.quote_value(meaning)})" if meaning else ""

    def create_table(self, table: str, columns: pa.Schema, key: Sequence[str] = KEY) -> str:
        """Clustered, so that a merge reads the data of one account. The key is a note for readers."""
        _split(table)
        by = ", ".join(map(self.quote, key))
        names = f"{self.list_columns(columns)},\n  PRIMARY KEY ({by}) NOT ENFORCED"
        return f"CREATE TABLE IF NOT EXISTS {self.quote(table)} (\n{names}\n)\nCLUSTER BY {by}"

    def read_columns(self, table: str) -> str:
        """From the information schema of the dataset."""
        dataset, name = _split(table)
        return (
            "SELECT column_name, data_type\n"
            f"FROM {self.quote(dataset)}.INFORMATION_SCHEMA.COLUMNS\nWHERE table_name = {self.quote_value(name)}"
        )

    def read_comment(self, table: str) -> str:
        """The description of the table."""
        dataset, name = _split(table)
        return (
            "SELECT option_value\n"
            f"FROM {self.quote(dataset)}.INFORMATION_SCHEMA.TABLE_OPTIONS\n"
            f"WHERE option_name = 'description' AND table_name = {self.quote_value(name)}"
        )

    def set_comment(self, table: str, text: str) -> str:
        """The description of the table."""
        return f"ALTER TABLE {self.quote(table)} SET OPTIONS (description = {self.quote_value(text)})"

    @contextmanager
    def stage(
        self, session: BigQuerySession, lake: Lake, manifest: Manifest, table: str, columns: pa.Schema
    ) -> Iterator[str]:
        """A staging table next to the table; it is dropped afterwards."""
        dataset, _ = _split(table)
        staging = f"{dataset}.interactions_staging_{uuid.uuid4().hex[:12]}"
        expires = "OPTIONS (expiration_timestamp = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 1 DAY))"
        wanted = self.list_columns(columns, stage=True)
        session.run(f"CREATE TABLE {self.quote(staging)} (\n{wanted}\n)\n{expires}")
        with drop_after(session, f"DROP TABLE IF EXISTS {self.quote(staging)}"):
            present = [(field.name, self.find_type(field)) for field in list_present(manifest, columns)]
            if find_url(lake, manifest.files[0].path).startswith("gs://"):
                session.load_urls(staging, [find_url(lake, file.path) for file in manifest.files], present)
            else:
                for file in manifest.files:
                    with lake.open(file.path) as stream:
                        session.load_stream(staging, stream, present)
            yield self.quote(staging)

    def count_merged(self, results: Sequence[Result]) -> tuple[int, int]:
        """BigQuery counts what a MERGE did."""
        [[inserted, updated, _]] = results[0].rows
        return int(inserted), int(updated)


def _split(table: str) -> tuple[str, str]:
    dataset, _, name = table.rpartition(".")
    if not dataset:
        msg = f"The table {table} has no dataset. In BigQuery, name it with its dataset: dataset.{table}."
        raise ConfigError(msg)
    return dataset, name
