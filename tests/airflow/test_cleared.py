"""What is asked again when a task is cleared: after a failure what is left, after a success everybody."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from airflow.sdk import DAG

from airflow_provider_interactions.extract import timers
from airflow_provider_interactions.operators import ExtractInteractionsOperator

VENDOR = "dynamics_marketing"
FEW = {"types": ["EmailSent", "EmailClicked", "FormVisited"]}
RETRIES = 3

#: Requests of an undisturbed extraction: one for each of five contacts and three types.
ALL = 15


@pytest.fixture(autouse=True)
def _often(monkeypatch):
    """Save after every answer."""
    monkeypatch.setattr(timers, "EVERY", 0.0)
    monkeypatch.setattr(timers, "SHARE", 0.0)


@pytest.fixture
def tries(execution_api, sandbox, people, lake):
    """Runs the extraction of one DAG run, as often as wanted; returns the supervisor's result and its XCom."""

    class Tries:
        api = execution_api(connections={f"{VENDOR}_default": sandbox.connections[VENDOR]})

        def run(self, max_tries=RETRIES, contacts=people):
            with DAG("d", schedule=None):
                task = ExtractInteractionsOperator(
                    task_id="extract",
                    vendor=VENDOR,
                    lake=lake,
                    contacts=contacts,
                    options=FEW,
                    concurrency=1,
                    retries=RETRIES,
                )
            self.api.xcom.clear()  # as Airflow does before each try
            result = self.api.run(task, max_tries=max_tries)
            return result, self.api.xcom.get(("extract", "return_value", -1))

    return Tries()


def count_requests(sandbox):
    return sum(n for path, n in sandbox.stats()[VENDOR]["by_path"].items() if "LoadInteractions" in path)


def count_expected(sandbox):
    start, end = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)
    return sum(sandbox.oracle(VENDOR, start, end, type=name).interactions for name in FEW["types"])


def rotate_secret(sandbox, after):
    """From so many requests on, nothing that is signed with the old secret is taken any more."""
    sandbox.faults([{"kind": "status", "status": 401, "after": after}])


def test_a_failed_task_that_is_cleared_goes_on_where_it_was(tries, sandbox):
    rotate_secret(sandbox, after=11)
    result, none = tries.run()
    assert (tries.api.states, none) == (["failed"], None), result
    sandbox.reset()
    # Airflow gives the cleared task all its retries once more: on top of the one try there was.
    result, manifest = tries.run(max_tries=1 + RETRIES)
    assert result.error is None, result.error
    assert count_requests(sandbox) <= ALL - 8
    assert manifest["counts"]["landed"] == count_expected(sandbox) > 0
    assert manifest["counts"]["contacts"] == 5


def test_and_so_does_one_that_failed_and_was_cleared_again(tries, sandbox):
    for cleared in range(3):
        rotate_secret(sandbox, after=5)
        tries.run(max_tries=cleared + RETRIES)
    sandbox.reset()
    _, manifest = tries.run(max_tries=3 + RETRIES)
    assert count_requests(sandbox) <= ALL - 8
    assert manifest["counts"]["landed"] == count_expected(sandbox)


def test_a_task_that_had_succeeded_and_is_cleared_starts_afresh(tries, sandbox):
    """Also where nothing of it was published yet."""
    _, first = tries.run()
    sandbox.reset()
    _, same = tries.run()  # a try before the next clear: the worker had died before it could tell
    assert (same, count_requests(sandbox)) == (first, 0)
    _, second = tries.run(max_tries=1 + RETRIES)
    assert count_requests(sandbox) == ALL
    assert second["extracted_at"] > first["extracted_at"]
    assert second["counts"]["landed"] == first["counts"]["landed"] == count_expected(sandbox)


def test_a_fresh_start_that_fails_goes_on_when_it_is_cleared(tries, sandbox):
    _, first = tries.run()
    rotate_secret(sandbox, after=11)
    tries.run(max_tries=1 + RETRIES)
    sandbox.reset()
    _, second = tries.run(max_tries=2 + RETRIES)
    assert count_requests(sandbox) <= ALL - 8
    assert second["counts"]["landed"] == first["counts"]["landed"]
