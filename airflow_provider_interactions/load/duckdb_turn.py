"""Open a DuckDB file for writing: only one process can have it open at a time."""

from __future__ import annotations

import errno
import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from airflow_provider_interactions.errors import LoadError

log = logging.getLogger(__name__)

#: Seconds between two attempts to open a file that another process has open.
PAUSE = 1.0

#: Seconds for which a file may not be a database yet, because another process is creating it.
_MAKING = 1.0

#: Bytes of a DuckDB file's three headers, as seen in files of 1.0 to 2.0. A shorter file holds no table data.
_HEADERS = 3 * 4096

#: Error numbers for a full disk, an exhausted quota, and the limit of a file's size.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# Show only the last part of the other program's path: the path may contain a person's name.
_HOLDER = re.compile(r"held in (.*) \(PID (\d+)\)")


@contextmanager
def open_in_turn(database: str, turn: float) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the file. Wait up to ``turn`` seconds while another process has it open. Raises LoadError."""
    connection = _connect(Path(database), turn)
    try:
        yield connection
    finally:
        connection.close()


def is_full(fault: Exception) -> bool:
    """Whether the error means that the disk, the quota or the file is full."""
    text = str(fault).lower()
    return getattr(fault, "errno", None) in _FULL or any(os.strerror(one).lower() in text for one in _FULL)


def _connect(path: Path, turn: float) -> duckdb.DuckDBPyConnection:
    began, waited = time.monotonic(), False
    while True:
        try:
            connection = duckdb.connect(str(path))
        except duckdb.Error as fault:
            waited = _wait_or_raise(path, fault, turn, time.monotonic() - began, waited=waited)
        else:
            if waited:
                log.info("%s became free after %.0f s", path.name, time.monotonic() - began)
            return connection


def _wait_or_raise(path: Path, fault: duckdb.Error, turn: float, seconds: float, *, waited: bool) -> bool:
    """Wait a moment, and return whether another process had the file open. Raises LoadError after ``turn`` seconds."""
    locked = "set lock on file" in str(fault)
    if is_full(fault) or seconds >= (turn if locked or waited else _MAKING):
        if is_full(fault) or locked or seconds >= turn or not _is_half_made(path):
            raise LoadError(_explain_refusal(path.name, fault, turn, locked=locked)) from None
        path.unlink(missing_ok=True)
        log.info("%s is an empty database file of an interrupted load: creating it again", path.name)
    if locked and not waited:
        log.info("%s is open in %s: waiting up to %.0f s", path.name, _find_holder(fault), turn)
    time.sleep(min(PAUSE, turn / 10) if locked else _MAKING / 10)
    return waited or locked


def _is_half_made(path: Path) -> bool:
    """Whether a file is an interrupted creation of a database. Any other file must not be removed."""
    if not path.is_file() or path.stat().st_size > _HEADERS or path.with_name(f"{path.name}.wal").exists():
        return False
    content = path.read_bytes()
    return not any(content) or (content[8:12] == b"DUCK" and len(content) < _HEADERS)


def _find_holder(fault: duckdb.Error) -> str:
    found = _HOLDER.search(str(fault))
    if found is None:
        return "another process"
    program = found[1].replace("\\", "/").rpartition("/")[2]
    return f"process {found[2]} ({program})"


def _explain_refusal(name: str, fault: duckdb.Error, turn: float, *, locked: bool) -> str:
    what = f"The DuckDB file cannot be opened ({name}: {type(fault).__name__})."
    if locked:
        return (
            f"{what} It was open in {_find_holder(fault)} for {turn:.0f} s. Close it there, then clear the task. "
            "For long queries, read a copy."
        )
    return (
        f"{what} Its disk is full. Free some space, then clear the task."
        if is_full(fault)
        else f"{what} Check that it is a DuckDB database."
    )
