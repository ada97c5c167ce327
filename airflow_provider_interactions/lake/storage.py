"""The folders of the lake, and atomic writes to them.

::

    contacts/vendor=…/account=…/window=…/         lists of contacts
    raw/vendor=…/account=…/window=…/              records as the vendor sent them, and one manifest.json
    interactions/vendor=…/account=…/date=…/       the canonical table
    history/vendor=…/account=…/                   full histories, of vendors that cannot filter by date
    rejects/vendor=…/account=…/window=…/          unreadable records, each with the reason
    unfinished/vendor=…/account=…/window=…/       checkpoints of extractions that are running or that failed
    manifests/vendor=…/account=…/window=….json    the manifests of normalized windows
    requests/vendor=…/account=…/                  results of data subject requests
    suppression/vendor=…/                         keyed hashes of people who were erased
    receipts/                                     receipts of erasures
    erasures/                                     the people of erasures that are not complete
    limits/vendor=…/account=….json                which tasks share the account's limit at the moment
    pending/vendor=…/account=…/window=…-….json    marks of raw windows that are not normalized yet
    index/vendor=…/account=….bin                  an index of the account's manifests; may be deleted at any time
    changes/vendor=…/account=…/mark.json          changes before each of the account's manifests does; not on a disk
    tables/vendor=…/account=…/window=…-….json     what a bulk vendor's tables held of a window when it was extracted
    seen/vendor=…/account=….json                  native types and names of fields that its windows had
    ledger/date=…/                                one row for every try of every step

Every name is a function of vendor, account, window, batch and the instant of the run, so runs never overwrite each
other's files. A commit replaces the manifest last. A reader that starts at the manifest sees either the former version
of a window or the new one, never a mixture. The commit then removes the files of the former version.
"""

from __future__ import annotations

import contextlib
import posixpath
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import fsspec
import msgspec

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.changes import mark_changes
from airflow_provider_interactions.lake.faults import READING, REMOVING, translate_faults
from airflow_provider_interactions.lake.file_systems import (
    OBJECT_STORES,
    UNCACHED,
    abandon_stream,
    abort_uploads,
    choose_options,
    pass_over_gone,
)
from airflow_provider_interactions.lake.keys import HashKey
from airflow_provider_interactions.lake.paths import timestamp
from airflow_provider_interactions.lake.versions import Version, read_version, scan_versions

T = TypeVar("T")

#: How many times to list a folder that keeps changing.
LISTINGS = 100

NO_LAKE = "No lake is set. Give the operator a lake, or set [interactions] lake in the configuration."


