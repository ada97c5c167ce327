"""Watching runs, with Airflow's answers given by hand."""

import json
from datetime import UTC, date, datetime

import pytest

from airflow_provider_interactions.demo import backfill
from airflow_provider_interactions.demo.backfill import Status, Step
from airflow_provider_interactions.demo.errors import DemoError
from airflow_provider_interactions.demo.rest import NotReady
from airflow_provider_interactions.demo.supervisor import Supervisor
from airflow_provider_interactions.demo.tasklog import Attempt, format_line, get_log_path
from airflow_provider_interactions.demo.vendors import SOURCES
from airflow_provider_interactions.window import Window

SOURCE = SOURCES[0]
WINDOWS = [Window.day(date(2026, 1, 1)), Window.day(date(2026, 1, 2))]
RUN = "backfill__2026-01-02T00:00:00+00:00"


class Airflow:
    """Answers from a list of scenes; the last one stays."""

    def __init__(self, *scenes):
        self.scenes = list(scenes)
        self.posted, self.cancelled = [], []

    def list_all(self, _, name, **__):
        if name == "task_instances" and len(self.scenes) > 1:
            return answer(self.scenes.pop(0)[name])
        return answer(self.scenes[0].get(name, []))

    def get(self, where, **_):
        found = self.scenes[0].get(where, {"backfills": []} if where == "backfills" else None)
        if found is None:
            raise NotReady(where)
        return found

    def put(self, where):
        self.cancelled.append(where)

    def post(self, where, body):
        self.posted.append((where, body))
        answer(self.scenes[0].pop("refusal", None))


def answer(found):
    if isinstance(found, NotReady):
        raise found
    return found


class Display:
    def __init__(self):
        self.shown, self.noted = [], []

    def show(self, standings):
        self.shown.append(standings)

    def note(self, text):
        self.noted.append(text)


def instance(task_id, state, start="2026-01-02T00:00:01Z", try_number=1, map_index=-1):
    same = {"dag_id": SOURCE.dag_id, "dag_run_id": RUN, "map_index": map_index}
    return same | {"task_id": task_id, "state": state, "start_date": start, "try_number": try_number}


def scene(*states, instances=()):
    runs = [{"dag_run_id": f"run {n}", "state": state} for n, state in enumerate(states)]
    return {"dag_runs": runs, "task_instances": list(instances)}


@pytest.fixture
def watch_scenes(tmp_path, monkeypatch):
    monkeypatch.setattr(Supervisor, "pause", lambda *_: None)

    def watch(*scenes):
        display = Display()
        backfill.watch(Supervisor(), Airflow(*scenes), [SOURCE], display, tmp_path)
        return display

    return watch


def test_progress_is_shown_until_all_runs_are_done(watch_scenes):
    first, last = instance("list_contacts", "success"), instance("extract", "running", "2026-01-02T00:00:02Z")
    waiting = instance("load", None, None)
    display = watch_scenes(
        scene("running", "queued", instances=[last, first, waiting]), scene("success", "success", instances=[])
    )
    steps = (Step("list_contacts", 1, 1), Step("extract", 0, 1))
    assert display.shown[0] == [Status(SOURCE.vendor, 0, 2, steps)]
    assert display.shown[-1] == [Status(SOURCE.vendor, 2, 2)]


def test_a_lost_task_is_told_with_the_end_of_its_log(watch_scenes, tmp_path):
    log = get_log_path(tmp_path, Attempt(SOURCE.dag_id, RUN, "extract", 0, 2))
    log.parent.mkdir(parents=True)
    error = {"error_detail": [{"exc_type": "AuthRejected", "exc_value": "wrong secret"}]}
    log.write_text(json.dumps({"level": "error", "event": "Task failed"} | error))
    lost = [instance("normalize", "upstream_failed"), instance("extract", "failed", try_number=2, map_index=0)]
    with pytest.raises(DemoError, match=r"(?s)extract of backfill.* try 2.*AuthRejected: wrong secret.*attempt=2\.log"):
        watch_scenes(scene("running", instances=lost))


