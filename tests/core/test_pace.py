"""The pace of the last extractions, from the tries in the ledger."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_interactions.coverage.ledger import Step, write_step
from airflow_provider_interactions.coverage.pace import LAST, LONG_ENOUGH, measure_pace
from airflow_provider_interactions.lake.storage import Lake

AT = datetime(2026, 1, 2, 12, tzinfo=UTC)


def record(lake, start, seconds, requests, **facts):
    """A try that began so many seconds after noon and took so many."""
    began = AT + timedelta(seconds=start)
    known = {"step": "extract", "state": "success", "vendor": "which50", "account": "acme", **facts}
    ended = began + timedelta(seconds=seconds)
    write_step(lake, Step(started_at=began, ended_at=ended, seconds=seconds, requests=requests, **known))


def measure(lake, today=AT):
    return measure_pace(lake, "which50", "acme", today.date())


def test_a_ledger_that_says_nothing_about_the_account(tmp_path):
    lake = Lake.at(str(tmp_path))
    assert measure(lake) is None
    record(lake, 0, LONG_ENOUGH - 1, 5000)
    record(lake, 0, 60, 0)
    for other in ({"vendor": "capillary"}, {"account": "other"}, {"step": "normalize"}):
        record(lake, 0, 60, 6000, **other)
    record(lake, -(LAST + timedelta(days=1)).total_seconds(), 60, 6000)
    assert measure(lake) is None
    assert measure(lake) is None
    record(lake, 100, LONG_ENOUGH, 300)
    assert measure(lake) == pytest.approx(300 / LONG_ENOUGH)


@given(st.lists(st.tuples(st.floats(0, 59), st.floats(0.1, 60), st.integers(1, 999)), max_size=5))
@settings(max_examples=40, deadline=None)
def test_tasks_side_by_side_count_together(tmp_path_factory, others):
    lake = Lake.at(str(tmp_path_factory.mktemp("lake")))
    record(lake, 0, 60, 3000, state="failed")
    for start, seconds, requests in others:
        record(lake, start, min(seconds, 60 - start), requests)
    assert measure(lake) == pytest.approx((3000 + sum(one[2] for one in others)) / 60)


def test_refused_requests_do_not_count_but_the_pauses_do(tmp_path):
    lake = Lake.at(str(tmp_path))
    record(lake, 0, 60, 700, state="deferred", throttled=100)
    record(lake, 960, 40, 400)
    assert measure(lake) == pytest.approx(1000 / 1000)
    record(lake, 5000, 100, 100)  # after a break, in which nobody asked
    assert measure(lake) == pytest.approx(1100 / 1100)
