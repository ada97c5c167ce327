"""What only a DuckLake does: it forgets erased rows, meets other commits, and explains a catalogue that does not open.

These tests run in an environment of their own (``.ci/test-ducklake``), because the extension needs an older DuckDB.
"""

import json
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import LoadError
from airflow_provider_interactions.load import ducklake, ducklake_catalogue
from airflow_provider_interactions.load.sql import quote_name
from airflow_provider_interactions.window import Window
from tests.targets.cases import DuckLake, DuckLakeFile
from tests.targets.conftest import database, ducklake_database, ducklake_file, lake, postgres  # noqa: F401 - fixtures
from tests.targets.windows import ACCOUNT, VENDOR, row, write

#: First and last of all contacts, so that they are bounds of the columns.
ERASED = ("0-person-to-erase", "z-person-to-erase")
WEEK = Window.of("2026-01-01", "2026-01-08")

both = pytest.mark.parametrize("case", [DuckLake, DuckLakeFile], ids=lambda case: case.__name__)


@pytest.fixture
def place(request, case):
    return request.getfixturevalue(case.fixture)


def read_everything(place, folder):
    """All bytes of the folder, and of the catalogue's tables in PostgreSQL."""
    found = b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    catalogue = json.loads(place)[0]
    if "://" not in catalogue:
        return found
    with psycopg.connect(catalogue) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        rows = [connection.execute(f"SELECT t::text FROM {quote_name(name)} t").fetchall() for (name,) in tables]
    return found + repr(rows).encode()


@both
def test_an_erasure_leaves_nothing_in_files_and_catalogue(case, place, lake, tmp_path):  # noqa: F811 - fixture
    target = case.open(place)
    folder = tmp_path / "files"
    people = [row(n, contact_id=who, subject=who) for n, who in enumerate((*ERASED, "m"))]
    target.load(lake, write(lake, people))
    target.load(lake, write(lake, [{**people[0], "subject": f"again {ERASED[0]}"}, people[2]], 1, window=WEEK))
    case.open(place, "another").load(lake, write(lake, [row(1, contact_id="m")], account="other"))
    inside = tmp_path if case is DuckLakeFile else folder
    lake.remove_folder("interactions")
    assert b"person-to-erase" in read_everything(place, inside)
    assert target.erase(VENDOR, ACCOUNT, map(Contact, ERASED)) == 2
    assert b"person-to-erase" not in read_everything(place, inside)
    assert [one["contact_id"] for one in case.read(place)] == ["m"]
    assert len(case.read(place, "another")) == 1
    assert target.erase(VENDOR, ACCOUNT, map(Contact, ERASED)) == 0


@both
def test_an_erasure_forgets_former_versions_of_rows_that_are_nobodys_now(case, place, lake, tmp_path):  # noqa: F811 - fixture
    target = case.open(place)
    target.load(lake, write(lake, [row(1, contact_id=ERASED[0])]))
    target.load(lake, write(lake, [row(1, contact_id="m")], 1))
    lake.remove_folder("interactions")
    folder = tmp_path if case is DuckLakeFile else tmp_path / "files"
    assert ERASED[0].encode() in read_everything(place, folder)
    assert target.erase(VENDOR, ACCOUNT, [Contact(ERASED[0])]) == 0
    assert ERASED[0].encode() not in read_everything(place, folder)


def test_a_load_that_meets_another_commit_starts_again(ducklake_database, lake, monkeypatch):  # noqa: F811 - fixture
    target = DuckLake.open(ducklake_database)
    target.load(lake, write(lake, [row(1), row(2)]))
    merge, merged = ducklake.merge, []

    def meet_another(*what):
        """Before the first commit of the load, another program commits to the same file."""
        merged.append(merge(*what))
        if len(merged) == 1:
            with DuckLake.attach(ducklake_database) as connection:
                connection.execute("DELETE FROM interactions WHERE interaction_id = '2'")
        return merged[-1]

    monkeypatch.setattr(ducklake, "merge", meet_another)
    done = target.load(lake, write(lake, [row(1, subject="x"), row(2)], 1))
    assert [(one.inserted, one.updated) for one in (*merged, done)] == [(0, 1), (1, 1), (1, 1)]
    found = {one["interaction_id"]: one["subject"] for one in DuckLake.read(ducklake_database)}
    assert found == {"1": "x", "2": None}


@both
def test_another_folder_of_files_is_refused(case, place, lake):  # noqa: F811 - fixture
    case.open(place).prepare()
    catalogue, files = json.loads(place)
    with pytest.raises(LoadError, match=r"have the files in .*elsewhere\.$"):
        case.open(json.dumps([catalogue, f"{files}/elsewhere"])).load(lake, write(lake, [row(1)]))


def test_a_wrong_password_is_in_no_error(ducklake_database):  # noqa: F811 - fixture
    target = DuckLake.open(ducklake_database.replace(":secret@", ":hidden@"))
    with pytest.raises(LoadError, match=r"cannot be opened \(IOException\)") as refused:
        target.prepare()
    assert "hidden" not in str(refused.value) + repr(target)


def test_a_catalogue_in_a_file_waits_for_its_turn(ducklake_file, lake, monkeypatch):  # noqa: F811 - fixture
    target = DuckLakeFile.open(ducklake_file)
    target.prepare()
    path = json.loads(ducklake_file)[0]
    hold = f"import duckdb; c = duckdb.connect({path!r}); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "open\n"
        monkeypatch.setattr(ducklake_catalogue, "TURN", 0.3)
        with pytest.raises(LoadError, match="Another program had the file open"):
            target.load(lake, write(lake, [row(1)]))
        other.communicate("\n")
    assert target.load(lake, write(lake, [row(1)])).inserted == 1
    assert Path(path).exists()
