"""An index of manifests, so that looking at years of windows does not read thousands of files.

::

    index/vendor=…/account=….bin      what coverage needs of each manifest of the account, with the file's version

A look lists the account's manifests once. An entry counts only while the listing shows the version that it was read
from: the ETag, the generation, or on a disk the file's number, time and size. Other manifests are read again, and the
index is replaced as a whole. So it can never be wrong, only incomplete: it may be deleted, be damaged, be of another
version of the code, and several processes may replace it at the same time.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from airflow_provider_interactions.errors import ConfigError, LakeUnavailable
from airflow_provider_interactions.lake.manifest import Counts, File
from airflow_provider_interactions.lake.paths import name_index
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.versions import Version

log = logging.getLogger(__name__)

#: The form of the index. One in another form is made again.
FORM = 1

#: Manifests to read at once.
AT_ONCE = 1_000


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
    form: int
    entries: list[Entry]


def read_entries(lake: Lake, vendor: str, account: str, folders: Iterable[str]) -> list[Entry]:
    """The entries of all manifests in some folders of an account, and the index brought up to date.

    Folders that do not exist are empty. Raises as the lake does if it cannot be listed or read.
    """
    versions = {
        f"{folder}/{name}": version
        for folder in folders
        for name, version in lake.list_versions(folder).items()
        if name.endswith(".json")
    }
    path = name_index(vendor, account)
    known = _read_index(lake, path)
    fresh = {name: entry for name, entry in known.items() if name in versions and entry.version == versions[name].id}
    changed = {name: version for name, version in versions.items() if name not in fresh or not version.id}
    entries = fresh | read_manifests(lake, changed)
    if changed or len(fresh) < len(known):
        _replace_index(lake, path, entries.values())
    return list(entries.values())


def read_manifests(lake: Lake, versions: Mapping[str, Version]) -> dict[str, Entry]:
    """The entries of some manifests by path, read from their files. Leaves out those that are gone."""
    found = lake.read_many(list(versions), _Manifest, AT_ONCE)
    return {path: manifest.to_entry(path, versions[path]) for path, manifest in found}


def _read_index(lake: Lake, path: str) -> dict[str, Entry]:
    try:
        packed = lake.read_bytes(path)
        index = msgspec.msgpack.decode(zlib.decompress(packed), type=_Index)
    except (FileNotFoundError, zlib.error, msgspec.MsgspecError):
        return {}  # it is made again
    return {entry.path: entry for entry in index.entries} if index.form == FORM else {}


def _replace_index(lake: Lake, path: str, entries: Iterable[Entry]) -> None:
    packed = zlib.compress(msgspec.msgpack.encode(_Index(FORM, list(entries))), 1)
    try:
        lake.write(path, packed)
    except (ConfigError, LakeUnavailable) as refused:
        log.info("The index of manifests was not saved, so the next look reads them again. %s", refused)
