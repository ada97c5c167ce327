"""Airflow in a home of its own, without a database; one sandbox for all tests; a fake Execution API."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from copy import deepcopy
from importlib import import_module
from importlib.metadata import version
from inspect import signature
from pathlib import Path
from unittest.mock import patch
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uuid6
from packaging.version import Version

# All of this has to be there before anything imports airflow.
HOME = tempfile.TemporaryDirectory(prefix="interactions-airflow-")
DAGS = Path(__file__).parents[2] / "dags"
os.environ.update(
    {
        "AIRFLOW_HOME": HOME.name,
        "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME.name}/airflow.db",
    }
)

sys.path.append(str(Path(__file__).parent / "site"))  # a provider with a DB-API hook, for contacts by SQL

from airflow_provider_interactions.normalize.identity_map import COLUMNS  # noqa: E402 - likewise
from airflow_provider_interactions.sandbox import SandboxConfig, serve  # noqa: E402 - as said above

# The task SDK's client takes the transport and responses of one HTTP library: httpx, and httpx2 since Airflow 3.4.
httpx = import_module("httpx2" if Version(version("apache-airflow-task-sdk")) >= Version("1.4.0a0") else "httpx")

VENDOR = "dynamics_marketing"


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            # Airflow and its dependencies deprecate things of their own; ours still fail.
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning:(?!airflow_provider_interactions)"))


@pytest.fixture(scope="session")
def world():
    """A server with 5 contacts and a week of interactions, shared; see ``sandbox``."""
    with serve(SandboxConfig(contacts=5)) as running:
        yield running


@pytest.fixture
def sandbox(world):
    """The server without faults and with fresh counters."""
    world.reset()
    return world


@pytest.fixture
def people(sandbox):
    return sandbox.contacts(VENDOR)


@pytest.fixture
def lake(tmp_path):
    return f"{tmp_path}/lake"


@pytest.fixture
def connect(monkeypatch):
    """Define an Airflow connection; ``extra`` is merged, None removes a key."""

    def define(connection, conn_id=f"{VENDOR}_default", extra=None, **fields):
        merged = {key: value for key, value in {**connection["extra"], **(extra or {})}.items() if value is not ...}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps({**connection, "extra": merged, **fields}))
        return conn_id

    return define


@pytest.fixture
def connection(sandbox, connect):
    """The sandbox's own connection, under its default id."""
    return connect(sandbox.connections[VENDOR])


@pytest.fixture(autouse=True)
def _fresh_secrets():
    from airflow.sdk import configuration

    clear = getattr(configuration, "clear_secrets_backends_cache", lambda: None)  # Airflow 3.2 keeps none
    clear()
    yield
    clear()


WINDOW = ("2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z")
ABSENT = httpx.Response(404, json={"detail": {"reason": "not_found", "message": ""}})
FIELDS = ("host", "schema", "login", "password", "port", "extra")


def run_in_process(instance, task, client):
    """Airflow's real task runner, told by this client; that of Airflow 3.2 takes none, and makes its own."""
    from airflow.sdk.execution_time import supervisor

    if "client" in signature(supervisor.run_task_in_process).parameters:
        return supervisor.run_task_in_process(ti=instance, task=task, client=client)
    with patch.object(supervisor.InProcessTestSupervisor, "_api_client", lambda *_: client):
        return supervisor.run_task_in_process(ti=instance, task=task)


