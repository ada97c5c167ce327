"""Manifests: what a step passes to the next one by XCom. Small, with counts, and enough to find every file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from airflow_provider_interactions.errors import Unreconciled
from airflow_provider_interactions.lake.paths import AccountPaths, WindowPaths
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.schema import OUTCOME_WORDS
from airflow_provider_interactions.window import Window

#: The possible outcomes of one contact.
OUTCOMES = OUTCOME_WORDS


class File(msgspec.Struct, frozen=True):
    """One Parquet file: its path below the lake's root, its rows, its size in bytes."""

    path: str
    rows: int
    bytes: int


class Counts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Rows and requests. Each is counted once and never estimated.

    ``received`` = ``outside`` (over-read: not in the window) + ``undated`` (their time cannot be read: rejected
    during extraction) + ``fetched``; ``fetched`` = ``landed``;
    ``landed`` = ``canonical`` + ``rejected`` + ``repeated`` (the same interaction again).
    ``contacts`` = ``ok`` + ``empty`` + ``not_found`` + ``deleted`` + ``failed``.
    ``erased`` are records of erased people, ``suppressed`` are contacts that are on the suppression list. No other
    count includes them: after an erasure, the other counts are those of the rows that are left.
    """

    received: int = 0
    outside: int = 0
    undated: int = 0
    fetched: int = 0
    landed: int = 0
    canonical: int = 0
    rejected: int = 0
    repeated: int = 0
    contacts: int = 0
    ok: int = 0
    empty: int = 0
    not_found: int = 0
    deleted: int = 0
    failed: int = 0
    requests: int = 0
    retries: int = 0
    throttled: int = 0
    erased: int = 0
    suppressed: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One window, or one batch of its contacts, as the lake holds it.

    ``files`` hold the rows. ``rejects`` hold the quarantined rows. ``undated`` hold the rows that extraction
    quarantined because their time cannot be read. ``outcomes`` hold one row per contact. All paths are relative to the
    lake's root. ``batch`` counts from 0 and is below ``batches``. ``digest`` is the SHA-256 of the concatenated
    SHA-256 digests of the files, in hexadecimal digits. The digest of a file covers its payloads in order, then their
    lengths as little-endian 32-bit integers. Times are UTC. A run over several windows extracts them as one long
    window, to be split into ``windows`` of ``width``. Steps pass such a manifest on but never publish it: each of its
    windows has its own. ``asked`` is a digest of source and options (`Job.source_digest`), empty if not recorded.
    The first ``late`` of the windows are older than the run's own window, and were read again.
    ``schema_version`` is the version of the canonical columns in its files (`schema.find_version`).
    ``types`` are native types of its rows, and ``fields`` names of its records' fields without a column: as many as
    `names.MOST` of each, as `names.show_names` spells them.
    ``policy`` is the digest of the policy for personal data that its canonical rows and rejects follow, empty if it
    keeps everything. ``identities`` is the digest of the rows of the map of identities that are about its contacts
    (`join_identities`), empty if ``person_id`` was not looked up. ``ambiguous`` are its contacts that the map gives to
    more than one person. ``swept`` are the layers whose files retention has removed; the counts stay. ``leaving`` are
    files that it is about to remove.
    """

    vendor: str
    account: str
    window_start: datetime
    window_end: datetime
    extracted_at: datetime
    batch: int = 0
    batches: int = 1
    files: tuple[File, ...] = ()
    outcomes: tuple[File, ...] = ()
    rejects: tuple[File, ...] = ()
    undated: tuple[File, ...] = ()
    counts: Counts = msgspec.field(default_factory=Counts)
    digest: str = ""
    windows: int = 1
    width: timedelta | None = None
    asked: str = ""
    schema_version: int = 1
    late: int = 0
    types: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    policy: str = ""
    identities: str = ""
    ambiguous: int = 0
    swept: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()

    def to_split(self, width: timedelta | None, late: int = 0) -> Manifest:
        """The same manifest, to be split into windows of ``width``; None keeps one window."""
        return self if width is None else replace(self, width=width, windows=self.window.count(width), late=late)

    def part_late(self) -> list[Manifest]:
        """The manifest itself; in two, the late windows first, if the run read late windows again.

        Only for a manifest that is passed on. The files of each part are found by ``load.find_current``.
        """
        if not self.late or self.width is None:
            return [self]
        own = self.window_start + self.late * self.width
        return [
            replace(self, window_end=own, windows=self.late),
            replace(self, window_start=own, windows=self.windows - self.late, late=0),
        ]

    @property
    def window(self) -> Window:
        """The requested window."""
        return Window(self.window_start, self.window_end)

    @property
    def place(self) -> WindowPaths:
        """The paths of the window in the lake."""
        return WindowPaths(self.vendor, self.account, self.window)

    @property
    def paths(self) -> frozenset[str]:
        """The paths of all its files."""
        return frozenset(file.path for file in (*self.files, *self.outcomes, *self.rejects, *self.undated))


