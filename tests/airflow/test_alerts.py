"""Alerts in a pipeline: a warning, a metric, a row of the ledger and an event; with ``fail_on``, a task that fails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.sdk import DAG, Asset

from airflow_provider_interactions.alerts import KINDS
from airflow_provider_interactions.coverage.ledger import read_ledger
from airflow_provider_interactions.lake.manifest import pack
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.normalize.pipeline import normalize
from airflow_provider_interactions.operators import (
    LoadInteractionsOperator,
    NormalizeInteractionsOperator,
    interactions_pipeline,
)
from airflow_provider_interactions.window import Window
from tests.coverage_lake import land, record

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
NORMALIZED = Asset("normalized")


def week(number):
    start = FIRST + timedelta(weeks=number)
    return Window(start, start + timedelta(days=1))


def land_rows(lake, number, rows):
    window = week(number)
    return land(lake, "acme", window, *[record(n + 1, window.start) for n in range(rows)])


@pytest.fixture
def fallen(lake):
    """A lake in which a day has a tenth of the rows of that weekday; the day's raw window for XCom."""
    storage = Lake.at(lake)
    for number in range(4):
        normalize(storage, land_rows(storage, number, 50))
    return [pack(land_rows(storage, 4, 5))]


@pytest.fixture
def run(execution_api, fallen, lake):
    """Run ``normalize`` and, if that succeeds or ``marked``, ``load``; the API and what the tasks came to."""

    def run_both(*, marked=False, **arguments):
        api = execution_api()
        with DAG("d", schedule=None):
            normalized = NormalizeInteractionsOperator(
                task_id="normalize", lake=lake, manifests=fallen, outlets=[NORMALIZED], **arguments
            )
            load = LoadInteractionsOperator(task_id="load", lake=lake, manifest=normalized.output)
        results = [api.run(normalized)]
        if marked or results[0].state == "success":
            results.append(api.run(load))
        return api, results

    return run_both


def test_an_alert_is_in_the_log_the_ledger_and_the_event(run, lake, caplog):
    _, [normalized, loaded] = run(alerts=KINDS)
    assert loaded.state == "success"
    assert "5 rows, expected" in caplog.text
    [event] = normalized.msg.outlet_events
    [message] = event["extra"]["alerts"]
    assert "5 rows, expected" in message
    rows = read_ledger(Lake.at(lake)).to_pylist()
    assert [(row["step"], row["alerts"]) for row in rows] == [("normalize", 1), ("load", None)]


def test_nothing_but_drift_is_looked_for_by_default(run, lake, caplog):
    _, [normalized, _] = run()
    assert "expected" not in caplog.text
    assert "alerts" not in normalized.msg.outlet_events[0]["extra"]
    assert [row["alerts"] for row in read_ledger(Lake.at(lake)).to_pylist()] == [0, None]


def test_fail_on_stops_before_the_load_and_a_person_can_let_it_go_on(run, lake):
    api, [failed] = run(fail_on=["count"])
    assert failed.state == "failed"
    assert "5 rows, expected" in str(failed.error)
    assert "mark this task as success" in str(failed.error)
    [row] = read_ledger(Lake.at(lake)).to_pylist()
    assert (row["state"], row["error"], row["alerts"]) == ("failed", "AlertRaised", 1)
    assert api.xcom["normalize", "return_value", -1]["counts"]["canonical"] == 5
    _, [_, loaded] = run(fail_on=["count"], marked=True)
    assert loaded.state == "success"


def test_fail_on_leaves_the_usual_alone(run):
    _, [normalized, loaded] = run(fail_on=["rejects"])
    assert (normalized.state, loaded.state) == ("success", "success")


@pytest.mark.parametrize("arguments", [{"alerts": ["drift", "rows"]}, {"fail_on": ["late"]}, {"alerts": "count"}])
def test_a_wrong_word_is_found_while_the_dag_is_parsed(arguments):
    with pytest.raises(ValueError, match=r"Give a list of these: drift, count, rejects"), DAG("d", schedule=None):
        interactions_pipeline("which50", contacts=["a"], start="2026-01-01", end="2026-01-02", load=False, **arguments)


def test_the_pipeline_passes_them_on():
    with DAG("d", schedule=None):
        tasks = interactions_pipeline(
            "which50", contacts=["a"], start="2026-01-01", end="2026-01-02", load=False, alerts=(), fail_on=["count"]
        )
    assert (tasks.normalize.alerts, tasks.normalize.fail_on) == ((), ["count"])
