"""Pages to raw Parquet: verbatim, in order, in bounded memory, on any file system.

A landing writes data files under names of their own and returns their manifest; nothing refers to them until
``publish`` replaces the window's manifest, and a landing that fails removes what it wrote.
"""

from __future__ import annotations

import contextlib
import hashlib
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from airflow_provider_interactions.contract import Contact, Query
from airflow_provider_interactions.errors import Unreconciled
from airflow_provider_interactions.journal import Journal, Outcome, State, Tally, clear
from airflow_provider_interactions.lake import Lake, Place, stamp, unwritable
from airflow_provider_interactions.manifest import Counts, File, Manifest, reconcile, referred, whole
from airflow_provider_interactions.schema import OUTCOMES, RAW
from airflow_provider_interactions.sweep import sweep

#: Records, or pages, after which what is held becomes a table.
HELD_ROWS, HELD_PAGES = 16_384, 1_000

#: A part ends after this many rows, or with the row that brings its payloads to this many bytes: it is one row group,
#: large enough to compress well and small enough to hold in memory.
PART_ROWS, PART_BYTES = 65_536, 64 * 1024 * 1024

COMPRESSION = "zstd"


class Replaced(Unreconciled):
    """Files of a window are gone: another extraction of the same window has been published since."""


class Writer:
    """One Parquet file that appears under its name only when it is complete."""

    def __init__(self, lake: Lake, path: str, schema: pa.Schema) -> None:
        self.lake, self.path, self.rows = lake, path, 0
        lake.prepare(path)
        self._target = lake.full(path)
        self._temporary = lake.full(lake.temporary(path)) if lake.local else self._target
        # Payloads and the like hardly repeat: a dictionary of them is work for nothing, as are their extremes.
        words = [column.name for column in schema if pa.types.is_dictionary(column.type)]
        ordered = [column.name for column in schema if not pa.types.is_binary(column.type)]
        try:
            self._stream = lake.fs.open(self._temporary, "wb")
            self._parquet = pq.ParquetWriter(
                self._stream, schema, compression=COMPRESSION, use_dictionary=words, write_statistics=ordered
            )
        except OSError as wrong:
            lake.remove([posixpath.relpath(self._temporary, lake.root)])
            raise unwritable(wrong) from wrong

    def write(self, batch: pa.RecordBatch) -> None:
        """Append one row group; raises ConfigError, and leaves nothing, when the file system takes no more."""
        with self._whole_or_nothing():
            self._parquet.write_batch(batch)
        self.rows += batch.num_rows

    def close(self) -> File:
        """Finish the file and give it its name; raises as ``write`` does."""
        with self._whole_or_nothing():
            self._parquet.close()
            self._stream.close()
            if self._temporary != self._target:
                self.lake.fs.mv(self._temporary, self._target)
        return File(self.path, self.rows, int(self.lake.fs.size(self._target)))

    def discard(self) -> None:
        """Leave nothing behind."""
        with contextlib.suppress(OSError, ValueError):  # a full disk, a stream that is closed
            self._parquet.close()
        self._parquet.is_open = False  # else it tries once more when it is collected
        self.lake.abandon(self._stream)
        self.lake.remove([posixpath.relpath(self._temporary, self.lake.root)])

    @contextlib.contextmanager
    def _whole_or_nothing(self) -> Iterator[None]:
        try:
            yield
        except BaseException as fault:
            self.discard()
            if isinstance(fault, OSError):
                raise unwritable(fault) from fault
            raise


@dataclass(slots=True)
class _Run:
    """Records of one query, side by side with what is the same for all of them."""

    query: Query
    context: str
    records: Sequence[bytes]
    occurred: Sequence[datetime | None]


