"""Raw Parquet to the canonical table: every record becomes a row, a reject with its reason, or is there already.

Works on one window as ``land.publish`` left it, in bounded memory: rows of one contact lie together, so repeats are
found contact by contact. Needs no vendor call, so it can be run again on what has landed, with newer code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from airflow_provider_interactions.contract import Asked, Contact, Interaction, Vendor
from airflow_provider_interactions.errors import RecordRejected
from airflow_provider_interactions.lake import Lake, stamp
from airflow_provider_interactions.land import Replaced, replaced
from airflow_provider_interactions.manifest import Counts, File, Manifest, reconcile_normalized
from airflow_provider_interactions.parquet import Writer
from airflow_provider_interactions.schema import ACTIONS, CANONICAL, CHANNELS, REJECTS
from airflow_provider_interactions.vendors import vendor as vendor_named

#: Rows looked at in one go, so few that what is made of them stays near the processor; and rows held before they are
#: written, since larger row groups read faster.
BATCH_ROWS, HELD_ROWS = 16_384, 65_536

#: Bytes of payload looked at in one go, since what is made of them can be many times as large.
BATCH_BYTES = 16 * 1024 * 1024

#: More rejected records than both of these fail the step: so many, and so large a share of what landed.
REJECTS_ALLOWED, REJECTS_SHARE = 10, 0.05


class TooManyRejects(RecordRejected):
    """So many records cannot be read that the vendor's format must have changed. They are kept in ``rejects/``."""


def normalize(
    lake: Lake, raw: Manifest, *, rejects_share: float = REJECTS_SHARE, now: datetime | None = None
) -> Manifest:
    """Write the canonical rows and the rejects of a raw window and publish them; returns the window's new manifest.

    Raises TooManyRejects above the threshold (nothing canonical is published, the rejects are kept), Unreconciled when
    counts do not add up, and Replaced when another extraction of the window was published meanwhile. ``now`` is the
    instant (aware) that names the files.
    """
    vendor = vendor_named(raw.vendor)
    with _Output(lake, raw, stamp(now or datetime.now(UTC))) as output:
        for batch in _raw_batches(lake, raw):
            output.write(batch, *_split(batch, vendor, output.seen))
        return output.publish(rejects_share)


@dataclass(slots=True)
class _Seen:
    """The interactions of the contact at hand, to know one that comes again."""

    contact: str = ""
    ids: set[str] = field(default_factory=set)

    def first(self, contact: str, interaction_id: str) -> bool:
        if contact != self.contact:
            self.contact, self.ids = contact, set()
        if interaction_id in self.ids:
            return False
        self.ids.add(interaction_id)
        return True

    def firsts(self, contacts: pa.Array, ids: pa.Array) -> pa.BooleanArray | None:
        """Which rows come for the first time; None for all of them. Rows of a contact lie together."""
        if self._all_first(contacts, ids):
            return None
        pairs = zip(contacts.to_pylist(), ids.to_pylist(), strict=True)
        return pa.array([self.first(contact, one) for contact, one in pairs], pa.bool_())

    def _all_first(self, contacts: pa.Array, ids: pa.Array) -> bool:
        """Whether no row of a batch comes again; only then they count as seen."""
        if not len(ids) or pc.count_distinct(ids).as_py() < len(ids):
            return not len(ids)
        ours = ids.filter(pc.equal(contacts, self.contact)).to_pylist()
        if not self.ids.isdisjoint(ours):
            return False
        last = contacts[-1].as_py()
        if last != self.contact:
            self.contact, self.ids = last, set()
        self.ids.update(ids.filter(pc.equal(contacts, last)).to_pylist())
        return True


