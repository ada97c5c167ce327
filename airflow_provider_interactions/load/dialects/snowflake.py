"""Snowflake: the files go to a temporary stage by PUT, or are read from an external stage that shows the lake.

A transaction takes a row of a small table beside as its lock, because Snowflake has no LOCK TABLE. Names are folded to
upper case, as Snowflake does with names that are not quoted.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load.dialects import list_present
from airflow_provider_interactions.load.dialects.merging import ReplacingDialect
from airflow_provider_interactions.load.dialects.session import DbApiSession
from airflow_provider_interactions.schema import CONTACTS, KEY

#: Names that Snowflake would fold to upper case if they were not quoted.
_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*", re.IGNORECASE)

#: COPY INTO takes at most so many file names. https://docs.snowflake.com/en/sql-reference/sql/copy-into-table
_FILES = 1000

_PARQUET = "FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE)"


@dataclass(frozen=True)
class Snowflake(ReplacingDialect):
    """``external_stage`` is a stage whose URL is the lake's root. Without one, the worker uploads the files."""

    external_stage: str = ""

    title = "Snowflake"
    sqlglot = "snowflake"
    types = {  # noqa: RUF012 - constant
        "text": "VARCHAR",
        "instant": "TIMESTAMP_TZ(6)",
        "integer": "INTEGER",
        "long": "INTEGER",
        "float": "FLOAT",
    }
    fits = {  # noqa: RUF012 - constant
        "text": r"VARCHAR|TEXT|STRING",
        "instant": r"TIMESTAMP_(TZ|LTZ)",
        "integer": r"NUMBER\(\d+,\s*0\)",
        "long": r"NUMBER\(\d+,\s*0\)",
        "float": "FLOAT",
    }
    grants = (
        "USAGE on the database, the schema and the warehouse, CREATE TABLE and CREATE STAGE on the schema, and SELECT, "
        "INSERT, UPDATE and DELETE on the table and on the table of its lock"
    )
    # 000625: a lock was waited for too long; 000603: killed as the victim of a deadlock
    conflict = re.compile(r"000625|000603|lock timeout|aborted because the number of waiters", re.IGNORECASE)
    denied = re.compile(r"insufficient privileges|42501", re.IGNORECASE)
    absent = re.compile(r"002003|42S02")

    def quote(self, name: str) -> str:
        """An identifier; plain names in upper case."""
        return super().quote(".".join(one.upper() if _PLAIN.fullmatch(one) else one for one in name.split(".")))

    def create_table(self, table: str, columns: pa.Schema, key: Sequence[str] = KEY) -> str:
        """The key is a note for readers: Snowflake does not enforce it."""
        unique = f"  PRIMARY KEY ({', '.join(map(self.quote, key))})"
        return f"CREATE TABLE IF NOT EXISTS {self.quote(table)} (\n{self.list_columns(columns)},\n{unique}\n)"

    def read_columns(self, table: str) -> str:
        """DESCRIBE needs no running warehouse."""
        return f"DESCRIBE TABLE {self.quote(table)}"

    def read_comment(self, table: str) -> str:
        """From the information schema of the table's database."""
        *place, name = table.split(".")
        catalog = f"{self.quote(place[0])}." if len(place) > 1 else ""
        schema = self._fold_name(place[-1]) if place else "current_schema()"
        return (
            f"SELECT comment FROM {catalog}information_schema.tables\n"  # noqa: S608 - quoted
            f"WHERE table_schema = {schema} AND table_name = {self._fold_name(name)}"
        )

    def _fold_name(self, name: str) -> str:
        return self.quote_value(self.quote(name)[1:-1].replace('""', '"'))

    def make_lock(self, table: str) -> Sequence[str]:
        """A table of one row. Two loads that make it at once may leave two rows, which serve as well."""
        lock = self.quote(f"{table}_lock")
        return (
            f"CREATE TABLE IF NOT EXISTS {lock} (turn INTEGER)",
            f"INSERT INTO {lock} SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM {lock})",  # noqa: S608 - quoted
        )

    def take_lock(self, table: str) -> Sequence[str]:
        """An UPDATE waits until the transaction ends that updated the row before; statements after it see its rows."""
        return (f"UPDATE {self.quote(f'{table}_lock')} SET turn = 1 - turn",)  # noqa: S608 - quoted

    @contextmanager
    def stage(
        self, session: DbApiSession, lake: Lake, manifest: Manifest, table: str, columns: pa.Schema
    ) -> Iterator[str]:
        """A temporary table and a temporary stage end with the session, and the files in the stage with it."""
        staging, files = self._make_staging(session, table, columns)
        present = list_present(manifest, columns)
        if self.external_stage:
            paths = [file.path for file in manifest.files]
            for start in range(0, len(paths), _FILES):
                names = ", ".join(map(self.quote_value, paths[start : start + _FILES]))
                session.run(self._copy(staging, f"@{self.external_stage}", present, f"FILES = ({names})"))
        else:
            for number, file in enumerate(manifest.files):
                with lake.open(file.path) as stream:
                    _put(session, stream, files, number)
            session.run(self._copy(staging, f"@{files}", present))
        yield staging

    def _make_staging(self, session: DbApiSession, table: str, columns: pa.Schema) -> tuple[str, str]:
        """Make a temporary table and a temporary stage next to the table, and return their names.

        The driver needs the stage's name without quotes for PUT.
        """
        place, dot, _ = table.rpartition(".")
        name = f"interactions_staging_{uuid.uuid4().hex[:12]}"
        staging, files = self.quote(f"{place}{dot}{name}"), f"{self.quote(place) + dot if place else ''}{name}"
        session.run(f"CREATE TEMPORARY TABLE {staging} (\n{self.list_columns(columns, stage=True)}\n)")
        session.run(f"CREATE TEMPORARY STAGE {files}")
        return staging, files

    def _copy(self, staging: str, place: str, columns: pa.Schema, more: str = "") -> str:
        values = ",\n  ".join(f'$1:"{field.name}"::{self.find_type(field)}' for field in columns)
        rows = f"SELECT\n  {values}\nFROM {place}/"
        return f"COPY INTO {staging} ({self.list_names(columns)})\nFROM ({rows})\n{more}{' ' if more else ''}{_PARQUET}"

    def erase(self, session: DbApiSession, table: str, vendor: str, account: str, contacts: Sequence[Contact]) -> int:
        """The identifiers go as a file: values in a statement would stay in Snowflake's history of queries."""
        rows = [{"contact_id": one.id, "contact_id_kind": one.kind} for one in contacts]
        stream = BytesIO()
        pq.write_table(pa.Table.from_pylist(rows, CONTACTS), stream)
        staging, files = self._make_staging(session, table, CONTACTS)
        _put(session, BytesIO(stream.getvalue()), files, 0)
        session.run(self._copy(staging, f"@{files}", CONTACTS))
        key = self.list_names(CONTACTS)
        mine = f"vendor = {self.quote_value(vendor)} AND account = {self.quote_value(account)}"
        same = f"({key}) IN (SELECT {key} FROM {staging})"  # noqa: S608 - quoted
        return session.run(f"DELETE FROM {self.quote(table)}\nWHERE {mine} AND {same}").changed  # noqa: S608 - quoted


def _put(session: DbApiSession, stream: Any, stage: str, number: int) -> None:
    session.run(
        f"PUT 'file://{number}.parquet' @{stage} AUTO_COMPRESS = FALSE SOURCE_COMPRESSION = NONE OVERWRITE = TRUE",
        file_stream=stream,
    )