@dataclass(slots=True)
class Landing:
    """The raw files of one batch, being written. Use it as a context manager; call ``finish`` to keep the files.

    ``folder`` is where in the lake; the window's raw folder unless set. With a journal, what has landed outlives a
    failure; without one, a failure leaves nothing behind. Where one file ends and the next begins follows from the
    rows alone, so a continued landing has the same files as an undisturbed one.
    """

    lake: Lake
    place: Place
    state: State
    batch: int = 0
    batches: int = 1
    folder: str = ""
    journal: Journal | None = None
    _runs: list[_Run] = field(default_factory=list)
    _held: int = 0
    _pending: list[pa.Table] = field(default_factory=list)
    _outcomes: list[Outcome] = field(default_factory=list)
    _unsaved: list[Outcome] = field(default_factory=list)
    _others: list[File] = field(default_factory=list)
    _kept: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._kept and self.journal is None:
            self.lake.remove(file.path for file in (*self.state.parts, *self._others))

    def restore(self, rows: Sequence[pa.Table], outcomes: Sequence[Outcome]) -> None:
        """Go on from what a journal holds beside its state."""
        self._pending.extend(rows)
        self._outcomes.extend(outcomes)

    def add(
        self, query: Query, records: Sequence[bytes], occurred: Sequence[datetime | None], context: str = ""
    ) -> None:
        """Take the records of one page; rows go to disk in groups."""
        if records:
            self._runs.append(_Run(query, context, records, occurred))
            self._held += len(records)

    @property
    def full(self) -> bool:
        """Whether enough is held in memory to be worth writing."""
        return self._held >= HELD_ROWS or len(self._runs) >= HELD_PAGES

    def flush(self) -> None:
        """Make a table of what is held, and files of what is enough for one."""
        if self._runs:
            runs, self._runs, self._held = self._runs, [], 0
            self._take(_table(runs, self.place, self.state.extracted_at))

    def copy(self, rows: pa.RecordBatch) -> None:
        """Take rows that landed before, as they are but for the window they are cut for."""
        for name, moment in (("window_start", self.place.window.start), ("window_end", self.place.window.end)):
            at = rows.schema.get_field_index(name)
            rows = rows.set_column(at, RAW.field(name), _instants(moment, rows.num_rows))
        self._take(pa.Table.from_batches([rows], RAW))

    def outcome(self, contact: Contact, outcome: str, rows: int, requests: int, reason: str | None) -> None:
        """Note how it went with one contact."""
        self._unsaved.append(Outcome(contact.id, contact.kind, outcome, rows, requests, reason))

    def save(self, questions: int, tally: Tally) -> None:
        """Make what has landed outlive a failure: ``questions`` are answered by it."""
        assert self.journal is not None  # noqa: S101 - only a landing with a journal is saved
        self.flush()
        self.state.questions, self.state.tally = questions, tally
        pending = pa.concat_tables(self._pending, promote_options="none") if self._pending else RAW.empty_table()
        fresh = pending.slice(self.state.end - self.state.written)
        self.journal.save(self.state, fresh if fresh.num_rows else None, self._unsaved)
        self._noted()

    def finish(self, counts: Counts) -> Manifest:
        """Write the rest and the outcomes, check the counts and hand out the manifest; nothing is published yet."""
        self.flush()
        if self._pending:
            self._write(pa.concat_tables(self._pending))
            self._pending = []
        outcomes = self._write_outcomes()
        self._others.append(outcomes)
        counts = counts + Counts(landed=sum(file.rows for file in self.state.parts))
        reconcile(counts)
        self._kept = True
        return Manifest(
            vendor=self.place.vendor,
            account=self.place.account,
            window_start=self.place.window.start,
            window_end=self.place.window.end,
            extracted_at=self.state.extracted_at,
            batch=self.batch,
            batches=self.batches,
            files=tuple(self.state.parts),
            outcomes=(outcomes,),
            counts=counts,
            digest=hashlib.sha256("".join(self.state.digests).encode()).hexdigest(),
        )

    def end(self, questions: int, tally: Tally) -> None:
        """Note in the journal, if there is one, that nothing is left to do but to publish."""
        if self.journal is not None:
            self.state.questions, self.state.tally = questions, tally
            self.state.finished, self.state.others = True, self._others
            self.journal.save(self.state, None, self._unsaved)
            self._noted()

    @property
    def outcomes(self) -> Sequence[Outcome]:
        """Of the contacts that are done, in order."""
        return [*self._outcomes, *self._unsaved]

    def _noted(self) -> None:
        self._outcomes.extend(self._unsaved)
        self._unsaved = []

    def _take(self, rows: pa.Table) -> None:
        self._pending.append(rows)
        while enough := _enough(self._pending):
            pending = pa.concat_tables(self._pending)
            self._pending = [pending.slice(enough)] if enough < pending.num_rows else []
            self._write(pending.slice(0, enough))

    def _write(self, rows: pa.Table) -> None:
        """One part: the same rows give the same bytes, whatever tables they came in."""
        rows = _encoded_anew(rows)
        digest = _digest(rows.column("payload").chunk(0))
        writer = Writer(self.lake, self._path(f"part-{len(self.state.parts):05d}", digest), RAW)
        for batch in rows.to_batches():
            writer.write(batch)
        self.state.parts.append(writer.close())
        self.state.digests.append(digest)

    def _write_outcomes(self) -> File:
        done = self.outcomes
        columns = [
            pa.array([one.contact_id for one in done], pa.string()),
            pa.array([one.contact_id_kind for one in done], pa.string()).dictionary_encode(),
            pa.array([one.outcome for one in done], pa.string()).dictionary_encode(),
            pa.array([one.rows for one in done], pa.int64()),
            pa.array([one.requests for one in done], pa.int64()),
            pa.array([one.reason for one in done], pa.string()),
        ]
        digest = hashlib.sha256(msgspec.json.encode(done)).hexdigest()
        writer = Writer(self.lake, self._path("outcomes", digest), OUTCOMES)
        writer.write(pa.record_batch(columns, schema=OUTCOMES))
        return writer.close()

    def _path(self, kind: str, digest: str) -> str:
        # Two tries of one run share their instant: other rows must not come under a name that the first one counts on.
        folder = self.folder or self.place.folder("raw")
        return f"{folder}/{self.batch:05d}-{kind}-{stamp(self.state.extracted_at)}-{digest[:16]}.parquet"


