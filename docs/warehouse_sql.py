"""Writes docs/sql: every statement that an SQL warehouse gets, recorded from the code that sends them.

python docs/warehouse_sql.py            write the files
python docs/warehouse_sql.py --check    write nothing; fail if one is out of date
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.coverage.ledger import Step
from airflow_provider_interactions.lake.manifest import Counts, File, Manifest
from airflow_provider_interactions.lake.paths import begin_step_name
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load.dialects import Dialect
from airflow_provider_interactions.load.dialects.bigquery import BigQuery
from airflow_provider_interactions.load.dialects.databricks import Databricks
from airflow_provider_interactions.load.dialects.redshift import Redshift
from airflow_provider_interactions.load.dialects.session import Result
from airflow_provider_interactions.load.dialects.snowflake import Snowflake
from airflow_provider_interactions.load.ledger import name_table
from airflow_provider_interactions.load.warehouse import WarehouseTable
from airflow_provider_interactions.schema import CANONICAL, STEPS, find_version

FOLDER = Path(__file__).resolve().parent / "sql"
TABLE = "crm.interactions"

#: The dialects, each with the store of the lake.
DIALECTS: dict[str, tuple[Dialect, str]] = {
    "bigquery": (BigQuery(), "gs"),
    "databricks": (Databricks(), "s3"),
    "redshift": (Redshift(), "s3"),
    "snowflake": (Snowflake(), "s3"),
    "snowflake_stage": (Snowflake(external_stage="crm.lake"), "s3"),
}

#: A column as a later version of the package may add it.
LATER = pa.field("device", pa.string(), metadata={"meaning": "an example", "since": str(find_version(CANONICAL) + 1)})


class Recorder:
    """A session that answers as a warehouse would, and keeps the statements."""

    def __init__(self, dialect: Dialect, columns: pa.Schema | None, counts: tuple[int, int]) -> None:
        self.dialect, self.columns, self.counts = dialect, columns, counts
        self.statements: list[str] = []

    def run(self, sql: str, values: Sequence[str] = (), **options: Any) -> Result:  # noqa: ARG002 - as sessions do
        """Keep a statement, and answer it."""
        self.statements.append(re.sub(r"(interactions_staging)_[0-9a-f]{12}", r"\1", sql, flags=re.IGNORECASE))
        if sql.startswith("CREATE TABLE") and self.columns is None:
            self.columns = STEPS if self.dialect.quote(name_table(TABLE)) in sql else CANONICAL
        if sql in (self.dialect.read_columns(TABLE), self.dialect.read_columns(name_table(TABLE))):
            return Result([(field.name, self._describe(field)) for field in self.columns or ()], [], -1)
        if sql.startswith("SELECT max("):
            return Result([(None,)], [], -1)
        if sql == self.dialect.count_staged(sql.rpartition("\nFROM ")[2]) or "count(DISTINCT" in sql:
            return Result([self.counts], [], -1)
        names = ["num_inserted_rows", "num_updated_rows", "num_affected_rows"]
        return Result([(1, 1, 0)] if sql.startswith(("MERGE", "DELETE")) else [], names, 1 if "DELETE" in sql else 2)

    def _describe(self, field: pa.Field) -> str:
        known = {"VARCHAR(65535)": "CHARACTER VARYING", "INTEGER": "NUMBER(38,0)"}
        kind = self.dialect.find_type(field)
        return known.get(kind, kind) if self.dialect.title == "Snowflake" or "(6" in kind else kind

    def load_urls(self, staging: str, urls: Sequence[str], columns: Sequence[tuple[str, str]]) -> None:
        """A load job is no statement."""
        table = re.sub(r"_[0-9a-f]{12}", "", staging)
        self.statements.append(f"-- a load job appends to {table}, with {len(columns)} columns:\n-- {urls}")


class Store(MemoryFileSystem):  # type: ignore[misc]  # fsspec ships no types
    """A lake in memory whose addresses are those of an object store."""

    cachable = False
    scheme = "s3"

    def unstrip_protocol(self, name: str) -> str:
        """The address that the store's own tools write."""
        return f"{self.scheme}://{name.lstrip('/')}"


