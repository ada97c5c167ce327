"""Pages to raw Parquet: verbatim, in order, in bounded memory, on any file system.

A landing writes data files under names of their own and returns their manifest; nothing refers to them until
``publish`` replaces the window's manifest, and a landing that fails removes what it wrote.
"""

from __future__ import annotations

import contextlib
import hashlib
import posixpath
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from airflow_provider_interactions.contract import Contact, Query
from airflow_provider_interactions.errors import Unreconciled
from airflow_provider_interactions.lake import Lake, Place, stamp, unwritable
from airflow_provider_interactions.manifest import Counts, File, Manifest, reconcile, whole
from airflow_provider_interactions.schema import OUTCOMES, RAW

#: Flush a row group after this many rows or payload bytes: large enough to compress, small enough to hold.
GROUP_ROWS, GROUP_BYTES = 65_536, 32 * 1024 * 1024

COMPRESSION = "zstd"


class Writer:
    """One Parquet file that appears under its name only when it is complete."""

    def __init__(self, lake: Lake, path: str, schema: pa.Schema) -> None:
        self.lake, self.path, self.rows = lake, path, 0
        lake.prepare(path)
        self._target = lake.full(path)
        self._temporary = f"{self._target}.{uuid.uuid4().hex}.tmp" if lake.local else self._target
        try:
            self._stream = lake.fs.open(self._temporary, "wb")
        except OSError as wrong:
            raise unwritable(wrong) from wrong
        self._parquet = pq.ParquetWriter(self._stream, schema, compression=COMPRESSION)

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
        # Local streams have a discard that only works inside fsspec's transactions.
        leave = self._stream.close if self.lake.local else getattr(self._stream, "discard", self._stream.close)
        with contextlib.suppress(OSError):
            leave()
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

    ``folder`` is where in the lake; the window's raw folder unless set.
    """

    lake: Lake
    place: Place
    extracted_at: datetime
    batch: int = 0
    batches: int = 1
    folder: str = ""
    _runs: list[_Run] = field(default_factory=list)
    _rows: int = 0
    _bytes: int = 0
    _landed: int = 0
    _digest: Any = field(default_factory=hashlib.sha256)
    _outcomes: list[tuple[Contact, str, int, int, str | None]] = field(default_factory=list)
    _writer: Writer | None = None
    _files: list[File] = field(default_factory=list)
    _finished: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._finished:
            if self._writer is not None:
                self._writer.discard()
            self.lake.remove(file.path for file in self._files)

    def add(
        self, query: Query, records: Sequence[bytes], occurred: Sequence[datetime | None], context: str = ""
    ) -> None:
        """Take the records of one page; rows go to disk in groups."""
        if not records:
            return
        self._runs.append(_Run(query, context, records, occurred))
        self._rows += len(records)
        self._bytes += sum(map(len, records))

    @property
    def full(self) -> bool:
        """Whether enough is held in memory for a row group."""
        return self._rows >= GROUP_ROWS or self._bytes >= GROUP_BYTES

    def flush(self) -> None:
        """Write what is held in memory as one row group."""
        if not self._runs:
            return
        runs, self._runs = self._runs, []
        self._rows = self._bytes = 0
        for run in runs:
            self._digest.update(b"\n".join(run.records) + b"\n")
        self._write(_table(runs, self.place, self.extracted_at))

    def copy(self, rows: pa.RecordBatch) -> None:
        """Take rows that landed before, as they are but for the window they are cut for."""
        for record in rows.column("payload"):
            self._digest.update(record.as_buffer())
            self._digest.update(b"\n")
        for name, moment in (("window_start", self.place.window.start), ("window_end", self.place.window.end)):
            at = rows.schema.get_field_index(name)
            rows = rows.set_column(at, RAW.field(name), _instants(moment, rows.num_rows))
        self._write(rows)

    def _write(self, rows: pa.RecordBatch) -> None:
        if self._writer is None:
            self._writer = Writer(self.lake, self._path("part"), RAW)
        self._writer.write(rows)
        self._landed += rows.num_rows

    def outcome(self, contact: Contact, outcome: str, rows: int, requests: int, reason: str | None) -> None:
        """Note how it went with one contact."""
        self._outcomes.append((contact, outcome, rows, requests, reason))

    def finish(self, counts: Counts) -> Manifest:
        """Write the rest and the outcomes, check the counts and hand out the manifest; nothing is published yet."""
        self.flush()
        if self._writer is not None:
            writer, self._writer = self._writer, None
            self._files.append(writer.close())
        files = tuple(self._files)
        outcomes = self._write_outcomes()
        self._files.append(outcomes)
        counts = counts + Counts(landed=self._landed)
        reconcile(counts)
        self._finished = True
        return Manifest(
            vendor=self.place.vendor,
            account=self.place.account,
            window_start=self.place.window.start,
            window_end=self.place.window.end,
            extracted_at=self.extracted_at,
            batch=self.batch,
            batches=self.batches,
            files=files,
            outcomes=(outcomes,),
            counts=counts,
            digest=self._digest.hexdigest(),
        )

    def _write_outcomes(self) -> File:
        contacts, names, rows, requests, reasons = zip(*self._outcomes, strict=True) if self._outcomes else ((),) * 5
        columns = [
            pa.array([contact.id for contact in contacts], pa.string()),
            pa.array([contact.kind for contact in contacts], pa.string()).dictionary_encode(),
            pa.array(names, pa.string()).dictionary_encode(),
            pa.array(rows, pa.int64()),
            pa.array(requests, pa.int64()),
            pa.array(reasons, pa.string()),
        ]
        writer = Writer(self.lake, self._path("outcomes"), OUTCOMES)
        writer.write(pa.record_batch(columns, schema=OUTCOMES))
        return writer.close()

    def _path(self, kind: str) -> str:
        folder = self.folder or self.place.folder("raw")
        return f"{folder}/{kind}-{self.batch:05d}-{stamp(self.extracted_at)}.parquet"


def publish(lake: Lake, manifests: Iterable[Manifest]) -> Manifest:
    """Make a raw window out of its batches: the new manifest replaces the former one, whose files are then removed.

    Raises Unreconciled, and changes nothing, when a batch is missing, counts do not add up, or files are gone because
    another extraction of the same window has replaced them since.
    """
    manifest = whole(manifests)
    reconcile(manifest.counts)
    _refuse_replaced(lake, manifest)
    former = lake.read(manifest.place.raw_manifest, Manifest)
    lake.publish(manifest.place.raw_manifest, manifest)
    if former is not None:
        lake.remove(sorted(former.paths - manifest.paths))
    return manifest


def _refuse_replaced(lake: Lake, manifest: Manifest) -> None:
    # Else an old task that is run again would point the window at nothing and remove the newer extraction's files.
    folder = manifest.place.folder("raw")
    gone = manifest.paths - {f"{folder}/{name}" for name in lake.names(folder)}
    if gone:
        msg = (
            f"{len(gone)} files of window {manifest.window} are gone: another extraction of the same window has "
            "replaced them. Run the extraction again, or leave the newer one as it is."
        )
        raise Unreconciled(msg)


def _table(runs: Sequence[_Run], place: Place, extracted_at: datetime) -> pa.RecordBatch:
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
    return pa.record_batch(columns, schema=RAW)


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
