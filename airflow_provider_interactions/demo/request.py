"""Ask for everything about one person, as the form of the DAG does."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from airflow_provider_interactions.demo import airflow
from airflow_provider_interactions.demo.rest import Api, NotReady
from airflow_provider_interactions.demo.supervisor import Supervisor

DAG_ID = "contact_interactions"


def ask(supervisor: Supervisor, api: Api, run_id: str, conf: Mapping[str, Any]) -> str:
    """Trigger the DAG with the form's values, wait for the end, and return the run's state."""
    runs = f"dags/{DAG_ID}/dagRuns"
    airflow.insist(supervisor, lambda: api.patch(f"dags/{DAG_ID}", {"is_paused": False}))
    airflow.create(supervisor, api, runs, {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf)})
    state: list[str] = []

    def has_ended() -> bool:
        with suppress(NotReady):  # the database is locked
            state.append(api.get(f"{runs}/{run_id}")["state"])
        return bool(state) and state[-1] in {"success", "failed"}

    supervisor.wait_until(has_ended, f"Airflow did not end the run {run_id}")
    return state[-1]


def build_url(airflow_url: str, run_id: str) -> str:
    """Where the UI shows the answer."""
    return f"{airflow_url}/dags/{DAG_ID}/runs/{run_id}/tasks/answer"
