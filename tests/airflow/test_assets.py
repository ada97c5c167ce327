"""Steps in DAGs of their own: what an asset's event says, and that every window finds its own way through."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from airflow.sdk import DAG, Asset, CronPartitionTimetable, PartitionedAssetTimetable
from airflow.sdk.api.datamodels._generated import AssetEventDagRunReference, DagRun
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

from airflow_provider_interactions.observability.assets import asset
from airflow_provider_interactions.operators import (
    ExtractInteractionsOperator,
    LoadInteractionsOperator,
    NormalizeInteractionsOperator,
)
from airflow_provider_interactions.sandbox import SandboxConfig, serve

DAGS = Path(__file__).parents[2] / "dags"
VENDOR, DAYS = "which50", 10
FIRST = date(2026, 1, 1)


@pytest.fixture(scope="module")
def ten_days():
    with serve(SandboxConfig(contacts=4, days=DAYS)) as running:
        yield running


@pytest.fixture(scope="module")
def dags():
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(DAGS / "partitioned.py", bundle_name="test")
    assert bag.import_errors == {}
    return bag.dags


@pytest.fixture
def api(execution_api, ten_days, lake, monkeypatch):
    """Makes fake APIs of one run each, which keep the asset events they are told."""
    monkeypatch.setenv("AIRFLOW__INTERACTIONS__LAKE", lake)
    connections = {f"{VENDOR}_default": ten_days.connections[VENDOR]}

    class Api(execution_api):
        events = ()

        def _state(self, body):
            self.events = body.get("outlet_events", ())
            return super()._state(body)

    def run(*triggers, partition=None, **facts):
        """A run of a partition, triggered by events."""
        found = Api(connections=connections, **facts)
        found.dag_run |= {"logical_date": None, "data_interval_start": None, "data_interval_end": None}
        found.dag_run |= {"partition_key": partition, **(build_dates(partition) if partition else {})}
        found.dag_run["consumed_asset_events"] = [build_consumed_event(event, partition) for event in triggers]
        return found

    return run


def build_dates(partition):
    """How a run is told its day: Airflow 3.2 tells no task the date of a partition, so there its parameters do."""
    midnight = f"{partition}T00:00:00Z"
    if "partition_date" in DagRun.model_fields:
        return {"partition_date": midnight}
    return {"conf": {"start": midnight, "end": f"{date.fromisoformat(partition) + timedelta(days=1)}T00:00:00Z"}}


def build_consumed_event(event, partition):
    """An event as the run that it triggered gets to see it."""
    known = event["dest_asset_key"]
    key = {"partition_key": partition} if "partition_key" in AssetEventDagRunReference.model_fields else {}
    source = dict.fromkeys(("source_task_id", "source_dag_id", "source_run_id", "source_map_index"))
    return {
        "asset": {"name": known["name"], "uri": known["uri"], "extra": {}},
        "extra": event["extra"],
        "source_aliases": [],
        "timestamp": "2026-01-20T00:00:00Z",
        **key,
        **source,
    }


def ran(api, task, map_index=-1):
    result = api.run(task, map_index=map_index)
    assert result.state == "success", result.error
    return api


def run_extraction(dags, run):
    """The first DAG's tasks; returns the one event of the last."""
    tasks = dags["partitioned_extract"].task_dict
    ran(run, tasks["list_contacts"])
    for index, _ in enumerate(run.xcom["list_contacts", "return_value", -1]):
        ran(run, tasks["extract"], index)
        assert run.events == []
    (event,) = ran(run, tasks["publish"]).events
    return event


def test_ten_windows_go_through_three_dags_each_on_its_own(dags, api, ten_days, lake):
    days = [str(FIRST + timedelta(days=n)) for n in range(DAYS)]
    raw = {day: run_extraction(dags, api(partition=day)) for day in days}
    normalize, load = (dags[f"partitioned_{name}"].task_dict[name] for name in ("normalize", "load"))
    # In another order than they came, as runs that wait for each other do.
    for day in (*days[5:], *days[:5]):
        (event,) = ran(api(raw[day], partition=day), normalize).events
        assert event["extra"]["window_start"] == f"{day}T00:00:00Z"
        ran(api(event, partition=day), load)
    expected = ten_days.oracle(VENDOR, FIRST.isoformat(), str(FIRST + timedelta(days=DAYS))).interactions
    with duckdb.connect(f"{lake}/interactions.duckdb") as database:
        found = database.execute("SELECT count(*), count(DISTINCT window_start) FROM interactions").fetchone()
    assert found == (expected, sum(raw[day]["extra"]["rows"] > 0 for day in days))


def test_an_event_says_what_there_is_and_where(dags, api, ten_days, lake):
    event = run_extraction(dags, api(partition="2026-01-03"))
    assert event["dest_asset_key"] == {"name": "interactions_which50_raw", "uri": "x-interactions://which50/raw"}
    extra = event["extra"]
    manifest = json.loads(Path(lake, extra["manifest"]).read_text())
    assert extra == {
        "vendor": VENDOR,
        "account": manifest["account"],
        "window_start": "2026-01-03T00:00:00Z",
        "window_end": "2026-01-04T00:00:00Z",
        "rows": ten_days.oracle(VENDOR, "2026-01-03", "2026-01-04").interactions,
        "bytes": sum(file["bytes"] for file in manifest["files"]),
        "rejected": 0,
        "manifest": extra["manifest"],
    }
    assert not [person for person in ten_days.contacts(VENDOR) if person in json.dumps(event)]


