"""``interactions_pipeline``: four tasks by one call, in any DAG."""

from __future__ import annotations

import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from airflow.sdk import (
    DAG,
    CronDataIntervalTimetable,
    CronPartitionTimetable,
    CronTriggerTimetable,
    MultipleCronTriggerTimetable,
    TaskGroup,
    task,
)

from airflow_provider_interactions.operators import interactions_pipeline
from airflow_provider_interactions.operators.pipeline import Arguments

VENDOR = "luminate_online"
IDS = ["list_contacts", "extract", "normalize", "load"]


def build_pipeline(*args, **arguments):
    with DAG("d", schedule=None) as dag:
        return dag, interactions_pipeline(*args, **arguments)


def test_a_table_without_a_place_is_told_while_the_dag_is_read(monkeypatch):
    monkeypatch.setenv("AIRFLOW__INTERACTIONS__LAKE", "s3://bucket/lake")
    with DAG("d", schedule=None), pytest.raises(ValueError, match="load=False to keep the rows in the lake only"):
        interactions_pipeline("which50")
    for given in (
        {"load": False},
        {"database": "/data/x.duckdb"},
        {"lake": "file:///data"},
        {"lake": "{{ params.lake }}"},
    ):
        with DAG("d", schedule=None):
            assert interactions_pipeline("which50", **given).normalize


@pytest.mark.parametrize(
    ("package", "target", "extra"),
    [
        *(("duckdb", target, "duckdb") for target in (None, "/data/x.duckdb", "md:x", ["house", "./x.db"])),
        *(("pyiceberg", target, "iceberg") for target in ("iceberg:", "/data/x.iceberg", {"iceberg:": "t"})),
    ],
    ids=str,
)
def test_a_package_that_a_target_lacks_is_named_while_the_dag_is_read(monkeypatch, package, target, extra):
    with DAG("d", schedule=None):
        interactions_pipeline("which50", target=target)
    monkeypatch.setitem(sys.modules, package, None)
    with DAG("d", schedule=None), pytest.raises(ValueError, match=rf"{package} is not installed.*\[{extra}\]"):
        interactions_pipeline("which50", target=target)
    with DAG("d", schedule=None):
        interactions_pipeline("which50", target=target, load=False)
    with DAG("d", schedule=None):
        interactions_pipeline("which50", target="house")


EMPTY = [
    "@daily",
    timedelta(days=1),
    CronTriggerTimetable("0 3 * * *", timezone="UTC"),
    MultipleCronTriggerTimetable("0 3 * * *", "0 5 * * *", timezone="UTC"),
]


@pytest.mark.parametrize("schedule", EMPTY, ids=str)
def test_a_schedule_without_windows_is_refused_while_the_dag_is_read(schedule, monkeypatch):
    monkeypatch.setenv("AIRFLOW__SCHEDULER__CREATE_CRON_DATA_INTERVALS", "False")
    with DAG("d", schedule=schedule), pytest.raises(ValueError, match="DAG d would have no window"):
        interactions_pipeline("which50")
    with DAG("d", schedule=schedule):
        interactions_pipeline("which50", start="2026-01-01", end="2026-01-02")
    with DAG("d", schedule=schedule, params={"start": "2026-01-01", "end": "2026-01-02"}):
        interactions_pipeline("which50")


@pytest.mark.parametrize(
    "schedule",
    [
        *(None, "@once", CronDataIntervalTimetable("@daily", timezone="UTC")),
        CronTriggerTimetable("0 3 * * *", timezone="UTC", interval=timedelta(days=1)),
        CronPartitionTimetable("0 0 * * *", timezone="UTC", key_format="%Y-%m-%d", run_offset=-1),
    ],
    ids=str,
)
def test_other_schedules_pass(schedule):
    with DAG("d", schedule=schedule):
        interactions_pipeline("which50")


def test_six_lines_make_four_tasks_in_a_row():
    dag, pipeline = build_pipeline(VENDOR)
    assert list(dag.task_dict) == IDS
    assert [each.task_id for each in pipeline] == IDS
    for first, second in pairwise(pipeline):
        assert second.task_id in first.downstream_task_ids


def test_each_argument_reaches_the_operators_that_know_it():
    chosen = {
        "conn_id": "crm",
        "lake": "s3://bucket",
        "options": {"group_id": 7},
        "contacts_sql": "SELECT 1",
        "contacts_conn_id": "warehouse",
        "kind": "email",
        "batch_size": 50,
        "pool": "crm",
        "concurrency": 2,
        "refresh": True,
        "history_age": 60,
        "on_missing": "fail",
        "rejects_share": 0.5,
        "database": "x.duckdb",
        "table": "events",
    }
    _, (contacts, extract, normalize, load) = build_pipeline(VENDOR, **chosen)
    partial, reached = extract.partial_kwargs, set()
    for name, value in chosen.items():
        places = [one for one in (contacts, normalize, load) if getattr(one, name, ...) == value]
        assert places or partial.get(name) == value, name
        reached.add((name, len(places) + (partial.get(name) == value)))
    assert ("lake", 4) in reached
    assert {
        ("conn_id", 2),
        ("options", 2),
        ("pool", 1),
        ("table", 1),
    }  # contacts come from a database: no slot <= reached
    assert "max_active_tis_per_dag" not in partial or partial["max_active_tis_per_dag"] is None


