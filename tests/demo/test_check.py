"""The verdict on a table, with a real sandbox and a real DuckDB file."""

import json
import shutil
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from airflow_provider_interactions.demo.check import check, choose_person
from airflow_provider_interactions.demo.errors import DemoError
from airflow_provider_interactions.demo.report import list_differences
from airflow_provider_interactions.demo.sandbox_process import SandboxProcess
from airflow_provider_interactions.sandbox import SandboxConfig, serve
from airflow_provider_interactions.window import Window

VENDOR = "dynamics_marketing"
WINDOWS = [Window.day(date(2026, 1, 2) + timedelta(days=n)) for n in range(2)]
WHOLE = Window(WINDOWS[0].start, WINDOWS[-1].end)
TABLE = """
    CREATE TABLE interactions (vendor VARCHAR, account VARCHAR, interaction_id VARCHAR, contact_id VARCHAR,
    occurred_at TIMESTAMPTZ, native_type VARCHAR, status VARCHAR, subject VARCHAR, campaign_id VARCHAR,
    campaign_name VARCHAR, message_id VARCHAR, "count" INTEGER, revision BIGINT, attributes VARCHAR)
"""


@pytest.fixture(scope="module")
def oracle():
    with serve(SandboxConfig(contacts=8, start="2026-01-01", days=4)) as sandbox:
        yield SandboxProcess(sandbox.url, {})


@pytest.fixture(scope="module")
def exact(tmp_path_factory, oracle):
    path = tmp_path_factory.mktemp("exact") / "interactions.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(TABLE)
        fill(connection, oracle, WHOLE)
    return path


@pytest.fixture
def database(tmp_path, exact):
    return Path(shutil.copy(exact, tmp_path))


def fill(connection, oracle, window):
    columns = (
        "vendor, interaction_id, contact_id, occurred_at, native_type, campaign_id, message_id, attributes, account"
    )
    sql = f"INSERT INTO interactions ({columns}) VALUES (?, ?, ?, make_timestamptz(?), ?, ?, ?, ?, 'here')"
    for fact in oracle.facts(VENDOR, window):
        row = (fact.vendor, fact.interaction_id, fact.contact_id, fact.occurred_at, fact.native_type)
        connection.execute(sql, [*row, fact.campaign_id, fact.message_id, json.dumps(fact.attributes)])


def change(database, sql):
    """Run SQL that has ``{one}`` for the id of the first interaction in the first window; return that id."""
    with duckdb.connect(str(database)) as connection:
        where = f"occurred_at < '{WINDOWS[0].end.isoformat()}' ORDER BY interaction_id LIMIT 1"
        (one,) = connection.execute(f"SELECT interaction_id FROM interactions WHERE {where}").fetchone()
        connection.execute(sql.format(one=f"'{one}'"))
    return one


def judge_table(database, oracle):
    return check(database, oracle, VENDOR, WINDOWS)


def test_an_exact_table_has_no_difference(database, oracle):
    first, second, total = judge_table(database, oracle)
    assert first.found > 10
    assert first.expected + second.expected == total.found
    assert (total.digest, total.difference) == (total.truth, None)
    assert list_differences({VENDOR: [first, second, total]}) == []


def test_one_missing(database, oracle):
    one = change(database, "DELETE FROM interactions WHERE interaction_id = {one}")
    first, second, total = judge_table(database, oracle)
    numbers = f"{first.expected} interactions exist, the table has {first.expected - 1}"
    assert str(first) == f"{VENDOR}, {WINDOWS[0]}: {numbers}: 1 missing (e.g. {one})."
    assert second.difference is None
    assert str(total.difference) == f"1 missing (e.g. {one})"


def test_one_doubled(database, oracle):
    sql = (
        "INSERT INTO interactions SELECT * REPLACE ('there' AS account) FROM interactions WHERE interaction_id = {one}"
    )
    one = change(database, sql)
    first, _, total = judge_table(database, oracle)
    assert str(first.difference) == str(total.difference) == f"1 doubled (e.g. {one})"
    assert first.found == first.expected + 1


def test_one_changed(database, oracle):
    one = change(database, "UPDATE interactions SET subject = 'new', count = 2 WHERE interaction_id = {one}")
    first, _, total = judge_table(database, oracle)
    assert str(first.difference) == f"1 changed (e.g. {one}); changed columns: count, subject"
    assert (total.found, total.difference) == (total.expected, first.difference)


@pytest.mark.parametrize("text", ["{{}}", "[]", "no JSON"])
def test_attributes_that_were_lost(database, oracle, text):
    one = change(database, f"UPDATE interactions SET attributes = '{text}' WHERE interaction_id = {{one}}")
    assert str(judge_table(database, oracle)[0].difference) == f"1 changed (e.g. {one}); changed columns: attributes"


def test_a_row_moved_to_another_window_is_seen_in_all_places(database, oracle):
    one = change(
        database, "UPDATE interactions SET occurred_at = occurred_at + INTERVAL 1 DAY WHERE interaction_id = {one}"
    )
    first, second, total = judge_table(database, oracle)
    assert first.difference.missing == second.difference.unknown == total.difference.changed == (one,)
    assert len(list_differences({VENDOR: [first, second, total]})) == 3


def test_rows_outside_the_windows_count_too(database, oracle):
    with duckdb.connect(str(database)) as connection:
        fill(connection, oracle, Window.day(date(2026, 1, 1)))
    first, second, total = judge_table(database, oracle)
    assert first.difference is second.difference is None
    assert len(total.difference.unknown) == total.found - total.expected > 0


def test_somebody_is_known_to_most_vendors_and_of_those_has_the_shortest_history(tmp_path):
    rows = [("a", "a0"), ("b", "b0"), ("b", "b0"), ("a", "a1"), ("b", "b1"), *[("b", "b2")] * 9]
    path = tmp_path / "interactions.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE interactions (vendor VARCHAR, contact_id VARCHAR)")
        connection.executemany("INSERT INTO interactions VALUES (?, ?)", rows)
    people = {"a": ["a0", "a1", "a2"], "b": ["b0", "b1", "b2"]}
    assert choose_person(path, people) == ["a1", "b1"]


def test_no_table(tmp_path, oracle):
    with pytest.raises(DemoError, match=r"cannot be read from none\.duckdb"):
        judge_table(tmp_path / "none.duckdb", oracle)
