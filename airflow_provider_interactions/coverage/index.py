"""An index of manifests, so that looking at years of windows does not read thousands of files.

::

    index/vendor=…/account=….bin      what coverage needs of each manifest of the account, with the file's version

A look lists the account's manifests. An entry counts only while the listing shows the version that it was read
from: the ETag, the generation, or on a disk the file's number, time and size. Other manifests are read again, and the
index is replaced as a whole. So it can never be wrong, only incomplete: it may be deleted, be damaged, be of another
version of the code, and several processes may replace it at the same time.

In an object store, to list thousands of manifests takes seconds. If the account's mark is the one of the last listing
(see ``changes``), that listing still counts, for ``Trust.listing`` at most: somebody else may have removed a file.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from airflow_provider_interactions.errors import ConfigError, LakeUnavailable
from airflow_provider_interactions.lake.changes import FOLDER, GRACE
from airflow_provider_interactions.lake.manifest import Counts, File
from airflow_provider_interactions.lake.paths import AccountPaths, name_index, read_account
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.versions import Version

log = logging.getLogger(__name__)

#: The form of the index. One in another form is made again.
FORM = 2

#: Manifests to read at once.
AT_ONCE = 1_000

#: A run brings an index up to date that is older: once in a while, because listing thousands of manifests takes time.
AGE = timedelta(hours=1)

#: The layers with manifests.
LAYERS = ("manifests", "history")

#: Stands for the mark of an account that has none: its manifests are listed.
NO_MARK = Version()


@dataclass(frozen=True, slots=True)
class Trust:
    """How long a listing counts while the account's mark stays the same, and how far it must be from the mark."""

    listing: timedelta = timedelta(minutes=10)
    grace: timedelta = GRACE


#: What looks rely on.
TRUST = Trust()


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What coverage needs of a manifest. ``published_at`` is the time of its file, None if the store has none."""

    path: str
    version: str
    published_at: datetime | None
    vendor: str
    account: str
    start: datetime
    end: datetime
    extracted_at: datetime
    counts: Counts
    bytes: int
    asked: str

    @property
    def span(self) -> tuple[datetime, datetime]:
        """Start and end of the manifest's window."""
        return self.start, self.end


class _Manifest(msgspec.Struct):
    """Those fields of a manifest that go into the index."""

    vendor: str
    account: str
    window_start: datetime
    window_end: datetime
    extracted_at: datetime
    counts: Counts
    files: tuple[File, ...] = ()
    asked: str = ""

    def to_entry(self, path: str, version: Version) -> Entry:
        size = sum(file.bytes for file in self.files)
        window = self.window_start, self.window_end
        facts = self.vendor, self.account, *window, self.extracted_at, self.counts, size, self.asked
        return Entry(path, version.id, version.modified_at, *facts)


class _Index(msgspec.Struct, array_like=True):
    """``listed_at`` is when the manifests were last listed, ``mark`` the version of the account's mark before that."""

    form: int = FORM
    listed_at: datetime = datetime.min.replace(tzinfo=UTC)
    mark: str = ""
    entries: list[Entry] = msgspec.field(default_factory=list)

    def is_current(self, mark: Version, now: datetime, trust: Trust) -> bool:
        """Whether no manifest has changed since they were listed."""
        return (
            self.mark == mark.id != ""
            and mark.modified_at is not None
            and mark.modified_at + trust.grace <= self.listed_at <= now < self.listed_at + trust.listing
        )


def find_marks(lake: Lake) -> dict[AccountPaths, Version]:
    """The marks of all accounts, by one listing. Raises as the lake does if it cannot be listed."""
    if lake.local:
        return {}
    found = {read_account(path): version for path, version in lake.find_versions(FOLDER).items()}
    return {account: version for account, version in found.items() if account}


def read_entries(
    lake: Lake,
    account: AccountPaths,
    layers: Iterable[str] = LAYERS,
    mark: Version = NO_MARK,
    trust: Trust = TRUST,
) -> list[Entry]:
    """The entries of all manifests in some layers of an account, and the index brought up to date.

    ``mark`` is the account's, read before. Folders that do not exist are empty. Raises as the lake does if it cannot be
    listed or read.
    """
    path, now = name_index(account.vendor, account.account), datetime.now(UTC)
    index = _read_index(lake, path)
    if index.is_current(mark, now, trust):
        return index.entries
    versions = {
        f"{folder}/{name}": version
        for folder in map(account.folder, layers)
        for name, version in lake.list_versions(folder).items()
        if name.endswith(".json")
    }
    known = {entry.path: entry for entry in index.entries}
    fresh = {name: entry for name, entry in known.items() if name in versions and entry.version == versions[name].id}
    changed = {name: version for name, version in versions.items() if name not in fresh or not version.id}
    entries = [*(fresh | read_manifests(lake, changed)).values()]
    if changed or len(fresh) < len(known) or mark.id:
        _replace_index(lake, path, _Index(FORM, now, mark.id, entries))
    return entries


def refresh_index(lake: Lake, account: AccountPaths, now: datetime) -> None:
    """Bring an account's index up to date if it is older than ``AGE`` at an instant (aware).

    Runs do that, so that a first look after many of them finds most manifests in the index. Raises as the lake does.
    """
    if _read_index(lake, name_index(account.vendor, account.account)).listed_at + AGE < now:
        read_entries(lake, account)


def read_manifests(lake: Lake, versions: Mapping[str, Version]) -> dict[str, Entry]:
    """The entries of some manifests by path, read from their files. Leaves out those that are gone."""
    found = lake.read_many(list(versions), _Manifest, AT_ONCE)
    return {path: manifest.to_entry(path, versions[path]) for path, manifest in found}


def _read_index(lake: Lake, path: str) -> _Index:
    try:
        packed = lake.read_bytes(path)
        index = msgspec.msgpack.decode(zlib.decompress(packed), type=_Index)
    except (FileNotFoundError, zlib.error, msgspec.MsgspecError):
        return _Index()  # it is made again
    return index if index.form == FORM else _Index()


def _replace_index(lake: Lake, path: str, index: _Index) -> None:
    packed = zlib.compress(msgspec.msgpack.encode(index), 1)
    try:
        lake.write(path, packed)
    except (ConfigError, LakeUnavailable) as refused:
        log.info("The index of manifests was not saved, so the next look reads them again. %s", refused)
