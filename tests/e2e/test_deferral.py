"""A vendor asks for a pause of more than a minute: the task leaves its slot to others, and a real triggerer waits."""

from __future__ import annotations

import os
import shutil
import time
from types import SimpleNamespace
from urllib.parse import quote

import pytest
import requests

from airflow_provider_interactions.demo import airflow, sandbox_process
from airflow_provider_interactions.demo.check import check
from airflow_provider_interactions.demo.paths import DAGS, Paths, prepare_home
from airflow_provider_interactions.demo.rest import NotReady
from airflow_provider_interactions.demo.supervisor import supervise
from airflow_provider_interactions.runtime.deferral import LONGEST_PAUSE
from airflow_provider_interactions.window import Window, zulu
from tests.e2e.days import FIRST

VENDOR, DAG_ID = "luminate_online", "luminate_online_interactions"
DAY = Window.day(FIRST)

#: Seconds that the vendor asks for, once.
PAUSE = int(LONGEST_PAUSE) + 10


def ask_sandbox(sandbox, method, path, **more):
    with requests.Session() as session:
        session.trust_env = False
        answer = session.request(method, f"{sandbox.url}/_sandbox/{path}", timeout=30, **more)
    answer.raise_for_status()
    return answer.json()


@pytest.fixture(scope="module")
def throttled(tmp_path_factory):
    """One run of an example DAG that meets a long pause in the middle: what was seen during it, and in the end."""
    home = tmp_path_factory.mktemp("deferred")
    (dags := home.with_name("deferred-dags")).mkdir()
    shutil.copy(DAGS / f"{VENDOR}.py", dags)
    places = Paths(home, dags)
    with prepare_home(places), supervise() as running:
        sandbox = sandbox_process.start(running, places, [DAY], 12)
        rule = {"kind": "throttle", "vendor": VENDOR, "path": "Cons", "retry_after": PAUSE, "after": 20, "times": 1}
        ask_sandbox(sandbox, "PUT", "faults", json=[rule])
        given = {
            **sandbox.connections,
            **sandbox_process.build_variables(sandbox, places),
            "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "True",
        }
        settings = airflow.build_environment(places, airflow.find_free_port(), given, os.environ)
        api = airflow.start(running, places, settings, for_people=True)
        yield observe(running, api, sandbox, places)
        api.close()


def observe(running, api, sandbox, places):
    made, run = [], f"dags/{DAG_ID}/dagRuns"

    def read(path):
        found = []
        running.wait_until(lambda: patiently(lambda: found.append(api.get(path))), "Airflow gave no answer")
        return found[0]

    def trigger():
        api.patch(f"dags/{DAG_ID}", {"is_paused": False})
        conf = {"start": zulu(DAY.start), "end": zulu(DAY.end)}
        made.append(api.post(run, {"logical_date": None, "conf": conf})["dag_run_id"])

    running.wait_until(lambda: patiently(trigger), "The DAG is not there", patience=60)
    task = f"{run}/{quote(made[0], safe='')}/taskInstances/extract/0"
    running.wait_until(lambda: state_of(api, task) == "deferred", "The task kept its slot", patience=120)
    deferred = read(task)
    pool, served = read(f"pools/{VENDOR}_default"), ask_sandbox(sandbox, "GET", "stats")[VENDOR]["requests"]
    time.sleep(5)
    still = ask_sandbox(sandbox, "GET", "stats")[VENDOR]["requests"]
    running.wait_until(lambda: state_of(api, task) == "success", "The task did not come back", patience=PAUSE + 120)
    over = read(task)
    whole = f"{run}/{quote(made[0], safe='')}"
    running.wait_until(lambda: state_of(api, whole) == "success", "The run did not end", patience=120)
    log = (places.logs / "triggerer.log").read_text()
    seen = {"deferred": deferred, "pool": pool, "over": over, "asked": (served, still), "log": log}
    return SimpleNamespace(**seen, sandbox=sandbox, places=places)


def patiently(call):
    """Call the API; False while the database is locked: SQLite has one writer."""
    try:
        call()
    except NotReady:
        return False
    return True


def state_of(api, path):
    try:
        return api.get(path)["state"]
    except NotReady:
        return None


def test_the_task_leaves_its_slot_and_the_vendor_in_peace(throttled):
    assert throttled.deferred["trigger"]["classpath"].endswith("DateTimeTrigger")
    assert (throttled.pool["running_slots"], throttled.pool["deferred_slots"]) == (0, 1)
    first, later = throttled.asked
    assert first == later > 20


def test_the_trigger_knows_nobody(throttled):
    known = str(throttled.deferred["trigger"]) + throttled.log
    assert not [person for person in throttled.sandbox.contacts(VENDOR) if f"'{person}'" in known]


def test_the_task_continues_in_the_same_try_and_the_table_is_right(throttled):
    assert (throttled.over["state"], throttled.over["try_number"]) == ("success", 1)
    findings = check(throttled.places.database, throttled.sandbox, VENDOR, [DAY])
    assert [str(finding) for finding in findings if finding.difference] == []
    assert findings[-1].found > 0