@dataclass(slots=True)
class _Output:
    """The files of a normalized window, being written; discarded unless published."""

    lake: Lake
    raw: Manifest
    run: str
    seen: _Seen = field(default_factory=_Seen)
    days: dict[str, Writer] = field(default_factory=dict)
    held: dict[str, list[pa.RecordBatch]] = field(default_factory=dict)
    held_rows: int = 0
    rejects: Writer | None = None
    landed: int = 0
    canonical: int = 0
    rejected: int = 0
    written: list[File] = field(default_factory=list)
    published: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.published:
            for writer in (*self.days.values(), *([self.rejects] if self.rejects else [])):
                writer.discard()
            # An exception (Airflow's, when a task is ended) can come right after the manifest was published.
            there = self.lake.read(self.raw.place.manifest, Manifest)
            kept = there.paths if there else frozenset[str]()
            self.lake.remove(file.path for file in self.written if file.path not in kept)

    def write(self, batch: pa.RecordBatch, good: pa.RecordBatch, bad: pa.RecordBatch) -> None:
        """Append the rows of one raw batch: canonical ones under their UTC day, rejects apart."""
        self.landed += batch.num_rows
        self.canonical += good.num_rows
        self.rejected += bad.num_rows
        for day, rows in _by_day(good):
            self.held.setdefault(day, []).append(rows)
        self.held_rows += good.num_rows
        if self.held_rows >= HELD_ROWS:
            self._flush()
        if bad.num_rows:
            if self.rejects is None:
                path = f"{self.raw.place.folder('rejects')}/rejects-{self.run}.parquet"
                self.rejects = Writer(self.lake, path, REJECTS)
            self.rejects.write(bad)

    def _flush(self) -> None:
        """One row group for each day that rows are held of."""
        for day, batches in self.held.items():
            if day not in self.days:
                folder = self.raw.place.dated(day)
                path = f"{folder}/{self.raw.window.slug}-{self.run}.parquet"
                self.days[day] = Writer(self.lake, path, CANONICAL)
            self.days[day].write(_joined(batches))
        self.held, self.held_rows = {}, 0

    def publish(self, share: float) -> Manifest:
        """Close the files, check the counts, replace the window's manifest, remove the former version's files."""
        rejects = self._close_rejects()
        self._refuse_too_many(share, rejects)
        self._flush()
        while self.days:
            self.written.append(self.days.popitem()[1].close())
        counts = self.raw.counts + Counts(
            canonical=self.canonical,
            rejected=self.rejected,
            repeated=self.landed - self.canonical - self.rejected,
        )
        reconcile_normalized(counts)
        files = tuple(sorted((file for file in self.written if file not in rejects), key=lambda file: file.path))
        manifest = msgspec.structs.replace(self.raw, files=files, rejects=rejects, counts=counts)
        former = self.lake.read(manifest.place.manifest, Manifest)
        self.lake.publish(manifest.place.manifest, manifest)
        self.published = True
        if former is not None:
            self.lake.remove(sorted(former.paths - manifest.paths - self.raw.paths))
        return manifest

    def _close_rejects(self) -> tuple[File, ...]:
        if self.rejects is None:
            return ()
        writer, self.rejects = self.rejects, None
        self.written.append(writer.close())
        return (self.written[-1],)

    def _refuse_too_many(self, share: float, rejects: Sequence[File]) -> None:
        if self.rejected <= REJECTS_ALLOWED or self.rejected <= share * self.landed:
            return
        self.written.clear()  # the rejects stay, to be looked at
        reason = (
            f"{self.rejected} of {self.landed} records of {self.raw.vendor} in window {self.raw.window} cannot be "
            f"read. Their reasons and bytes are in {rejects[0].path}; raise rejects_share to go on without them."
        )
        raise TooManyRejects(reason)


