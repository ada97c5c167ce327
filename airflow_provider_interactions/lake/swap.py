"""Small objects in the lake that several tasks change: by compare and swap, where the lake can do that.

On a local disk a lock file guards the comparison, and a rename replaces the file. On S3 and stores like it, a
conditional PUT does both: ``If-None-Match`` for the first version, ``If-Match`` with the ETag for later ones. Whether
a network file system honours the lock is up to its server.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_interactions.lake.faults import translate_faults
from airflow_provider_interactions.lake.storage import Lake

#: An ETag that no object has, to test whether a store compares ETags.
NO_ETAG = '"00000000000000000000000000000000"'

#: What S3 says if the object is another one by now, or if two writes met.
LOST = frozenset(("PreconditionFailed", "ConditionalRequestConflict", "412", "409"))


def open_shared_object(lake: Lake, path: str) -> LocalObject | S3Object | None:
    """A file of the lake that several tasks may change; None if this lake cannot compare and swap."""
    if lake.local:
        return LocalObject(Path(lake.full(path)))
    if lake.protocols & {"s3", "s3a"}:
        return S3Object(lake.fs, lake.full(path))
    return None


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
    """Replace a small file if its content is still ``former``. Returns whether that is done. Raises as ``Lake.write``.

    S3 and Azure compare in the same step. A disk compares under a lock. With other stores, Google's among them, this
    compares just before it writes: its driver has no conditional write of a later version.
    """
    lake.mark_changes([path])
    with translate_faults():
        if lake.protocols & {"s3", "s3a"}:
            shared = S3Object(lake.fs, lake.full(path))
            found, version = shared.read()
            return found == former and shared.swap(data, version) is not None
        if lake.protocols & {"az", "abfs", "abfss"}:
            return _replace_blob(lake.fs, lake.full(path), data, former)
    with hold_folder(lake, path):
        try:
            unchanged = lake.read_bytes(path) == former
        except FileNotFoundError:
            return False
        if unchanged:
            lake.write(path, data)
        return unchanged


def _replace_blob(fs: Any, path: str, data: bytes, former: bytes) -> bool:
    """Replace a blob by its ETag, which comes first: if the blob changes between the calls, the write is refused."""
    from azure.core import MatchConditions
    from azure.core.exceptions import ResourceModifiedError

    try:
        version = fs.info(path, refresh=True)["etag"]
        if fs.cat_file(path) != former:
            return False
        fs.pipe_file(path, data, etag=version, match_condition=MatchConditions.IfNotModified)
    except (FileNotFoundError, ResourceModifiedError):
        return False
    return True


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

    def swap(self, data: bytes, version: str) -> str | None:
        """Replace that version; returns the new one, None if the content has changed. Raises OSError."""
        with self._lock():
            if self.read()[1] != version:
                return None
            new = self.path.with_name(f"{self.path.name}.new")  # one at a time, under the lock
            new.write_bytes(data)
            new.replace(self.path)
            return data.decode()

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


@dataclass(slots=True)
class S3Object:
    """An object of an S3 store; a version is its ETag. A ``glance`` is one HEAD request."""

    fs: Any
    path: str
    seconds: float = 2.0
    glance: float = 0.2
    data: bytes = b""
    version: str = ""

    def read(self) -> tuple[bytes, str]:
        """Its content and its version; both empty if there is none. Raises OSError.

        The ETag comes first: if the object changes between the two calls, the swap is lost.
        """
        try:
            version = str(self.fs.info(self.path, refresh=True)["ETag"])
            if version != self.version:
                self.data, self.version = self.fs.cat_file(self.path), version
        except FileNotFoundError:
            return b"", ""
        return self.data, version

    def swap(self, data: bytes, version: str) -> str | None:
        """Replace that version; returns the new one, None if the content has changed. Raises OSError."""
        try:
            written = self.fs.pipe_file(self.path, data, **({"IfMatch": version} if version else {"mode": "create"}))
        except OSError as refusal:
            if is_lost(refusal):
                return None
            raise
        self.data, self.version = data, str(written["ETag"])
        return self.version

    def check(self) -> bool:
        """Whether the store compares before it writes: it must refuse to replace a version that never was."""
        return self.swap(self.read()[0], NO_ETAG) is None


def is_lost(refusal: OSError) -> bool:
    """Whether a store refused a write because the object is another one by now, or is gone."""
    cause: BaseException | None = refusal
    while cause is not None:
        if str(getattr(cause, "response", {}).get("Error", {}).get("Code")) in LOST:
            return True
        cause = cause.__cause__ or cause.__context__
    return isinstance(refusal, FileExistsError | FileNotFoundError)
