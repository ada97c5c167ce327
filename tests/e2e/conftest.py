"""A sandbox and a real Airflow that knows its DAGs, and nothing of its connections until somebody adds them."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_interactions.demo import airflow, backfill, sandbox_process
from airflow_provider_interactions.demo.paths import Paths, prepare_home
from airflow_provider_interactions.demo.rest import Api, NotReady
from airflow_provider_interactions.demo.sandbox_process import SandboxProcess
from airflow_provider_interactions.demo.supervisor import Supervisor, list_living, supervise
from airflow_provider_interactions.demo.vendors import SOURCES
from airflow_provider_interactions.window import Window
from tests.e2e.days import FIRST

CONTACTS = 16
DAYS = [Window.day(FIRST + timedelta(days=n)) for n in range(10)]
WEEK = DAYS[:7]
VICTIM, LEFT = (
    next(source for source in SOURCES if source.vendor == name) for name in ("luminate_online", "dynamics_journeys")
)


@dataclass
class Stage:
    """Everything that runs, and what of it a test looks at."""

    places: Paths
    running: Supervisor
    sandbox: SandboxProcess
    api: Api

    @property
    def logs(self) -> Path:
        """Where Airflow keeps the logs of tasks."""
        return self.places.airflow / "logs"

    def show(self, standings: Any) -> None:
        """Nobody looks at progress."""

    def note(self, text: str) -> None:
        """Of a try that failed the test asks Airflow itself."""

    def ask(self, call: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        """The answer to a call of the API, repeated while the database is locked: SQLite has one writer."""
        answers = []

        def try_call():
            try:
                answers.append(call(*arguments, **more))
            except NotReady:
                return False
            return True

        self.running.wait_until(try_call, "Airflow gave no answer", patience=60)
        return answers[0]

    def body(self, vendor: str, **changed: Any) -> dict[str, Any]:
        """A connection as the form sends it."""
        known = json.loads(self.sandbox.connections[f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT"])
        return {"connection_id": f"{vendor}_default", **known, "extra": json.dumps(known["extra"]), **changed}

    def unpause(self, dag_id: str) -> None:
        """Let a DAG run, as the switch beside its name does."""
        self.ask(self.api.patch, f"dags/{dag_id}", {"is_paused": False})

    def processes(self, name: str) -> list[int]:
        """Those of one component of Airflow: itself, and all tasks it started."""
        [component] = [each for each in self.running.components if each.name == f"Airflow's {name}"]
        return list_living(component)

    def faults(self, *rules: dict[str, Any]) -> None:
        """What goes wrong at the vendors from now on."""
        self._sandbox("PUT", "faults", data=json.dumps(rules)).raise_for_status()

    def count_served(self, vendor: str) -> int:
        """How many requests a vendor has answered."""
        return self._sandbox("GET", "stats").json()[vendor]["requests"]

    def _sandbox(self, method: str, path: str, **more: Any) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, f"{self.sandbox.url}/_sandbox/{path}", timeout=30, **more)


def copy_dags(target, *folders):
    """DAG files, but for an end of their schedules: else a run of today would join in."""
    target.mkdir()
    for source in (path for folder in folders for path in folder.glob("*.py")):
        text, times = re.subn(
            r"start_date=", "end_date=datetime(2026, 4, 1, tzinfo=UTC), start_date=", source.read_text()
        )
        assert times or "schedule=None" in text, source
        (target / source.name).write_text(text)
    return target


@pytest.fixture(scope="package")
def stage(tmp_path_factory):
    """The demo's own Airflow and sandbox, with another home; all of it is gone in the end."""
    home = tmp_path_factory.mktemp("e2e")
    dags = copy_dags(home.with_name("dags"), Paths(home).dags, Path(__file__).with_name("dags"))
    places = Paths(home, dags)
    with prepare_home(places), supervise() as running:
        sandbox = sandbox_process.start(running, places, DAYS, CONTACTS)
        given = {
            **sandbox_process.build_variables(sandbox, places),
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            # A task whose end could not be told, as the database was locked, is missed after a minute, not after five.
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True",  # else no run is made for what an asset's event triggers
            "TMPDIR": str(tmp_path_factory.mktemp("tmp")),
        }
        settings = airflow.build_environment(places, airflow.find_free_port(), given, os.environ)
        # Of the vendors, none: the demo keeps only the key for an erasure's hashes in a variable.
        connections = [name for name in settings if name.startswith("AIRFLOW_CONN_")]
        assert connections == ["AIRFLOW_CONN_INTERACTIONS_SUPPRESSION"]
        api = airflow.start(running, places, settings)
        yield Stage(places, running, sandbox, api)
        api.close()
    assert running.components
    assert [component.name for component in running.components if list_living(component)] == []


@pytest.fixture(scope="package")
def connected(stage):
    """All connections, added through the API."""
    for source in SOURCES:
        stage.ask(stage.api.post, "connections", stage.body(source.vendor))
    stage.unpause("contact_interactions")
    return stage


@pytest.fixture(scope="package")
def killed(connected):
    """Backfills of a week from all vendors; of one task, all processes were killed while it was asking the vendor."""
    stage = connected
    stage.faults({"kind": "delay", "vendor": VICTIM.vendor, "seconds": 1.0})
    # As a backfill that met a locked database may be left behind: with some of its runs.
    backfill.create(stage.running, stage.api, LEFT, WEEK[:2])
    for source in SOURCES:
        backfill.create(stage.running, stage.api, source, WEEK)
    # The one to strike goes first, so that the minute until Airflow tries again is not lost.
    stage.unpause(VICTIM.dag_id)
    found = []
    stage.running.wait_until(lambda: struck(stage, found), "No task could be killed", patience=120)
    stage.faults()
    for source in SOURCES:
        stage.unpause(source.dag_id)
    return found[0]


def struck(stage, found):
    """Kill the process group of an extract task in the middle of its work; False while there is none."""
    with suppress(NotReady):
        path = f"dags/{VICTIM.dag_id}/dagRuns/~/taskInstances"
        instances = stage.api.list_all(path, "task_instances", state="running", order_by="id")
        for instance in (each for each in instances if each["task_id"] == "extract" and each["pid"]):
            pid, before = instance["pid"], stage.count_served(VICTIM.vendor)
            stage.running.wait_until(
                lambda seen=before: stage.count_served(VICTIM.vendor) > seen + 3, "The vendor is not asked"
            )
            assert pid in stage.processes("scheduler"), "a process that this test has not started"
            assert os.getpgid(pid) == pid, "a task without a process group of its own"
            os.killpg(pid, signal.SIGKILL)
            found.append(backfill._identify_attempt(instance))
            return True
    return False


@pytest.fixture(scope="package")
def week(killed, connected):
    """A week from all vendors, all of it there."""
    assert killed
    backfill.watch(connected.running, connected.api, SOURCES, connected, connected.logs)
    return connected
