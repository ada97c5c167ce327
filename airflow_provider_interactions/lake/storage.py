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
    limits/vendor=…/account=….json                which tasks share the account's limit at the moment

Every name is a function of vendor, account, window, batch and the instant of the run, so runs never overwrite each
other's files. A commit replaces the manifest last. A reader that starts at the manifest sees either the former version
of a window or the new one, never a mixture. The commit then removes the files of the former version.
"""

from __future__ import annotations

import contextlib
import errno
import posixpath
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import fsspec
import msgspec
from fsspec.spec import AbstractBufferedFile

from airflow_provider_interactions.errors import ConfigError, LakeUnavailable
from airflow_provider_interactions.lake.paths import timestamp

T = TypeVar("T")

#: Use a client of our own, because fsspec shares clients with other tasks in this process. Do not cache listings,
#: because a cached listing still has files that another process has removed.
UNCACHED = {"skip_instance_cache": True, "use_listings_cache": False}

#: How many times to list a folder that keeps changing.
LISTINGS = 100

#: Protocols without real folders. Making a folder there looks for the bucket, and creates it if it is absent.
OBJECT_STORES = frozenset(("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss"))

NO_LAKE = "No lake is set. Give the operator a lake, or set [interactions] lake in the configuration."


def clone_client(fs: Any) -> Any:
    """A file system like this one, with a client of its own and without cached listings; see ``UNCACHED``."""
    return type(fs)(*fs.storage_args, **{**fs.storage_options, **UNCACHED})


@dataclass(frozen=True, slots=True)
class Lake:
    """A folder on any file system that fsspec supports. Paths in manifests are relative to ``root``."""

    fs: Any
    root: str

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
        """Make the folder of a path, if the file system has folders. Raises as ``write_error`` says."""
        if not OBJECT_STORES.isdisjoint(self.protocols):
            return
        with translate_faults():
            self.fs.makedirs(posixpath.dirname(self.full(path)), exist_ok=True)

    def publish(self, path: str, value: Any) -> None:
        """Write a small JSON object atomically: readers see either the former object or this one."""
        self.prepare(path)
        data = msgspec.json.encode(value)
        with translate_faults():
            if self.local:
                self._rename_into(path, data)
            else:
                self.fs.pipe_file(self.full(path), data)  # one PUT is atomic on object stores

    def _rename_into(self, path: str, data: bytes) -> None:
        file = NewFile(self, path)
        try:
            file.stream.write(data)
            file.close()
        except BaseException:
            file.discard()
            raise

    def temporary(self, path: str) -> str:
        """A unique name beside a path, for an unfinished file. It holds the time, so that cleanup can find it later."""
        return f"{path}-{timestamp(datetime.now(UTC))}-{uuid.uuid4().hex[:8]}.tmp"

    def read(self, path: str, kind: type[T]) -> T | None:
        """Read a published object; None if there is none."""
        try:
            return msgspec.json.decode(self.fs.cat_file(self.full(path)), type=kind)
        except FileNotFoundError:
            return None

    def remove(self, paths: Iterable[str]) -> None:
        """Delete files that nothing refers to any more. Ignores files that are already gone."""
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                self.fs.rm_file(self.full(path))

    def list_names(self, folder: str) -> list[str]:
        """The names of the files in a folder, sorted; empty if the folder does not exist. Raises ConfigError."""
        full = self.full(folder)
        for _ in range(LISTINGS):
            try:
                return sorted(map(posixpath.basename, self.fs.ls(full, detail=False, refresh=True)))
            except FileNotFoundError:
                # A file that vanished during the listing raises the same error, and must not hide the other files.
                if not self.fs.exists(full):
                    return []
        msg = "The lake changes too fast to be listed. Check whether many tasks write the same window at the same time."
        raise ConfigError(msg)

    def list_files(self, folder: str) -> list[str]:
        """The paths of all files below a folder, at any depth, relative to the root and unsorted."""
        return [path.removeprefix(f"{self.root}/") for path in self.fs.find(self.full(folder))]

    def abandon(self, stream: Any) -> None:
        """Give up a file that is being written. An object never appears; a local file is closed."""
        # The discard method of local streams works only inside fsspec's transactions.
        close = stream.close if self.local else getattr(stream, "discard", stream.close)
        try:
            close()
        except Exception as fault:
            # A full disk, a closed stream, a store that is away. Google answers 499 when it gave a file up.
            if not isinstance(fault, ValueError) and not is_storage_fault(fault):
                raise
        if isinstance(stream, AbstractBufferedFile):
            stream.closed = True  # otherwise it uploads its data, or fails to, on garbage collection

    def abort_uploads(self, folder: str, before: datetime) -> None:
        """Abort the uploads to S3 below a folder that began before an instant (UTC), by processes that were killed.

        Their parts are invisible but cost money. Other stores drop such parts by themselves after a week. Needs the
        permissions to list and abort uploads. Without them a rule of the bucket must do it.
        """
        if not hasattr(self.fs, "call_s3"):
            return
        bucket, _, prefix = self.full(folder).partition("/")
        with contextlib.suppress(PermissionError):
            found = self.fs.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=f"{prefix}/")
            for upload in found.get("Uploads", ()):
                if upload["Initiated"] < before:
                    name = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
                    self.fs.call_s3("abort_multipart_upload", Bucket=bucket, **name)

    @property
    def local(self) -> bool:
        """Whether the lake is on a local disk, where a rename is atomic."""
        return "file" in self.protocols

    @property
    def protocols(self) -> frozenset[str]:
        """The names of the lake's scheme."""
        known = self.fs.protocol
        return frozenset(known if isinstance(known, tuple) else (known,))


