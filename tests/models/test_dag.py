"""The example DAG, run by a real Airflow with Cosmos after a vendor's DAG has loaded its rows."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from airflow_provider_interactions.sandbox import SandboxConfig, serve
from airflow_provider_interactions.vendors import VENDORS
from tests.models.conftest import PROJECT, REPOSITORY

VENDOR = "which50"
WINDOW = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-08T00:00:00Z"}
MODELS = ("events", "person_timeline", "campaigns", "daily_engagement")


@pytest.fixture(scope="module")
def sandbox():
    """A server with three contacts."""
    with serve(SandboxConfig(contacts=3)) as running:
        yield running


@pytest.fixture(scope="module")
def airflow(tmp_path_factory, sandbox):
    """Airflow's command line, with the two DAGs in its folder."""
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    shutil.copy(REPOSITORY / f"dags/{VENDOR}.py", home / "dags")
    shutil.copy(PROJECT / "dags/interactions_models.py", home / "dags")
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
        "AIRFLOW__COSMOS__CACHE_DIR": str(home / "cosmos"),
        "AIRFLOW__INTERACTIONS__LAKE": str(home / "lake"),
        f"AIRFLOW_CONN_{VENDOR.upper()}_DEFAULT": json.dumps(sandbox.connections[VENDOR]),
        "INTERACTIONS_DUCKDB": str(home / "interactions.duckdb"),
        "INTERACTIONS_DBT": str(Path(sys.executable).with_name("dbt")),
        "INTERACTIONS_DBT_PROJECT": str(PROJECT),
        "PYTHONPATH": str(REPOSITORY),
    }

    def run(*words):
        command = [sys.executable, "-m", "airflow", *words]
        done = subprocess.run(
            command, env={**os.environ, **settings}, capture_output=True, text=True, timeout=150, check=False
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
        return home

    run("db", "migrate")
    return run


def test_models_are_built_after_a_load(airflow, sandbox):
    home = airflow("dags", "test", f"{VENDOR}_interactions", "--conf", json.dumps(WINDOW))
    with sqlite3.connect(home / "airflow.db") as database:
        assert database.execute("SELECT target_dag_id FROM asset_dag_run_queue").fetchall() == [
            ("interactions_models",)
        ]
        # Assets of vendors whose DAGs are not here are known from this DAG's schedule alone.
        assets = {name for (name,) in database.execute("SELECT name FROM asset") if name.endswith("_loaded")}
    assert assets == {f"interactions_{vendor}_loaded" for vendor in VENDORS}
    airflow("dags", "test", "interactions_models")
    expected = sandbox.oracle(VENDOR, "2026-01-01", "2026-01-08").interactions
    counts = ", ".join(f"(SELECT count(*) FROM interactions__{name})" for name in MODELS)
    with duckdb.connect(str(home / "interactions.duckdb")) as connection:
        [found] = connection.sql(f"SELECT {counts}, sum(interactions) FROM interactions__daily_engagement").fetchall()
    assert expected > 0
    events, timeline, campaigns, days, interactions = found
    assert events == timeline == interactions == expected
    assert campaigns > 0
    assert days > 0
    with sqlite3.connect(home / "airflow.db") as database:
        tasks = dict(
            database.execute("SELECT task_id, state FROM task_instance WHERE dag_id = 'interactions_models'").fetchall()
        )
    assert set(tasks.values()) == {"success"}
    assert {f"interactions__{name}_model_build" for name in MODELS} < set(tasks)
