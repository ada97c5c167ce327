"""What a data engineer does in Airflow's UI, by the REST API behind it, with a worker killed on the way.

Connections are added and tested, a week is backfilled from all vendors, one person is asked for by the trigger form,
and in the end the table holds exactly what the sandbox knows to exist.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from urllib.parse import quote

import pytest

from airflow_provider_interactions.demo import backfill, tasklog
from airflow_provider_interactions.demo.check import check
from airflow_provider_interactions.demo.errors import DemoError
from airflow_provider_interactions.demo.tasklog import Attempt
from airflow_provider_interactions.demo.vendors import SOURCES
from airflow_provider_interactions.window import Window, zulu
from tests.e2e.days import FIRST

VENDORS = [source.vendor for source in SOURCES]
REQUESTS = "contact_interactions"

#: What Test says of a connection that works, where it is more than that the credentials are accepted.
WORKS = {"dynamics_journeys": "gave access to"}
WEEK = [Window.day(FIRST + timedelta(days=n)) for n in range(7)]
EVER = Window(WEEK[0].start - timedelta(days=30), WEEK[-1].end + timedelta(days=30))


def trigger(stage, **conf):
    """Trigger the DAG of requests as its form does, wait for its result; returns the run's id and what came back."""
    made = stage.ask(stage.api.post, f"dags/{REQUESTS}/dagRuns", {"logical_date": None, "conf": conf})
    run = made["dag_run_id"]
    path = f"{stage.api.url}/api/v2/dags/{REQUESTS}/dagRuns/{quote(run, safe='')}/wait"
    answer = stage.api._session.get(path, params={"interval": 1}, timeout=120)
    assert answer.ok, answer.text
    return run, json.loads(answer.text.splitlines()[-1])


def list_known(stage, vendor, window=EVER):
    """What exists of each contact."""
    facts = {}
    for fact in stage.sandbox.facts(vendor, window):
        facts.setdefault(fact.contact_id, []).append(fact)
    return facts


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_connection_that_works_says_so(connected, vendor):
    answer = connected.ask(connected.api.post, "connections/test", connected.body(vendor))
    assert answer["status"] is True, answer
    assert WORKS.get(vendor, "accepted the credentials at http://127.0.0.1") in answer["message"]


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_wrong_secret_is_told_in_a_sentence(connected, vendor):
    wrong = connected.body(vendor, connection_id=f"{vendor}_wrong", password="wrong-secret-0123456789")
    answer = connected.ask(connected.api.post, "connections/test", wrong)
    assert answer["status"] is False, answer
    assert answer["message"].startswith(f"{vendor}: ")
    assert ". Check " in answer["message"]
    assert "wrong-secret" not in answer["message"]


def test_what_people_do_disturbs_no_task_that_ends(connected):
    # With one API server for people and tasks, on SQLite, each waits for the other until the database is "locked": the
    # person is told so, and a task that is told so has failed for good.
    stage, path = connected, "dags/many_ends/dagRuns"
    stage.ask(stage.api.post, "variables", {"key": "noted", "value": ""})
    stage.unpause("many_ends")
    run = stage.ask(stage.api.post, path, {"logical_date": None})["dag_run_id"]

    def is_over():
        for number in range(20):
            stage.api.patch("variables/noted", {"key": "noted", "value": str(number)})
        return stage.ask(stage.api.get, f"{path}/{quote(run, safe='')}")["state"] in {"success", "failed"}

    stage.running.wait_until(is_over, "Tasks do not end", patience=90)
    ends = stage.ask(lambda: list(stage.api.list_all(f"{path}/~/taskInstances", "task_instances", order_by="id")))
    assert [each["state"] for each in ends] == ["success"] * 16


