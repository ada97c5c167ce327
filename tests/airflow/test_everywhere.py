"""A request for one person at every system through Airflow: the map, what comes back, and who learns of whom."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_interactions.normalize.identity_map import COLUMNS
from airflow_provider_interactions.operators import PersonInteractionsOperator
from airflow_provider_interactions.vendors import VENDORS

DAGS = Path(__file__).parents[2] / "dags"
START, END = "1970-01-01", "2100-01-01"


@pytest.fixture(scope="module")
def dag():
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(DAGS / "person_interactions.py", bundle_name="test")
    assert bag.import_errors == {}
    return bag.dags["person_interactions"]


@pytest.fixture
def rows(sandbox):
    """Two persons, each with one identifier at every vendor."""
    return [(f"person-{n}-of-the-map", name, "", "", sandbox.contacts(name)[n]) for n in range(2) for name in VENDORS]


@pytest.fixture
def run(dag, sandbox, lake, monkeypatch, execution_api, write_map, rows):
    """Trigger the DAG with what a form sends; returns the fake API and what the task runner says."""
    monkeypatch.setenv("AIRFLOW__INTERACTIONS__LAKE", lake)
    write_map(rows)

    def trigger(**conf):
        known = {f"{name}_default": connection for name, connection in sandbox.connections.items()}
        api = execution_api(conf={**dag.params.dump(), **conf}, connections=known)
        api.dag_run |= {"logical_date": None, "data_interval_start": None, "data_interval_end": None}
        return api, api.run(dag.task_dict["answer"])

    return trigger


@pytest.mark.parametrize("by", ["person_id", "identifier"])
def test_one_run_answers_for_all_vendors(run, sandbox, lake, rows, by):
    conf = {"person_id": rows[0][0]} if by == "person_id" else {"identifier": rows[2][4]}
    api, result = run(**conf)
    assert result.state == "success", result.error
    said = api.xcom["answer", "return_value", -1]
    expected = {row[1]: sandbox.oracle(row[1], START, END, contact=row[4]).interactions for row in rows[: len(VENDORS)]}
    assert {one["vendor"]: one["counts"]["canonical"] for one in said["systems"]} == expected
    assert said["counts"]["canonical"] == sum(expected.values())
    assert said["gaps"] == []
    assert Path(lake, said["page"]["path"]).exists()
    assert len(list(Path(lake, "requests").rglob("*.*"))) == 4


def test_nobody_is_named_in_log_xcom_or_rendered_template(run, rows, capfd):
    api, result = run(person_id=rows[0][0])
    assert result.state == "success"
    said = json.dumps([list(api.xcom.values()), api.rendered, api.labels]) + "".join(capfd.readouterr())
    assert not [value for row in rows for value in (row[0], row[4]) if value in said]
    assert f"{len(VENDORS)} systems, all time: " in said


def test_gaps_are_said_and_the_rest_is_answered(run, rows, write_map):
    there = [(*row[:2], "elsewhere", *row[3:]) if row[1] == "capillary" else row for row in rows]
    write_map(there)
    api, result = run(person_id=rows[0][0], conn_ids=[f"{name}_default" for name in VENDORS])
    assert result.state == "success", result.error
    said = api.xcom["answer", "return_value", -1]
    assert len(said["systems"]) == len(VENDORS) - 1
    assert [gap.partition(" ")[0] for gap in said["gaps"]] == ["Capillary:", "Capillary"]
    assert all(gap in said["text"] for gap in said["gaps"])


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({}, "Give either person_id or one identifier"),
        ({"person_id": "a", "identifier": "b"}, "Give either person_id or one identifier"),
        ({"person_id": "secret-person"}, "has no row of this person_id"),
        ({"identifier": "secret-person"}, "Nobody in the map of identities"),
        ({"identifier": "secret-person", "kind": "email"}, "not a valid email"),
        ({"person_id": "person-0-of-the-map", "time_zone": "Mars"}, "'Mars' is not an IANA time zone"),
        ({"person_id": "person-0-of-the-map", "start": "2026-02-30"}, "The start cannot be read"),
        ({"person_id": "person-0-of-the-map", "conn_ids": ["nobody"]}, "The conn_id `nobody` isn't defined"),
    ],
)
def test_what_is_wrong_fails_at_once_and_says_so(run, sandbox, lake, capfd, conf, message):
    _, result = run(**conf)
    assert result.state == "failed"
    assert message in str(result.error)
    assert "secret-person" not in str(result.error) + "".join(capfd.readouterr())
    assert sum(vendor["requests"] for vendor in sandbox.stats().values()) == 0
    assert not Path(lake, "requests").exists()


def test_without_a_map_it_says_what_to_set(run, monkeypatch):
    monkeypatch.delenv("AIRFLOW__INTERACTIONS__IDENTITIES")
    _, result = run(person_id="a")
    assert "No map of identities is set. Give the operator identities, or set [interactions]" in str(result.error)


def test_the_map_may_be_a_query(sandbox, connect, lake, rows, tmp_path, monkeypatch):
    path = tmp_path / "crm.sqlite"
    with closing(sqlite3.connect(path)) as opened, opened:
        opened.execute(f"CREATE TABLE map ({', '.join(COLUMNS)})")
        opened.executemany("INSERT INTO map VALUES (?, ?, ?, ?, ?)", rows)
    monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps({"conn_type": "sqlite", "host": str(path)}))
    for name in VENDORS:
        connect(sandbox.connections[name], f"{name}_default")
    task = PersonInteractionsOperator(
        task_id="t", lake=lake, person_id=rows[0][0], identities_sql="SELECT * FROM map", identities_conn_id="crm"
    )
    assert len(task.execute({"params": {}})["systems"]) == len(VENDORS)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"identities": "a.parquet", "identities_sql": "SELECT 1"}, "Give one map of identities"),
        ({"identities_sql": "SELECT 1"}, "identities_sql needs identities_conn_id"),
        ({"identities": "/nowhere/map.csv"}, "The map of identities does not exist"),
    ],
)
def test_a_map_that_cannot_be_opened(lake, given, message):
    with pytest.raises(AirflowFailException, match=message):
        PersonInteractionsOperator(task_id="t", lake=lake, person_id="a", **given).execute({"params": {}})


def test_who_is_asked_for_is_kept_nowhere_but_in_the_runs_configuration():
    assert not {"person_id", "identifier"} & set(PersonInteractionsOperator.template_fields)
