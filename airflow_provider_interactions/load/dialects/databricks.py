"""Databricks: `read_files` reads the window's files from object storage, and one MERGE writes the Delta table.

Not run against the service. Delta has no lock: of two loads that meet, it refuses one, which then tries again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa

from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load.dialects.merging import MergingDialect
from airflow_provider_interactions.load.dialects.session import Result, Session
from airflow_provider_interactions.schema import KEY


@dataclass(frozen=True)
class Databricks(MergingDialect):
    """The files are read twice, to count and to merge, so nothing has to be written and removed."""

    title = "Databricks"
    sqlglot = "databricks"
    stores = ("s3", "gs", "abfss")
    mark = "?"
    types = {  # noqa: RUF012 - constant
        "text": "STRING",
        "instant": "TIMESTAMP",
        "integer": "INT",
        "long": "BIGINT",
        "float": "DOUBLE",
    }
    fits = {**types, "text": "STRING|VARCHAR", "instant": "TIMESTAMP$", "integer": "INT|BIGINT"}  # noqa: RUF012 - constant
    grants = (
        "USE CATALOG and USE SCHEMA, CREATE TABLE on the schema, SELECT and MODIFY on the table, and READ FILES on the "
        "external location of the lake"
    )
    conflict = re.compile(r"DELTA_(CONCURRENT|METADATA_CHANGED)|Concurrent\w*Exception|MetadataChangedException")
    denied = re.compile(r"42501|INSUFFICIENT_PERMISSIONS|PERMISSION_DENIED|does not have permission", re.IGNORECASE)
    absent = re.compile(r"TABLE_OR_VIEW_NOT_FOUND|42P01")

    def create_table(self, table: str, columns: pa.Schema, key: Sequence[str] = KEY) -> str:
        """Clustered by the key. Under Delta's default isolation, two merges at once could both insert a new row."""
        clustered = f"CLUSTER BY ({', '.join(map(self.quote, key))})"
        isolation = "TBLPROPERTIES ('delta.isolationLevel' = 'Serializable')"
        names = self.list_columns(columns)
        return f"CREATE TABLE IF NOT EXISTS {self.quote(table)} (\n{names}\n)\nUSING DELTA\n{clustered}\n{isolation}"

    def read_columns(self, table: str) -> str:
        """After the columns follow other facts about the table, under names that are no columns."""
        return f"DESCRIBE TABLE {self.quote(table)}"

    def read_comment(self, table: str) -> str:
        """The version is a property of the table: rows of a key and a value."""
        return f"SHOW TBLPROPERTIES {self.quote(table)} ('interactions.schema')"

    def set_comment(self, table: str, text: str) -> str:
        """As a property, because a comment is shown only among many other rows."""
        return f"ALTER TABLE {self.quote(table)} SET TBLPROPERTIES ('interactions.schema' = {self.quote_value(text)})"

    @contextmanager
    def stage(
        self,
        session: Session,  # noqa: ARG002 - as all dialects
        lake: Lake,
        manifest: Manifest,
        table: str,  # noqa: ARG002 - as all dialects
        columns: pa.Schema,
    ) -> Iterator[str]:
        """Nothing is staged: the files themselves are the source."""
        yield self.read_files([self.locate(lake, file.path) for file in manifest.files], columns)

    def read_files(self, urls: Sequence[str], columns: pa.Schema) -> str:
        """SQL for the rows of files. A given schema fills columns that older files lack with nulls.

        ``partitionColumns`` is empty, because parts of the path, such as ``account=…``, are no columns.
        """
        schema = ", ".join(f"{field.name} {self.find_type(field)}" for field in columns)
        options = f"format => 'parquet', schema => {self.quote_value(schema)}, partitionColumns => ''"
        names = self.list_names(columns)
        parts = [f"SELECT {names} FROM read_files({self.quote_value(url)}, {options})" for url in urls]  # noqa: S608 - quoted
        return "(" + "\nUNION ALL ".join(parts) + ")"

    def count_merged(self, results: Sequence[Result]) -> tuple[int, int]:
        """MERGE answers with one row of counts."""
        [result] = results
        return _read_count(result, "num_inserted_rows"), _read_count(result, "num_updated_rows")

    def count_deleted(self, result: Result) -> int:
        """DELETE answers with one row of counts."""
        return _read_count(result, "num_affected_rows")


def _read_count(result: Result, name: str) -> int:
    [row] = result.rows
    return int(row[result.names.index(name)])