def publish(lake: Lake, manifests: Iterable[Manifest], now: datetime | None = None) -> Manifest:
    """Make a raw window out of its batches: the new manifest replaces the former one, whose files are then removed.

    Raises Unreconciled, and changes nothing, when a batch is missing or counts do not add up, and Replaced when files
    are gone because another extraction of the same window was published since. What dead runs left of the window long
    before ``now`` (aware) goes too.
    """
    manifest = whole(manifests)
    reconcile(manifest.counts)
    _refuse_replaced(lake, manifest)
    former = lake.read(manifest.place.raw_manifest, Manifest)
    lake.publish(manifest.place.raw_manifest, manifest)
    if former is not None:
        # Read once more: should another task have published meanwhile, its files must stay.
        lake.remove(sorted(former.paths - manifest.paths - referred(lake, manifest.place.folder("raw"))))
    clear(lake, manifest)
    sweep(lake, manifest.place, now or datetime.now(UTC))
    return manifest


def _refuse_replaced(lake: Lake, manifest: Manifest) -> None:
    # Else an old task that is run again would point the window at nothing and remove the newer extraction's files.
    folder = manifest.place.folder("raw")
    gone = manifest.paths - {f"{folder}/{name}" for name in lake.names(folder)}
    if gone:
        raise Replaced(replaced(manifest))


def replaced(manifest: Manifest) -> str:
    """What to tell when files of a raw window are gone."""
    return (
        f"Files of window {manifest.window} are gone: another extraction of the same window has replaced them. Run the "
        "extraction again, or leave the newer one as it is."
    )


def _enough(tables: Sequence[pa.Table]) -> int:
    """How many of the first rows make a part, 0 when there are not enough yet."""
    rows = sum(table.num_rows for table in tables)
    if rows < PART_ROWS and sum(table.column("payload").nbytes for table in tables) < PART_BYTES:
        return 0
    first = pa.concat_tables(tables).slice(0, PART_ROWS)
    sizes = pc.cumulative_sum(pc.binary_length(first.column("payload")).cast(pa.int64()))
    enough = int(pc.sum(pc.less(sizes, PART_BYTES)).as_py()) + 1  # with the row that brings them there
    return min(enough, PART_ROWS) if enough <= rows else 0


def _encoded_anew(rows: pa.Table) -> pa.Table:
    """The same rows in one chunk, words numbered in the order of their first row: what the file's bytes depend on."""
    rows = rows.unify_dictionaries().combine_chunks()
    for at, column in enumerate(rows.schema):
        if pa.types.is_dictionary(column.type):
            rows = rows.set_column(at, RAW.field(at), _renumbered(rows.column(at).chunk(0)))
    return rows


def _renumbered(words: pa.DictionaryArray) -> pa.DictionaryArray:
    used = pc.unique(words.indices)
    numbers = pc.index_in(words.indices, value_set=used)
    return pa.DictionaryArray.from_arrays(numbers, words.dictionary.take(used))


def _digest(payloads: pa.BinaryArray) -> str:
    """SHA-256 of the payloads one after the other, and then of their lengths as 32-bit integers, little end first."""
    _, offsets, values = payloads.buffers()
    ends = memoryview(offsets).cast("i")[payloads.offset : payloads.offset + len(payloads) + 1]
    digest = hashlib.sha256(memoryview(values)[ends[0] : ends[-1]] if values else b"")
    digest.update(pc.binary_length(payloads).buffers()[1])
    return digest.hexdigest()


def _table(runs: Sequence[_Run], place: Place, extracted_at: datetime) -> pa.Table:
    lengths = [len(run.records) for run in runs]
    rows = sum(lengths)
    columns = [
        _same(place.vendor, rows),
        _same(place.account, rows),
        _spread([run.query.contact.id for run in runs], lengths).cast(pa.string()),
        _spread([run.query.contact.kind for run in runs], lengths),
        _spread([run.query.native_type or "" for run in runs], lengths),
        _spread([run.context for run in runs], lengths),
        pa.array([at for run in runs for at in run.occurred], RAW.field("occurred_at").type),
        pa.array([record for run in runs for record in run.records], pa.binary()),
        _instants(extracted_at, rows),
        _instants(place.window.start, rows),
        _instants(place.window.end, rows),
    ]
    return pa.table(columns, schema=RAW)


def _same(text: str, rows: int) -> pa.DictionaryArray:
    return _spread([text], [rows])


def _spread(values: Sequence[str], lengths: Sequence[int]) -> pa.DictionaryArray:
    """Each value as many times as its length says, without making that many Python objects."""
    words: dict[str, int] = {}
    codes = [words.setdefault(value, len(words)) for value in values]
    ends = pc.cumulative_sum(pa.array(lengths, pa.int32()))
    indices = pa.RunEndEncodedArray.from_arrays(ends, pa.array(codes, pa.int32()))
    return pa.DictionaryArray.from_arrays(pc.run_end_decode(indices), pa.array(list(words), pa.string()))


def _instants(moment: datetime, rows: int) -> pa.Array:
    return pa.repeat(pa.scalar(moment, RAW.field("extracted_at").type), rows)
