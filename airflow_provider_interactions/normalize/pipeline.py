"""Raw Parquet to the canonical table: every record becomes a row, a reject with its reason, or counts as a repeat.

Works on one committed window (see ``commit_window``), in bounded memory: rows of a contact are adjacent, so repeats are
found contact by contact. Makes no vendor call, so a newer version of the code can normalize raw files again.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Self

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.errors import ConfigError, TooManyRejects, WindowSuperseded
from airflow_provider_interactions.extract.cleanup import AGE, expired_versions
from airflow_provider_interactions.lake.manifest import Counts, File, Manifest, list_referenced, reconcile_normalized
from airflow_provider_interactions.lake.parquet import Writer
from airflow_provider_interactions.lake.paths import timestamp
from airflow_provider_interactions.lake.reader import describe_superseded, read_window
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.normalize.repeats import Deduplicator
from airflow_provider_interactions.normalize.rows import build_rejects, join_rows, slice_batch, to_rows
from airflow_provider_interactions.rejects import SHARE, are_too_many, explain_way_on, list_reasons
from airflow_provider_interactions.schema import CANONICAL, REJECTS, find_version
from airflow_provider_interactions.vendors import find_vendor as vendor_named

#: Rows in one step: so few that the intermediate results fit into the processor's cache.
BATCH_ROWS = 8_192

#: Rows, or their bytes in memory, to buffer before a write: larger row groups read faster.
HELD_ROWS, HELD_BYTES = 65_536, 32 * 1024 * 1024

log = logging.getLogger(__name__)


def normalize(
    lake: Lake,
    raw: Manifest,
    *,
    rejects_share: float = SHARE,
    keep_former: timedelta = timedelta(0),
    now: datetime | None = None,
) -> Manifest:
    """Write and publish the canonical rows and the rejects of a raw window. Returns the window's new manifest.

    Raises TooManyRejects above the threshold, or if no record can be read (publishes nothing canonical, keeps the
    rejects), Unreconciled if counts do not add up, and WindowSuperseded if another extraction of the window was
    published meanwhile. Canonical files of a former version stay until the version after it is ``keep_former`` old, for
    tables that consist of these files; raises ConfigError if that is more than a day. ``now`` is the instant (aware) in
    the names of the files.
    """
    if keep_former > AGE:
        msg = f"keep_former is {keep_former}, but former files are kept for {AGE} at most. Give a shorter time."
        raise ConfigError(msg)
    vendor = vendor_named(raw.vendor)
    with _CanonicalWriter(lake, raw, now or datetime.now(UTC), keep_former) as output:
        for batch in _read_batches(lake, raw):
            found = to_rows(batch, vendor, output.seen)
            output.write(batch, found.rows, build_rejects(batch, found.rejected))
        return output.publish(rejects_share)


@dataclass(slots=True)
class _CanonicalWriter:
    """Writes the files of a normalized window. Removes them unless they are published."""

    lake: Lake
    raw: Manifest
    now: datetime
    keep_former: timedelta
    seen: Deduplicator = field(default_factory=Deduplicator)
    days: dict[str, Writer] = field(default_factory=dict)
    held: dict[str, list[pa.RecordBatch]] = field(default_factory=dict)
    held_rows: int = 0
    held_bytes: int = 0
    rejects: Writer | None = None
    landed: int = 0
    canonical: int = 0
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    written: list[File] = field(default_factory=list)
    published: bool = False
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    writing: Future[None] | None = None

    def __enter__(self) -> Self:
        # Start the thread while nothing is written: if a task is asked to stop while a pool starts its thread, the pool
        # does not know the thread, and shutdown() does not wait for what it writes.
        self.thread.submit(int).result()
        return self

    def __exit__(self, *_: object) -> None:
        self.thread.shutdown()
        if not self.published:
            for writer in (*self.days.values(), *([self.rejects] if self.rejects else [])):
                writer.discard()
            # An exception (as when Airflow ends a task) can come right after the manifest was published.
            current = self.lake.read(self.raw.place.manifest, Manifest)
            kept = current.paths if current else frozenset[str]()
            self.lake.remove(file.path for file in self.written if file.path not in kept)

    def write(self, batch: pa.RecordBatch, good: pa.RecordBatch, bad: pa.RecordBatch) -> None:
        """Append the rows of one raw batch: canonical rows by UTC day, rejects to a file of their own."""
        self.landed += batch.num_rows
        self.canonical += good.num_rows
        self.rejected += bad.num_rows
        for day, rows in _split_by_day(good):
            self.held.setdefault(day, []).append(rows)
        self.held_rows += good.num_rows
        self.held_bytes += good.nbytes
        if self.held_rows >= HELD_ROWS or self.held_bytes >= HELD_BYTES:
            self._flush()
        if bad.num_rows:
            if self.rejects is None:
                path = f"{self.raw.place.folder('rejects')}/rejects-{timestamp(self.now)}.parquet"
                self.rejects = Writer(self.lake, path, REJECTS)
            self.rejects.write(bad)
            self.reasons.update(bad.column("reason").to_pylist())

    def _flush(self) -> None:
        """Write the buffered rows in a thread, beside the mapping of the next ones."""
        self._wait()
        self.writing = self.thread.submit(self._write_days, self.held)
        self.held, self.held_rows, self.held_bytes = {}, 0, 0

    def _wait(self) -> None:
        if self.writing is not None:
            self.writing.result()

    def _write_days(self, held: Mapping[str, Sequence[pa.RecordBatch]]) -> None:
        """Write one row group for each day."""
        for day, batches in held.items():
            if day not in self.days:
                folder = self.raw.place.day_folder(day)
                path = f"{folder}/{self.raw.window.slug}-{timestamp(self.now)}.parquet"
                self.days[day] = Writer(self.lake, path, CANONICAL)
            self.days[day].write(join_rows(batches))

    def publish(self, share: float) -> Manifest:
        """Close the files, check the counts, replace the window's manifest, remove the files of the former version."""
        rejects = self._close_rejects()
        self._refuse_too_many(share, rejects)
        self._flush()
        self._wait()
        while self.days:
            self.written.append(self.days.popitem()[1].close())
        counts = self.raw.counts + Counts(
            canonical=self.canonical,
            rejected=self.rejected,
            repeated=self.landed - self.canonical - self.rejected,
        )
        files = tuple(sorted((file for file in self.written if file not in rejects), key=lambda file: file.path))
        version = find_version(CANONICAL)
        manifest = msgspec.structs.replace(
            self.raw, files=files, rejects=rejects, counts=counts, schema_version=version
        )
        reconcile_normalized(self.raw, manifest)
        self._refuse_superseded()
        former = self.lake.read(manifest.place.manifest, Manifest)
        self.lake.publish(manifest.place.manifest, manifest)
        self.published = True
        if former is not None:
            kept = manifest.paths | self.raw.paths | list_referenced(self.lake, manifest.place.folder("raw"))
            self.lake.remove(sorted(self._find_old(former) - kept))
        return manifest

    def _find_old(self, former: Manifest) -> frozenset[str]:
        """The former version's files. With ``keep_former``, canonical files only once it has passed, of any version."""
        if not self.keep_former:
            return former.paths
        canonical = frozenset(file.path for file in former.files)
        expired = expired_versions(self.lake, former.place, self.now, self.keep_former, self.now)
        return (former.paths - canonical).union(expired)

    def _refuse_superseded(self) -> None:
        """Raise WindowSuperseded unless this raw window is published: a slow run must not replace a newer one."""
        current = self.lake.read(self.raw.place.raw_manifest, Manifest)
        if current is None or current.paths != self.raw.paths:
            raise WindowSuperseded(describe_superseded(self.raw))

    def _close_rejects(self) -> tuple[File, ...]:
        if self.rejects is None:
            return ()
        writer, self.rejects = self.rejects, None
        self.written.append(writer.close())
        return (self.written[-1],)

    def _refuse_too_many(self, share: float, rejects: Sequence[File]) -> None:
        if not self.rejected:
            return
        summary = (
            f"{self.rejected} of {self.landed} records of {self.raw.vendor} in window {self.raw.window} cannot be "
            f"read: {list_reasons(self.reasons)}. Their bytes are in {rejects[0].path}"
        )
        if are_too_many(self.rejected, self.landed, share, none_left=not self.canonical):
            self.written.clear()  # keep the rejects for inspection
            reason = f"{summary}; {explain_way_on(none_left=not self.canonical)}."
            raise TooManyRejects(reason)
        log.warning("%s.", summary)


def _read_batches(lake: Lake, raw: Manifest) -> Iterator[pa.RecordBatch]:
    for batch in read_window(lake, raw, raw.files, BATCH_ROWS):
        yield from slice_batch(batch)


def _split_by_day(rows: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
    days = rows.column("occurred_at").cast(pa.timestamp("us")).cast(pa.date32(), safe=False)
    different = sorted(pc.unique(days).to_pylist())
    for day in different:
        yield day.isoformat(), rows if len(different) == 1 else rows.filter(pc.equal(days, day))
