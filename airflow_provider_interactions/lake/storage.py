"""Where everything lies in the lake, and how it gets there whole.

::

    contacts/vendor=…/account=…/window=…/         lists of contacts
    raw/vendor=…/account=…/window=…/              records as the vendor sent them, and one manifest.json
    interactions/vendor=…/account=…/date=…/       the canonical table
    history/vendor=…/account=…/                   whole histories, of vendors that cannot filter by date
    rejects/vendor=…/account=…/window=…/          records that cannot be read, each with the reason
    unfinished/vendor=…/account=…/window=…/       what an extraction that is under way, or died, has landed so far
    manifests/vendor=…/account=…/window=….json    what a normalized window consists of
    requests/vendor=…/account=…/                  answers to requests about given people

Every name is a function of vendor, account, window, batch and the instant of the run, so runs never write over each
other's files. A manifest is the one small object that is replaced last: who reads through it sees the former version
of a window or the new one, never a mixture. The files of the former version are removed right after.
"""

from __future__ import annotations

import contextlib
import errno
import posixpath
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import fsspec
import msgspec
from fsspec.spec import AbstractBufferedFile

from airflow_provider_interactions.errors import ConfigError, LakeUnavailable
from airflow_provider_interactions.lake.paths import timestamp

T = TypeVar("T")

#: A client of our own, and one that remembers no listing: a remembered one still names files that another process has
#: removed, and fsspec would share a client with other people's tasks in this process.
UNCACHED = {"skip_instance_cache": True, "use_listings_cache": False}

#: Times to list a folder that changes meanwhile.
LISTINGS = 100

#: Where folders are but parts of names. To make one means to look for the bucket, and to make a bucket that is absent.
OBJECT_STORES = frozenset(("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss"))

NO_LAKE = "There is no lake to write to. Give the operator a lake, or set [interactions] lake in the configuration."


def clone_client(fs: Any) -> Any:
    """A file system like this one, but a client of our own without remembered listings; see ``UNCACHED``."""
    return type(fs)(*fs.storage_args, **{**fs.storage_options, **UNCACHED})