def prepare(table: WarehouseTable, *_: object) -> None:
    """Prepare the table."""
    table.prepare()


def add_steps(table: WarehouseTable, *_: object) -> None:
    """Add a row to the table of the ledger."""
    ended_at = datetime(2026, 1, 3, 0, 5, tzinfo=UTC)
    facts = {"vendor": "which50", "account": "acme", "started_at": ended_at, "ended_at": ended_at, "seconds": 1.5}
    step = Step(step="extract", state="success", version="0.1.0", **facts)
    file = f"{begin_step_name(ended_at)}-success-0123456789abcdef-0123456789ab.parquet"
    rows = pa.Table.from_pylist([{"file": file, **msgspec.structs.asdict(step)}], STEPS)
    table.add_steps(lambda *_: rows)


def erase(table: WarehouseTable, *_: object) -> None:
    """Erase two contacts, one by an address of e-mail."""
    table.erase("capillary", "acme", [Contact("c1"), Contact("ann@example.org", "email")])


def record(dialect: Dialect, scheme: str) -> str:
    """The text of a dialect's file."""
    newer = pa.schema([*CANONICAL, LATER])
    scenes: list[tuple[str, Callable[[WarehouseTable, Lake, Manifest], object], dict[str, Any]]] = [
        ("Make the table", prepare, {"found": None}),
        ("Add a column that a later version has", prepare, {"columns": newer}),
        ("Load a window of two files", WarehouseTable.load, {}),
        ("Load a window with an interaction that two contacts have", WarehouseTable.load, {"counts": (3, 2)}),
        ("Erase two contacts", erase, {}),
        ("Make the table of the ledger, and add a row", add_steps, {"found": None}),
    ]
    lines = [f"-- {dialect.title}: the statements for the table {TABLE}. Made by docs/warehouse_sql.py."]
    for title, act, options in scenes:
        lines.append(f"\n-- {title}\n")
        lines += [f"{sql}{'' if sql.startswith('--') else ';'}\n" for sql in _act(dialect, scheme, act, **options)]
    return "\n".join(lines)


def _act(
    dialect: Dialect,
    scheme: str,
    act: Callable[[WarehouseTable, Lake, Manifest], object],
    *,
    found: pa.Schema | None = CANONICAL,
    columns: pa.Schema = CANONICAL,
    counts: tuple[int, int] = (3, 3),
) -> list[str]:
    recorder = Recorder(dialect, found, counts)

    @contextmanager
    def connect() -> Iterator[Recorder]:
        yield recorder

    class Recorded(type(dialect)):  # type: ignore[misc]  # a class made of a value's
        def open(self, connection: Any) -> Any:
            return connection

    lake, manifest = _make_window(scheme)
    table = WarehouseTable(Recorded(**vars(dialect)), connect, TABLE, "", TABLE, columns)
    act(table, lake, manifest)
    return recorder.statements


def _make_window(scheme: str) -> tuple[Lake, Manifest]:
    store = Store()
    store.store, store.scheme = {}, scheme
    lake = Lake(store, "/bucket/lake")
    paths = [f"interactions/vendor=which50/account=acme/date=2026-01-02/{n}.parquet" for n in (1, 2)]
    day = (datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC))
    manifest = Manifest(
        vendor="which50",
        account="acme",
        window_start=day[0],
        window_end=day[1],
        extracted_at=day[1],
        files=tuple(File(path, 2, 1000) for path in paths),
        counts=Counts(canonical=3),
    )
    for path in paths:
        store.pipe_file(lake.full(path), b"")
    lake.publish(manifest.place.manifest, manifest)
    return lake, manifest


def main(arguments: Sequence[str]) -> int:
    """Write the files, or compare them."""
    stale = []
    for name, (dialect, scheme) in DIALECTS.items():
        text, path = record(dialect, scheme), FOLDER / f"{name}.sql"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path.name)
            if "--check" not in arguments:
                FOLDER.mkdir(exist_ok=True)
                path.write_text(text, encoding="utf-8")
    print("\n".join(f"out of date: docs/sql/{name}" for name in stale))
    return bool(stale) and "--check" in arguments


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
