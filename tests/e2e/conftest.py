"""A sandbox and a real Airflow that knows its DAGs, and nothing of its connections until somebody adds them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_interactions.demo import airflow, witness
from airflow_provider_interactions.demo.places import Places, fresh
from airflow_provider_interactions.demo.processes import Company, company, living
from airflow_provider_interactions.demo.rest import Api, NotYet
from airflow_provider_interactions.demo.story import FIRST
from airflow_provider_interactions.demo.witness import Witness
from airflow_provider_interactions.window import Window

CONTACTS = 16
WEEK = [Window.day(FIRST + timedelta(days=n)) for n in range(7)]


@dataclass
class Stage:
    """Everything that runs, and what of it a test looks at."""

    places: Places
    running: Company
    sandbox: Witness
    api: Api

    @property
    def logs(self) -> Path:
        """Where Airflow keeps the logs of tasks."""
        return self.places.airflow / "logs"

    def show(self, standings: Any) -> None:
        """Nobody looks at progress."""

    def note(self, text: str) -> None:
        """Of a try that failed the test asks Airflow itself."""

    def asked(self, call: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        """The answer to a call of the API, repeated while the database is locked: SQLite has one writer."""
        answers = []

        def answered():
            try:
                answers.append(call(*arguments, **more))
            except NotYet:
                return False
            return True

        self.running.until(answered, "Airflow gave no answer", patience=60)
        return answers[0]

    def unpause(self, dag_id: str) -> None:
        """Let a DAG run, as the switch beside its name does."""
        self.asked(self.api.patch, f"dags/{dag_id}", {"is_paused": False})

    def processes(self, name: str) -> list[int]:
        """Those of one component of Airflow: itself, and all tasks it started."""
        [component] = [each for each in self.running.components if each.name == f"Airflow's {name}"]
        return living(component)

    def faults(self, *rules: dict[str, Any]) -> None:
        """What goes wrong at the vendors from now on."""
        self._sandbox("PUT", "faults", data=json.dumps(rules)).raise_for_status()

    def served(self, vendor: str) -> int:
        """How many requests a vendor has answered."""
        return self._sandbox("GET", "stats").json()[vendor]["requests"]

    def _sandbox(self, method: str, path: str, **more: Any) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, f"{self.sandbox.url}/_sandbox/{path}", timeout=30, **more)


@pytest.fixture(scope="package")
def stage(tmp_path_factory):
    """The demo's own Airflow and sandbox, with another home; all of it is gone in the end."""
    home = tmp_path_factory.mktemp("e2e")
    dags = shutil.copytree(Places(home).dags, home.with_name("dags"), ignore=shutil.ignore_patterns("__pycache__"))
    places = Places(home, dags)
    with fresh(places), company() as running:
        sandbox = witness.start(running, places, WEEK, CONTACTS)
        given = {
            **witness.variables(sandbox, places),
            # Airflow 3.3 deletes runs again when their backfill meets a locked database, and a scheduler that has seen
            # them dies of it. Of a paused DAG it looks at no run.
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "TMPDIR": str(tmp_path_factory.mktemp("tmp")),
        }
        settings = airflow.environment(places, airflow.free_port(), given, os.environ)
        assert not [name for name in settings if name.startswith("AIRFLOW_CONN_")]
        api = airflow.start(running, places, settings)
        yield Stage(places, running, sandbox, api)
        api.close()
    assert running.components
    assert [component.name for component in running.components if living(component)] == []
