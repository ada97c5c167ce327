"""A window that several tasks normalize: ``normalize_files`` of ``interactions_pipeline``."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from airflow.sdk import DAG

from airflow_provider_interactions.operators import interactions_pipeline

VENDOR = "luminate_online"
WIDE = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-04T00:00:00Z"}


def read_table(lake):
    with duckdb.connect(f"{lake}/interactions.duckdb") as database:
        return database.execute("SELECT * EXCLUDE (extracted_at, attributes) FROM interactions ORDER BY ALL").fetchall()


@pytest.fixture
def run(execution_api, sandbox):
    """Run the tasks of a pipeline, five batches of one contact each; the fake API."""

    def run(lake, conf=None, **arguments):
        with DAG("d", schedule=None, params=conf or {}) as dag:
            interactions_pipeline(VENDOR, lake=str(lake), batch_size=1, options={"group_id": 1001}, **arguments)
        api = execution_api(connections={f"{VENDOR}_default": sandbox.connections[VENDOR]}, conf=conf)

        def go(name, count=None):
            for index in [-1] if count is None else range(count):
                assert api.run(dag.task_dict[name], map_index=index).error is None

        go("list_contacts")
        go("extract", len(api.xcom["list_contacts", "return_value", -1]))
        if "split" in dag.task_dict:
            go("split")
            go("normalize_parts", len(api.xcom["split", "return_value", -1]))
        go("normalize")
        go("load")
        return api

    return run


def test_the_table_and_the_counts_are_those_of_one_task(run, tmp_path):
    alone, api = run(tmp_path / "alone"), run(tmp_path / "parts", normalize_files=2)
    assert len(api.xcom["split", "return_value", -1]) > 1
    assert read_table(tmp_path / "parts") == read_table(tmp_path / "alone") != []
    results = [one.xcom["normalize", "return_value", -1]["counts"] for one in (alone, api)]
    assert results[0] == results[1]


def test_a_run_over_several_windows_is_one_part(run, tmp_path):
    run(tmp_path / "alone", conf=WIDE)
    api = run(tmp_path / "parts", conf=WIDE, normalize_files=1)
    assert len(api.xcom["split", "return_value", -1]) == 1
    assert read_table(tmp_path / "parts") == read_table(tmp_path / "alone") != []
    assert len(list(Path(tmp_path, "parts").glob("manifests/*/*/*.json"))) == 3


def test_the_tasks_are_there_only_when_wanted(lake):
    tasks = []
    for chosen in ({}, {"normalize_files": 10}):
        with DAG("d", schedule=None) as dag:
            interactions_pipeline(VENDOR, lake=lake, **chosen)
        tasks.append(list(dag.task_dict))
    assert set(tasks[1]) - set(tasks[0]) == {"split", "normalize_parts"}
    assert dag.task_dict["normalize"].upstream_task_ids == {"extract", "split", "normalize_parts"}