class FakeExecutionApi:
    """What the API server keeps of one run: its window, its XComs by task and map index, the states it was told.

    Airflow's real task runner talks to it, without a database. It leans on parts of the task SDK that are not
    promised to stay, and on nothing else here.
    """

    def __init__(self, window=WINDOW, conf=None, connections=None):
        start, end = window
        self.xcom, self.states, self.labels, self.rendered, self.questions = {}, [], [], [], []
        self.triggered = []
        self.connections = connections or {}
        self.dag_run = {
            "dag_id": "d",
            "run_id": "r",
            "logical_date": start,
            "data_interval_start": start,
            "data_interval_end": end,
            "start_date": "2026-01-03T00:00:01Z",
            "end_date": None,
            "run_after": "2026-01-03T00:00:00Z",
            "run_type": "manual",
            "state": "running",
            "conf": conf or {},
            "consumed_asset_events": [],
            "partition_key": None,
        }

    def run(self, task, map_index=-1, max_tries=0):
        """Run one task as a worker would; returns what the supervisor got: ``state``, ``msg``, ``error``."""
        from airflow.sdk.api.client import Client
        from airflow.sdk.api.datamodels._generated import TaskInstance

        self.max_tries = max_tries
        client = Client(base_url=None, token="", dry_run=True, transport=httpx.MockTransport(self.answer))
        instance = TaskInstance(
            id=UUID(int=uuid6.uuid7().int),  # as a worker has it: a trigger cannot hold the other class
            dag_version_id=uuid6.uuid7(),
            task_id=task.task_id,
            dag_id="d",
            run_id="r",
            try_number=1,
            map_index=map_index,
        )
        return run_in_process(instance, task, client)

    def answer(self, request):
        path, body = request.url.path.lstrip("/"), json.loads(request.content or b"null")
        for end, found in (
            ("/run", self._context),
            ("/state", self._state),
            ("/rtif", self._store_rendered),
            ("/rendered-map-index", self._label),
        ):
            if path.endswith(end):
                return found(body)
        if path.startswith("xcoms/"):
            return self._xcom(request, path, body)
        if path.startswith("connections/"):
            return self._connection(path.split("/")[-1])
        if path.startswith("dag-runs/"):
            self.triggered.append((path.split("/")[1], body["conf"]))
        if path.startswith("hitlDetails/"):
            self.questions.append(body)
            return httpx.Response(201, json=body)
        return httpx.Response(200, json={"message": "ok"})

    def _context(self, _):
        found = {"dag_run": self.dag_run, "max_tries": self.max_tries, "task_reschedule_count": 0}
        return httpx.Response(200, json={**found, "should_retry": self.max_tries > 0})

    def _state(self, body):
        self.states.append(body["state"])
        return httpx.Response(204)

    def _store_rendered(self, body):
        self.rendered.append(body)
        return httpx.Response(201, json={"message": "ok"})

    def _label(self, body):
        self.labels.append(body)
        return httpx.Response(204)

    def _xcom(self, request, path, body):
        task, key, *item = path.split("/")[3:]
        at = (task, key, int(request.url.params.get("map_index", -1)))
        mapped = [self.xcom[known] for known in sorted(self.xcom) if known[:2] == (task, key)]
        if request.method == "POST":
            self.xcom[at] = body
            return httpx.Response(201, json={"message": "ok"})
        if request.method == "HEAD":
            return httpx.Response(200, headers={"Content-Range": f"map_indexes {len(mapped)}"})
        if item == ["slice"]:
            return httpx.Response(200, json=mapped)
        return httpx.Response(200, json={"key": key, "value": self.xcom[at]}) if at in self.xcom else ABSENT

    def _connection(self, conn_id):
        found = self.connections.get(conn_id)
        if found is None:
            return ABSENT
        extra = json.dumps(found["extra"])
        return httpx.Response(200, json={"conn_id": conn_id, **dict.fromkeys(FIELDS), **found, "extra": extra})


TASKS = ("list_contacts", "extract", "normalize", "load")


@pytest.fixture(scope="session")
def bag():
    """The example DAGs."""
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(DAGS, bundle_name="test")


@pytest.fixture
def run_dag(bag, sandbox, lake, tmp_path, monkeypatch):
    """Run a vendor's example DAG task by task, as workers would; returns the API that holds what they told Airflow."""
    (tmp_path / "customers.txt").write_text("\n".join(sandbox.contacts("capillary")))
    monkeypatch.setenv("AIRFLOW_VAR_CAPILLARY_CONTACTS", f"{tmp_path}/customers.txt")
    monkeypatch.setenv("AIRFLOW_VAR_LUMINATE_ONLINE_GROUP", "1001")
    monkeypatch.setenv("AIRFLOW__INTERACTIONS__LAKE", lake)

    def run(vendor, **facts):
        dag = deepcopy(bag.dags[f"{vendor}_interactions"])  # Airflow 3.2 writes a run's conf into the DAG's own params
        api = FakeExecutionApi(connections={f"{vendor}_default": sandbox.connections[vendor]}, **facts)
        for task_id in TASKS:
            task = dag.task_dict[task_id]
            indexes = range(len(api.xcom["list_contacts", "return_value", -1])) if task.is_mapped else [-1]
            for index in indexes:
                result = api.run(task, map_index=index)
                assert result.error is None, (task_id, result.error)
        return api

    return run


@pytest.fixture
def execution_api():
    """The class of the fake Execution API."""
    return FakeExecutionApi


@pytest.fixture
def write_map(tmp_path, monkeypatch):
    """Write rows to a map of identities, and name its file in the configuration."""

    def written(rows):
        path = tmp_path / "map.parquet"
        pq.write_table(pa.table([pa.array(list(column)) for column in zip(*rows, strict=True)], COLUMNS), path)
        monkeypatch.setenv("AIRFLOW__INTERACTIONS__IDENTITIES", str(path))

    return written
