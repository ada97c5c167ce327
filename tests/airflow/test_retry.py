"""When Airflow tries a failed task again: the vendor's own delay, as the task runner tells it to the API server."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta

import pytest
from airflow.sdk import DAG

from airflow_provider_interactions.errors import ConfigError, LoadError, Throttled, Unavailable
from airflow_provider_interactions.operators import ExtractInteractionsOperator, ListContactsOperator
from airflow_provider_interactions.operators.person import ContactInteractionsOperator
from airflow_provider_interactions.operators.retry import POLICY, RETRIES, asked_delay

VENDOR = "dynamics_marketing"
FEW = {"types": ["EmailSent"]}


@pytest.fixture
def api(execution_api, sandbox):
    """A fake API that keeps what it is told of retries."""

    class Api(execution_api):
        retried = None

        def _state(self, body):
            self.retried = body
            return super()._state(body)

    return Api(connections={f"{VENDOR}_default": sandbox.connections[VENDOR]})


def extraction(lake, people, **arguments):
    with DAG("d", schedule=None):
        return ExtractInteractionsOperator(
            task_id="extract", vendor=VENDOR, lake=lake, contacts=people, options=FEW, **arguments
        )


def throttle(sandbox, **rule):
    # Longer than the engine's own patience: it gives up at once, and the task has to come back.
    sandbox.faults([{"kind": "throttle", "path": "LoadInteractions", **rule}])


def test_throttled_task_comes_back_after_the_vendors_delay(api, sandbox, lake, people):
    throttle(sandbox, retry_after=7200)
    result = api.run(extraction(lake, people), max_tries=3)
    assert result.state == "up_for_retry"
    assert api.retried["retry_delay_seconds"] == 7200
    assert api.retried["retry_reason"] == "the vendor asked to be left alone for 7,200 s"


def test_but_after_a_day_at_the_latest(api, sandbox, lake, people):
    throttle(sandbox, retry_after=10**9)
    api.run(extraction(lake, people), max_tries=3)
    assert api.retried["retry_delay_seconds"] == timedelta(days=1).total_seconds()


def test_never_more_often_than_the_task_may(api, sandbox, lake, people):
    throttle(sandbox, retry_after=7200)
    result = api.run(extraction(lake, people, retries=0), max_tries=0)
    assert result.state == "failed"


def test_without_a_delay_the_tasks_own_settings_count(api, sandbox, lake, people):
    import stamina

    sandbox.faults([{"kind": "status", "status": 503, "path": "LoadInteractions"}])
    with stamina.set_testing(True, attempts=1):
        result = api.run(extraction(lake, people), max_tries=3)
    assert result.state == "up_for_retry"
    assert "retry_delay_seconds" not in {name for name, value in api.retried.items() if value is not None}


def test_what_cannot_succeed_is_not_tried_again(api, lake):
    result = api.run(extraction(lake, ["no-guid"]), max_tries=3)
    assert (result.state, api.retried["state"]) == ("failed", "failed")


def test_every_operator_has_it_mapped_or_not():
    with DAG("d", schedule=None):
        contacts = ListContactsOperator(task_id="list", vendor=VENDOR)
        mapped = ExtractInteractionsOperator.partial(task_id="extract", vendor=VENDOR).expand(batch=contacts.output)
        person = ContactInteractionsOperator(task_id="person")
    for task in (contacts, mapped, person):
        assert (task.retries, task.retry_policy, task.has_retry_policy) == (RETRIES, POLICY, True)
    assert mapped.unmap({"batch": {}}).retry_policy is POLICY


def test_the_dags_own_word_comes_first():
    class Mine(type(POLICY)):
        """Somebody else's."""

    mine = Mine()
    with DAG("d", schedule=None, default_args={"retries": 1, "retry_policy": mine}):
        contacts = ListContactsOperator(task_id="list", vendor=VENDOR)
        mapped = ExtractInteractionsOperator.partial(task_id="extract", vendor=VENDOR).expand(batch=contacts.output)
        none = ListContactsOperator(task_id="none", vendor=VENDOR, retries=0, retry_policy=None)
    assert {(task.retries, task.retry_policy) for task in (contacts, mapped)} == {(1, mine)}
    assert (none.retries, none.retry_policy) == (0, None)


def test_a_task_with_it_survives_serialization():
    from airflow.serialization.serialized_objects import DagSerialization

    with DAG("d", schedule=None) as dag:
        contacts = ListContactsOperator(task_id="list", vendor=VENDOR)
        ExtractInteractionsOperator.partial(task_id="extract", vendor=VENDOR).expand(batch=contacts.output)
    decoded = DagSerialization.deserialize_dag(json.loads(json.dumps(DagSerialization.serialize_dag(dag))))
    assert [decoded.task_dict[name].retries for name in ("list", "extract")] == [RETRIES, RETRIES]


def caused(error, cause):
    error.__cause__ = cause
    return error


def test_the_delay_may_stand_anywhere_in_the_chain():
    throttled, away = Throttled("slow down", retry_after=30), Unavailable("x", retry_after=2.5)
    assert asked_delay(throttled) == timedelta(seconds=30)
    assert asked_delay(caused(RuntimeError("task failed"), throttled)) == timedelta(seconds=30)
    assert asked_delay(caused(LoadError("x"), caused(ValueError(), away))) == timedelta(seconds=2.5)


@pytest.mark.parametrize("error", [ConfigError("x"), Throttled("x"), Unavailable("x", retry_after=0), ValueError("x")])
def test_no_delay_is_asked_for(error):
    assert asked_delay(error) is None


def test_only_this_packages_errors_are_believed():
    stranger = ValueError("x")
    stranger.retry_after = 30
    assert asked_delay(stranger) is None


def test_a_chain_that_goes_in_circles_ends():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert asked_delay(first) is None


AS_IN_3_2 = """
import airflow.sdk
for name in ("RetryPolicy", "RetryDecision"):
    del airflow.sdk.__lazy_imports[name]
from airflow_provider_interactions.operators import ListContactsOperator
from airflow_provider_interactions.operators.retry import POLICY
task = ListContactsOperator(task_id="t", vendor="which50")
assert POLICY is None
assert task.retry_policy is None
assert task.retries == 3
"""


def test_an_airflow_without_policies_keeps_its_own_retries():
    done = subprocess.run([sys.executable, "-c", AS_IN_3_2], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
