"""The example DAG: parsed, serialized, and its tasks run by Airflow's own task runner against the sandbox."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

DAGS = Path(__file__).parents[2] / "dags"
DAG_ID = "dynamics_marketing_interactions"
VENDOR = "dynamics_marketing"


@pytest.fixture(scope="module")
def bag():
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(DAGS, bundle_name="test")


@pytest.fixture
def dag(bag):
    return bag.dags[DAG_ID]


def test_every_dag_is_imported_without_error(bag):
    assert bag.import_errors == {}
    assert DAG_ID in bag.dags


def test_every_dag_survives_serialization(bag):
    from airflow.serialization.serialized_objects import DagSerialization

    for dag in bag.dags.values():
        encoded = json.loads(json.dumps(DagSerialization.serialize_dag(dag)))
        decoded = DagSerialization.deserialize_dag(encoded)
        assert set(decoded.task_dict) == set(dag.task_dict)


def test_dags_are_short_enough_to_be_read_as_documentation():
    assert all(len(path.read_text().splitlines()) < 60 for path in DAGS.glob("*.py"))


def test_dag_has_daily_intervals_and_a_batch_not_a_contact_per_task(dag):
    from airflow.sdk import CronDataIntervalTimetable

    assert isinstance(dag.schedule, CronDataIntervalTimetable)
    assert dag.catchup is False
    assert list(dag.task_dict) == ["list_contacts", "extract", "normalize", "load"]
    assert dag.task_dict["extract"].is_mapped


PARSE_WITHOUT_SOCKETS = """
import socket, sys
import airflow.sdk
from airflow.dag_processing.dagbag import DagBag

def refuse(*args, **kwargs):
    raise AssertionError("a socket was opened while a DAG was parsed")

def no_connection(*args, **kwargs):
    raise AssertionError("a connection was read while a DAG was parsed")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
airflow.sdk.Connection.get = airflow.sdk.BaseHook.get_connection = no_connection
try:
    socket.create_connection(("127.0.0.1", 9))
except AssertionError:
    pass  # the trap works
else:
    raise SystemExit("the trap does not work")
before = set(sys.modules)
bag = DagBag(sys.argv[1], bundle_name="test")
assert not bag.import_errors, bag.import_errors
assert bag.dags
heavy = {"pyarrow", "duckdb", "lxml", "requests", "aiohttp", "stamina"} & (set(sys.modules) - before)
assert not heavy, f"imported by hooks, operators or a DAG: {heavy}"
"""


def test_parsing_opens_no_socket_reads_no_connection_and_imports_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-c", PARSE_WITHOUT_SOCKETS, DAGS], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture
def run(dag, sandbox, lake, monkeypatch, execution_api):
    """Run the DAG's tasks one by one as a worker would; returns the fake API that holds what they told Airflow."""
    monkeypatch.setenv("AIRFLOW__INTERACTIONS__LAKE", lake)

    def whole(**facts):
        api = execution_api(connections={f"{VENDOR}_default": sandbox.connections[VENDOR]}, **facts)
        for task_id in ("list_contacts", "extract", "normalize", "load"):
            task = dag.task_dict[task_id]
            batches = api.xcom.get(("list_contacts", "return_value", -1), []) if task.is_mapped else [None]
            for index, _ in enumerate(batches):
                result = api.run(task, map_index=index if task.is_mapped else -1)
                assert result.error is None, (task_id, result.error)
        return api

    return whole


def table(lake):
    with duckdb.connect(f"{lake}/interactions.duckdb") as database:
        return database.execute("SELECT count(*), count(DISTINCT interaction_id) FROM interactions").fetchone()


def test_a_daily_run_lands_and_loads_what_exists(run, sandbox, lake):
    api = run()
    expected = sandbox.oracle(VENDOR, "2026-01-02", "2026-01-03").interactions
    loaded = api.xcom["load", "return_value", -1]
    assert expected > 0
    assert table(lake) == (expected, expected)
    assert (loaded["window_start"], loaded["window_end"]) == ("2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z")
    assert loaded["counts"]["canonical"] == loaded["loaded"]["rows"] == expected
    assert api.states[-1] == "success"


def test_params_choose_another_window_for_every_task_of_the_run(run, sandbox, lake):
    api = run(conf={"start": "2026-01-01T00:00:00Z", "end": "2026-01-08T00:00:00Z"})
    expected = sandbox.oracle(VENDOR, "2026-01-01", "2026-01-08").interactions
    assert table(lake) == (expected, expected)
    windows = {(value["window_start"], value["window_end"]) for (_, _, _), value in manifests(api)}
    assert windows == {("2026-01-01T00:00:00Z", "2026-01-08T00:00:00Z")}


def manifests(api):
    return [(at, value) for at, value in api.xcom.items() if isinstance(value, dict)]


def test_running_a_window_again_changes_nothing(run, lake):
    run()
    first = table(lake)
    again = run().xcom["load", "return_value", -1]["loaded"]
    assert table(lake) == first
    assert (again["inserted"], again["rows"]) == (0, first[0])


def test_no_contact_and_no_secret_reaches_xcom_or_rendered_templates(run, sandbox, people):
    api = run()
    told = json.dumps([list(api.xcom.values()), api.rendered])
    assert not [person for person in people if person in told.lower()]
    assert sandbox.connections[VENDOR]["password"] not in told


def test_mapped_task_is_labelled_by_its_batch(run):
    api = run()
    assert api.labels == ["1 of 1: contacts 1-5"]


def test_mapped_batches_come_together_again(execution_api, sandbox, lake):
    from airflow.sdk import DAG

    from airflow_provider_interactions.operators import (
        ExtractInteractionsOperator,
        ListContactsOperator,
        NormalizeInteractionsOperator,
    )

    with DAG("d", schedule=None):
        contacts = ListContactsOperator(task_id="list_contacts", vendor=VENDOR, lake=lake, batch_size=2)
        mapped = ExtractInteractionsOperator.partial(
            task_id="extract", vendor=VENDOR, lake=lake, map_index_template="batch {{ interactions_batch }}"
        ).expand(batch=contacts.output)
        normalized = NormalizeInteractionsOperator(task_id="normalize", lake=lake, manifests=mapped.output)
    api = execution_api(connections={f"{VENDOR}_default": sandbox.connections[VENDOR]})
    runs = [(contacts, -1), (mapped, 0), (mapped, 2), (mapped, 1)]
    results = [api.run(task, map_index=index) for task, index in [*runs, (normalized, -1)]]
    assert [result.error for result in results] == [None] * 5
    done = api.xcom["normalize", "return_value", -1]["counts"]
    assert (done["contacts"], done["canonical"]) == (5, sandbox.oracle(VENDOR, "2026-01-02", "2026-01-03").interactions)
    assert api.labels == [f"batch {n} of 3: contacts {which}" for n, which in ((1, "1-2"), (3, "5-5"), (2, "3-4"))]