def list_referenced(lake: Lake, folder: str) -> frozenset[str]:
    """The files that the published manifests of a folder refer to."""
    return frozenset(path for manifest in _read_manifests(lake, folder) for path in manifest.paths)


def list_instants(lake: Lake, folder: str) -> frozenset[datetime]:
    """The instants of the extractions that the published manifests of a folder are about."""
    return frozenset(manifest.extracted_at for manifest in _read_manifests(lake, folder))


def _read_manifests(lake: Lake, folder: str) -> Iterator[Manifest]:
    found = (lake.read(f"{folder}/{name}", Manifest) for name in lake.list_names(folder) if name.endswith(".json"))
    return (manifest for manifest in found if manifest)


def join_identities(digests: Iterable[str]) -> str:
    """The digest of several parts of a window, which have different contacts: their sum; empty if there is none."""
    found = [int(one, 16) for one in digests if one]
    return f"{sum(found) % 2**64:016x}" if found else ""


def read_last_manifests(lake: Lake, vendor: str, account: str, most: int) -> list[Manifest]:
    """The manifests of an account's last ``most`` normalized windows, oldest first. Raises as the lake does."""
    folder = AccountPaths(vendor, account).folder("manifests")
    names = [name for name in lake.list_names(folder) if name.endswith(".json")][-most:]
    found = (lake.read(f"{folder}/{name}", Manifest) for name in names)
    return [manifest for manifest in found if manifest is not None]


def pack(manifest: Manifest) -> dict[str, Any]:
    """A manifest as plain JSON values for XCom. Airflow would wrap tuples, and its UI would show the wrappers."""
    return dict(msgspec.json.decode(msgspec.json.encode(manifest)))


def unpack(value: Any) -> Manifest:
    """The manifest that ``pack`` turned into plain values."""
    return msgspec.convert(value, Manifest)


def join_batches(manifests: Iterable[Manifest]) -> Manifest:
    """Join the batches of one window. Raises Unreconciled if one is missing, duplicated or of another window."""
    parts = sorted(manifests, key=lambda part: part.batch)
    if not parts:
        msg = (
            "No batch was extracted, so no window exists to continue with. Check that the step that lists contacts ran."
        )
        raise Unreconciled(msg)
    _same_window(parts)
    first = parts[0]
    return Manifest(
        vendor=first.vendor,
        account=first.account,
        window_start=first.window_start,
        window_end=first.window_end,
        extracted_at=max(part.extracted_at for part in parts),
        files=tuple(file for part in parts for file in part.files),
        outcomes=tuple(file for part in parts for file in part.outcomes),
        undated=tuple(file for part in parts for file in part.undated),
        counts=sum((part.counts for part in parts), Counts()),
        digest=first.digest if len(parts) == 1 else "",
        asked=first.asked,
        late=first.late,
    )


def count_rows(files: Iterable[File]) -> int:
    """The rows of some files, as counted when each was closed."""
    return sum(file.rows for file in files)


def _same_window(parts: Sequence[Manifest]) -> None:
    first = parts[0]
    wanted = list(range(first.batches))
    if [part.batch for part in parts] != wanted:
        found = [part.batch for part in parts]
        msg = (
            f"Expected {first.batches} batches but got batches {found}, so the window is incomplete. Clear the "
            "extraction tasks of this run."
        )
        raise Unreconciled(msg)
    same = {(part.vendor, part.account, part.window_start, part.window_end, part.batches) for part in parts}
    if len(same) > 1:
        msg = "Batches of different vendors, accounts or windows cannot be joined. Pass the batches of one run."
        raise Unreconciled(msg)
