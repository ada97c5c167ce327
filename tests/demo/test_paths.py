"""Every run starts afresh, and never at the cost of somebody else's files."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from airflow_provider_interactions.demo import paths
from airflow_provider_interactions.demo.errors import DemoError
from airflow_provider_interactions.demo.paths import Paths, prepare_home, shorten


@pytest.fixture
def where(tmp_path):
    (tmp_path / "dags").mkdir()
    return Paths(tmp_path / "home", tmp_path / "dags")


def test_a_former_runs_things_are_gone_and_other_files_stay(where):
    with prepare_home(where):
        for path in (where.lake / "a.parquet", where.airflow / "airflow.db", where.logs / "a.log", where.database):
            path.write_text("old")
        (where.home / "notes.txt").write_text("mine")
    with prepare_home(where):
        assert not where.database.exists()
        assert [list(folder.iterdir()) for folder in (where.lake, where.airflow, where.logs)] == [[], [], []]
        assert (where.home / "notes.txt").exists()


def test_a_folder_of_somebody_else_is_left_alone(where):
    where.lake.mkdir(parents=True)
    (where.lake / "precious.parquet").write_text("mine")
    with pytest.raises(DemoError, match=r"not the demo's.*--home"), prepare_home(where):
        pass
    assert (where.lake / "precious.parquet").exists()


def test_two_at_once(where):
    with prepare_home(where), pytest.raises(DemoError, match="Another demo is running"), prepare_home(where):
        pass
    with prepare_home(where):
        pass


def test_a_home_that_is_a_file(where):
    where.home.write_text("")
    with pytest.raises(DemoError, match=r"cannot be written \(.+\).*--home"), prepare_home(where):
        pass


def test_no_room(where, monkeypatch):
    monkeypatch.setattr(paths, "NEEDED", 10**18)
    with pytest.raises(DemoError, match=r"MB are free"), prepare_home(where):
        pass


def test_no_checkout(tmp_path):
    with pytest.raises(DemoError, match="from a checkout"), prepare_home(Paths(tmp_path / "home", tmp_path / "dags")):
        pass


def test_paths_are_shown_as_one_would_type_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shorten(tmp_path / ".demo" / "lake") == ".demo/lake"
    assert shorten(tmp_path.parent / "other") == str(tmp_path.parent / "other")


def test_the_demo_finds_its_dags_in_an_installed_package(tmp_path):
    """An installed package lies outside of the checkout; pyproject.toml says which files the wheel has."""
    root = Path(__file__).parents[2]
    wheel = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    for source, target in [*((name, name) for name in wheel["packages"]), *wheel["force-include"].items()]:
        shutil.copytree(root / source, tmp_path / target, ignore=shutil.ignore_patterns("__pycache__"))
    program = (
        "from airflow_provider_interactions.demo import airflow, vendors\n"
        "from airflow_provider_interactions.demo.paths import Paths, prepare_home\n"
        "from pathlib import Path\n"
        "paths = Paths(Path('.demo').absolute())\n"
        "with prepare_home(paths):\n"
        "    folder = Path(airflow.build_environment(paths, 1, {}, {})['AIRFLOW__CORE__DAGS_FOLDER'])\n"
        "    text = ''.join(path.read_text() for path in folder.glob('*.py'))\n"
        "    print(folder, all(source.dag_id in text for source in vendors.SOURCES), paths.lake.is_dir())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == [f"{tmp_path}/airflow_provider_interactions/example_dags", "True", "True"]