class NewFile:
    """A file being written. It gets its name when it is closed, so readers never see half of it.

    On a local disk it has a temporary name until then. An object store shows an object only once it is complete.
    """

    def __init__(self, lake: Lake, path: str) -> None:
        self.lake, self.path = lake, path
        self._temporary = lake.temporary(path) if lake.local else path
        lake.prepare(path)
        try:
            with translate_faults():
                self.stream = lake.fs.open(lake.full(self._temporary), "wb")
        except BaseException:  # also of a task that is asked to stop, which is an exception at any instant
            self._remove()
            raise

    def close(self) -> None:
        """Close the file and give it its name."""
        self.stream.close()
        if self._temporary != self.path:
            self.lake.fs.mv(self.lake.full(self._temporary), self.lake.full(self.path))

    @property
    def size(self) -> int:
        """The size of the finished file in bytes."""
        return int(self.lake.fs.size(self.lake.full(self.path)))

    def discard(self) -> None:
        """Remove the unfinished file."""
        self.lake.abandon(self.stream)
        self._remove()

    def _remove(self) -> None:
        # Without a temporary name, a file of this name comes from an earlier try: keep it.
        if self._temporary != self.path:
            self.lake.remove([self._temporary])


#: Errors of the file system that a retry does not cure.
_LASTING = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.ENAMETOOLONG))
_REFUSED = (PermissionError, FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError)
_REFUSED_STATUS = frozenset((400, 401, 403, 404))

#: The drivers of object stores raise errors of these packages where a disk raises OSError.
_DRIVERS = frozenset(("aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google"))


def is_storage_fault(fault: BaseException) -> bool:
    """Whether an error is a file system's own: an OSError, or an error of an object store's driver."""
    packages = {kind.__module__.partition(".")[0] for kind in type(fault).__mro__}
    return isinstance(fault, OSError) or not _DRIVERS.isdisjoint(packages)


@contextlib.contextmanager
def translate_faults() -> Iterator[None]:
    """Raise what ``write_error`` makes of a file system's own error. Other errors pass."""
    try:
        yield
    except Exception as fault:
        if is_storage_fault(fault):
            raise write_error(fault) from fault
        raise


def write_error(fault: Exception) -> ConfigError | LakeUnavailable:
    """The error for a file that the file system refuses: ConfigError if a retry cannot help, else LakeUnavailable.

    The message holds no text of the driver's, which may name keys and people.
    """
    why = getattr(fault, "strerror", None) or type(fault).__name__
    status = getattr(fault, "status_code", getattr(fault, "code", None))  # of Azure's driver, of Google's
    lasting = getattr(fault, "errno", None) in _LASTING or status in _REFUSED_STATUS
    if not isinstance(fault, _REFUSED) and not lasting:
        return LakeUnavailable(
            f"The lake did not accept a file ({why}). If a retry does not help, ask the operators of the lake."
        )
    return ConfigError(f"The lake cannot be written ({why}). Check its address, its free space and your permissions.")
