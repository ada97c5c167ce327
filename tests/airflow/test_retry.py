"""When Airflow tries a failed task again: the vendor's own delay, as the task runner tells it to the API server."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta

import airflow.sdk
import pytest
from airflow.sdk import DAG, TaskGroup

from airflow_provider_interactions.errors import ConfigError, LoadError, Throttled, Unavailable
from airflow_provider_interactions.operators import ExtractInteractionsOperator, ListContactsOperator
from airflow_provider_interactions.operators.person import ContactInteractionsOperator
from airflow_provider_interactions.runtime.retry import POLICY, RETRIES, find_delay

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


def read_delay(api):
    """Delay in seconds and reason, as the API server is told; without them the task's own ``retry_delay`` counts."""
    return tuple(api.retried.get(name) for name in ("retry_delay_seconds", "retry_reason"))


def policy(*expected):
    """What is expected of an Airflow that has retry policies; 3.2 has none, and is told nothing."""
    return expected if hasattr(airflow.sdk, "RetryPolicy") else (None, None)


def test_policies_are_used_where_airflow_has_them():
    assert (POLICY is not None) == hasattr(airflow.sdk, "RetryPolicy")


def test_throttled_task_comes_back_after_the_vendors_delay(api, sandbox, lake, people):
    throttle(sandbox, retry_after=7200)
    result = api.run(extraction(lake, people), max_tries=3)
    assert result.state == "up_for_retry"
    assert read_delay(api) == policy(7200, "rate limited: the vendor asked to retry after 7,200 s")


def test_but_after_a_day_at_the_latest(api, sandbox, lake, people):
    throttle(sandbox, retry_after=10**9)
    api.run(extraction(lake, people), max_tries=3)
    assert read_delay(api) == policy(86_400, "rate limited: the vendor asked to retry after 86,400 s")


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
    assert read_delay(api) == (None, None)


def test_what_cannot_succeed_is_not_tried_again(api, lake):
    result = api.run(extraction(lake, ["no-guid"]), max_tries=3)
    assert (result.state, api.retried["state"]) == ("failed", "failed")


def test_a_missing_variable_is_not_tried_again(api):
    """With policies of Airflow 3.3. Airflow 3.2 retries it, because it renders templates before the operator runs."""
    with DAG("d", schedule=None):
        contacts = ListContactsOperator(task_id="list", vendor=VENDOR, lake="{{ var.value.nowhere }}")
    result = api.run(contacts, max_tries=3)
    assert result.state == ("failed" if POLICY else "up_for_retry")


def pair(**arguments):
    """An operator, and one that is mapped."""
    contacts = ListContactsOperator(task_id="list", vendor=VENDOR, **arguments)
    mapped = ExtractInteractionsOperator.partial(task_id="extract", vendor=VENDOR, **arguments)
    return contacts, mapped.expand(batch=contacts.output)


def settings(task):
    # An Airflow without policies has no such attribute, and is given none.
    assert hasattr(task, "retry_policy") == hasattr(airflow.sdk, "RetryPolicy")
    return task.retries, type(getattr(task, "retry_policy", None))  # Airflow copies default arguments


def test_every_operator_has_it_mapped_or_not():
    with DAG("d", schedule=None):
        contacts, mapped = pair()
        person = ContactInteractionsOperator(task_id="person")
    for task in (contacts, mapped, person, mapped.unmap({"batch": {}})):
        assert settings(task) == (RETRIES, type(POLICY))


#: Somebody else's, where there can be one.
MINE = None if POLICY is None else type("Mine", (type(POLICY),), {})()


@pytest.mark.parametrize("retries", [0, 1])
def test_the_dags_own_word_comes_first(retries):
    said = {"retries": retries, "retry_policy": MINE}
    with DAG("d", schedule=None, default_args=said):
        of_dag = pair()
    with DAG("e", schedule=None):
        of_tasks = pair(**said)
        with TaskGroup("group", default_args=said):
            of_group = pair()
    with DAG("f", schedule=None):
        of_arguments = pair(default_args=said)
    assert {settings(task) for task in (*of_dag, *of_tasks, *of_group, *of_arguments)} == {(retries, type(MINE))}


def test_a_task_with_it_survives_serialization():
    from airflow.serialization.serialized_objects import DagSerialization

    with DAG("d", schedule=None) as dag:
        contacts = ListContactsOperator(task_id="list", vendor=VENDOR)
        ExtractInteractionsOperator.partial(task_id="extract", vendor=VENDOR).expand(batch=contacts.output)
    decoded = DagSerialization.deserialize_dag(json.loads(json.dumps(DagSerialization.serialize_dag(dag))))
    assert [decoded.task_dict[name].retries for name in ("list", "extract")] == [RETRIES, RETRIES]


def chain(error, cause):
    error.__cause__ = cause
    return error


def test_the_delay_may_stand_anywhere_in_the_chain():
    throttled, away = Throttled("slow down", retry_after=30), Unavailable("x", retry_after=2.5)
    assert find_delay(throttled) == timedelta(seconds=30)
    assert find_delay(chain(RuntimeError("task failed"), throttled)) == timedelta(seconds=30)
    assert find_delay(chain(LoadError("x"), chain(ValueError(), away))) == timedelta(seconds=2.5)


@pytest.mark.parametrize("error", [ConfigError("x"), Throttled("x"), Unavailable("x", retry_after=0), ValueError("x")])
def test_no_delay_is_asked_for(error):
    assert find_delay(error) is None


def test_only_this_packages_errors_are_believed():
    stranger = ValueError("x")
    stranger.retry_after = 30
    assert find_delay(stranger) is None


def test_a_chain_that_goes_in_circles_ends():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert find_delay(first) is None


AS_IN_3_2 = """
import airflow.sdk
for name in ("RetryPolicy", "RetryDecision"):
    airflow.sdk.__lazy_imports.pop(name, None)
from airflow_provider_interactions.operators import ListContactsOperator
from airflow_provider_interactions.runtime.retry import POLICY
task = ListContactsOperator(task_id="t", vendor="which50")
assert POLICY is None
assert getattr(task, "retry_policy", None) is None
assert task.retries == 3
"""


def test_an_airflow_without_policies_keeps_its_own_retries():
    done = subprocess.run([sys.executable, "-c", AS_IN_3_2], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
