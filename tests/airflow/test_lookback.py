"""``lookback``: a scheduled run reads again the windows before its own, and counts what came late apart."""

from __future__ import annotations

from datetime import timedelta
from operator import eq, ge
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from airflow.sdk import DAG
from airflow.sdk.api.datamodels._generated import DagRunType

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.operators import interactions_pipeline
from airflow_provider_interactions.runtime.context import look_back
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import Window, zulu

DAY = timedelta(days=1)
DAYS = list(Window.of("2026-01-01", "2026-01-04").split(DAY))
OWN = Window.of("2026-01-03", "2026-01-04")


def run_by(kind):
    return {"dag_run": SimpleNamespace(run_type=kind)}


@pytest.mark.parametrize("kind", list(DagRunType))
def test_only_runs_that_nobody_chose_look_back(kind):
    looking = kind in (DagRunType.SCHEDULED, DagRunType.ASSET_TRIGGERED)
    assert look_back(run_by(kind), OWN, 3, DAY) == (Window(OWN.start - 3 * DAY, OWN.end) if looking else OWN)
    assert look_back(run_by(kind), OWN, 0, DAY) == OWN


@pytest.mark.parametrize(
    ("window", "width"),
    [
        (OWN, timedelta(hours=1)),  # a day's window of a pipeline of hours
        (Window(OWN.start + timedelta(hours=1), OWN.end + timedelta(hours=1)), DAY),  # a day of another zone
        (Window(OWN.start, OWN.end + timedelta(hours=1)), DAY),  # with summer time
    ],
)
def test_windows_that_would_overlap_those_before_are_refused(window, width):
    with pytest.raises(ConfigError, match="Schedule the DAG in UTC"):
        look_back(run_by(DagRunType.SCHEDULED), window, 1, width)


def test_a_week_may_start_on_any_day():
    monday = Window.of("2026-01-05", "2026-01-12")
    assert look_back(run_by(DagRunType.SCHEDULED), monday, 2, 7 * DAY) == Window.of("2025-12-22", "2026-01-12")


@pytest.fixture
def run(execution_api, sandbox, lake):
    """Run a pipeline of one vendor for a day, as the scheduler does; returns the result of its load."""

    def run_day(vendor, day, **arguments):
        connections = {f"{vendor}_default": sandbox.connections[vendor]}
        api = execution_api(connections=connections, window=(zulu(day.start), zulu(day.end)))
        api.dag_run["run_type"] = "scheduled"
        with DAG("d", schedule=None):
            contacts = None if VENDORS[vendor].bulk else sandbox.contacts(vendor)
            tasks = interactions_pipeline(vendor, lake=lake, contacts=contacts, **arguments)
        assert api.run(tasks.list_contacts).error is None
        for batch in range(len(api.xcom["list_contacts", "return_value", -1])):
            assert api.run(tasks.extract, map_index=batch).error is None
        for task in (tasks.normalize, tasks.load):
            assert api.run(task).error is None
        return api.xcom["load", "return_value", -1]

    return run_day


def count(lake, window):
    with duckdb.connect(f"{lake}/interactions.duckdb") as database:
        sql = "SELECT count(*) FROM interactions WHERE occurred_at >= ? AND occurred_at < ?"
        return database.execute(sql, [window.start, window.end]).fetchone()[0]


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_came_late_is_loaded_and_counted_apart(run, sandbox, lake, vendor):
    """The two days before were never read: all of their rows are late. A second look finds nothing new."""
    read = tuple(int(moment.timestamp()) * 1_000_000 for moment in (DAYS[0].start, DAYS[-1].end))
    truth = [sandbox.oracle(vendor, *zulu_days(day), read=read).interactions for day in DAYS]
    first = run(vendor, OWN, lookback=2)
    # A row of a table that has moved has a version in each of two windows, and the table has one of them.
    at_least = ge if VENDORS[vendor].bulk else eq
    assert at_least(first["late"]["inserted"], sum(truth[:2]))
    assert first["loaded"]["inserted"] == sum(truth)
    assert [count(lake, day) for day in DAYS] == truth
    names = [f"window={day.slug}" for day in DAYS]
    assert sorted(path.stem for path in Path(lake).glob("manifests/*/*/*.json")) == names
    again = run(vendor, OWN, lookback=2)
    assert (again["late"]["inserted"], again["late"]["updated"]) == (0, 0)
    assert at_least(again["late"]["rows"], sum(truth[:2]))
    alone = run(vendor, OWN)
    assert alone["late"]["rows"] == 0
    assert at_least(alone["loaded"]["rows"], truth[2])


def zulu_days(window):
    return f"{window.start:%Y-%m-%d}", f"{window.end:%Y-%m-%d}"
