"""Opening a DuckDB file, which one process at a time can have open when any of them writes."""

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

#: Seconds between two looks at a file that another process has open.
PAUSE = 1.0

#: Seconds for which a file may be no database: while another process makes it, it is none.
_MAKING = 1.0

#: Bytes of a DuckDB file's three headers (read off files of 1.0 to 2.0): nothing of a table is in a shorter file.
_HEADERS = 3 * 4096

#: What a system says where there is no room: on the disk, in a quota, below the limit of a file's size.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# The path of the other program may hold a person's name, so only its last part is shown.
_HOLDER = re.compile(r"held in (.*) \(PID (\d+)\)")


@contextmanager
def open_in_turn(database: str, turn: float) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the file, waiting ``turn`` seconds while another process has it; raises LoadError that names the process."""
    connection = _connect(Path(database), turn)
    try:
        yield connection
    finally:
        connection.close()


def is_full(fault: Exception) -> bool:
    """Whether there was no room to write."""
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
                log.info("%s is free after %.0f s", path.name, time.monotonic() - began)
            return connection


def _wait_or_raise(path: Path, fault: duckdb.Error, turn: float, seconds: float, *, waited: bool) -> bool:
    """Wait a moment; tells whether it was for another process. Raises LoadError when it was long enough."""
    locked = "set lock on file" in str(fault)
    if is_full(fault) or seconds >= (turn if locked or waited else _MAKING):
        if is_full(fault) or locked or seconds >= turn or not _is_half_made(path):
            raise LoadError(_explain_refusal(path.name, fault, turn, locked=locked)) from None
        path.unlink(missing_ok=True)
        log.info("%s held nothing, left by a load that broke off: it is made anew", path.name)
    if locked and not waited:
        log.info("%s is open in %s: waiting for it, for %.0f s at most", path.name, _find_holder(fault), turn)
    time.sleep(min(PAUSE, turn / 10) if locked else _MAKING / 10)
    return waited or locked


def _is_half_made(path: Path) -> bool:
    """Whether a file is the mere beginning of a database. One with anything else in it is left as it is."""
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
            f"{what} For {turn:.0f} s it has been open in {_find_holder(fault)}. Close it there, then clear the task. "
            "Who reads for long should read a copy."
        )
    return f"{what} There is no room on its disk. Free some." if is_full(fault) else f"{what} Is it a DuckDB database?"
