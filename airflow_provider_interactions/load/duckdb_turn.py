"""Open a DuckDB file for writing: only one process can have it open at a time."""

from __future__ import annotations

import errno
import fcntl
import glob
import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import BinaryIO, Self

import duckdb

from airflow_provider_interactions.errors import LoadError
from airflow_provider_interactions.load.sql import quote_text

log = logging.getLogger(__name__)

#: Seconds between two attempts to open a file that another process has open.
PAUSE = 1.0

#: Seconds for which a file may not be a database yet, because another process is creating it.
_MAKING = 1.0

#: Bytes of a DuckDB file's three headers, as seen in files of 1.0 to 2.0. A shorter file holds no table data.
_HEADERS = 3 * 4096

#: Bytes copied at once.
_COPIED_BYTES = 16 * 1024 * 1024

#: Error numbers for a full disk, an exhausted quota, and the limit of a file's size.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# Show only the last part of the other program's path: the path may contain a person's name.
_HOLDER = re.compile(r"held in (.*) \(PID (\d+)\)")


#: Seconds to wait for programs that only read the file, before the load works on a copy of it.
PATIENCE = 5.0

#: Of the threads of this process only one works on a file: locks of files keep other processes out, but not threads.
ALONE = threading.RLock()

#: The beginning of MotherDuck's addresses. It is a service, so loads need no file and no turn.
MOTHERDUCK = "md:"


@contextmanager
def open_in_turn(database: str, turn: float, storage_version: str = "") -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the file, made if it is absent. Wait up to ``turn`` seconds while another process writes it.

    A program that only reads the file does not hold up the load for longer than ``PATIENCE`` seconds: the load then
    works on a copy, which replaces the file when the load has ended without an error. Programs that have the file open
    go on with the former one until they open it again. ``storage_version`` is the format of a new file, such as
    ``v1.2.0``; empty for DuckDB's default. Raises LoadError.
    """
    path = Path(database)
    with ALONE:
        if storage_version and not path.exists():
            _make_file(path, storage_version)
        connection, copy = _connect(path, turn)
        with copy:
            try:
                yield connection
            finally:
                connection.close()


@contextmanager
def open_motherduck(address: str, token: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database of MotherDuck. Not run against the service. Raises LoadError, without the token."""
    try:
        connection = duckdb.connect(address, config={"motherduck_token": token} if token else {})
    except duckdb.Error as fault:
        msg = (
            f"MotherDuck cannot be opened ({type(fault).__name__}). Check the token, the database's name, and that "
            "MotherDuck supports the installed version of DuckDB."
        )
        raise LoadError(msg) from None
    with connection:
        yield connection


def _make_file(path: Path, storage_version: str) -> None:
    """Make an empty database of an older format. Another process that makes it at the same time may win."""
    with duckdb.connect() as connection, suppress(duckdb.IOException):
        version = quote_text(storage_version)
        connection.execute(f"ATTACH {quote_text(str(path))} AS made (STORAGE_VERSION {version})")


class FileCopy:
    """A copy of a file that other programs read. It replaces the file if the load ends without an error.

    While it exists, nobody can open the file for writing: this process holds a lock for reading it. Of several loads,
    only one has a copy. Both locks belong to the open file, so it stays open to the end.
    """

    def __init__(self, path: Path, source: BinaryIO) -> None:
        self.path, self.source = path, source
        self.copied = path.with_name(f".{path.name}.{os.getpid()}.loading")

    def fill(self) -> None:
        """Copy the file. Raises OSError."""
        with self.copied.open("wb") as made:
            shutil.copyfileobj(self.source, made, _COPIED_BYTES)
        shutil.copymode(self.path, self.copied)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.copied.replace(self.path)
        finally:
            remove_copies([self.copied])
            self.source.close()


def copy_if_only_read(path: Path) -> FileCopy | None:
    """A copy of a file that others have open for reading only; None if somebody may write it, or has a copy.

    A DuckDB file is locked as a whole: shared by readers, exclusively by a writer. The second lock keeps a second load
    from copying. A log of changes beside the file belongs to a writer that ended, and is applied by the next one.
    """
    source = path.open("rb")
    try:
        fcntl.lockf(source, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(source, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(source.fileno()), path.stat()) and not _find_log(path).exists():
            remove_copies(list_copies(path))  # nobody else has one: they are of processes that died
            return FileCopy(path, source)
    except OSError:  # locked
        pass
    source.close()
    return None


def list_copies(path: Path) -> list[Path]:
    """Copies of a file, of a load that is at work or that died."""
    return [one for one in path.parent.glob(f".{glob.escape(path.name)}.*.loading") if one.is_file()]


def remove_copies(copies: Iterable[Path]) -> None:
    """Remove copies, and what DuckDB has made beside them: their logs, temporary files, and new files."""
    for copied in copies:
        for made in (*copied.parent.glob(f"{glob.escape(copied.name)}.*"), copied):  # by its name others are found
            if made.is_dir():
                shutil.rmtree(made, ignore_errors=True)
            else:
                made.unlink(missing_ok=True)


def _find_log(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")


def is_full(fault: Exception) -> bool:
    """Whether the error means that the disk, the quota or the file is full."""
    text = str(fault).lower()
    return getattr(fault, "errno", None) in _FULL or any(os.strerror(one).lower() in text for one in _FULL)


def _connect(path: Path, turn: float) -> tuple[duckdb.DuckDBPyConnection, AbstractContextManager[object]]:
    """The file, or a copy of it, and what ends the copy."""
    began, waited = time.monotonic(), False
    while True:
        try:
            connection = _open_current(path)
        except duckdb.Error as fault:
            seconds = time.monotonic() - began
            if waited and seconds >= PATIENCE and (copy := copy_if_only_read(path)):
                log.info("%s is being read by %s: loading into a copy of it", path.name, _find_holder(fault))
                return open_copy(copy), copy
            waited = _wait_or_raise(path, fault, turn, seconds, waited=waited)
        else:
            if waited:
                log.info("%s became free after %.0f s", path.name, time.monotonic() - began)
            return connection, nullcontext()


def _open_current(path: Path) -> duckdb.DuckDBPyConnection:
    """Open the file; again if another load replaced it at that moment."""
    while True:
        before = path.stat() if path.exists() else None
        connection = duckdb.connect(str(path))
        if before is None or os.path.samestat(before, path.stat()):
            return connection
        connection.close()


def open_copy(copy: FileCopy) -> duckdb.DuckDBPyConnection:
    """Fill the copy and open it. Raises LoadError."""
    try:
        copy.fill()
        return duckdb.connect(str(copy.copied))
    except BaseException as fault:
        copy.__exit__(type(fault))
        if isinstance(fault, OSError | duckdb.Error):
            raise LoadError(_explain_refusal(copy.path.name, fault, 0, locked=False)) from None
        raise


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
    if not path.is_file() or path.stat().st_size > _HEADERS or _find_log(path).exists():
        return False
    content = path.read_bytes()
    return not any(content) or (content[8:12] == b"DUCK" and len(content) < _HEADERS)


def _find_holder(fault: duckdb.Error) -> str:
    found = _HOLDER.search(str(fault))
    if found is None:
        return "another process"
    program = found[1].replace("\\", "/").rpartition("/")[2]
    return f"process {found[2]} ({program})"


def _explain_refusal(name: str, fault: Exception, turn: float, *, locked: bool) -> str:
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
