"""Where the demo keeps its things, and how a run starts with none of a former run's."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from airflow_provider_interactions.demo.errors import Trouble

CHECKOUT = Path(__file__).parents[2]

#: bytes; a run of the default size leaves about 10 MB
NEEDED = 300_000_000

_MARK = ".made-by-interactions-demo"


@dataclass(frozen=True, slots=True)
class Places:
    """Files and folders of one demo; ``home`` is absolute."""

    home: Path
    dags: Path = CHECKOUT / "dags"

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
def fresh(places: Places) -> Iterator[None]:
    """Empty the home and keep it to this demo while the block runs; raises Trouble when it is somebody else's."""
    if not places.dags.is_dir():
        raise Trouble(f"There is no folder {shown(places.dags)}. The demo runs from a checkout: clone the repository.")
    with _marked(places.home) as mark:
        _keep(places.home, mark)
        _empty(places)
        yield


def shown(path: Path) -> str:
    """A path as a person in the present folder would write it."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def _marked(home: Path) -> IO[str]:
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not (home / _MARK).exists() and any(home.iterdir()):
            raise Trouble(f"{shown(home)} holds files that are not the demo's. Choose another folder with --home.")
        return (home / _MARK).open("w")
    except OSError as wrong:
        message = f"{shown(home)} cannot be written ({wrong.strerror}). Choose another folder with --home."
        raise Trouble(message) from wrong


def _keep(home: Path, mark: IO[str]) -> None:
    try:
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as taken:
        message = f"Another demo is running in {shown(home)}. End it first, or choose another folder with --home."
        raise Trouble(message) from taken


def _empty(places: Places) -> None:
    for folder in (places.airflow, places.lake, places.logs):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for file in places.home.glob(f"{places.database.name}*"):  # its write-ahead log, too
        file.unlink()
    if shutil.disk_usage(places.home).free < NEEDED:
        raise Trouble(f"Less than {NEEDED // 10**6} MB are free for {shown(places.home)}. Make room, or use --home.")
