"""The example DAGs: parsed, serialized, and their tasks run by Airflow's own task runner against the sandbox."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from airflow_provider_interactions.demo.check import read_rows
from airflow_provider_interactions.sandbox import digest
from airflow_provider_interactions.vendors import VENDORS

DAGS = Path(__file__).parents[2] / "dags"
WHOLE_HISTORIES = sorted(name for name, vendor in VENDORS.items() if not vendor.filters_by_date)


def test_every_vendor_has_a_dag_that_is_imported_without_error(bag):
    assert bag.import_errors == {}
    assert {f"{vendor}_interactions" for vendor in VENDORS} <= set(bag.dags)


def test_every_dag_survives_serialization(bag):
    from airflow.serialization.serialized_objects import DagSerialization

    for dag in bag.dags.values():
        encoded = json.loads(json.dumps(DagSerialization.serialize_dag(dag)))
        decoded = DagSerialization.deserialize_dag(encoded)
        assert set(decoded.task_dict) == set(dag.task_dict)
        assert set(decoded.params) == set(dag.params)


@pytest.mark.parametrize("vendor", VENDORS)
def test_dags_are_short_enough_to_be_read_as_documentation(vendor):
    assert len((DAGS / f"{vendor}.py").read_text().splitlines()) <= 40


@pytest.mark.parametrize("vendor", VENDORS)
def test_dag_has_daily_intervals_and_a_batch_not_a_contact_per_task(bag, vendor):
    from airflow.sdk import CronDataIntervalTimetable

    dag = bag.dags[f"{vendor}_interactions"]
    assert isinstance(dag.schedule, CronDataIntervalTimetable)
    assert dag.catchup is False
    more = ["find_reopened", "reopen"] if VENDORS[vendor].bulk else []
    assert list(dag.task_dict) == ["list_contacts", "extract", "normalize", "load", *more]
    assert dag.task_dict["extract"].is_mapped
    assert set(dag.params) == {"start", "end", "plan", *(["refresh"] if vendor in WHOLE_HISTORIES else [])}


PARSE = """
import socket, sys, time
import airflow.sdk
from airflow.dag_processing.dagbag import DagBag

airflows = time.process_time()  # what Airflow's own imports took, on the same machine

def refuse(*args, **kwargs):
    raise AssertionError("a socket was opened while a DAG was parsed")

def not_now(*args, **kwargs):
    raise AssertionError("a connection or variable was read while a DAG was parsed")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
airflow.sdk.Connection.get = airflow.sdk.BaseHook.get_connection = airflow.sdk.Variable.get = not_now
try:
    socket.create_connection(("127.0.0.1", 9))
except AssertionError:
    pass  # the trap works
else:
    raise SystemExit("the trap does not work")
before = set(sys.modules)
began = time.process_time()
import airflow_provider_interactions.operators
took = time.process_time() - began
bag = DagBag(sys.argv[1], bundle_name="test")
assert not bag.import_errors, bag.import_errors
assert bag.dags
heavy = {"pyarrow", "duckdb", "lxml", "requests", "aiohttp", "stamina", "airflow.providers.common.sql.hooks.sql"}
found = heavy & (set(sys.modules) - before)
assert not found, f"imported by hooks, operators or a DAG: {found}"
assert took < airflows / 5, f"importing the operators took {took:.3f} s of CPU, Airflow itself {airflows:.3f}"
"""


def test_parsing_opens_no_socket_reads_no_connection_and_imports_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", PARSE, DAGS], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def table(lake):
    with duckdb.connect(f"{lake}/interactions.duckdb") as database:
        return database.execute("SELECT count(*), count(DISTINCT interaction_id) FROM interactions").fetchone()


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_daily_run_lands_and_loads_what_exists_and_nothing_personal_reaches_airflow(run_dag, sandbox, lake, vendor):
    api = run_dag(vendor)
    expected = sandbox.oracle(vendor, "2026-01-02", "2026-01-03")
    loaded = api.xcom["load", "return_value", -1]
    assert digest(read_rows(Path(lake, "interactions.duckdb"), vendor)) == expected.digest
    assert table(lake) == (expected.interactions, expected.interactions)
    assert expected.interactions > 0
    assert (loaded["window_start"], loaded["window_end"]) == ("2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z")
    assert api.states[-1] == "success"
    assert api.labels == [f"1 of 1: contacts 1-{1 if VENDORS[vendor].bulk else 5}"]
    told = json.dumps([list(api.xcom.values()), api.rendered])
    assert "__classname__" not in told, "people read XComs in the UI"
    assert not [person for person in sandbox.contacts(vendor) if person.lower() in told.lower()]
    assert sandbox.connections[vendor]["password"] not in told


@pytest.mark.parametrize("vendor", ["luminate_online", *WHOLE_HISTORIES])
def test_params_choose_another_window_for_every_task_of_the_run(run_dag, sandbox, lake, vendor):
    api = run_dag(vendor, conf={"start": "2026-01-01T00:00:00Z", "end": "2026-01-08T00:00:00Z"})
    expected = sandbox.oracle(vendor, "2026-01-01", "2026-01-08").interactions
    assert table(lake) == (expected, expected)
    manifests = [value for value in api.xcom.values() if isinstance(value, dict)]
    windows = {(value["window_start"], value["window_end"]) for value in manifests}
    assert windows == {("2026-01-01T00:00:00Z", "2026-01-08T00:00:00Z")}


@pytest.mark.parametrize("vendor", WHOLE_HISTORIES)
def test_the_next_run_asks_for_no_history_again_unless_it_is_told_to(run_dag, sandbox, vendor):
    asked = []
    for facts in ({}, {"window": ("2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z")}, {"conf": {"refresh": True}}):
        sandbox.reset()
        api = run_dag(vendor, **facts)
        asked.append(api.xcom["extract", "return_value", 0]["counts"]["requests"])
    assert asked[0] == asked[2] >= 5
    assert asked[1] == 0


def test_running_a_window_again_changes_nothing(run_dag, lake):
    run_dag("luminate_online")
    first = table(lake)
    again = run_dag("luminate_online").xcom["load", "return_value", -1]["loaded"]
    assert table(lake) == first
    assert (again["inserted"], again["rows"]) == (0, first[0])


def test_label_of_a_batch_may_be_part_of_ones_own(execution_api, sandbox, lake):
    from airflow.sdk import DAG

    from airflow_provider_interactions.operators import ExtractInteractionsOperator, ListContactsOperator

    same = {"vendor": "luminate_online", "lake": lake}
    with DAG("d", schedule=None):
        contacts = ListContactsOperator(task_id="list_contacts", options={"group_id": 1001}, batch_size=4, **same)
        mapped = ExtractInteractionsOperator.partial(
            task_id="extract", map_index_template="batch {{ interactions_batch }}", **same
        ).expand(batch=contacts.output)
    api = execution_api(connections={"luminate_online_default": sandbox.connections["luminate_online"]})
    assert [api.run(one, map_index=at).error for one, at in ((contacts, -1), (mapped, 1))] == [None, None]
    assert api.labels == ["batch 2 of 2: contacts 5-5"]
