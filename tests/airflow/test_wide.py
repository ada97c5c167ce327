"""One run over many days: by the params of an example DAG, it writes what the days' own runs would."""

from __future__ import annotations

from datetime import timedelta
from operator import eq, ge
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.manifest import unpack
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load import Loaded
from airflow_provider_interactions.observability.summary import Summary, summarize_extracted, summarize_loaded
from airflow_provider_interactions.operators import (
    ExtractInteractionsOperator,
    ListContactsOperator,
    NormalizeInteractionsOperator,
    interactions_pipeline,
)
from airflow_provider_interactions.runtime.context import MOST_WINDOWS, choose_split_width, is_aligned
from airflow_provider_interactions.runtime.xcom import find_triggering_manifest
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import Window, zulu

DAY = timedelta(days=1)
DAYS = list(Window.of("2026-01-01", "2026-01-04").split(DAY))
WIDE = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-04T00:00:00Z"}


def count_requests(api):
    return api.xcom["extract", "return_value", 0]["counts"]["requests"]


def table(lake):
    with duckdb.connect(f"{lake}/interactions.duckdb") as database:
        return database.execute(
            "SELECT * EXCLUDE (extracted_at, attributes) FROM interactions ORDER BY vendor, interaction_id"
        ).fetchall()


@pytest.mark.parametrize("vendor", VENDORS)
def test_one_run_over_three_days_leaves_what_three_runs_leave(run_dag, sandbox, lake, vendor):
    api = run_dag(vendor, conf=WIDE)
    at_once, folders = table(lake), sorted(path.name for path in Path(lake).glob("raw/*/*/*") if any(path.iterdir()))
    names = [f"window={day.slug}" for day in DAYS]
    assert folders == names
    assert sorted(path.stem for path in Path(lake).glob("manifests/*/*/*.json")) == names
    days = [run_dag(vendor, window=(zulu(day.start), zulu(day.end))) for day in DAYS]
    assert table(lake) == at_once
    assert len(at_once) == sandbox.oracle(vendor, "2026-01-01", "2026-01-04").interactions > 0
    once, each = count_requests(api), sum(map(count_requests, days))
    assert each > once > 0 if VENDORS[vendor].filters_by_date else each == 0, "histories serve later windows, too"
    done = Loaded(**api.xcom["load", "return_value", -1]["loaded"])
    summary = summarize_loaded("load", unpack(api.xcom["normalize", "return_value", -1]), done)
    # A row of a table that has moved has a version in each of two windows, and the table has one of them.
    at_least = ge if VENDORS[vendor].bulk else eq
    assert summary.windows == 3
    assert at_least(summary.rows, len(at_once))
    assert summary.extra["manifests"].startswith(f"manifests/vendor={vendor}/account=")
    assert "manifest" not in summary.extra


def test_a_width_of_ones_own(execution_api, sandbox, lake):
    with DAG("d", schedule=None, params=WIDE):
        pipeline = interactions_pipeline(
            "luminate_online", lake=lake, width=timedelta(hours=12), options={"group_id": 1001}
        )
    api = execution_api(connections={"luminate_online_default": sandbox.connections["luminate_online"]}, conf=WIDE)
    for one, at in ((pipeline.list_contacts, -1), (pipeline.extract, 0), (pipeline.normalize, -1), (pipeline.load, -1)):
        assert api.run(one, map_index=at).error is None
    assert len(list(Path(lake).glob("manifests/*/*/*.json"))) == 6
    assert len(table(lake)) == sandbox.oracle("luminate_online", "2026-01-01", "2026-01-04").interactions


@pytest.mark.parametrize("only_extract", [False, True], ids=["list", "extract"])
def test_a_window_that_the_operator_chose_is_split_as_well(execution_api, sandbox, lake, only_extract):
    """The first task decides, whatever it is; the ones after it need not know."""
    chosen = {"lake": lake, "vendor": "luminate_online", **WIDE}
    with DAG("d", schedule=None):
        if only_extract:
            first, last = (
                None,
                ExtractInteractionsOperator(
                    task_id="extract", contacts=sandbox.contacts("luminate_online")[:2], **chosen
                ),
            )
        else:
            first = ListContactsOperator(task_id="list", options={"group_id": 1001}, **chosen)
            last = ExtractInteractionsOperator.partial(task_id="extract", lake=lake, vendor="luminate_online").expand(
                batch=first.output
            )
        normalize = NormalizeInteractionsOperator(task_id="normalize", lake=lake, manifests=last.output)
    api = execution_api(connections={"luminate_online_default": sandbox.connections["luminate_online"]})
    assert first is None or api.run(first).error is None
    assert api.run(last, map_index=-1 if only_extract else 0).error is None
    assert api.run(normalize).error is None
    assert sorted(path.stem for path in Path(lake).glob("manifests/*/*/*.json")) == [f"window={d.slug}" for d in DAYS]