def test_an_event_of_the_table_names_no_bytes_which_nobody_knows(dags, api, ten_days):
    event = run_extraction(dags, api(partition="2026-01-03"))
    (event,) = ran(api(event, partition="2026-01-03"), dags["partitioned_normalize"].task_dict["normalize"]).events
    with DAG("d", schedule=None):
        task = LoadInteractionsOperator(task_id="load", outlets=[asset(VENDOR, "loaded")])
    (told,) = ran(api(event, partition="2026-01-03"), task).events
    assert told["extra"]["rows"] == ten_days.oracle(VENDOR, "2026-01-03", "2026-01-04").interactions
    assert told["extra"].keys() == event["extra"].keys() - {"bytes"}


def test_any_operator_tells_the_outlets_it_is_given(api, ten_days):
    asset_of_mine = Asset("mine")
    with DAG("d", schedule=None):
        task = ExtractInteractionsOperator(
            task_id="t", vendor=VENDOR, contacts=ten_days.contacts(VENDOR), outlets=[asset_of_mine]
        )
    (event,) = ran(api(partition="2026-01-01"), task).events
    assert event["dest_asset_key"]["name"] == "mine"
    assert event["extra"]["rows"] == ten_days.oracle(VENDOR, "2026-01-01", "2026-01-02").interactions


def test_what_a_user_puts_into_the_event_stays():
    from airflow.sdk.execution_time.context import OutletEventAccessors

    from airflow_provider_interactions.observability.assets import emit_events
    from airflow_provider_interactions.observability.summary import Summary

    mine, events = Asset("mine"), OutletEventAccessors()
    events[mine].extra = {"rows": "mine", "note": 1}
    emit_events({"outlet_events": events}, [mine], Summary("load", "v", "a", None, None, 7, 0, 0, "p"))
    assert (events[mine].extra["rows"], events[mine].extra["note"], events[mine].extra["manifest"]) == ("mine", 1, "p")


def test_a_run_may_be_given_the_manifest_by_hand(dags, api):
    event = run_extraction(dags, api(partition="2026-01-03"))
    task = dags["partitioned_normalize"].task_dict["normalize"]
    found = ran(api(conf={"manifest": event["extra"]["manifest"]}), task)
    assert found.xcom["normalize", "return_value", -1]["window_start"] == "2026-01-03T00:00:00Z"


def event_of(path):
    key = {"name": "interactions_which50_raw", "uri": "x-interactions://which50/raw"}
    return {"dest_asset_key": key, "extra": {"manifest": path}}


@pytest.mark.parametrize("operator", [NormalizeInteractionsOperator, LoadInteractionsOperator])
@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ((), "No manifest is given, and no event with a manifest triggered this run. Schedule the DAG on"),
        (
            ("raw/a.json", "raw/b.json"),
            "2 windows triggered this run at once, but a run processes one window. Schedule the DAG on",
        ),
        (("raw/a.json",), "There is no manifest raw/a.json in the lake"),
        ((None,), "No manifest is given"),
    ],
)
def test_what_to_do_when_there_is_no_one_window(api, operator, paths, message):
    with DAG("d", schedule=None):
        task = operator(task_id="t")
    result = api(*map(event_of, paths)).run(task, max_tries=3)
    assert result.state == "failed"
    assert message in str(result.error)


def test_two_events_of_one_window_are_one(dags, api):
    event = run_extraction(dags, api(partition="2026-01-03"))
    ran(api(event, event, partition="2026-01-03"), dags["partitioned_normalize"].task_dict["normalize"])


def test_the_example_is_joined_by_partitions(dags):
    first, second, third = (dags[f"partitioned_{name}"].schedule for name in ("extract", "normalize", "load"))
    assert isinstance(first, CronPartitionTimetable)
    assert isinstance(second, PartitionedAssetTimetable)
    assert isinstance(third, PartitionedAssetTimetable)


def test_the_pipeline_declares_what_it_makes():
    from airflow_provider_interactions.operators import interactions_pipeline

    with DAG("d", schedule=None):
        default = interactions_pipeline(VENDOR)
    with DAG("e", schedule=None):
        other = interactions_pipeline(VENDOR, conn_id="second_account")
    for made, name in ((default, VENDOR), (other, "second_account")):
        assert made.normalize.outlets == [asset(name, "normalized")]
        assert made.load.outlets == [asset(name, "loaded")]


@pytest.mark.parametrize("stage", ["raw", "normalized", "loaded"])
def test_names_are_those_of_the_vendor_and_the_stage(stage):
    found = asset("capillary", stage)
    assert (found.name, found.uri) == (f"interactions_capillary_{stage}", f"x-interactions://capillary/{stage}")


def test_a_partition_without_a_date_is_told_what_to_do(dags, api, monkeypatch):
    """As in Airflow 3.2, which tells a task the partition's key and nothing else."""
    run = api(partition="2026-01-03", conf={})
    if "partition_date" in DagRun.model_fields:
        monkeypatch.setattr(RuntimeTaskInstance, "get_template_context", drop_partition_date(RuntimeTaskInstance))
    else:
        run.dag_run["conf"] = {}
    result = run.run(dags["partitioned_extract"].task_dict["list_contacts"], max_tries=3)
    assert result.state == "failed"
    assert "Airflow 3.2 does not give tasks the partition's date. Use Airflow 3.3, or schedule the DAG with" in str(
        result.error
    )


def drop_partition_date(cls):
    whole = cls.get_template_context

    def context(self):
        found = whole(self)
        found.pop("partition_date", None)
        return found

    return context