@dataclass(frozen=True, slots=True)
class Lake:
    """A folder on any file system fsspec knows. Paths in manifests are relative to ``root``."""

    fs: Any
    root: str

    @classmethod
    def at(cls, url: str, fs: Any = None, **storage_options: Any) -> Lake:
        """Open a folder by URL (``s3://bucket/prefix``, ``file:///data``, or a local path); raises ConfigError.

        With a file system given, ``url`` is that file system's own path.
        """
        if not url:
            raise ConfigError(NO_LAKE)
        try:
            found, root = (fs, url) if fs else fsspec.url_to_fs(url, **UNCACHED, **storage_options)
        except (ImportError, ValueError) as wrong:
            why = type(wrong).__name__
            msg = f"The lake's address cannot be used ({why}). Is its scheme right, and its driver installed?"
            raise ConfigError(msg) from wrong
        return cls(found, root.rstrip("/"))

    def full(self, path: str) -> str:
        """The file system's own path of something in the lake."""
        return posixpath.join(self.root, path)

    def url(self, path: str) -> str:
        """The address of something in the lake, for people and other tools."""
        return str(self.fs.unstrip_protocol(self.full(path)))

    def prepare(self, path: str) -> None:
        """Make a path's folder, where the file system has folders; raises as ``unwritable`` says."""
        if not OBJECT_STORES.isdisjoint(self._protocols):
            return
        try:
            self.fs.makedirs(posixpath.dirname(self.full(path)), exist_ok=True)
        except OSError as wrong:
            raise write_error(wrong) from wrong

    def publish(self, path: str, value: Any) -> None:
        """Write a small JSON object in one step: readers see the former one or this one."""
        self.prepare(path)
        data = msgspec.json.encode(value)
        try:
            if self.local:
                self._rename_into(path, data)
            else:
                self.fs.pipe_file(self.full(path), data)  # one PUT is atomic on object stores
        except OSError as wrong:
            raise write_error(wrong) from wrong

    def _rename_into(self, path: str, data: bytes) -> None:
        file = NewFile(self, path)
        try:
            file.stream.write(data)
            file.close()
        except BaseException:
            file.discard()
            raise

    def temporary(self, path: str) -> str:
        """A name of its own beside a path, for what is not whole yet; it tells when, so that it can be swept up."""
        return f"{path}-{timestamp(datetime.now(UTC))}-{uuid.uuid4().hex[:8]}.tmp"

    def read(self, path: str, kind: type[T]) -> T | None:
        """Read back a published object; None when there is none."""
        try:
            return msgspec.json.decode(self.fs.cat_file(self.full(path)), type=kind)
        except FileNotFoundError:
            return None

    def remove(self, paths: Iterable[str]) -> None:
        """Delete files that nothing refers to any more; those already gone are fine."""
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                self.fs.rm_file(self.full(path))

    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder, sorted; none when there is no such folder."""
        full = self.full(folder)
        for _ in range(LISTINGS):
            try:
                return sorted(map(posixpath.basename, self.fs.ls(full, detail=False, refresh=True)))
            except FileNotFoundError:
                # A file of the folder that went meanwhile is told in the same way, and must not hide the others.
                if not self.fs.exists(full):
                    return []
        msg = "The lake changes too fast to be listed. Do many tasks write the same window?"
        raise ConfigError(msg)

    def files(self, folder: str) -> list[str]:
        """The paths of all files below a folder, at any depth, relative to the root; in no order."""
        return [path.removeprefix(f"{self.root}/") for path in self.fs.find(self.full(folder))]

    def abandon(self, stream: Any) -> None:
        """Give up a file that is being written: an object never appears, a file on a disk is closed."""
        # Local streams have a discard that only works inside fsspec's transactions.
        leave = stream.close if self.local else getattr(stream, "discard", stream.close)
        with contextlib.suppress(OSError, ValueError):  # a full disk, a stream that is closed
            leave()
        if isinstance(stream, AbstractBufferedFile):
            stream.closed = True  # else it uploads what it has, or fails to, when it is collected

    @property
    def local(self) -> bool:
        """Whether it lies on a disk of this machine, where a rename is atomic."""
        return "file" in self._protocols

    @property
    def _protocols(self) -> tuple[str, ...]:
        known = self.fs.protocol
        return known if isinstance(known, tuple) else (known,)


class NewFile:
    """A file being written: it gets its name when it is closed, so readers never see half of it.

    On a local disk it has another name until then; an object store shows no object before it is complete.
    """

    def __init__(self, lake: Lake, path: str) -> None:
        self.lake, self.path = lake, path
        self._temporary = lake.temporary(path) if lake.local else path
        lake.prepare(path)
        try:
            self.stream = lake.fs.open(lake.full(self._temporary), "wb")
        except OSError as wrong:
            self._remove()
            raise write_error(wrong) from wrong

    def close(self) -> None:
        """Finish the file and give it its name."""
        self.stream.close()
        if self._temporary != self.path:
            self.lake.fs.mv(self.lake.full(self._temporary), self.lake.full(self.path))

    @property
    def size(self) -> int:
        """Bytes of the finished file."""
        return int(self.lake.fs.size(self.lake.full(self.path)))

    def discard(self) -> None:
        """Leave nothing behind."""
        self.lake.abandon(self.stream)
        self._remove()

    def _remove(self) -> None:
        # Without a rename nothing is there before it is complete: a file of that name is from an earlier try.
        if self._temporary != self.path:
            self.lake.remove([self._temporary])


#: What the file system says that trying again does not mend.
_LASTING = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.ENAMETOOLONG))
_REFUSED = (PermissionError, FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError)


def write_error(fault: OSError) -> ConfigError | LakeUnavailable:
    """What to raise when the file system refuses a file: for good, or for now."""
    why = fault.strerror or type(fault).__name__
    if not isinstance(fault, _REFUSED) and fault.errno not in _LASTING:
        return LakeUnavailable(f"The lake took no file just now ({why}). If a retry does not help, ask its operators.")
    return ConfigError(f"The lake cannot be written ({why}). Check its address, its free space and your permissions.")
