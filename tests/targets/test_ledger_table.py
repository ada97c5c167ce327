"""The ledger as a table: what the lake's ledger has, each row once, whatever is repeated, late or busy."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial

import duckdb
import pytest
from adbc_driver_postgresql import dbapi

from airflow_provider_interactions.coverage import ledger as module
from airflow_provider_interactions.coverage.ledger import Step, read_ledger, read_new_steps, write_step
from airflow_provider_interactions.errors import LoadError
from airflow_provider_interactions.load.duckdb import DuckDBTable
from airflow_provider_interactions.load.ledger import OVERLAP, LedgerTarget
from airflow_provider_interactions.load.postgres import PostgresTable
from airflow_provider_interactions.schema import INSTANT, LEDGER

AT = datetime(2026, 1, 2, 0, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def add(lake, at=AT, **facts):
    known = {"step": "extract", "state": "success", "vendor": "which50", "account": "a'b", "seconds": 1.5}
    write_step(lake, Step(**{**known, "started_at": at, "ended_at": at, **facts}))


@pytest.fixture(params=["duckdb", "postgres"])
def target(request, duckdb_file):
    if request.param == "duckdb":
        return DuckDBTable(duckdb_file, "made.interactions")
    return PostgresTable(request.getfixturevalue("database"), "made.interactions")


@pytest.fixture
def copy(target, lake):
    """Bring the table up to date; the number of new rows."""
    target.prepare()
    return partial(target.add_steps, partial(read_new_steps, lake))


def run(target, sql):
    if isinstance(target, DuckDBTable):
        with duckdb.connect(target.database) as connection:
            return connection.execute(sql).fetchall()
    with dbapi.connect(target.uri) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(sql)
        found = cursor.fetchall() if sql.startswith("SELECT") else None
        connection.commit()
        return found


def attempts(target):
    return [row[0] for row in run(target, "SELECT attempt FROM made.interactions_ledger ORDER BY attempt")]


def test_rows_are_those_of_the_lake(target, copy, lake):
    assert isinstance(target, LedgerTarget)
    add(lake, window_start=AT, window_end=AT, rows=2**40, throttled_seconds=0.25, failed=0, attempt=1)
    add(lake, AT + MINUTE, state="failed", error="LoadError", vendor=None, attempt=2)
    assert copy() == 2
    columns = [field.name for field in LEDGER if field.type != INSTANT]
    names = ", ".join(f'"{name}"' for name in columns)
    rows = run(target, f"SELECT {names} FROM made.interactions_ledger ORDER BY ended_at")
    assert [list(row) for row in rows] == [[row[name] for name in columns] for row in read_ledger(lake).to_pylist()]
    instants = "CAST(extract(epoch FROM window_start) AS BIGINT), CAST(extract(epoch FROM ended_at) AS BIGINT)"
    seconds = int(AT.timestamp())
    assert run(target, f"SELECT {instants} FROM made.interactions_ledger ORDER BY ended_at") == [
        (seconds, seconds),
        (None, seconds + 60),
    ]


def test_nothing_is_added_twice_and_nothing_is_overwritten(target, copy, lake):
    for number in range(5):
        add(lake, AT + number * timedelta(hours=9), attempt=number)
    assert (copy(), copy()) == (5, 0)
    run(target, "UPDATE made.interactions_ledger SET attempt = attempt + 100")
    add(lake, AT + timedelta(days=3), attempt=5)
    assert (copy(), copy()) == (1, 0)
    assert attempts(target) == [5, 100, 101, 102, 103, 104]


def test_a_try_that_appears_late_comes_with_the_next_load(target, copy, lake):
    add(lake, attempt=1)
    copy()
    add(lake, AT - OVERLAP, attempt=2)
    add(lake, AT - OVERLAP / 2, attempt=3)
    assert copy() == 2
    assert attempts(target) == [1, 2, 3]


def test_a_long_ledger_comes_in_several_loads(target, copy, lake, monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 3)
    for number in range(7):
        add(lake, AT + number * MINUTE, attempt=number)
    assert [copy() for _ in range(4)] == [3, 3, 1, 0]
    assert attempts(target) == list(range(7))


def test_loads_at_the_same_time_add_each_row_once(target, copy, lake):
    for number in range(5):
        add(lake, attempt=number)
    copy()
    for number in range(5, 10):
        add(lake, AT + MINUTE, attempt=number)
    with ThreadPoolExecutor() as threads:
        errors = [done.exception() for done in [threads.submit(copy) for _ in range(3)]]
    # Connections of one process share a DuckDB file: one of two that add the same rows is refused, and adds none.
    assert {type(error) for error in errors} <= {type(None), *([LoadError] if isinstance(target, DuckDBTable) else [])}
    copy()
    assert attempts(target) == list(range(10))


def test_an_empty_ledger_makes_an_empty_table(target, copy):
    assert (copy(), attempts(target)) == (0, [])


def test_a_table_of_somebody_else_is_refused_and_unchanged(target, copy, lake):
    run(target, "CREATE TABLE made.interactions_ledger (file text, ended_at timestamptz)")
    add(lake)
    with pytest.raises(LoadError, match="interactions_ledger"):
        copy()
    assert run(target, "SELECT count(*) FROM made.interactions_ledger") == [(0,)]


def test_who_may_only_insert_needs_no_right_to_create(lake, database):
    owner = PostgresTable(database, "made.interactions")
    owner.prepare()
    owner.add_steps(partial(read_new_steps, lake))
    run(owner, "CREATE ROLE loader LOGIN PASSWORD 'x'")
    run(owner, "GRANT USAGE ON SCHEMA made TO loader")
    run(owner, "GRANT SELECT, INSERT ON made.interactions_ledger TO loader")
    add(lake, attempt=7)
    server = database.rpartition("@")[2]
    assert (
        PostgresTable(f"postgresql://loader:x@{server}", "made.interactions").add_steps(partial(read_new_steps, lake))
        == 1
    )


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
        assert connection.execute("SELECT count(*) FROM interactions_ledger").fetchall() == [(1,)]
