"""Which window each kind of run resolves to: every row of the table of runs that Airflow 3.3 makes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pendulum
import pytest
from airflow.sdk.api.datamodels._generated import DagRunType

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.runtime.context import resolve_window
from airflow_provider_interactions.window import Window

D = pendulum.datetime(2026, 1, 2, tz="UTC")
NEXT, BEFORE = D.add(days=1), D.subtract(days=1)
HOURS = (pendulum.datetime(2026, 1, 2, 6, tz="UTC"), pendulum.datetime(2026, 1, 2, 18, tz="UTC"))


def interval(start, end):
    return {"logical_date": start, "data_interval_start": start, "data_interval_end": end, "params": {}}


def day(at):
    return Window.day(at.date())


RUNS = {
    "CronDataIntervalTimetable, scheduled or backfilled for D": (interval(D, NEXT), day(D)),
    "CronTriggerTimetable with an interval": (interval(D, NEXT), day(D)),
    "CronPartitionTimetable: a partition date and nothing else": (
        {"partition_key": "2026-01-02", "partition_date": D, "params": {}},
        day(D),
    ),
    "triggered by a partitioned asset whose key is a date": (
        {"partition_key": "2026-01-02", "partition_date": D, "params": {}, "data_interval_start": None},
        day(D),
    ),
    "REST with a logical date: the interval that ends there": (interval(BEFORE, D), day(BEFORE)),
    "REST with a logical date and an interval of any length": (interval(*HOURS), Window(*HOURS)),
    "dags test D": (interval(BEFORE, D), day(BEFORE)),
    "params beat the data interval": (
        {**interval(D, NEXT), "params": {"start": "2026-03-01T00:00:00Z", "end": "2026-04-01T00:00:00+00:00"}},
        Window.of("2026-03-01", "2026-04-01"),
    ),
    "params in another zone": (
        {"params": {"start": "2026-03-01T00:00:00+02:00", "end": "2026-03-02T00:00:00+02:00"}},
        Window.of("2026-02-28T22:00:00Z", "2026-03-01T22:00:00Z"),
    ),
    "params beat the partition": (
        {"partition_date": D, "params": {"start": "2026-03-01", "end": "2026-03-02"}},
        Window.of("2026-03-01", "2026-03-02"),
    ),
    "params that are declared and null": ({**interval(D, NEXT), "params": {"start": None, "end": None}}, day(D)),
    "params that are empty": ({**interval(D, NEXT), "params": {"start": "", "end": ""}}, day(D)),
}


@pytest.mark.parametrize("name", RUNS)
def test_window_of_run(name):
    context, expected = RUNS[name]
    assert resolve_window(context) == expected


@pytest.mark.parametrize("template", [None, "", "None"])
def test_arguments_that_a_template_left_empty_are_not_given(template):
    assert resolve_window(interval(D, NEXT), template, template) == day(D)


def test_arguments_beat_params():
    context = {"params": {"start": "2026-03-01", "end": "2026-03-02"}}
    assert resolve_window(context, "2026-05-01", datetime(2026, 5, 2, tzinfo=UTC)) == Window.of(
        "2026-05-01", "2026-05-02"
    )


MANY = {"start": "2026-03-01", "end": "2026-04-01"}


def test_params_in_a_backfill_would_read_the_whole_time_once_for_each_run():
    context = {**interval(D, NEXT), "params": MANY, "dag_run": made_by(DagRunType.BACKFILL)}
    with pytest.raises(ConfigError, match="Leave both empty in a backfill"):
        resolve_window(context)
    assert resolve_window({**context, "params": {"start": None, "end": ""}}) == day(D)
    assert resolve_window(context, **MANY) == Window.of(*MANY.values())  # the author's own arguments
    assert resolve_window({**context, "dag_run": made_by(DagRunType.MANUAL)}) == Window.of(*MANY.values())


def test_a_run_by_hand_is_not_advised_to_change_the_schedule():
    with pytest.raises(ConfigError, match="--logical-date") as raised:
        resolve_window({"params": {}, "dag_run": made_by(DagRunType.MANUAL)})
    assert "Timetable" not in str(raised.value)


def made_by(kind):
    return SimpleNamespace(run_type=kind, partition_key=None)


def test_a_partition_is_as_wide_as_it_is_said_to_be():
    assert resolve_window({"partition_date": D}, width=timedelta(hours=1)) == Window(D, D.add(hours=1))


def test_a_partition_that_is_not_over_is_refused():
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with pytest.raises(ConfigError, match=r"not over yet.*run_offset=-1"):
        resolve_window({"partition_date": today})
    assert resolve_window({"partition_date": today - timedelta(days=1)}).end == today


def test_window_holds_plain_datetimes_which_manifests_can_encode():
    window = resolve_window(interval(D, NEXT))
    assert type(window.start) is datetime
    assert type(window.end) is datetime


NO_WINDOW = {
    "bare cron string: an empty interval": (interval(D, D), "data interval is empty (it starts and ends at 2026-01-02"),
    "REST or UI trigger without a logical date": ({"params": {}}, "no data interval, no partition date"),
    "REST with an interval but no logical date: Airflow drops it": (
        {"params": {}, "data_interval_start": None, "data_interval_end": None},
        "no data interval, no partition date",
    ),
    "a partition key that is no date": (
        {"partition_key": "contact-7", "partition_date": None, "params": {}},
        "no data interval, no partition date",
    ),
}


@pytest.mark.parametrize("name", NO_WINDOW)
def test_run_without_window_says_what_to_write(name):
    context, what = NO_WINDOW[name]
    with pytest.raises(ConfigError) as refused:
        resolve_window(context)
    message = str(refused.value)
    assert what in message
    assert 'CronDataIntervalTimetable("@daily", timezone="UTC")' in message
    assert "bare cron string" in message
    assert '"start": "2026-01-01T00:00:00Z"' in message


WRONG = {
    "only start": ({"start": "2026-01-01"}, "Only the window's start is given. Give start and end, or neither."),
    "only end": ({"end": "2026-01-01"}, "Only the window's end is given"),
    "empty": ({"start": "2026-01-01", "end": "2026-01-01"}, "is empty. Its end must be later than its start."),
    "reversed": ({"start": "2026-01-02", "end": "2026-01-01"}, "ends before it starts"),
    "naive": ({"start": "2026-01-01T00:00:00", "end": "2026-01-02T00:00:00"}, "has no time zone. Write for example"),
    "no time": ({"start": "yesterday", "end": "today"}, "'yesterday' is not a valid ISO 8601 time"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_window_is_refused(name):
    params, what = WRONG[name]
    with pytest.raises(ConfigError) as refused:
        resolve_window({"params": params})
    assert what in str(refused.value)


def test_naive_datetimes_are_refused():
    naive = datetime(2026, 1, 1), datetime(2026, 1, 2)  # noqa: DTZ001 - that is what is tested
    with pytest.raises(ConfigError, match="has no time zone"):
        resolve_window({}, *naive)


def test_reversed_interval_is_refused():
    with pytest.raises(ConfigError, match="ends before it starts"):
        resolve_window(interval(NEXT, D))


def test_dates_as_ends_are_midnight_utc():
    window = resolve_window({"params": {"start": date(2026, 1, 1)}}, end=date(2026, 1, 2))
    assert str(window) == "[2026-01-01T00:00:00Z, 2026-01-02T00:00:00Z)"
    assert resolve_window({"partition_date": date(2026, 1, 1)}) == window


@pytest.mark.parametrize("end", [0, 1767312000, 1767312000.0, False])
def test_numbers_as_ends_are_refused_with_what_to_write(end):
    with pytest.raises(ConfigError, match="Write for example 2026-01-31T00:00:00Z"):
        resolve_window({"params": {"start": "2026-01-01", "end": end}})
