"""Erasing from a DuckDB file: no byte of a person stays in it, and everything else does."""

from pathlib import Path

import duckdb
import pytest

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import LoadError
from airflow_provider_interactions.load import duckdb_rewrite
from airflow_provider_interactions.load.duckdb import DuckDBTable
from tests.targets.windows import ACCOUNT, VENDOR, row, write

#: Short texts, which DuckDB does not compress in a row group of so few rows.
PERSON, OTHER = Contact("jane.4242@example.org"), Contact("john.4343@example.org")


@pytest.fixture
def filled_table(duckdb_file, lake):
    """A table of two people, whose rows were changed by a second load."""
    target = DuckDBTable(duckdb_file)
    for version in (1, 2):
        people = [row(n, contact_id=one.id, subject=f"{one.id} {version}") for n, one in enumerate((PERSON, OTHER))]
        target.load(lake, write(lake, people, version))
    return target


def holds(target, *people):
    """Whether any file beside the database holds the people's identifiers."""
    found = [path.read_bytes() for path in Path(target.database).parent.glob("**/*") if "duckdb" in path.name]
    return [any(one.id.encode() in data for data in found) for one in people]


def test_nothing_of_a_person_stays_in_the_file(filled_table):
    assert holds(filled_table, PERSON, OTHER) == [True, True]
    assert filled_table.erase(VENDOR, ACCOUNT, [PERSON]) == 1
    assert holds(filled_table, PERSON, OTHER) == [False, True]
    assert filled_table.erase(VENDOR, ACCOUNT, [PERSON]) == 0


THINGS = """
CREATE SCHEMA mine;
CREATE TYPE mine.mood AS ENUM ('good', 'bad');
CREATE SEQUENCE mine.numbers START 7;
CREATE TABLE mine.notes (n INTEGER PRIMARY KEY DEFAULT nextval('mine.numbers'), mood mine.mood, twice AS (2 * n));
INSERT INTO mine.notes (mood) VALUES ('good');
CREATE VIEW emails AS SELECT contact_id FROM interactions WHERE channel = 'email';
CREATE MACRO plus_one(a) AS a + 1;
CREATE INDEX by_contact ON interactions (contact_id);
COMMENT ON TABLE mine.notes IS 'mine';
"""


def test_everything_else_in_the_file_stays(filled_table, duckdb_file):
    with duckdb.connect(duckdb_file) as connection:
        connection.execute(THINGS)
    assert filled_table.erase(VENDOR, ACCOUNT, [PERSON]) == 1
    with duckdb.connect(duckdb_file) as connection:
        assert connection.sql("SELECT n, mood, twice FROM mine.notes").fetchall() == [(7, "good", 14)]
        assert connection.sql("SELECT nextval('mine.numbers') > 7").fetchall() == [(True,)]
        assert connection.sql("FROM emails").fetchall() == [(OTHER.id,)]
        assert connection.sql("SELECT plus_one(1)").fetchall() == [(2,)]
        assert connection.sql("SELECT index_name FROM duckdb_indexes()").fetchall() == [("by_contact",)]
        comment = "SELECT comment FROM duckdb_tables() WHERE table_name = 'notes'"
        assert connection.sql(comment).fetchall() == [("mine",)]


def test_the_format_of_the_file_stays(duckdb_file, lake):
    target = DuckDBTable(duckdb_file, storage_version="v1.2.0")
    target.load(lake, write(lake, [row(1, contact_id=PERSON.id)]))
    before = find_format(duckdb_file)
    assert DuckDBTable(duckdb_file).erase(VENDOR, ACCOUNT, [PERSON]) == 1
    assert find_format(duckdb_file) == before


def find_format(path):
    with duckdb.connect(path) as connection:
        query = "SELECT tags['storage_version'] FROM duckdb_databases() WHERE database_name = current_database()"
        return connection.sql(query).fetchall()


def test_copies_of_loads_that_died_go_too(filled_table, duckdb_file):
    """Also if nobody has a row in the table any more."""
    assert filled_table.erase(VENDOR, ACCOUNT, [PERSON]) == 1
    path = Path(duckdb_file)
    copied = path.with_name(f".{path.name}.4242.loading")
    for name in (copied.name, f"{copied.name}.wal", f"{copied.name}.rewritten"):
        path.with_name(name).write_bytes(PERSON.id.encode())
    other = path.with_name(f".{path.name}x.4242.loading")
    other.write_bytes(b"of another file")
    assert filled_table.erase(VENDOR, ACCOUNT, [PERSON]) == 0
    assert {one.name for one in path.parent.iterdir() if "duckdb" in one.name} == {path.name, other.name}


def test_a_file_that_cannot_be_copied_is_unchanged(filled_table, duckdb_file, monkeypatch):
    def refuse(*_):
        raise duckdb.ConstraintException

    monkeypatch.setattr(duckdb_rewrite, "_write_again", refuse)
    with pytest.raises(LoadError, match=r"cannot be written again \(ConstraintException\)"):
        filled_table.erase(VENDOR, ACCOUNT, [PERSON])
    monkeypatch.undo()
    assert filled_table.erase(VENDOR, ACCOUNT, [PERSON]) == 1
    assert {one.name for one in Path(duckdb_file).parent.iterdir() if "duckdb" in one.name} == {"all.duckdb"}