def test_without_a_pool_one_batch_is_asked_for_at_a_time():
    _, pipeline = build_pipeline(conn_id="crm")
    assert pipeline.extract.partial_kwargs["max_active_tis_per_dag"] == 1
    assert (
        build_pipeline(conn_id="crm", max_active_tis_per_dag=3)[1].extract.partial_kwargs["max_active_tis_per_dag"] == 3
    )


def pools(pipeline):
    return [pipeline.list_contacts.pool, pipeline.extract.pool, pipeline.normalize.pool, pipeline.load.pool]


def test_a_pool_is_for_the_tasks_that_ask_the_vendor():
    assert pools(build_pipeline(VENDOR, pool="crm")[1]) == ["crm", "crm", "default_pool", "default_pool"]
    for source in ({"contacts": ["1"]}, {"contacts_file": "x.csv"}, {"contacts_sql": "SELECT 1"}):
        assert pools(build_pipeline(VENDOR, pool="crm", **source)[1])[:2] == ["default_pool", "crm"]


def test_a_deployment_may_have_a_pool_for_every_connection(monkeypatch):
    assert pools(build_pipeline(VENDOR)[1]) == ["default_pool"] * 4
    monkeypatch.setenv("AIRFLOW__INTERACTIONS__POOLS", "True")
    for chosen, name in (({}, f"{VENDOR}_default"), ({"conn_id": "crm"}, "crm"), ({"pool": "mine"}, "mine")):
        _, pipeline = build_pipeline(VENDOR, **chosen)
        assert pools(pipeline)[:2] == [name, name]
        assert pipeline.extract.partial_kwargs.get("max_active_tis_per_dag") is None, "the pool decides"


def test_unknown_argument_is_named_with_those_that_are_known():
    with pytest.raises(TypeError, match=r"has no argument colour\. Use only: vendor, .*contacts_file.*database"):
        build_pipeline(VENDOR, colour="red")


def test_every_argument_is_one_of_an_operator():
    build_pipeline(VENDOR, **dict.fromkeys(set(Arguments.__annotations__) - {"width", "on_missing", "pool", "table"}))


def test_several_connections_in_a_dag_and_tasks_around_them():
    with DAG("d", schedule=None) as dag:
        groups = []
        for conn_id in ("north", "south"):
            with TaskGroup(conn_id) as group:
                pipeline = interactions_pipeline(VENDOR, conn_id=conn_id)
            groups.append(group)
        first, last = task(lambda: None).override(task_id="first")(), task(lambda: None).override(task_id="last")()
        first >> groups >> last
    assert {f"{group}.{one}" for group in ("north", "south") for one in IDS} <= set(dag.task_dict)
    assert dag.task_dict["first"].downstream_task_ids == {"north.list_contacts", "south.list_contacts"}
    assert dag.task_dict["last"].upstream_task_ids == {"north.load", "south.load"}
    assert pipeline.extract.task_id == "south.extract"


def test_it_runs(execution_api, sandbox, lake):
    _, pipeline = build_pipeline(VENDOR, lake=lake, batch_size=2, options={"group_id": 1001})
    api = execution_api(connections={f"{VENDOR}_default": sandbox.connections[VENDOR]})
    runs = [(pipeline.list_contacts, -1), *((pipeline.extract, index) for index in (0, 2, 1))]
    results = [api.run(one, map_index=at) for one, at in [*runs, (pipeline.normalize, -1), (pipeline.load, -1)]]
    assert [result.error for result in results] == [None] * 6
    counts = api.xcom["load", "return_value", -1]["counts"]
    expected = sandbox.oracle(VENDOR, "2026-01-02", "2026-01-03").interactions
    assert (counts["contacts"], counts["canonical"]) == (5, expected)
    assert api.labels == [f"{n} of 3: contacts {which}" for n, which in ((1, "1-2"), (3, "5-5"), (2, "3-4"))]


@pytest.mark.parametrize(
    ("chosen", "kept"),
    [
        ({}, False),
        ({"target": ["postgres_default", "a.duckdb"]}, False),
        ({"target": "warehouse"}, True),
        ({"target": ["postgres_default", "iceberg:"]}, True),
        ({"target": {"postgres_default": "t", "warehouse": "t"}}, True),
        ({"target": "warehouse", "keep_former": timedelta(0)}, False),
        ({"keep_former": timedelta(hours=3)}, True),
    ],
)
def test_former_files_stay_for_a_day_if_a_target_is_in_iceberg(sandbox, execution_api, lake, chosen, kept):
    """Whether a connection is one to Iceberg is known only when the task runs."""
    _, pipeline = build_pipeline(VENDOR, contacts=sandbox.contacts(VENDOR)[:1], lake=lake, **chosen)
    connections = {
        f"{VENDOR}_default": sandbox.connections[VENDOR],
        "warehouse": {"conn_type": "iceberg", "extra": {}},
        "postgres_default": {"conn_type": "postgres", "extra": {}},
    }
    files = []
    for _ in range(2):
        api = execution_api(connections=connections)
        for one, at in ((pipeline.list_contacts, -1), (pipeline.extract, 0), (pipeline.normalize, -1)):
            assert api.run(one, map_index=at).error is None
        files.append({path.name for path in Path(lake).glob("interactions/**/*.parquet")})
    assert files[0]
    assert (files[0] <= files[1]) is kept
    assert files[1] > files[0] or not files[0] & files[1]