def _raw_batches(lake: Lake, raw: Manifest) -> Iterator[pa.RecordBatch]:
    for file in raw.files:
        try:
            with lake.fs.open(lake.full(file.path), "rb") as stream:
                for batch in pq.ParquetFile(stream).iter_batches(BATCH_ROWS):
                    rows = max(1, BATCH_BYTES * batch.num_rows // max(1, batch.column("payload").nbytes))
                    yield from (batch.slice(start, rows) for start in range(0, batch.num_rows, rows))
        except FileNotFoundError as gone:
            raise Replaced(replaced(raw)) from gone


def _split(batch: pa.RecordBatch, vendor: Vendor, seen: _Seen) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Canonical rows and rejects of a raw batch, in its order: all at once what is well-formed, else one by one."""
    sure, rows = _at_once(batch, vendor)
    rejects = _rejects(batch.slice(0, 0), ())
    contacts = batch.column("contact_id")
    if rows.num_rows < batch.num_rows:
        left = pc.indices_nonzero(pc.invert(sure))
        good, kept, rejects = _one_by_one(batch.take(left), vendor)
        numbers = pa.concat_arrays([pc.indices_nonzero(sure), left.take(kept)])
        order = pc.array_sort_indices(numbers)
        rows = _joined([rows, good]).take(order)
        contacts = contacts.take(numbers.take(order))
    firsts = seen.firsts(contacts, rows.column("interaction_id"))
    return rows if firsts is None else rows.filter(firsts), rejects


def _joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    some = [batch for batch in batches if batch.num_rows] or batches[:1]
    return some[0] if len(some) == 1 else pa.Table.from_batches(some).combine_chunks().to_batches()[0]


def _one_by_one(batch: pa.RecordBatch, vendor: Vendor) -> tuple[pa.RecordBatch, pa.Array, pa.RecordBatch]:
    """Canonical rows, the numbers of the records they are of, and the rejects."""
    good: list[Interaction] = []
    kept: list[int] = []
    bad: list[int] = []
    reasons: list[str] = []
    columns = [batch.column(name).to_pylist() for name in _READ]
    for n, (payload, contact_id, kind, native_type, context) in enumerate(zip(*columns, strict=True)):
        try:
            row = interaction(vendor, payload, Asked(Contact(contact_id, kind), native_type, context))
        except RecordRejected as rejection:
            bad.append(n)
            reasons.append(rejection.reason)
            continue
        row.contact_id = row.contact_id or contact_id
        good.append(row)
        kept.append(n)
    numbers, rejected = pa.array(kept, pa.uint64()), pa.array(bad, pa.uint64())
    return _canonical(batch.take(numbers), good), numbers, _rejects(batch.take(rejected), reasons)


def _at_once(batch: pa.RecordBatch, vendor: Vendor) -> tuple[pa.BooleanArray, pa.RecordBatch]:
    """Which records the vendor's module can read at once, and the canonical rows of those."""
    if vendor.columns is None or not batch.num_rows or batch.column("payload").nbytes > 2 * BATCH_BYTES:
        return pa.repeat(False, batch.num_rows), pa.RecordBatch.from_pylist([], CANONICAL)
    sure, found = vendor.columns(batch)
    if not (_known(found["channel"], CHANNELS) and _known(found["action"], ACTIONS)):
        sure = pa.repeat(False, batch.num_rows)
    return sure, _filled(batch, found, sure)


def _known(words: pa.Array, vocabulary: frozenset[str]) -> bool:
    return vocabulary.issuperset(pc.unique(words).to_pylist())


def _filled(raw: pa.RecordBatch, found: Mapping[str, pa.Array], sure: pa.BooleanArray) -> pa.RecordBatch:
    keep = None if pc.all(sure).as_py() else sure
    columns = []
    for column in CANONICAL:
        if column.name in found:
            values = found[column.name]
        elif column.name in raw.schema.names:
            values = raw.column(column.name)
        else:
            values = pa.nulls(raw.num_rows, column.type)
        values = values if keep is None else values.filter(keep)
        columns.append(values if values.type == column.type else values.cast(column.type))
    return pa.record_batch(columns, schema=CANONICAL)


def interaction(vendor: Vendor, payload: bytes, asked: Asked) -> Interaction:
    """Read one record; raises RecordRejected, also for a channel or an action that the table does not know."""
    row = vendor.interaction(payload, asked)
    if row.channel not in CHANNELS or row.action not in ACTIONS:
        reason = f"the vendor module maps to an unknown channel or action ({row.channel}, {row.action})"
        raise RecordRejected(reason)
    return row


_READ = ("payload", "contact_id", "contact_id_kind", "asked_type", "context")

_CARRIED = frozenset(("vendor", "account", "contact_id_kind", "extracted_at", "window_start", "window_end"))


def _canonical(raw: pa.RecordBatch, rows: Sequence[Interaction]) -> pa.RecordBatch:
    columns: list[Any] = []
    for column in CANONICAL:
        if column.name in _CARRIED:
            columns.append(raw.column(column.name))
        elif pa.types.is_dictionary(column.type):
            columns.append(pa.array([getattr(row, column.name) for row in rows], pa.string()).dictionary_encode())
        else:
            columns.append(pa.array([getattr(row, column.name) for row in rows], column.type))
    return pa.record_batch(columns, schema=CANONICAL)


def _rejects(raw: pa.RecordBatch, reasons: Sequence[str]) -> pa.RecordBatch:
    return pa.record_batch([pa.array(reasons, pa.string()), *raw.columns], schema=REJECTS)


def _by_day(rows: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
    days = rows.column("occurred_at").cast(pa.timestamp("us")).cast(pa.date32(), safe=False)
    different = sorted(pc.unique(days).to_pylist())
    for day in different:
        yield day.isoformat(), rows if len(different) == 1 else rows.filter(pc.equal(days, day))
