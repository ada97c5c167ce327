"""The services of docker-compose.yaml at work: a filled grid, and nothing lost when containers are made anew.

They run as processes of this machine; see native.py. No container engine is involved.
"""

import json
import subprocess
import time

import psycopg
import pytest
import requests

from tests.deploy.rest import Api

DAG = "sandbox_dynamics_marketing"
DAYS = 7


@pytest.fixture(scope="module")
def api(stack):
    return Api(stack)


@pytest.fixture(scope="module")
def runs(stack, api):
    """The runs of the unpaused DAG once none is under way; nobody has touched anything."""
    end = time.monotonic() + 240
    while True:
        found = api.get(f"dags/{DAG}/dagRuns")["dag_runs"] if any_dag(api) else []
        if len(found) == DAYS and all(run["state"] in ("success", "failed") for run in found):
            return found
        assert time.monotonic() < end, [(run["dag_run_id"], run["state"]) for run in found]
        time.sleep(2)


def any_dag(api):
    return DAG in {dag["dag_id"] for dag in api.get("dags")["dags"]}


def test_the_first_runs_succeed(runs):
    assert [run["state"] for run in runs] == ["success"] * DAYS


def test_one_dag_is_unpaused_and_none_is_broken(runs, api):
    dags = {dag["dag_id"]: dag["is_paused"] for dag in api.get("dags")["dags"]}
    assert len(dags) == 6
    assert [name for name, paused in dags.items() if not paused] == [DAG]
    assert api.get("importErrors")["import_errors"] == []


def test_the_table_has_what_the_sandbox_knows(runs, stack):
    oracle = (
        f"http://127.0.0.1:{stack.ports['8765']}/_sandbox/oracle/dynamics_marketing?start=2026-01-01&end=2026-01-08"
    )
    expected = requests.get(oracle, timeout=30).json()["interactions"]
    url = stack.containers["postgres"].environment["url"].replace("/postgres", "/interactions")
    with psycopg.connect(url) as connection:
        [(rows,)] = connection.execute("SELECT count(*) FROM interactions").fetchall()
    assert rows == expected > 0


def test_the_log_of_a_task_can_be_read(runs, api):
    path = f"dags/{DAG}/dagRuns/{runs[0]['dag_run_id']}/taskInstances/load/logs/1"
    content = json.dumps(api.get(path, params={"full_content": "true"}))
    assert "interactions" in content
    assert "Could not read" not in content


def test_links_lead_to_files(runs, api):
    path = f"dags/{DAG}/dagRuns/{runs[0]['dag_run_id']}/taskInstances/normalize/links"
    link = api.get(path)["extra_links"]["Manifest"]
    manifest = requests.get(link, timeout=30)
    assert (manifest.status_code, manifest.json()["vendor"]) == (200, "dynamics_marketing"), link


def test_both_workers_are_there(runs, stack):
    assert all(stack.is_healthy(stack.containers[name]) for name in ("worker-1", "worker-2"))


def test_connections_and_variables_are_in_the_ui(runs, api):
    names = {connection["connection_id"] for connection in api.get("connections")["connections"]}
    assert {"table", "lake", "dynamics_marketing_default", "which50_default"} <= names
    assert {one["key"] for one in api.get("variables")["variables"]} == {"capillary_contacts", "luminate_online_group"}
    assert {pool["slots"] for pool in api.get("pools")["pools"] if pool["name"].endswith("_default")} == {1}


def test_containers_that_are_made_anew_change_nothing_and_read_everything(runs, stack):
    secrets = stack.folder / "volumes" / "secrets"
    before = {path.name: path.read_text() for path in secrets.iterdir()}
    for name in ("secrets", "init"):
        stack.create(name, f"{name}-again")
        stack.wait(f"{name}-again")
    assert {path.name: path.read_text() for path in secrets.iterdir()} == before
    container = stack.create(
        "api-server", "shell", command=["airflow", "connections", "get", "table", "--output", "json"]
    )
    assert container.process.wait(60) == 0
    assert before["postgres_password"] in stack.read_log("shell")


def test_no_log_holds_a_secret(runs, stack):
    """But for the one that was asked for, above."""
    secrets = {
        (stack.folder / "volumes/secrets" / name).read_text()
        for name in ("fernet_key", "secret_key", "jwt_secret", "postgres_password", "redis_password", "s3_secret")
    }
    logs = [path for path in stack.folder.glob("containers/*/log") if path.parent.name != "shell"]
    logs += (stack.folder / "volumes/logs").rglob("*.log")
    assert len(logs) > 20
    holding = subprocess.run(
        ["grep", "-lF", *(f"-e{secret}" for secret in secrets), *logs], capture_output=True, text=True, check=False
    )
    assert holding.stdout == ""
