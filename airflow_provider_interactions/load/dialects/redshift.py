"""Redshift: COPY reads the files from S3 by an IAM role, and a transaction locks the table.

Not run against the service. COPY takes the columns of Parquet files by their order, so the staging table gets those of
the files first. Redshift's MERGE knows no condition, so rows are deleted and inserted.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load.dialects import list_present
from airflow_provider_interactions.load.dialects.merging import ReplacingDialect
from airflow_provider_interactions.load.dialects.session import DbApiSession
from airflow_provider_interactions.schema import KEY


@dataclass(frozen=True)
class Redshift(ReplacingDialect):
    """``iam_role`` is the ARN of a role that may read the lake; without one, the cluster's default role."""

    iam_role: str = ""

    title = "Redshift"
    sqlglot = "redshift"
    stores = ("s3",)
    types = {  # noqa: RUF012 - constant
        "text": "VARCHAR(65535)",
        "instant": "TIMESTAMPTZ",
        "integer": "INTEGER",
        "long": "BIGINT",
        "float": "DOUBLE PRECISION",
    }
    fits = {  # noqa: RUF012 - constant
        "text": r"CHARACTER VARYING|VARCHAR",
        "instant": r"TIMESTAMP WITH|TIMESTAMPTZ",
        "integer": "INT",
        "long": "BIGINT",
        "float": "DOUBLE",
    }
    grants = (
        "USAGE and CREATE on the schema, TEMPORARY on the database, SELECT, INSERT, UPDATE and DELETE on the table, "
        "and a role of the cluster that may read the lake's bucket"
    )
    # 1023: serializable isolation violation; 40001 and 40P01: serialization failure, deadlock
    conflict = re.compile(r"\b1023\b|40001|40P01|serializable isolation violation|deadlock", re.IGNORECASE)
    denied = re.compile(r"42501|permission denied|not authorized|AccessDenied", re.IGNORECASE)
    absent = re.compile(r"42P01|3F000")

    def open(self, connection: Any) -> DbApiSession:
        """The driver would begin a transaction with the first statement."""
        connection.autocommit = True
        return DbApiSession(connection)

    def comment_column(self, field: pa.Field) -> str:  # noqa: ARG002 - as all dialects
        """Redshift has no comments in the definition of a table."""
        return ""

    def create_table(self, table: str, columns: pa.Schema, key: Sequence[str] = KEY) -> str:
        """The key is a note for the planner: Redshift does not enforce it. Distribution and sorting are automatic."""
        unique = f"  PRIMARY KEY ({', '.join(map(self.quote, key))})"
        return f"CREATE TABLE IF NOT EXISTS {self.quote(table)} (\n{self.list_columns(columns)},\n{unique}\n)"

    def read_columns(self, table: str) -> str:
        """From the information schema; Redshift keeps names in lower case."""
        return (
            "SELECT column_name, data_type FROM information_schema.columns\n"  # noqa: S608 - quoted
            f"WHERE {self._find(table, 'table_schema', 'table_name')}"
        )

    def read_comment(self, table: str) -> str:
        """From the catalogue of PostgreSQL, from which Redshift comes."""
        return (
            "SELECT obj_description(pg_class.oid)\n"
            "FROM pg_class JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace\n"
            f"WHERE {self._find(table, 'nspname', 'relname')}"
        )

    def _find(self, table: str, schema_column: str, name_column: str) -> str:
        *place, name = table.lower().split(".")
        schema = self.quote_value(place[-1]) if place else "current_schema()"
        return f"{schema_column} = {schema} AND {name_column} = {self.quote_value(name)}"

    def take_lock(self, table: str) -> Sequence[str]:
        """Before the first read, so that the transaction sees what the load before has committed."""
        return (f"LOCK TABLE {self.quote(table)}",)

    def find_difference(self, new: str, old: str, *, null: bool) -> str:
        """Redshift has no IS DISTINCT FROM."""
        if not null:
            return f"{new} <> {old}"
        return f"{new} <> {old} OR ({new} IS NULL) <> ({old} IS NULL)"

    @contextmanager
    def stage(
        self,
        session: DbApiSession,
        lake: Lake,
        manifest: Manifest,
        table: str,  # noqa: ARG002 - as all dialects
        columns: pa.Schema,
    ) -> Iterator[str]:
        """A temporary table ends with the session."""
        staging = self.quote(f"interactions_staging_{uuid.uuid4().hex[:12]}")
        present = list_present(manifest, columns)
        session.run(f"CREATE TEMP TABLE {staging} (\n{self.list_columns(present, stage=True)}\n)")
        for file in manifest.files:
            session.run(self.copy(staging, self.locate(lake, file.path)))
        for field in columns:
            if field.name not in present.names:
                session.run(f"ALTER TABLE {staging} ADD COLUMN {self.quote(field.name)} {self.find_type(field)}")
        yield staging

    def copy(self, staging: str, url: str) -> str:
        """The statement that reads one file. COPY takes an address as a beginning, and names of files are unique."""
        role = self.quote_value(self.iam_role) if self.iam_role else "default"
        return f"COPY {staging}\nFROM {self.quote_value(url)}\nIAM_ROLE {role}\nFORMAT AS PARQUET"
