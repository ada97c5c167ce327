"""A week of all vendors, in a DuckDB file and in a PostgreSQL server, and dbt's command line."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import adbc_driver_postgresql.dbapi
import duckdb
import pyarrow.parquet as pq
import pytest

from airflow_provider_interactions.sandbox import SandboxConfig, serve
from airflow_provider_interactions.schema import KEY
from airflow_provider_interactions.vendors import VENDORS
from tests import servers
from tests.vendor_week import load_week

REPOSITORY = Path(__file__).parents[2]
PROJECT = REPOSITORY / "docs/dbt"
TYPES = [
    *("EmailSent", "EmailDelivered", "EmailOpened", "EmailClicked", "EmailHardBounced", "EmailForwarded"),
    *("FormSubmitted", "WebsiteClicked", "SegmentUnsubscribed"),
]


PAGE = (REPOSITORY / "docs/models.md").read_text()
#: The page's files and commands, by their marks.
BLOCKS = dict(re.findall(r"<!-- ((?:file|models): \w+) -->\n```\w+\n(.*?)```", PAGE, re.DOTALL))


def split_commands(name):
    """The commands of a block as lists of words."""
    return [shlex.split(line) for line in BLOCKS[f"models: {name}"].splitlines()]


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

    url: str
    name = "postgres"

    @property
    def environment(self):
        """The variables that profiles.yml reads."""
        parts = urlsplit(self.url)
        found = {"PGHOST": parts.hostname, "PGPORT": str(parts.port), "PGDATABASE": parts.path.strip("/")}
        user = {"PGUSER": parts.username, "PGPASSWORD": parts.password}
        return {"INTERACTIONS_DBT_TARGET": self.name, **found, **user}

    def connect(self):
        """A connection that commits each statement."""
        return adbc_driver_postgresql.dbapi.connect(self.url, autocommit=True)

    def query(self, sql):
        """Rows as dicts."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetch_arrow_table().to_pylist() if cursor.description else []

    def copy(self, name):
        """The same tables and views in a database of another name."""
        place, _, database = self.url.rpartition("/")
        Postgres(f"{place}/template1").query(f'CREATE DATABASE "{name}" TEMPLATE "{database}"')
        return Postgres(f"{place}/{name}")


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
def server():
    """The URL of a PostgreSQL server."""
    with servers.postgres() as url:
        yield url


@pytest.fixture(scope="session")
def load(lake, server):
    """The table alone, in the database of a name; made once."""

    @cache
    def make(name):
        if name == "duckdb":
            return DuckDb(lake / "interactions.duckdb")
        found = Postgres(server)
        with duckdb.connect(str(lake / "interactions.duckdb"), read_only=True) as connection:
            table = connection.sql("SELECT * FROM interactions").to_arrow_table()
        with found.connect() as connection, connection.cursor() as cursor:
            cursor.adbc_ingest("interactions", table, mode="create")
        return found

    return make


@pytest.fixture(scope="session")
def build(load, tmp_path_factory):
    """dbt after the page's build from a clone, in a copy of the database of a name; made once. Every test passes."""

    @cache
    def make(name):
        dbt = Dbt(load(name).copy("built"), tmp_path_factory.mktemp(f"dbt-{name}"))
        [export, [command, *words]] = split_commands("clone")
        assert (export[0], command) == ("export", "dbt")
        done = dbt.run(*words, project=REPOSITORY)
        assert done.returncode == 0, done.stdout
        return dbt

    return make


@pytest.fixture(params=["duckdb", "postgres"])
def loaded(request, load):
    """The table alone, in each database."""
    return load(request.param)


@pytest.fixture(params=["duckdb", "postgres"])
def built(request, build):
    """dbt after a build, in each database."""
    return build(request.param)
