"""Small files that several tasks change: by compare and swap, where their storage can do that.

On a local disk a lock file guards the comparison, and a rename replaces the file. Object stores do both in one
conditional write: S3 and stores like it, and Azure, compare the ETag, Google compares the generation. Whether a network
file system honours the lock is up to its server.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from airflow_provider_interactions.lake.conditional import StoreObject, open_store_object
from airflow_provider_interactions.lake.faults import translate_faults
from airflow_provider_interactions.lake.storage import Lake


def open_shared_object(lake: Lake, path: str) -> LocalObject | StoreObject | None:
    """A file that several tasks may change; None if this storage cannot compare and swap."""
    if lake.local:
        return LocalObject(Path(lake.full(path)))
    return open_store_object(lake.fs, lake.protocols, lake.full(path))


def open_ledger(lake: Lake, path: str) -> LocalObject | StoreObject | None:
    """The same for a file that changes several times a second: not on Google's store, which takes one write a second.

    Nor on Azure's, where this was never tried.
    """
    return open_shared_object(lake, path) if lake.local or lake.protocols & {"s3", "s3a"} else None


@contextmanager
def hold_folder(lake: Lake, path: str) -> Iterator[None]:
    """Keep the tasks of this machine that hold the folder of a path, too, from replacing files in it meanwhile.

    Only on a local disk. It locks the folder itself, so that no lock file is left. A network file system that cannot
    lock a folder goes without. The kernel lets the lock go when a process dies.
    """
    if not lake.local:
        yield
        return
    lake.prepare(path)
    handle = os.open(os.path.dirname(lake.full(path)), os.O_RDONLY | os.O_CLOEXEC)  # noqa: PTH120 - of any spelling
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def replace_if_unchanged(lake: Lake, path: str, data: bytes, former: bytes) -> bool:
    """Replace a small file if its content is still ``former``. Raises as ``Lake.write``.

    Returns whether that is done, by this task or by another one that wrote the same. S3, Azure and Google compare in
    the same step. A disk compares under a lock. Other stores compare just before they write.
    """
    lake.mark_changes([path])
    with translate_faults():
        shared = open_store_object(lake.fs, lake.protocols, lake.full(path))
        if shared is not None:
            found, version = shared.read()
            # A client repeats a write whose answer was lost. Then the refusal is about its own write.
            return found == former and (shared.swap(data, version) or shared.read()[0] == data)
    with hold_folder(lake, path):
        try:
            unchanged = lake.read_bytes(path) == former
        except FileNotFoundError:
            return False
        if unchanged:
            lake.write(path, data)
        return unchanged


@dataclass(slots=True)
class LocalObject:
    """A file on a local disk; a version is the content itself.

    Renew an entry every so many ``seconds``, look at the file at each ``glance``.
    """

    path: Path
    seconds: float = 0.2
    glance: float = 0.02

    def read(self) -> tuple[bytes, str]:
        """The file's content and version; both are empty if the file does not exist. Raises OSError."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return b"", ""
        return data, data.decode()

    def swap(self, data: bytes, version: str) -> bool:
        """Replace that version. Returns False if the content has changed. Raises OSError."""
        with self._lock():
            if self.read()[1] != version:
                return False
            new = self.path.with_name(f"{self.path.name}.new")  # one at a time, under the lock
            new.write_bytes(data)
            new.replace(self.path)
            return True

    def check(self) -> bool:
        """Whether a comparison comes before each write: always."""
        return True

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Hold the lock file. The kernel lets it go when a process dies."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path.with_name(f"{self.path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