def test_clearing_one_step_of_such_a_run_repeats_that_step(execution_api, sandbox, lake, caplog):
    with DAG("d", schedule=None, params=WIDE):
        pipeline = interactions_pipeline("luminate_online", lake=lake, options={"group_id": 1001})
    api = execution_api(connections={"luminate_online_default": sandbox.connections["luminate_online"]}, conf=WIDE)
    for one, at in ((pipeline.list_contacts, -1), (pipeline.extract, 0), (pipeline.normalize, -1)):
        assert api.run(one, map_index=at).error is None
    done, calls = api.xcom["normalize", "return_value", -1], sandbox.stats()["luminate_online"]["requests"]
    assert api.run(pipeline.normalize).error is None
    assert "Only the windows that it was split into are left" in caplog.text
    again = api.xcom["normalize", "return_value", -1]
    assert (again["counts"], len(again["files"])) == (done["counts"], len(done["files"]))
    assert sandbox.stats()["luminate_online"]["requests"] == calls
    summary = summarize_extracted("extract", unpack(api.xcom["extract", "return_value", 0]))
    assert (summary.windows, list(Path(lake, summary.path).glob("*/manifest.json")) != []) == (3, True)


def test_a_day_that_was_run_again_is_loaded_as_it_is_now(execution_api, sandbox, lake):
    """A backfill ran one of the days, whose former files are gone, before the wide run came to its load."""
    connection = {"luminate_online_default": sandbox.connections["luminate_online"]}
    with DAG("d", schedule=None, params=WIDE):
        pipeline = interactions_pipeline("luminate_online", lake=lake, options={"group_id": 1001})
    api = execution_api(connections=connection, conf=WIDE)
    for one, at in ((pipeline.list_contacts, -1), (pipeline.extract, 0), (pipeline.normalize, -1)):
        assert api.run(one, map_index=at).error is None
    former = [file["path"] for file in api.xcom["normalize", "return_value", -1]["files"]]
    day = {"start": "2026-01-02", "end": "2026-01-03"}
    with DAG("e", schedule=None, params=day):
        other = interactions_pipeline("luminate_online", lake=lake, options={"group_id": 1001})
    second = execution_api(connections=connection, conf=day)
    for one, at in ((other.list_contacts, -1), (other.extract, 0), (other.normalize, -1)):
        assert second.run(one, map_index=at).error is None
    assert not all(Path(lake, path).exists() for path in former)
    assert api.run(pipeline.load).error is None
    assert len(table(lake)) == sandbox.oracle("luminate_online", "2026-01-01", "2026-01-04").interactions


def test_too_many_windows_are_refused_before_anybody_is_asked(connection, sandbox, lake):
    task = ListContactsOperator(task_id="t", conn_id=connection, lake=lake)
    long = {"params": {"start": "1990-01-01", "end": "2026-01-01"}}
    with pytest.raises(AirflowFailException, match=r"would write 13,149 windows of 1 day, 0:00:00, and one run writes"):
        task.execute(long)
    assert sandbox.stats()["dynamics_marketing"]["requests"] == 0


@pytest.mark.parametrize(
    ("start", "end", "splits"),
    [
        (None, "2026-02-01", False),
        ("2026-01-01", "2026-01-02", False),
        ("2026-01-01", "2026-01-01T06:00:00Z", False),
        ("2026-01-01", "2026-01-02T00:00:01Z", True),
        ("2026-01-01", "2026-02-01", True),
    ],
)
def test_only_a_longer_window_that_somebody_chose_is_split(start, end, splits):
    window, width = Window.of("2026-01-01", end), DAY if splits else None
    assert choose_split_width({"params": {"start": start}}, None, window, DAY) == width
    assert choose_split_width({"params": {}}, start, window, DAY) == width


@pytest.mark.parametrize(
    ("start", "end", "width", "whole"),
    [
        ("2026-01-01", "2026-02-01", DAY, True),
        ("2026-01-01T06:00:00Z", "2026-01-03T06:00:00Z", DAY, False),
        ("2026-01-01", "2026-01-02T12:00:00Z", DAY, False),
        ("2026-01-01T06:00:00Z", "2026-01-01T09:00:00Z", timedelta(hours=1), True),
    ],
)
def test_windows_that_scheduled_runs_have_too(start, end, width, whole):
    assert is_aligned(Window.of(start, end), width) is whole


def test_the_most_is_allowed():
    start = DAYS[0].start
    assert choose_split_width({}, start, Window(start, start + MOST_WINDOWS * DAY), DAY) == DAY
    with pytest.raises(ConfigError, match="several runs"):
        choose_split_width({}, start, Window(start, start + (MOST_WINDOWS + 1) * DAY), DAY)


def test_a_dag_that_waits_for_one_window_is_told_what_to_do_about_several(tmp_path):
    made = Summary("load", "v", "a", None, None, 7, None, 0, "manifests", windows=3)
    event = SimpleNamespace(extra=made.extra)
    with pytest.raises(ConfigError, match="each window has its own run"):
        find_triggering_manifest({"triggering_asset_events": {"x": [event]}}, Lake.at(str(tmp_path)))
