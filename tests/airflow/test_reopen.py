"""A scheduled run of a bulk vendor's DAG finds the days whose rows have changed, and asks for runs of exactly these."""

from __future__ import annotations

from itertools import pairwise

import duckdb
import pytest
from airflow.sdk import DAG

from airflow_provider_interactions.operators import interactions_pipeline
from airflow_provider_interactions.sandbox import SandboxConfig, serve

VENDOR = "dynamics_journeys"
DAYS = [f"2026-01-0{n}T00:00:00Z" for n in range(1, 6)]
TYPES = ("EmailSent", "EmailClicked")


@pytest.fixture
def journeys():
    """A sandbox of its own: the tests change it."""
    with serve(SandboxConfig(contacts=5, options={VENDOR: {"types": TYPES}})) as running:
        yield running


@pytest.fixture
def start(journeys, lake, execution_api):
    """Runs the first tasks of the DAG for a window, as workers would; returns the API, and a function for one task."""

    def run(window, run_type="scheduled", conf=None):
        with DAG("d", schedule=None, params={"start": None, "end": None}) as dag:
            interactions_pipeline(VENDOR, lake=lake, options={"types": TYPES}, reopen=True)
        api = execution_api(window=window, conf=conf, connections={f"{VENDOR}_default": journeys.connections[VENDOR]})
        api.dag_run["run_type"] = run_type

        def run_task(task_id):
            task = dag.task_dict[task_id]
            result = api.run(task, map_index=0 if task.is_mapped else -1)
            assert result.error is None, (task_id, result.error)
            return result

        for task_id in ("list_contacts", "extract", "normalize", "load"):
            run_task(task_id)
        return api, run_task

    return run


def find(started):
    api, run_task = started
    run_task("find_reopened")
    return api.xcom["find_reopened", "return_value", -1]


def count(lake):
    with duckdb.connect(f"{lake}/interactions.duckdb") as database:
        return database.execute("SELECT count(*) FROM interactions").fetchone()[0]


def test_late_rows_start_runs_of_exactly_their_days(start, journeys, lake):
    for day in pairwise(DAYS):
        assert find(start(day)) == []
    journeys.change(VENDOR, "compact", table="EmailClicked")
    late = ["2026-01-01", "2026-01-03"]
    assert journeys.change(VENDOR, "add_late_rows", table="EmailSent", days=late, rows=2) == 4
    api, run_task = start(("2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z"))
    found = find((api, run_task))
    assert found == [{"start": DAYS[0], "end": DAYS[1]}, {"start": DAYS[2], "end": DAYS[3]}]

    run_task("reopen")
    assert api.triggered == [("d", found[0])]

    for conf in found:
        again, task = start(("2026-01-09T00:00:00Z", "2026-01-09T00:00:00Z"), "manual", conf)
        task("find_reopened")  # a run by hand skips it
        assert again.states[-1] == "skipped"
    assert count(lake) == journeys.oracle(VENDOR, "2026-01-01", "2026-01-06").interactions
    assert find((api, run_task)) == []
