"""Every run starts afresh, and never at the cost of somebody else's files."""

import pytest

from airflow_provider_interactions.demo import paths
from airflow_provider_interactions.demo.errors import Trouble
from airflow_provider_interactions.demo.paths import Places, fresh, shown


@pytest.fixture
def where(tmp_path):
    (tmp_path / "dags").mkdir()
    return Places(tmp_path / "home", tmp_path / "dags")


def test_a_former_runs_things_are_gone_and_other_files_stay(where):
    with fresh(where):
        for path in (where.lake / "a.parquet", where.airflow / "airflow.db", where.logs / "a.log", where.database):
            path.write_text("old")
        (where.home / "notes.txt").write_text("mine")
    with fresh(where):
        assert not where.database.exists()
        assert [list(folder.iterdir()) for folder in (where.lake, where.airflow, where.logs)] == [[], [], []]
        assert (where.home / "notes.txt").exists()


def test_a_folder_of_somebody_else_is_left_alone(where):
    where.lake.mkdir(parents=True)
    (where.lake / "precious.parquet").write_text("mine")
    with pytest.raises(Trouble, match=r"not the demo's.*--home"), fresh(where):
        pass
    assert (where.lake / "precious.parquet").exists()


def test_two_at_once(where):
    with fresh(where), pytest.raises(Trouble, match="Another demo is running"), fresh(where):
        pass
    with fresh(where):
        pass


def test_a_home_that_is_a_file(where):
    where.home.write_text("")
    with pytest.raises(Trouble, match=r"cannot be written \(.+\).*--home"), fresh(where):
        pass


def test_no_room(where, monkeypatch):
    monkeypatch.setattr(paths, "NEEDED", 10**18)
    with pytest.raises(Trouble, match=r"MB are free"), fresh(where):
        pass


def test_no_checkout(tmp_path):
    with pytest.raises(Trouble, match="from a checkout"), fresh(Places(tmp_path / "home", tmp_path / "dags")):
        pass


def test_paths_are_shown_as_one_would_type_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / ".demo" / "lake") == ".demo/lake"
    assert shown(tmp_path.parent / "other") == str(tmp_path.parent / "other")
