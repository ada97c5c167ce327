"""Raw Parquet to the canonical table: every record becomes a row, a reject with its reason, or counts as a repeat.

Works on one committed window (see ``commit_window``), in bounded memory: rows of a contact are adjacent, so repeats are
found contact by contact. Makes no vendor call, so a newer version of the code can normalize raw files again.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from airflow_provider_interactions.errors import TooManyRejects
from airflow_provider_interactions.extract.retention import refuse_swept
from airflow_provider_interactions.lake.encryption import decrypt_rows
from airflow_provider_interactions.lake.manifest import Counts, File, Manifest
from airflow_provider_interactions.lake.names import show_names
from airflow_provider_interactions.lake.parquet import Writer
from airflow_provider_interactions.lake.paths import timestamp
from airflow_provider_interactions.lake.reader import read_window
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.normalize.persons import NO_PEOPLE, PersonIndex
from airflow_provider_interactions.normalize.policy import KEEP_ALL, Policy
from airflow_provider_interactions.normalize.publish import Publication, publish
from airflow_provider_interactions.normalize.repeats import Deduplicator
from airflow_provider_interactions.normalize.rows import build_rejects, join_rows, slice_batch, to_rows
from airflow_provider_interactions.rejects import SHARE
from airflow_provider_interactions.schema import CANONICAL, REJECTS
from airflow_provider_interactions.vendors import find_vendor as vendor_named

#: Rows in one step: so few that the intermediate results fit into the processor's cache.
BATCH_ROWS = 8_192

#: Rows, or their bytes in memory, to buffer before a write: larger row groups read faster.
HELD_ROWS, HELD_BYTES = 65_536, 32 * 1024 * 1024


def normalize(
    lake: Lake,
    raw: Manifest,
    *,
    rejects_share: float = SHARE,
    policy: Policy = KEEP_ALL,
    persons: PersonIndex | None = None,
    keep_former: timedelta = timedelta(0),
    now: datetime | None = None,
) -> Manifest:
    """Write and publish the canonical rows and the rejects of a raw window. Returns the window's new manifest.

    ``policy`` says what becomes of personal data in both; ``read_policy`` makes one, with the vendor's own rules.
    ``persons`` fills the column ``person_id``, before the policy; without it, the column is null.
    Raises TooManyRejects above the threshold, or if no record can be read (publishes nothing canonical, keeps the
    rejects), Unreconciled if counts do not add up, and WindowSuperseded if another extraction of the window was
    published meanwhile. Canonical files of a former version stay until the version after it is ``keep_former`` old, for
    tables that consist of these files; raises ConfigError if that is more than a day. ``now`` is the instant (aware) in
    the names of the files.
    """
    chosen = Publication(rejects_share, keep_former, now or datetime.now(UTC))
    with _CanonicalWriter(lake, raw, chosen.now, policy, persons) as output:
        return publish(lake, raw, [output.write_all()], chosen)


def normalize_part(
    lake: Lake, raw: Manifest, now: datetime, policy: Policy = KEEP_ALL, persons: PersonIndex | None = None
) -> Manifest:
    """Write the canonical rows and the rejects of a part of a raw window (`split_raw`), for ``publish``.

    ``now`` is the instant (aware) in the names of the files, the same for all parts. A repeated call writes other files
    with the same rows: the first ones may be published. Raises WindowSuperseded if another extraction has replaced the
    raw files.
    """
    suffix = f"-{raw.batch:05d}-{uuid.uuid4().hex[:8]}"
    with _CanonicalWriter(lake, raw, now, policy, persons, suffix) as output:
        part = output.write_all()
        output.kept = True
        return part


@dataclass(slots=True)
class _CanonicalWriter:
    """Writes the files of a normalized window, or of a part of it. Removes them unless they are kept or published."""

    lake: Lake
    raw: Manifest
    now: datetime
    policy: Policy = KEEP_ALL
    persons: PersonIndex | None = None
    suffix: str = ""
    seen: Deduplicator = field(default_factory=Deduplicator)
    days: dict[str, Writer] = field(default_factory=dict)
    held: dict[str, list[pa.RecordBatch]] = field(default_factory=dict)
    held_rows: int = 0
    held_bytes: int = 0
    rejects: Writer | None = None
    landed: int = 0
    canonical: int = 0
    rejected: int = 0
    erased: int = 0
    types: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    written: list[File] = field(default_factory=list)
    rejects_files: tuple[File, ...] = ()
    kept: bool = False
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    writing: Future[None] | None = None

    def __enter__(self) -> Self:
        # Start the thread while nothing is written: if a task is asked to stop while a pool starts its thread, the pool
        # does not know the thread, and shutdown() does not wait for what it writes.
        self.thread.submit(int).result()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.thread.shutdown()
        if kind is None or self.kept:
            return
        for writer in (*self.days.values(), *([self.rejects] if self.rejects else [])):
            writer.discard()
        if not issubclass(kind, Exception) and not self.lake.local:
            # Airflow ends the task. A store's client may still be sending the manifest in a thread of its own, and the
            # manifest would refer to these files. Cleanup removes them after a day if no manifest does.
            return
        # An exception can come right after the manifest was published.
        current = self.lake.read(self.raw.place.manifest, Manifest)
        kept = current.paths if current else frozenset[str]()
        if issubclass(kind, TooManyRejects):  # keep the rejects for inspection
            kept |= {file.path for file in self.rejects_files}
        self.lake.remove(file.path for file in self.written if file.path not in kept)

    def write_all(self) -> Manifest:
        """Write the rows of the raw files. Returns the manifest of what was written."""
        refuse_swept(self.raw, "raw")
        vendor = vendor_named(self.raw.vendor)
        people = self.persons.find_contacts(self.lake, self.raw) if self.persons else NO_PEOPLE
        for batch in _read_batches(self.lake, self.raw):
            raw = decrypt_rows(self.lake, batch)
            found = to_rows(raw.rows, vendor, self.seen)
            self.types.update(pc.unique(found.rows.column("native_type")).to_pylist())
            self.names |= found.names
            self.landed += raw.rows.num_rows
            self.erased += raw.erased_rows
            # A policy leaves no bytes in rejects; without one they stay encrypted.
            bad = build_rejects(raw.rows if self.policy.digest else raw.stored, found.rejected)
            self.write(self.policy.apply(people.add_to(found.rows)), self.policy.apply_to_rejects(bad))
            if raw.left_out is not None and raw.unreadable:
                self.landed += len(raw.unreadable)
                self.write_rejects(self.policy.apply_to_rejects(build_rejects(raw.left_out, raw.unreadable)))
        return replace(self._close(), identities=people.digest, ambiguous=people.ambiguous)

    def write(self, good: pa.RecordBatch, bad: pa.RecordBatch) -> None:
        """Append the rows of one raw batch: canonical rows by UTC day, rejects to a file of their own."""
        self.canonical += good.num_rows
        for day, rows in _split_by_day(good):
            self.held.setdefault(day, []).append(rows)
        self.held_rows += good.num_rows
        self.held_bytes += good.nbytes
        if self.held_rows >= HELD_ROWS or self.held_bytes >= HELD_BYTES:
            self._flush()
        if bad.num_rows:
            self.write_rejects(bad)

    def write_rejects(self, bad: pa.RecordBatch) -> None:
        """Append rejected rows."""
        self.rejected += bad.num_rows
        if self.rejects is None:
            path = f"{self.raw.place.folder('rejects')}/rejects-{self._stamp}.parquet"
            self.rejects = Writer(self.lake, path, REJECTS)
        self.rejects.write(bad)

    def _flush(self) -> None:
        """Write the buffered rows in a thread, while the next rows are mapped."""
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
                path = f"{folder}/{self.raw.window.slug}-{self._stamp}.parquet"
                self.days[day] = Writer(self.lake, path, CANONICAL)
            self.days[day].write(join_rows(batches))

    @property
    def _stamp(self) -> str:
        return timestamp(self.now) + self.suffix

    def _close(self) -> Manifest:
        """Close all files."""
        self._flush()
        self._wait()
        while self.days:
            self.written.append(self.days.popitem()[1].close())
        files = tuple(sorted(self.written, key=lambda file: file.path))
        if self.rejects is not None:
            writer, self.rejects = self.rejects, None
            self.rejects_files = (writer.close(),)
            self.written.extend(self.rejects_files)
        counts = Counts(
            landed=self.landed,
            canonical=self.canonical,
            rejected=self.rejected,
            repeated=self.landed - self.canonical - self.rejected,
            erased=self.erased,
        )
        return replace(
            self.raw,
            files=files,
            outcomes=(),
            undated=(),
            rejects=self.rejects_files,
            counts=counts,
            types=show_names(self.types),
            fields=show_names(self.names),
            policy=self.policy.digest,
        )


def _read_batches(lake: Lake, raw: Manifest) -> Iterator[pa.RecordBatch]:
    for batch in read_window(lake, raw, raw.files, BATCH_ROWS):
        yield from slice_batch(batch)


def _split_by_day(rows: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
    days = rows.column("occurred_at").cast(pa.timestamp("us")).cast(pa.date32(), safe=False)
    different = sorted(pc.unique(days).to_pylist())
    for day in different:
        yield day.isoformat(), rows if len(different) == 1 else rows.filter(pc.equal(days, day))
