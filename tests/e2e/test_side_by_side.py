"""Backfills beside each other, in a running Airflow: of the same windows by several DAGs, backwards, once more.

All of them read and write the same windows of the same accounts at the same time. In the end each window is whole, and
the table holds exactly what exists.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from airflow_provider_interactions.demo import backfill
from airflow_provider_interactions.demo.check import check
from airflow_provider_interactions.lake import reader
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.window import Window, zulu
from tests.e2e.days import FIRST

TEN = [Window.day(FIRST + timedelta(days=n)) for n in range(10)]
TWO, WEEK = TEN[:2], TEN[:7]

#: The params of a run over the week.
SPAN = {"start": zulu(WEEK[0].start), "end": zulu(WEEK[-1].end)}

#: The chain that partitions join, and the other DAGs that fill windows meanwhile: how many runs each has in the end.
PARTITIONED = ("partitioned_extract", "partitioned_normalize", "partitioned_load")
BACKWARDS, TWINS = "which50_interactions", ("twin_one", "twin_two")


def create(stage, dag_id, windows, **how):
    """A backfill of a DAG that is paused."""
    span = {"from_date": zulu(windows[0].start), "to_date": zulu(windows[-1].start)}
    stage.ask(stage.api.patch, f"dags/{dag_id}", {"is_paused": True})
    body = {"dag_id": dag_id, "max_active_runs": len(windows), **span, **how}
    stage.running.wait_until(
        lambda: backfill.request_backfill(stage.api, body), f"Airflow took no backfill of {dag_id}", patience=60
    )


def runs(stage, dag_id):
    found = stage.ask(lambda: list(stage.api.list_all(f"dags/{dag_id}/dagRuns", "dag_runs", order_by="run_after")))
    assert "failed" not in {run["state"] for run in found}, dag_id
    return found


def is_over(stage, wanted):
    states = {dag_id: Counter(run["state"] for run in runs(stage, dag_id)) for dag_id in wanted}
    return all(states[dag_id] == {"success": number} for dag_id, number in wanted.items())


@pytest.fixture(scope="module")
def filled(week):
    """A week from every vendor is there. Then the same windows are filled by four other backfills at once."""
    stage = week
    stage.running.wait_until(
        lambda: have_finished(stage, BACKWARDS), "A backfill is not marked as complete", patience=120
    )
    create(stage, "partitioned_extract", TEN)
    # Airflow 3.4.0b2 removes mapped tasks from a run that it clears to run on the latest version.
    again = {"reprocess_behavior": "completed", "run_on_latest_version": False}
    create(stage, BACKWARDS, TWO, max_active_runs=1, run_backwards=True, **again)
    for twin in TWINS:
        create(stage, twin, TWO)
    for dag_id in (*PARTITIONED, BACKWARDS, *TWINS):
        stage.unpause(dag_id)
    wanted = dict.fromkeys(PARTITIONED, len(TEN)) | {BACKWARDS: len(WEEK)} | dict.fromkeys(TWINS, len(TWO))
    stage.running.wait_until(lambda: is_over(stage, wanted), "The backfills have not ended", patience=240)
    return stage


def have_finished(stage, dag_id):
    found = stage.ask(stage.api.get, "backfills", dag_id=dag_id)["backfills"]
    return all(each["completed_at"] for each in found)


def test_ten_backfilled_windows_give_ten_runs_of_each_dag_downstream(filled):
    days = [f"{window.start:%Y-%m-%d}" for window in TEN]
    for dag_id in PARTITIONED:
        assert sorted(run["partition_key"] for run in runs(filled, dag_id)) == days


def test_backwards_and_once_more(filled):
    path = f"dags/{BACKWARDS}/dagRuns/~/taskInstances"
    instances = filled.ask(lambda: list(filled.api.list_all(path, "task_instances", order_by="id")))
    again = [each for each in instances if each["task_id"] == "load" and each["try_number"] > 1]
    assert len(again) == len(TWO)
    inorder = sorted(again, key=lambda each: each["start_date"])
    assert [each["logical_date"] for each in inorder] == [zulu(window.start) for window in reversed(TWO)]


def test_every_window_is_whole_and_the_table_is_right(filled):
    lake = Lake.at(str(filled.places.lake))
    table, other = filled.places.database, filled.places.lake / "interactions.duckdb"
    cases = ((table, "which50", WEEK), (other, "which50", TEN), (table, "luminate_online", WEEK))
    for database, vendor, windows in cases:
        findings = check(database, filled.sandbox, vendor, windows)
        assert [str(finding) for finding in findings if finding.difference] == []
        assert findings[-1].found > 0
    for vendor, windows in (("which50", TEN), ("luminate_online", WEEK)):
        names = [path for path in lake.list_files(f"manifests/vendor={vendor}") if path.endswith(".json")]
        assert len(names) == len(windows)
        assert all(reader.read_published(lake, path) for path in names)


def test_one_run_over_the_week_writes_its_seven_windows_once_more(filled):
    stage, dag_id = filled, "luminate_online_interactions"
    before = manifests(stage)
    made = stage.ask(stage.api.post, f"dags/{dag_id}/dagRuns", {"logical_date": None, "conf": SPAN})
    where = f"dags/{dag_id}/dagRuns/{made['dag_run_id']}"
    stage.running.wait_until(lambda: stage.ask(stage.api.get, where)["state"] == "success", "It did not succeed")
    value = stage.ask(stage.api.get, f"{where}/taskInstances/load/xcomEntries/return_value", deserialize=True)["value"]
    assert value["windows"] == len(WEEK)
    done = value["loaded"]
    assert (done["inserted"], done["updated"]) == (0, 0), "the same interactions, read again"
    assert done["unchanged"] + done["merged"] == done["rows"] > 0
    after = manifests(stage)
    assert after.keys() == before.keys()
    assert all(after[path] != before[path] for path in after)
    findings = check(stage.places.database, stage.sandbox, "luminate_online", WEEK)
    assert [str(finding) for finding in findings if finding.difference] == []


def manifests(stage):
    lake = Lake.at(str(stage.places.lake))
    paths = [path for path in lake.list_files("manifests/vendor=luminate_online") if path.endswith(".json")]
    return {path: lake.fs.cat_file(lake.full(path)) for path in paths}


def test_a_task_whose_pool_nobody_has_made_waits_and_airflow_says_why(filled):
    stage, dag_id, said = filled, "without_pool", "Tasks using non-existent pool '"
    made = stage.ask(stage.api.post, f"dags/{dag_id}/dagRuns", {"logical_date": None, "conf": SPAN})
    stage.unpause(dag_id)
    log = stage.places.logs / "scheduler.log"
    warning = f"{said}nobody_has_made_it' will not be scheduled"
    stage.running.wait_until(lambda: warning in log.read_text(), "The scheduler says nothing", patience=60)
    task = f"dags/{dag_id}/dagRuns/{made['dag_run_id']}/taskInstances/list_contacts"
    assert stage.ask(stage.api.get, task)["state"] == "scheduled"
    reasons = stage.ask(stage.api.get, f"{task}/dependencies")["dependencies"]
    assert [each["reason"] for each in reasons if said in each["reason"]] == [warning]
