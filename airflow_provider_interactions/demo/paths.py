"""Where the demo keeps its files, and how a run removes those of the run before."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from airflow_provider_interactions.demo.errors import DemoError

_PACKAGE = Path(__file__).parents[1]
#: The example DAGs: part of an installed package, beside the package in a checkout.
DAGS = _PACKAGE / "example_dags" if (_PACKAGE / "example_dags").is_dir() else _PACKAGE.parent / "dags"

#: bytes; a run of the default size leaves about 10 MB
NEEDED = 300_000_000

_MARK = ".made-by-interactions-demo"


@dataclass(frozen=True, slots=True)
class Paths:
    """Files and folders of one demo; ``home`` is absolute."""

    home: Path
    dags: Path = DAGS

    @property
    def airflow(self) -> Path:
        """Airflow's own home: metadata database, task logs."""
        return self.home / "airflow"

    @property
    def lake(self) -> Path:
        """The Parquet files."""
        return self.home / "lake"

    @property
    def database(self) -> Path:
        """The DuckDB file."""
        return self.home / "interactions.duckdb"

    @property
    def logs(self) -> Path:
        """What the processes print."""
        return self.home / "logs"


@contextmanager
def prepare_home(paths: Paths) -> Iterator[None]:
    """Empty the home and lock it while the block runs; raises DemoError when it holds files of somebody else."""
    if not paths.dags.is_dir():
        missing = f"There is no folder {shorten(paths.dags)}."
        raise DemoError(f"{missing} Install the package from its wheel, or run the demo from a checkout.")
    with _open_mark(paths.home) as mark:
        _lock(paths.home, mark)
        _clear(paths)
        yield


def shorten(path: Path) -> str:
    """A path as a person in the present folder would write it."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def _open_mark(home: Path) -> IO[str]:
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not (home / _MARK).exists() and any(home.iterdir()):
            raise DemoError(f"{shorten(home)} holds files that are not the demo's. Choose another folder with --home.")
        return (home / _MARK).open("w")
    except OSError as wrong:
        message = f"{shorten(home)} cannot be written ({wrong.strerror}). Choose another folder with --home."
        raise DemoError(message) from wrong


def _lock(home: Path, mark: IO[str]) -> None:
    try:
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as taken:
        message = f"Another demo is running in {shorten(home)}. End it first, or choose another folder with --home."
        raise DemoError(message) from taken


def _clear(paths: Paths) -> None:
    for folder in (paths.airflow, paths.lake, paths.logs):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for file in paths.home.glob(f"{paths.database.name}*"):  # its write-ahead log, too
        file.unlink()
    if shutil.disk_usage(paths.home).free < NEEDED:
        raise DemoError(f"Less than {NEEDED // 10**6} MB are free for {shorten(paths.home)}. Make room, or use --home.")
