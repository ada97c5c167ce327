"""Limits whose period is over before they are reached, because responses take long; in virtual time."""

import pytest

from airflow_provider_interactions.http.shares import FENCE
from tests.core.test_shares import STORES, Store, Task
from tests.core.test_shares import run as run_tasks
from tests.core.test_throttle import Vendor, bucket, run, sliding


@pytest.mark.parametrize("latency", [0.2, 0.3, 0.5])
@pytest.mark.parametrize("kind", [sliding, bucket])
def test_a_hidden_limit_is_found_though_its_period_is_over_before(latency, kind):
    """Few are in flight at first, so the first second is over before so many have gone out."""
    most = round(40 / latency)
    seen = run(Vendor(kind(most, 1.0), latency), 60 * most)
    assert seen.accepted / (seen.last - seen.first) >= 0.9 * most
    assert seen.refused <= 0.02 * 60 * most
    assert seen.in_pause == 0


@pytest.mark.parametrize("number", [2, 4])
@pytest.mark.parametrize(("latency", "used"), [(0.05, 95), (0.3, 88)])
def test_tasks_that_share_it_find_it_too_and_seldom_wait_for_their_ledger(latency, used, number):
    found = [Task(comes=0.3 * n, requests=6000 // number) for n in range(number)]
    seen = run_tasks(found, Vendor(sliding(100, 1.0), latency), store=Store(*STORES["disk"][:3]), until=100)
    assert seen.accepted == 6000
    assert seen.accepted / (seen.last - seen.first) >= used
    assert seen.refused <= 0.01 * seen.accepted
    waited = sum(task.throttle.ledger_seconds for task in found)
    assert waited <= 0.02 * number * (seen.last - seen.first)


def test_the_wait_for_a_ledger_that_cannot_be_reached_is_counted():
    found = [Task(), Task(stalls_at=20.0, stalls_for=25.0)]
    run_tasks(found, Vendor(sliding(100, 1.0)), store=Store(*STORES["disk"][:3]), until=50)
    assert 25 - FENCE - 2 <= found[1].throttle.ledger_seconds <= 27
    assert found[0].throttle.ledger_seconds <= 2