@dataclass(frozen=True, slots=True)
class Lake:
    """A folder on any file system that fsspec supports. Paths in manifests are relative to ``root``.

    ``keys`` returns the keys for the hashes of erased people, see ``suppression``; it is called only if there are any.
    ``ring`` is the ``KeyRing`` by which new raw rows are encrypted, see ``encryption``; None stores them as they are.
    """

    fs: Any
    root: str
    keys: Callable[[], Sequence[HashKey]] | None = field(default=None, repr=False, compare=False)
    ring: Any = field(default=None, repr=False, compare=False)

    @classmethod
    def at(cls, url: str, fs: Any = None, **storage_options: Any) -> Lake:
        """Open a folder by URL (``s3://bucket/prefix``, ``file:///data``, or a local path). Raises ConfigError.

        If ``fs`` is given, ``url`` is a path of that file system.
        """
        if not url:
            raise ConfigError(NO_LAKE)
        try:
            found, root = (fs, url) if fs else fsspec.url_to_fs(url, **UNCACHED, **storage_options)
        except (ImportError, ValueError) as wrong:
            why = type(wrong).__name__
            msg = f"The lake's address cannot be used ({why}). Check its scheme, and that its driver is installed."
            raise ConfigError(msg) from wrong
        return cls(found, root.rstrip("/"))

    def full(self, path: str) -> str:
        """The file system's path of a file in the lake."""
        return posixpath.join(self.root, path)

    def url(self, path: str) -> str:
        """The URL of a file in the lake, for people and other tools."""
        return str(self.fs.unstrip_protocol(self.full(path)))

    def prepare(self, path: str) -> None:
        """Make the folder of a path, if the file system has folders. Raises as ``faults.describe_fault`` says."""
        if not OBJECT_STORES.isdisjoint(self.protocols):
            return
        with translate_faults():
            self.fs.makedirs(posixpath.dirname(self.full(path)), exist_ok=True)

    def publish(self, path: str, value: Any) -> None:
        """Write a small JSON object atomically: readers see either the former object or this one."""
        self.write(path, msgspec.json.encode(value))

    def write(self, path: str, data: bytes) -> None:
        """Write a small file atomically. Raises as ``faults.describe_fault`` says."""
        self.prepare(path)
        self.mark_changes([path])
        with translate_faults():
            if self.local:
                self._rename_into(path, data)
            else:
                self.fs.pipe_file(self.full(path), data)  # one PUT is atomic on object stores

    def mark_changes(self, paths: Iterable[str]) -> None:
        """Say that files are about to change, where readers rely on that; see ``changes``. Raises as ``write``."""
        if not self.local:
            with translate_faults():
                mark_changes(self.fs, self.root, paths)

    def _rename_into(self, path: str, data: bytes) -> None:
        temporary = self.temporary(path)
        try:
            self.fs.pipe_file(self.full(temporary), data)
            self.fs.mv(self.full(temporary), self.full(path))
        except BaseException:  # also of a task that is asked to stop, which is an exception at any instant
            self.remove([temporary])
            raise

    def temporary(self, path: str) -> str:
        """A unique name beside a path, for an unfinished file. It holds the time, so that cleanup can find it later."""
        return f"{path}-{timestamp(datetime.now(UTC))}-{uuid.uuid4().hex[:8]}.tmp"

    def read(self, path: str, kind: type[T]) -> T | None:
        """Read a published object; None if there is none. Raises as ``faults.describe_fault`` says."""
        try:
            return msgspec.json.decode(self.read_bytes(path), type=kind)
        except FileNotFoundError:
            return None

    def read_bytes(self, path: str) -> bytes:
        """The content of a small file. Raises FileNotFoundError, else as ``faults.describe_fault`` says."""
        with translate_faults(READING):
            return bytes(self.fs.cat_file(self.full(path), **choose_options(self.fs)))

    @contextlib.contextmanager
    def open(self, path: str) -> Iterator[Any]:
        """A file to read from, closed afterwards. The same errors, also for what is read from it inside the block."""
        with translate_faults(READING), contextlib.closing(self.fs.open(self.full(path), "rb")) as stream:
            yield stream

    def size(self, path: str) -> int:
        """The size of a file in bytes. Raises FileNotFoundError, else as ``faults.describe_fault`` says."""
        with translate_faults(READING):
            return int(self.fs.size(self.full(path)))

    def exists(self, path: str) -> bool:
        """Whether there is such a file or folder. Raises as ``faults.describe_fault`` says.

        Drivers' own ``exists`` answers no if the store cannot be reached.
        """
        try:
            with translate_faults(READING):
                self.fs.info(self.full(path))
        except FileNotFoundError:
            return False
        return True

    def read_many(self, paths: Sequence[str], kind: type[T], at_once: int = 1_000) -> Iterator[tuple[str, T]]:
        """Read published objects, many at a time where the store can do that. Leaves out those that are gone."""
        for path, data in self.read_files(paths, at_once):
            yield path, msgspec.json.decode(data, type=kind)

    def read_files(self, paths: Sequence[str], at_once: int = 1_000) -> Iterator[tuple[str, bytes]]:
        """The same for files of any kind. Holds ``at_once`` of them in memory. Raises as ``read``."""
        for n in range(0, len(paths), at_once):
            some = {self.full(path): path for path in paths[n : n + at_once]}
            with translate_faults(READING):
                found = self.fs.cat(list(some), on_error="return", **choose_options(self.fs))
                for fault in found.values():
                    if isinstance(fault, Exception) and not isinstance(fault, FileNotFoundError):
                        raise fault
            yield from ((some[full], data) for full, data in found.items() if not isinstance(data, Exception))

    def remove(self, paths: Iterable[str]) -> None:
        """Delete files that nothing refers to any more. Ignores files that are already gone. Raises as ``read``."""
        paths = list(paths)
        self.mark_changes(paths)
        for path in paths:
            with contextlib.suppress(FileNotFoundError), translate_faults(REMOVING):
                self.fs.rm_file(self.full(path))

    def remove_folder(self, folder: str) -> None:
        """Delete a folder with everything in it, if it exists. Raises as ``read``."""
        with contextlib.suppress(FileNotFoundError), translate_faults(REMOVING):
            self.fs.rm(self.full(folder), recursive=True)

    def list_names(self, folder: str) -> list[str]:
        """The names of the files in a folder, sorted; empty if the folder does not exist. Raises as ``read``."""
        for _ in range(LISTINGS):
            try:
                with translate_faults(READING):
                    return sorted(map(posixpath.basename, self.fs.ls(self.full(folder), detail=False, refresh=True)))
            except FileNotFoundError:
                # A file that vanished during the listing raises the same error, and must not hide the other files.
                if not self.exists(folder):
                    return []
        msg = "The lake changes too fast to be listed. Check whether many tasks write the same window at the same time."
        raise ConfigError(msg)

    def list_versions(self, folder: str) -> dict[str, Version]:
        """The names in a folder with the version of each; empty if the folder does not exist. Raises as ``read``."""
        try:
            with translate_faults(READING):
                if self.local:
                    return scan_versions(self.full(folder))
                found = self.fs.ls(self.full(folder), detail=True, refresh=True)
        except FileNotFoundError:
            return {}
        return {posixpath.basename(info["name"]): read_version(info) for info in found}

    def find_versions(self, folder: str) -> dict[str, Version]:
        """The paths of all files below a folder, at any depth, with the version of each. Raises as ``read``."""
        with translate_faults(READING):
            found = self.fs.find(self.full(folder), detail=True)
        return {path.removeprefix(f"{self.root}/"): read_version(info) for path, info in found.items()}

    def list_files(self, folder: str) -> list[str]:
        """The paths of all files below a folder, at any depth, relative to the root, unsorted. Raises as ``read``."""
        with translate_faults(READING):
            found = self.fs.find(self.full(folder), **({"on_error": pass_over_gone} if self.local else {}))
        return [path.removeprefix(f"{self.root}/") for path in found]

    def abandon(self, stream: Any) -> None:
        """Give up a file that is being written. An object never appears; a local file is closed."""
        abandon_stream(stream, local=self.local)

    def abort_uploads(self, folder: str, before: datetime) -> None:
        """Abort the uploads below a folder that began before an instant; see ``file_systems.abort_uploads``."""
        abort_uploads(self.fs, self.full(folder), before)

    @property
    def local(self) -> bool:
        """Whether the lake is on a local disk, where a rename is atomic."""
        return "file" in self.protocols

    @property
    def protocols(self) -> frozenset[str]:
        """The names of the lake's scheme."""
        known = self.fs.protocol
        return frozenset(known if isinstance(known, tuple) else (known,))
