"""A task that the vendor asks to come back in a while gives up its slot, and continues where it ended."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import DAG
from airflow.sdk.exceptions import TaskDeferred

from airflow_provider_interactions.errors import Throttled, Unavailable
from airflow_provider_interactions.extract import timers
from airflow_provider_interactions.operators import ExtractInteractionsOperator, ListContactsOperator
from airflow_provider_interactions.runtime import deferral
from airflow_provider_interactions.runtime.deferral import LONGEST_PAUSE

VENDOR = "dynamics_marketing"
WINDOW = {"start": "2026-01-02", "end": "2026-01-03"}
MINUTES = {"kind": "throttle", "path": "LoadInteractions", "retry_after": 300, "times": 1}


@pytest.fixture
def extraction(lake, people):
    def make(operator=ExtractInteractionsOperator, **arguments):
        with DAG("d", schedule=None):
            known = {"vendor": VENDOR, "lake": lake, "deferrable": True, **WINDOW, **arguments}
            return operator(task_id="a_task", **{"contacts": people, **known})

    return make


@pytest.fixture
def context():
    class Instance:
        dag_id, run_id, task_id, map_index, max_tries = "d", "r", "a_task", -1, 3

    return {"ti": Instance(), "params": {}}


@pytest.mark.usefixtures("connection")
def test_a_long_pause_defers_and_the_checkpoint_goes_on(sandbox, extraction, context, monkeypatch):
    monkeypatch.setattr(timers, "EVERY", 0.0)
    sandbox.faults([{**MINUTES, "after": 40}])
    task = extraction(concurrency=1)
    before = datetime.now(UTC)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)
    asked = sandbox.stats()[VENDOR]["requests"]
    assert asked > 40
    moment = deferred.value.trigger.moment
    assert timedelta(seconds=295) < moment - before < timedelta(seconds=305 + (datetime.now(UTC) - before).seconds)
    found = getattr(task, deferred.value.method_name)(context, event=moment)
    in_all = sandbox.stats()[VENDOR]["requests"]
    sandbox.reset()
    whole = extraction(concurrency=1).execute({**context, "ti": None})
    # One was refused, and one asks for another token; a few more were answered but not yet in the checkpoint.
    assert in_all <= 1.1 * sandbox.stats()[VENDOR]["requests"]
    assert found["counts"]["landed"] == whole["counts"]["landed"] > 0


@pytest.mark.usefixtures("connection")
def test_a_trigger_gets_an_instant_and_nothing_else(sandbox, extraction, context, people):
    sandbox.faults([MINUTES])
    with pytest.raises(TaskDeferred) as deferred:
        extraction().execute(context)
    name, given = deferred.value.trigger.serialize()
    assert name == "airflow.providers.standard.triggers.temporal.DateTimeTrigger"
    assert given.keys() == {"moment", "end_from_trigger"}
    assert not deferred.value.kwargs
    assert not [person for person in people if person in json.dumps(given, default=str)]


@pytest.mark.usefixtures("connection")
def test_a_list_of_contacts_is_deferred_too(sandbox, extraction, context):
    sandbox.faults([{"kind": "throttle", "path": "contacts", "retry_after": 300, "times": 1}])
    task = extraction(ListContactsOperator, contacts=None)
    with pytest.raises(TaskDeferred):
        task.execute(context)
    assert task.resume(context)


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize("arguments", [{}, {"deferrable": False}])
def test_without_a_triggerer_the_task_waits_in_its_slot(sandbox, extraction, context, arguments):
    """By default, and if the DAG says so; the vendor asks for more than anybody waits, so the task comes back."""
    sandbox.faults([{**MINUTES, "retry_after": 7200}])
    task = extraction(**arguments) if arguments else extraction(deferrable=deferral.DEFERRABLE)
    assert not task.deferrable
    with pytest.raises(Throttled):
        task.execute(context)


@pytest.mark.usefixtures("connection")
def test_a_short_pause_is_waited_for(sandbox, extraction, context):
    sandbox.faults([{**MINUTES, "retry_after": 1}])
    assert extraction().execute(context)["counts"]["landed"]
    assert sandbox.stats()[VENDOR]["by_fault"] == {"throttle": 1}


@pytest.mark.parametrize("kind", [Throttled, Unavailable])
@pytest.mark.parametrize(
    ("seconds", "waits"), [(None, False), (LONGEST_PAUSE, False), (LONGEST_PAUSE + 1, True), (10**9, True)]
)
def test_only_a_long_pause_has_an_instant_and_it_is_within_a_day(kind, seconds, waits):
    moment = deferral.find_resume_time(kind("slower", retry_after=seconds))
    assert (moment is not None) is waits
    assert moment is None or moment <= datetime.now(UTC) + timedelta(days=1)


def test_airflows_trigger_waits_for_the_instant():
    moment = datetime.now(UTC) + timedelta(seconds=1)

    async def wait():
        return await anext(aiter(DateTimeTrigger(moment=moment).run()))

    event = asyncio.run(wait())
    assert datetime.now(UTC) >= moment
    assert event.payload == moment
