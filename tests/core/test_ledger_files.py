"""Merging the ledger's files: whatever dies, and whoever reads meanwhile, each row is there once."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_interactions.coverage.ledger import Step, read_ledger, read_new_steps, write_step
from airflow_provider_interactions.coverage.ledger_files import CLOSED, DAYS, merge_closed_days
from airflow_provider_interactions.lake.storage import Lake

AT = datetime(2026, 1, 2, 12, tzinfo=UTC)
TODAY = AT.date() + CLOSED


class Died(BaseException):
    """What ends a process: nothing catches it."""


class Watched:
    """A file system that calls ``before`` with the number of each call that reaches files."""

    CALLS = frozenset({"open", "mv", "rm_file", "pipe_file", "ls", "cat", "makedirs", "size"})

    def __init__(self, fs, before):
        self.fs, self.before, self.number = fs, before, 0

    def __getattr__(self, name):
        found = getattr(self.fs, name)
        if name not in self.CALLS:
            return found

        def call(*arguments, **named):
            self.before(self.number)
            self.number += 1
            return found(*arguments, **named)

        return call


def watch(lake, before):
    return Lake(Watched(lake.fs, before), lake.root)


def die_at(number):
    """A dead process does nothing any more: neither what it was about to do nor what comes after."""

    def before(current):
        if current >= number:
            raise Died

    return before


def add(lake, number, at=AT):
    write_step(lake, Step(step="extract", state="success", started_at=at, ended_at=at, seconds=1.0, attempt=number))


def read(lake):
    return sorted(read_ledger(lake).column("attempt").to_pylist())


def list_ledger(lake):
    return [path for path in lake.list_files("ledger") if path.endswith(".parquet")]


@pytest.fixture
def empty_ledger(any_desk):
    """Empties the ledger, for each example of a property."""

    def empty():
        any_desk.lake.remove(any_desk.lake.list_files("ledger"))
        return any_desk.lake

    return empty


ACTIONS = st.lists(
    st.one_of(st.just("add"), st.just("merge"), st.integers(0, 16).map(lambda number: ("die", number))), max_size=12
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=ACTIONS)
def test_each_row_is_there_once_whatever_died(empty_ledger, actions):
    lake, added = empty_ledger(), 0
    for action in actions:
        if action == "add":
            add(lake, added)
            added += 1
        elif action == "merge":
            merge_closed_days(lake, TODAY)
        else:
            with suppress(Died):  # it may be done before
                merge_closed_days(watch(lake, die_at(action[1])), TODAY)
        assert read(lake) == list(range(added))
    merge_closed_days(lake, TODAY)
    assert read(lake) == list(range(added))
    assert len(list_ledger(lake)) == min(added, 1)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.integers(1, 4), merged=st.integers(0, 4), number=st.integers(0, 6))
def test_a_merge_in_the_middle_of_a_look_hides_nothing(empty_ledger, rows, merged, number):
    lake = empty_ledger()
    for attempt in range(rows):
        add(lake, attempt)
        if attempt + 1 == merged:
            merge_closed_days(lake, TODAY)
    reader = watch(lake, lambda current: merge_closed_days(lake, TODAY) if current == number else None)
    assert read(reader) == list(range(rows))


def test_a_look_between_any_two_steps_of_a_merge_shows_each_row_once(any_desk):
    lake = any_desk.lake
    for attempt in range(3):
        add(lake, attempt)
    merge_closed_days(watch(lake, lambda _: read(lake) == [0, 1, 2] or pytest.fail("a row is lost, or doubled")), TODAY)
    assert len(list_ledger(lake)) == 1


def test_merges_at_the_same_time_lose_nothing(any_desk):
    lake = any_desk.lake
    for attempt in range(3):
        add(lake, attempt)
    for number in range(12):
        merge_closed_days(
            watch(lake, lambda current, n=number: merge_closed_days(lake, TODAY) if current == n else None), TODAY
        )
        assert read(lake) == [*range(3 + number)]
        add(lake, 3 + number)


def test_only_days_that_are_over_are_merged(desk):
    for days in range(4):
        for attempt in range(2):
            add(desk.lake, attempt, AT + timedelta(days=days))
    merge_closed_days(desk.lake, TODAY)
    assert len(list_ledger(desk.lake)) == 1 + 3 * 2
    merge_closed_days(desk.lake, TODAY + DAYS + timedelta(days=1))
    assert len(list_ledger(desk.lake)) == 1 + 3, "the first day is too long ago, and had been merged"


def test_a_table_in_a_database_gets_no_row_again_because_its_file_was_merged(desk):
    for attempt in range(3):
        add(desk.lake, attempt)
    before = read_new_steps(desk.lake, None, frozenset())
    merge_closed_days(desk.lake, TODAY)
    assert read_new_steps(desk.lake, None, frozenset()).equals(before)
    add(desk.lake, 3)
    known = frozenset(before.column("file").to_pylist())
    assert read_new_steps(desk.lake, AT, known).column("attempt").to_pylist() == [3]


def test_strange_files_are_never_merged(desk):
    for attempt in range(2):
        add(desk.lake, attempt)
    strange = f"ledger/date={AT.date()}/notes.parquet"
    desk.lake.write(strange, b"")
    merge_closed_days(desk.lake, TODAY)
    assert desk.lake.exists(strange)
    assert date.fromisoformat(list_ledger(desk.lake)[0].split("=")[1][:10]) == AT.date()
    assert len(list_ledger(desk.lake)) == 2
