"""The ledger as a table: what the lake's ledger has, each row once, whatever is repeated, late, busy or killed."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import duckdb
import pytest

from airflow_provider_interactions.coverage import ledger as module
from airflow_provider_interactions.coverage.ledger import Step, read_ledger, read_new_steps, write_step
from airflow_provider_interactions.errors import LoadError
from airflow_provider_interactions.load.duckdb import DuckDBTable
from airflow_provider_interactions.load.ledger import OVERLAP
from airflow_provider_interactions.schema import STEPS
from tests.targets.cases import CASES
from tests.targets.processes import begin, start

AT = datetime(2026, 1, 2, 0, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TABLE = "interactions_ledger"


def add(lake, at=AT, **facts):
    known = {"step": "extract", "state": "success", "vendor": "which50", "account": "a'b\\", "seconds": 1.5}
    write_step(lake, Step(**{**known, "started_at": at, "ended_at": at, **facts}))


@pytest.fixture(params=[one for one in CASES if one.__name__ != "OlderPostgres"], ids=lambda case: case.__name__)
def case(request):
    return request.param


@pytest.fixture
def place(request, case):
    return request.getfixturevalue(case.fixture)


@pytest.fixture
def copy(case, place, lake):
    """Bring the table up to date; the number of new rows."""
    target = case.open(place)
    target.prepare()
    return partial(target.add_steps, partial(read_new_steps, lake))


@pytest.fixture
def attempts(case, place):
    """The rows of the table, by their attempts, which number them in these tests."""
    return lambda: sorted(row["attempt"] for row in case.read(place, TABLE))


def test_rows_are_those_of_the_lake(case, place, copy, lake):
    add(lake, window_start=AT, window_end=AT, rows=2**40, throttled_seconds=0.25, failed=0, attempt=1)
    add(lake, AT + MINUTE, state="failed", error="LoadError", vendor=None, attempt=2)
    assert copy() == 2
    rows = sorted(case.read(place, TABLE), key=lambda row: row["file"])
    assert [{name: row[name] for name in STEPS.names} for row in rows] == read_ledger(lake).to_pylist()


def test_nothing_is_added_twice_and_nothing_is_removed(copy, attempts, lake):
    for number in range(5):
        add(lake, AT + number * timedelta(hours=9), attempt=number)
    assert (copy(), copy()) == (5, 0)
    names = [f"ledger/{row['file']}" for row in read_ledger(lake).to_pylist()]
    lake.remove(names)
    add(lake, AT + timedelta(days=3), attempt=5)
    assert (copy(), copy()) == (1, 0)
    assert attempts() == list(range(6))


def test_a_try_that_appears_late_comes_with_the_next_load(copy, attempts, lake):
    add(lake, attempt=1)
    copy()
    add(lake, AT - OVERLAP, attempt=2)
    add(lake, AT - OVERLAP / 2, attempt=3)
    assert copy() == 2
    assert attempts() == [1, 2, 3]


def test_a_long_ledger_comes_in_several_loads(copy, attempts, lake, monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 3)
    for number in range(7):
        add(lake, AT + number * MINUTE, attempt=number)
    assert [copy() for _ in range(4)] == [3, 3, 1, 0]
    assert attempts() == list(range(7))


def test_many_rows_come_at_once(copy, attempts, lake):
    for number in range(230):
        add(lake, AT + number * MINUTE, attempt=number)
    assert (copy(), copy()) == (230, 0)
    assert attempts() == list(range(230))


def test_loads_at_the_same_time_add_each_row_once(case, copy, attempts, lake):
    for number in range(5):
        add(lake, attempt=number)
    copy()
    for number in range(5, 10):
        add(lake, AT + MINUTE, attempt=number)
    with ThreadPoolExecutor() as threads:
        errors = [done.exception() for done in [threads.submit(copy) for _ in range(3)]]
    # Connections of one process share a DuckDB file: one of two that add the same rows is refused, and adds none.
    assert {type(error) for error in errors} <= {type(None), *([LoadError] if case.fixture == "duckdb_file" else [])}
    copy()
    assert attempts() == list(range(10))


def test_processes_that_are_killed_and_meet_add_each_row_once(case, place, attempts, lake):
    case.open(place).prepare()
    for rows, seconds in ((40, 0.05), (80, 0.4)):
        for number in range(rows - 40, rows):
            add(lake, AT + number * timedelta(hours=1), attempt=number)
        with start("load_steps", case, lake, place) as one, start("load_steps", case, lake, place) as other:
            begin(one)
            begin(other)
            time.sleep(seconds)
            one.kill()
            assert other.stdout.readline() == "done\n"
        assert attempts() == list(range(rows))


def test_an_empty_ledger_makes_an_empty_table(copy, attempts):
    assert (copy(), attempts()) == (0, [])


def test_a_table_of_somebody_else_is_refused_and_unchanged(case, place, copy, lake):
    case.make_other(place, TABLE)
    add(lake)
    with pytest.raises(LoadError, match=TABLE):
        copy()
    [row] = case.read(place, TABLE)
    assert {name.lower(): value for name, value in row.items()} == {"precious": "mine", "vendor": 1}


def test_a_file_that_is_open_elsewhere_waits_for_the_next_load(lake, duckdb_file):
    target, other = DuckDBTable(duckdb_file), partial(duckdb.connect, duckdb_file)
    target.prepare()
    add(lake, attempt=1)
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True); print(1, flush=True); input()"
    command = [sys.executable, "-c", code, duckdb_file]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdout.readline()
        with pytest.raises(LoadError, match="open in"):
            target.add_steps(partial(read_new_steps, lake))
        reader.communicate(b"\n")
    assert target.add_steps(partial(read_new_steps, lake)) == 1
    with other() as connection:
        assert connection.execute(f"SELECT count(*) FROM {TABLE}").fetchall() == [(1,)]
