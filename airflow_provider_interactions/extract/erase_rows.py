"""Remove the rows of some people from data files and manifests.

A file that a published manifest refers to is never changed: its other rows go to a new file, and a new manifest
replaces the former one if nobody else has replaced it meanwhile. A file that nothing refers to, such as one of an
extraction that is under way, is replaced under its own name. ``commit_window`` counts its rows once more.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec.structs import replace

from airflow_provider_interactions.contract import Contact, Vendor
from airflow_provider_interactions.errors import ConfigError, Unreconciled, WindowSuperseded
from airflow_provider_interactions.extract.raw_table import digest_payloads
from airflow_provider_interactions.lake.manifest import OUTCOMES, Counts, File, Manifest, count_rows
from airflow_provider_interactions.lake.parquet import Writer
from airflow_provider_interactions.lake.paths import timestamp
from airflow_provider_interactions.lake.reader import describe_superseded
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.suppression import Suppression, read_suppression
from airflow_provider_interactions.lake.swap import hold_folder, replace_if_unchanged
from airflow_provider_interactions.mapping import NEEDED
from airflow_provider_interactions.vendors import find_vendor

#: The files of a manifest, by what they hold.
GROUPS = ("files", "outcomes", "rejects", "undated")

#: Rows to map at once, of vendors whose records name people.
MAPPED_ROWS = 8_192

#: What an earlier erasure has appended to a file's name.
_SUFFIX = re.compile(r"-\d{8}T\d{12}Z-[0-9a-f]{8}e(?=\.parquet$)")


class People(Protocol):
    """People to look for."""

    def find(self, ids: pa.Array, kind: str) -> pa.BooleanArray | None:
        """Which identifiers of a kind are theirs; None if there can be none."""

    def may_lie_between(self, low: str, high: str) -> bool:
        """Whether an identifier of theirs can be in this range."""


@dataclass(frozen=True, slots=True)
class GivenPeople:
    """People by their identifiers, and by hashes of them with the keys of the ids ``pseudonyms``."""

    contacts: Sequence[Contact]
    pseudonyms: frozenset[str] = frozenset()
    _ids: dict[str, pa.Array] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for kind in {one.kind for one in self.contacts}:
            self._ids[kind] = pa.array([one.id for one in self.contacts if one.kind == kind], pa.string())

    def find(self, ids: pa.Array, kind: str) -> pa.BooleanArray | None:
        """Which identifiers are theirs. Raises ConfigError for hashes that were made with another key."""
        if len(ids):
            self._require_key(ids[0].as_py())
        return pc.is_in(ids, self._ids[kind]) if kind in self._ids else None

    def may_lie_between(self, low: str, high: str) -> bool:
        """Whether one of their identifiers is in the range. Raises ConfigError as ``find``."""
        self._require_key(low)
        return any(low <= one.id <= high for one in self.contacts)

    def _require_key(self, identifier: str | None) -> None:
        prefix, _, rest = (identifier or "").partition(":")
        key = rest.partition(":")[0]
        if prefix == "hmac" and key and key not in self.pseudonyms:
            msg = (
                f"The policy for personal data has replaced the contacts by hashes with the key {key}. Give that key "
                "to the erasure, else nobody can say whose rows these are."
            )
            raise ConfigError(msg)


@dataclass(frozen=True, slots=True)
class SuppressedPeople:
    """People on a suppression list."""

    suppression: Suppression
    _known: dict[tuple[str, str], bool] = field(default_factory=dict, repr=False)

    def find(self, ids: pa.Array, kind: str) -> pa.BooleanArray | None:
        """Which identifiers are on the list. Hashes each one once."""
        found = [one for one in pc.unique(ids).to_pylist() if one is not None and self._covers(kind, one)]
        return pc.is_in(ids, pa.array(found, pa.string())) if found else None

    def may_lie_between(self, low: str, high: str) -> bool:  # noqa: ARG002 - hashes have no order
        """Always: a hash does not say where its identifier is."""
        return True

    def _covers(self, kind: str, identifier: str) -> bool:
        known = self._known.get((kind, identifier))
        if known is None:
            known = self._known[kind, identifier] = self.suppression.covers(kind, identifier)
        return known


def find_rows(rows: pa.Table, people: People, vendor: Vendor) -> pa.BooleanArray | None:
    """Which rows are theirs; None if no row is. Rows of any table that has a contact and its kind.

    A record of a bulk query names its contact itself: in raw rows the mapping finds it. In canonical rows it has the
    bulk kind.
    """
    kinds, ids = rows.column("contact_id_kind").cast(pa.string()), rows.column("contact_id")
    mask = None
    for kind in pc.unique(kinds).to_pylist():
        person_kind, mine = kind, ids
        if kind == vendor.about.bulk_kind:
            person_kind = vendor.about.person_kinds[0]
            mine = _map_contacts(rows, vendor) if "payload" in rows.schema.names else ids
        found = people.find(mine, person_kind)
        if found is not None and pc.any(found).as_py():
            theirs = pc.and_(found, pc.equal(kinds, kind))
            mask = theirs if mask is None else pc.or_(mask, theirs)
    return mask if mask is not None and pc.any(mask).as_py() else None


def _map_contacts(rows: pa.Table, vendor: Vendor) -> pa.ChunkedArray:
    """The contacts that raw records name."""
    raw = rows.select(NEEDED).unify_dictionaries().combine_chunks()
    batches = raw.to_batches(max_chunksize=MAPPED_ROWS)
    found = [vendor.map_records(batch).columns["contact_id"].cast(pa.string()) for batch in batches]
    return pa.chunked_array(found, pa.string())


@dataclass(slots=True)
class Rewriter:
    """Writes files again without the rows of some people of a vendor. ``now`` (aware) is in the names of new files.

    ``clean`` are files that are known to hold none of their rows. ``written`` are the new files. ``removed`` are the
    rows that were left out, by the path of the former file. ``digests`` are those of the payloads of the files written.
    """

    lake: Lake
    vendor: str
    people: People
    now: datetime
    clean: set[str] = field(default_factory=set)
    written: list[str] = field(default_factory=list)
    removed: dict[str, int] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    _replaced: dict[str, File | None] = field(default_factory=dict)

    def replace(self, file: File) -> File | None:
        """The file, or another one with its other rows; None if no row is left. Raises FileNotFoundError."""
        if file.path in self._replaced:
            return self._replaced[file.path]
        if file.path in self.clean:
            return file
        found = self._rewrite(file)
        if found == file:
            self.clean.add(file.path)
        else:
            self._replaced[file.path] = found
        return found

    def replace_in_place(self, path: str, *, locked: bool = False) -> int:
        """Replace a file that nothing refers to, under its own name; returns the removed rows, 0 without any change.

        ``locked`` says that the caller holds the folder. Raises FileNotFoundError.
        """
        lock = nullcontext() if locked else hold_folder(self.lake, path)
        with lock, self.lake.open(path) as stream:
            parquet = pq.ParquetFile(stream)
            masks = self._find(parquet)
            if masks:
                gone: int = parquet.metadata.num_rows - self._write(parquet, masks, path).rows
                self.removed[path] = self.removed.get(path, 0) + gone
                return gone
        self.clean.add(path)
        return 0

    def remove_orphans(self, referenced: frozenset[str]) -> None:
        """Remove new files that no manifest refers to, because another run has published its window meanwhile."""
        orphans = [path for path in self.written if path not in referenced]
        self.lake.remove(orphans)
        self._replaced = {old: new for old, new in self._replaced.items() if new is None or new.path not in orphans}

    def _rewrite(self, file: File) -> File | None:
        with self.lake.open(file.path) as stream:
            parquet = pq.ParquetFile(stream)
            masks = self._find(parquet)
            if not masks:
                rows = parquet.metadata.num_rows  # fewer if it was replaced under its own name
                if rows == file.rows:
                    return file
                return File(file.path, rows, self.lake.size(file.path)) if rows else None
            gone = sum(pc.sum(mask).as_py() for mask in masks.values())
            self.removed[file.path] = gone
            if gone == parquet.metadata.num_rows:
                return None
            found = self._write(parquet, masks, self._name(file.path))
            self.written.append(found.path)
            return found

    def _name(self, path: str) -> str:
        folder, name = posixpath.split(path)
        stem = _SUFFIX.sub("", name).removesuffix(".parquet")
        return f"{folder}/{stem}-{timestamp(self.now)}-{uuid.uuid4().hex[:8]}e.parquet"

    def _find(self, parquet: pq.ParquetFile) -> dict[int, pa.BooleanArray]:
        """The rows of these people, by row group. Reads only their columns, where statistics do not exclude them."""
        names, vendor = parquet.schema_arrow.names, find_vendor(self.vendor)
        if "contact_id" not in names or "contact_id_kind" not in names:
            return {}
        bulk = vendor.about.bulk_kind is not None and "payload" in names
        columns = list(NEEDED) if bulk else ["contact_id", "contact_id_kind"]
        masks = {}
        for group in range(parquet.num_row_groups):
            if bulk or self._may_be_in(parquet, group):
                mask = find_rows(parquet.read_row_group(group, columns=columns), self.people, vendor)
                if mask is not None:
                    masks[group] = mask
        return masks

    def _may_be_in(self, parquet: pq.ParquetFile, group: int) -> bool:
        columns = parquet.metadata.row_group(group)
        at = parquet.schema_arrow.names.index("contact_id")
        known = columns.column(at).statistics if columns.column(at).path_in_schema == "contact_id" else None
        return known is None or not known.has_min_max or self.people.may_lie_between(known.min, known.max)

    def _write(self, parquet: pq.ParquetFile, masks: Mapping[int, pa.BooleanArray], to: str) -> File:
        writer, payloads = Writer(self.lake, to, parquet.schema_arrow), list[pa.Array]()
        try:
            for group in range(parquet.num_row_groups):
                rows = parquet.read_row_group(group)
                if group in masks:
                    rows = encode_anew(rows.filter(pc.invert(masks[group])))
                if rows.num_rows:
                    writer.write(rows)
                if "payload" in rows.schema.names:
                    payloads += rows.column("payload").chunks
        except BaseException:
            writer.discard()
            raise
        self.clean.add(to)
        self.digests[to] = digest_payloads(pa.chunked_array(payloads, pa.binary()))
        return writer.close()


def encode_anew(rows: pa.Table) -> pa.Table:
    """The same rows with dictionaries of only their own words: a filter keeps the words of the rows that it drops."""
    for at, column in enumerate(rows.schema):
        if pa.types.is_dictionary(column.type):
            words = rows.column(at).cast(column.type.value_type).combine_chunks().dictionary_encode()
            rows = rows.set_column(at, column, words.cast(column.type))
    return rows


def erase_from_manifest(
    manifest: Manifest, rewriter: Rewriter, raw: Manifest | None = None, *, normalized: bool = False
) -> Manifest:
    """The manifest without the rows of these people, and with the counts of what is left. Publishes nothing.

    ``raw`` is the raw manifest of a ``normalized`` one. Returns the same manifest if no row is theirs. Raises
    FileNotFoundError if one of its files is gone.
    """
    groups = {
        name: tuple(found for file in getattr(manifest, name) if (found := rewriter.replace(file)) is not None)
        for name in GROUPS
    }
    if all(groups[name] == getattr(manifest, name) for name in GROUPS):
        return manifest
    counts = _count_rest(rewriter.lake, manifest, groups, raw, normalized=normalized)
    digest = _choose_digest(rewriter, manifest, groups["files"], raw, normalized=normalized)
    return replace(manifest, **groups, counts=counts, digest=digest)


def _choose_digest(
    rewriter: Rewriter, manifest: Manifest, files: Sequence[File], raw: Manifest | None, *, normalized: bool
) -> str:
    """The digest of the raw files. Those of a normalized window may be gone; then nobody can compute it."""
    if not manifest.digest or (not normalized and files == manifest.files):
        return manifest.digest
    if not normalized:
        return _digest_files(rewriter, files)
    return raw.digest if raw is not None and raw.extracted_at == manifest.extracted_at else ""


def _count_rest(
    lake: Lake, manifest: Manifest, groups: Mapping[str, Sequence[File]], raw: Manifest | None, *, normalized: bool
) -> Counts:
    gone = {name: count_rows(getattr(manifest, name)) - count_rows(groups[name]) for name in GROUPS}
    counts, changed = manifest.counts, {}
    if groups["outcomes"] != manifest.outcomes:
        changed = _count_outcomes(lake, groups["outcomes"])
    landed = gone["files"]
    if normalized:
        changed["canonical"], changed["rejected"] = (
            counts.canonical - gone["files"],
            counts.rejected - gone["rejects"],
        )
        landed = _count_landed(lake, manifest, groups, raw, gone)
        changed["repeated"] = counts.landed - landed - changed["canonical"] - changed["rejected"]
    records = landed + gone["undated"]
    return replace(
        counts,
        received=counts.received - records,
        fetched=counts.fetched - landed,
        landed=counts.landed - landed,
        undated=counts.undated - gone["undated"],
        erased=counts.erased + records,
        suppressed=counts.suppressed + gone["outcomes"],
        contacts=counts.contacts - gone["outcomes"],
        **changed,
    )


def _count_landed(
    lake: Lake, manifest: Manifest, groups: Mapping[str, Sequence[File]], raw: Manifest | None, gone: Mapping[str, int]
) -> int:
    """The landed records of these people in a normalized window: repeated ones are in none of its files."""
    if raw is not None and raw.extracted_at == manifest.extracted_at:
        return manifest.counts.landed - raw.counts.landed
    before, after = (_sum_rows(lake, files) for files in (manifest.outcomes, groups["outcomes"]))
    return max(gone["files"] + gone["rejects"], before - after)


def _count_outcomes(lake: Lake, files: Sequence[File]) -> dict[str, int]:
    found = Counter(word for table in _read_column(lake, files, "outcome") for word in table.to_pylist())
    return {name: found[name] for name in OUTCOMES}


def _sum_rows(lake: Lake, files: Sequence[File]) -> int:
    return sum(pc.sum(rows).as_py() or 0 for rows in _read_column(lake, files, "rows"))


def _digest_files(rewriter: Rewriter, files: Sequence[File]) -> str:
    others = [file for file in files if file.path not in rewriter.digests]
    for file, payloads in zip(others, _read_column(rewriter.lake, others, "payload"), strict=True):
        rewriter.digests[file.path] = digest_payloads(payloads)
    digests = (rewriter.digests[file.path] for file in files)
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _read_column(lake: Lake, files: Sequence[File], name: str) -> Iterator[pa.ChunkedArray]:
    for file in files:
        with lake.open(file.path) as stream:
            yield pq.ParquetFile(stream).read(columns=[name]).column(0)


def erase_published(lake: Lake, path: str, rewriter: Rewriter, raw: Manifest | None = None) -> Change:
    """Remove the people's rows from a published manifest, whoever else replaces it meanwhile.

    The files of the former version stay: the caller removes them once no manifest refers to them. Raises Unreconciled
    if a file of the current manifest is missing.
    """
    normalized = path.startswith("manifests/")
    while True:
        try:
            data = lake.read_bytes(path)
        except FileNotFoundError:
            return Change(None, None)
        manifest = msgspec.json.decode(data, type=Manifest)
        try:
            found = erase_from_manifest(manifest, rewriter, raw, normalized=normalized)
        except FileNotFoundError:
            if _read_or_nothing(lake, path) == data:
                msg = f"A file of window {manifest.window} is missing, but its manifest refers to it. Run it again."
                raise Unreconciled(msg) from None
            continue
        if found == manifest or replace_if_unchanged(lake, path, msgspec.json.encode(found), data):
            return Change(manifest, found)


def _read_or_nothing(lake: Lake, path: str) -> bytes:
    try:
        return lake.read_bytes(path)
    except FileNotFoundError:
        return b""


@dataclass(frozen=True, slots=True)
class Change:
    """A published manifest before and after an erasure. Both are None if there is none."""

    before: Manifest | None
    after: Manifest | None

    @property
    def gone(self) -> frozenset[str]:
        """The files that only the former version had."""
        return self.before.paths - self.after.paths if self.before and self.after else frozenset()


def leave_out_suppressed(lake: Lake, manifest: Manifest, suppression: Suppression, now: datetime) -> Manifest:
    """A manifest that is not published yet, without the people on the suppression list.

    Raises WindowSuperseded if one of its files is gone.
    """
    if not suppression:
        return manifest
    try:
        return erase_from_manifest(manifest, Rewriter(lake, manifest.vendor, SuppressedPeople(suppression), now))
    except FileNotFoundError as gone:
        raise WindowSuperseded(describe_superseded(manifest)) from gone


def leave_out_later(lake: Lake, manifest: Manifest, known: Suppression, now: datetime) -> Manifest:
    """A raw window that was just published, without people who were put on the list after ``known`` was read.

    Their erasure may have looked at the window before it was published.
    """
    suppression = read_suppression(lake, manifest.vendor)
    if suppression.entries == known.entries:
        return manifest
    rewriter = Rewriter(lake, manifest.vendor, SuppressedPeople(suppression), now)
    change = erase_published(lake, manifest.place.raw_manifest, rewriter)
    lake.remove(sorted(change.gone))
    return change.after or manifest