def test_a_try_that_failed_is_told_once(watch_scenes):
    again = scene("running", instances=[instance("extract", "up_for_retry")])
    display = watch_scenes(again, again, scene("success"))
    assert len(display.noted) == 1
    assert "will retry it" in display.noted[0]
    assert "extract" in display.noted[0]


def test_a_run_that_fails_without_a_task(watch_scenes):
    with pytest.raises(DemoError, match=r"1 runs of .* failed"):
        watch_scenes(scene("success", "failed"))


def test_a_missing_response_changes_nothing(watch_scenes):
    silent = scene("queued") | {"task_instances": NotReady("locked")}
    assert watch_scenes(silent, silent, scene("success")).shown[-1] == [Status(SOURCE.vendor, 1, 1)]


def test_standing_still_is_no_progress(watch_scenes, monkeypatch):
    monkeypatch.setattr(backfill, "PATIENCE", -1.0)
    with pytest.raises(DemoError, match="There was no progress"):
        watch_scenes(scene("queued"), scene("queued"))


def test_a_backfill_covers_exactly_the_windows():
    api = Airflow({f"dags/{SOURCE.dag_id}/details": {"dag_id": SOURCE.dag_id}} | scene("queued", "queued"))
    backfill.create(Supervisor(), api, SOURCE, WINDOWS)
    ((where, body),) = api.posted
    assert (where, body["reprocess_behavior"]) == ("backfills", "failed")
    assert (body["from_date"], body["to_date"]) == ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")


def test_a_database_that_is_locked_is_asked_again(monkeypatch):
    monkeypatch.setattr(Supervisor, "pause", lambda *_: None)
    refused = {"refusal": NotReady("Database is locked"), f"dags/{SOURCE.dag_id}/details": {"dag_id": SOURCE.dag_id}}
    api = Airflow(refused | scene("queued", "queued"))
    backfill.create(Supervisor(), api, SOURCE, WINDOWS)
    first, second = api.posted
    assert first == second


def test_a_backfill_that_a_locked_database_left_without_runs_is_cancelled():
    left = [{"id": 6, "completed_at": None}, {"id": 3, "completed_at": "2026-01-01T00:00:00Z"}]
    known = {f"dags/{SOURCE.dag_id}/details": {"dag_id": SOURCE.dag_id}, "backfills": {"backfills": left}}
    api = Airflow(known | scene("queued", "queued"))
    backfill.create(Supervisor(), api, SOURCE, WINDOWS)
    assert api.cancelled == ["backfills/6/cancel"]


def test_fewer_runs_than_windows():
    api = Airflow({f"dags/{SOURCE.dag_id}/details": {"dag_id": SOURCE.dag_id}} | scene("queued"))
    with pytest.raises(DemoError, match=r"created 1 runs .* for 2 windows"):
        backfill.create(Supervisor(), api, SOURCE, WINDOWS)


def test_a_dag_that_cannot_be_read():
    api = Airflow({"import_errors": [{"filename": "dags/x.py", "stack_trace": "SyntaxError: what"}]})
    with pytest.raises(DemoError, match=r"(?s)cannot read.*dags/x\.py.*SyntaxError"):
        backfill.create(Supervisor(), api, SOURCE, WINDOWS)


def test_outcomes_are_read_from_what_load_returned():
    load = f"dags/{SOURCE.dag_id}/dagRuns/run%200/taskInstances/load/xcomEntries/return_value"
    loaded = {"rows": 9, "inserted": 5, "updated": 2, "unchanged": 1, "merged": 1}
    when = {"window_start": "2026-01-01T00:00:00Z", "window_end": "2026-01-02T00:00:00Z"}
    value = {"counts": {"fetched": 9, "landed": 9, "canonical": 9}, "loaded": loaded} | when
    (outcome,) = backfill.read_outcomes(Airflow({load: {"value": value}} | scene("success")), SOURCE)
    assert outcome.window.start == datetime(2026, 1, 1, tzinfo=UTC)
    assert (outcome.counts.fetched, outcome.counts.rejected, outcome.loaded) == (9, 0, 8)


def test_lines_of_a_log_that_are_no_json_stay_as_they_are():
    assert format_line("Killed") == "Killed"
    assert format_line("[1]") == "[1]"
    assert format_line('{"event": "hello", "level": "info"}') == "INFO     hello"