@pytest.mark.usefixtures("killed")
@pytest.mark.parametrize("vendor", ["dynamics_marketing", "dynamics_journeys"])
def test_a_persons_history_by_the_trigger_form(connected, vendor):
    facts = list_known(connected, vendor)
    contact = max(connected.sandbox.contacts(vendor), key=lambda one: len(facts.get(one, ())))
    mine = facts[contact]
    _, told = trigger(connected, vendor=vendor, contacts=[contact])
    assert told["state"] == "success", told
    answer = told["results"]["answer"]
    assert answer["counts"]["canonical"] == len(mine)
    types = [word for words in answer["channels"].values() for word in words.items()]
    assert dict(types) == Counter(fact.native_type for fact in mine)
    lines = connected.places.lake / answer["lines"]["path"]
    assert len(lines.read_text().splitlines()) == len(mine)
    assert contact not in json.dumps(told)


@pytest.mark.usefixtures("killed")
def test_a_person_with_every_field_of_the_form_filled_in(connected):
    facts = list_known(connected, "capillary", span := Window(WEEK[1].start, WEEK[-1].end))
    contact, mine = max(facts.items(), key=lambda item: len(item[1]))
    kind = mine[0].native_type
    wanted = {"start": zulu(span.start), "end": zulu(span.end), "types": [kind]}
    form = {"vendor": "capillary", "contacts": [contact], "kind": "mobile", "conn_id": "capillary_default", **wanted}
    _, told = trigger(connected, **form)
    assert told["state"] == "success", told
    assert told["results"]["answer"]["counts"]["canonical"] == sum(fact.native_type == kind for fact in mine)


@pytest.mark.usefixtures("killed")
def test_a_wrong_identifier_fails_at_once_and_says_why(connected):
    run, told = trigger(connected, vendor="dynamics_marketing", contacts=["somebody@example.com"])
    assert told["state"] == "failed", told
    said = str(tasklog.build_error(connected.logs, Attempt(REQUESTS, run, "answer", -1, 1)))
    assert "Contact 1 of the list cannot be used" in said
    assert "must be given as the GUID of its contactid" in said
    assert "somebody@example.com" not in said
    path = f"dags/{REQUESTS}/dagRuns/{quote(run, safe='')}/taskInstances/answer"
    assert connected.ask(connected.api.get, path)["try_number"] == 1, "it cannot succeed, so it is not tried again"


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        ({"vendor": "nobody"}, "vendor.*nobody.*not one of"),
        ({"kind": "name"}, "kind.*name.*not one of"),
        ({"contacts": "1"}, "contacts.*not of type 'array'"),
        ({"start": "yesterday"}, "start.*'yesterday' does not match"),
    ],
)
def test_a_form_that_is_filled_in_wrongly_starts_no_run(connected, conf, said):
    made = {"logical_date": None, "conf": {"vendor": "which50", "contacts": ["1"], **conf}}
    with pytest.raises(DemoError, match=f"(?s)with 400.*{said}"):
        connected.ask(connected.api.post, f"dags/{REQUESTS}/dagRuns", made)


def test_a_week_from_all_vendors_is_in_the_table_though_a_worker_was_killed(killed, week):
    stage = week
    path = f"dags/{killed.dag_id}/dagRuns/{quote(killed.run_id, safe='')}/taskInstances/extract/{killed.map_index}"
    tries = stage.ask(stage.api.get, f"{path}/tries")["task_instances"]
    assert [(each["try_number"], each["state"]) for each in tries] == [(1, "failed"), (2, "success")]
    for source in SOURCES:
        outcomes = stage.ask(backfill.read_outcomes, stage.api, source)
        findings = check(stage.places.database, stage.sandbox, source.vendor, WEEK)
        assert [str(finding) for finding in findings if finding.difference] == []
        assert findings[-1].found > 0
        assert [outcome.window for outcome in outcomes] == WEEK
        loaded, found = [one.loaded for one in outcomes], [finding.found for finding in findings[:-1]]
        if source.vendor == "dynamics_journeys":  # of a row that has moved, two windows have a version
            assert all(more >= rows for more, rows in zip(loaded, found, strict=True))
        else:
            assert loaded == found
