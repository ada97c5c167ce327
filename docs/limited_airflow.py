"""An Airflow with the DAG of `docs/dags`, in which runs wait for a person: for a picture, and for a test."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from airflow_provider_interactions.demo import airflow, sandbox_process
from airflow_provider_interactions.demo.paths import Paths
from airflow_provider_interactions.demo.rest import Api, NotReady
from airflow_provider_interactions.demo.supervisor import Supervisor
from airflow_provider_interactions.window import Window, zulu

DAGS = Path(__file__).with_name("dags")
DAG_ID = "limited_interactions"
CONTACTS = 12
#: the states in which a task waits for a person: of Airflow 3.3, and of 3.2
WAITING = frozenset({"awaiting_input", "deferred"})


def start(processes: Supervisor, paths: Paths, window: Window) -> Api:
    """Start the sandbox, with interactions in the window, and Airflow; release the DAG."""
    sandbox = sandbox_process.start(processes, paths, [window], CONTACTS, realistic=True)
    settings = airflow.build_environment(paths, airflow.find_free_port(), sandbox.connections, os.environ)
    api = airflow.start(processes, paths, settings, for_people=True)
    airflow.insist(processes, lambda: api.patch(f"dags/{DAG_ID}", {"is_paused": False}))
    return api


def ask(processes: Supervisor, api: Api, run_id: str, window: Window) -> None:
    """Start a run over the window, and wait until its task ``approve`` waits for a person."""
    conf = {"start": zulu(window.start), "end": zulu(window.end)}
    body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
    airflow.create(processes, api, f"dags/{DAG_ID}/dagRuns", body)
    wait_for(processes, api, run_id, "approve", WAITING)


def wait_for(processes: Supervisor, api: Api, run_id: str, task: str, states: frozenset[str]) -> None:
    """Wait until a task is in one of the states. Raises DemoError after three minutes."""
    processes.wait_until(
        lambda: read_states(api, run_id).get(task) in states, f"{task} of {run_id} did not reach {sorted(states)}"
    )


def read_states(api: Api, run_id: str) -> Mapping[str, str]:
    """The state of each task of a run; empty while Airflow's database is busy."""
    try:
        found = list(api.list_all(f"dags/{DAG_ID}/dagRuns/{run_id}/taskInstances", "task_instances"))
    except NotReady:
        return {}
    return {each["task_id"]: each["state"] for each in found}
