"""Pages to raw Parquet: verbatim, in order, in bounded memory, on any file system.

A writer gives data files names of their own and returns their manifest. Nothing refers to the files until
``commit_window`` replaces the window's manifest. A writer that fails removes its files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Self

import msgspec
import pyarrow as pa

from airflow_provider_interactions.columnar.buffers import size
from airflow_provider_interactions.contract import Query
from airflow_provider_interactions.errors import TooManyRejects
from airflow_provider_interactions.extract.checkpoint import Checkpoint, CheckpointStore, Tally
from airflow_provider_interactions.extract.outcomes import Outcome, to_batch
from airflow_provider_interactions.extract.raw_table import (
    PageRows,
    build_table,
    digest_payloads,
    repeat_instant,
    rows_for_next_part,
    with_canonical_dictionaries,
)
from airflow_provider_interactions.lake.manifest import Counts, File, Manifest, count_rows, list_referenced, reconcile
from airflow_provider_interactions.lake.parquet import Writer
from airflow_provider_interactions.lake.paths import WindowPaths, timestamp
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.schema import OUTCOMES, RAW, REJECTS

#: Records, pages, or bytes of records, after which what is held becomes a table.
HELD_ROWS, HELD_PAGES, HELD_BYTES = 16_384, 1_000, 64 * 1024 * 1024


@dataclass(slots=True)
class RawWriter:
    """The raw files of one batch, being written. Use it as a context manager; call ``finish`` to keep the files.

    ``folder`` is where in the lake; the window's raw folder unless set. ``asked`` is that of the manifest. With
    ``checkpoints``, what was written outlives a failure. Without, a failure leaves nothing behind. Where one file ends
    and the next begins follows from the rows alone, so a continued extraction has the files of an undisturbed one.
    """

    lake: Lake
    place: WindowPaths
    state: Checkpoint
    batch: int = 0
    batches: int = 1
    folder: str = ""
    checkpoints: CheckpointStore | None = None
    asked: str = ""
    _runs: list[PageRows] = field(default_factory=list)
    _held: int = 0
    _held_bytes: int = 0
    _pending: list[pa.Table] = field(default_factory=list)
    _rejected: list[pa.Table] = field(default_factory=list)
    _outcomes: list[Outcome] = field(default_factory=list)
    _unsaved: list[Outcome] = field(default_factory=list)
    _others: list[File] = field(default_factory=list)
    _kept: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        undated = () if isinstance(error, TooManyRejects) else self.state.undated  # these stay, to be looked at
        paths = [file.path for file in (*self.state.parts, *undated, *self._others)]
        if paths and not self._kept and self.checkpoints is None:
            # A long window that is split once more writes the same files, which may be committed already.
            published = list_referenced(self.lake, self._home)
            self.lake.remove(path for path in paths if path not in published)

    @contextmanager
    def drop_checkpoint_on(self, *kinds: type[Exception]) -> Iterator[None]:
        """On an error of these kinds, drop the checkpoint, so that the next try starts from the beginning."""
        try:
            yield
        except kinds:
            if self.checkpoints is not None:
                self.checkpoints.drop()
            self.checkpoints = None
            raise

    def restore(self, rows: Sequence[pa.Table], outcomes: Sequence[Outcome]) -> None:
        """Continue from the rows and outcomes of a checkpoint."""
        self._pending.extend(rows)
        self._outcomes.extend(outcomes)

    def add(
        self, query: Query, records: Sequence[bytes], occurred: Sequence[datetime | None], context: str = ""
    ) -> None:
        """Add the records of one page; rows are written in groups."""
        if records:
            self._runs.append(PageRows(query, context, records, occurred))
            self._held += len(records)
            self._held_bytes += size(records)

    def reject(self, query: Query, records: Sequence[bytes], reasons: Sequence[str], context: str = "") -> None:
        """Add records without a readable time, with the reasons. They go to a file of their own."""
        if records:
            run = PageRows(query, context, records, [None] * len(records))
            self._reject(build_table([run], self.place, self.state.extracted_at), pa.array(reasons, pa.string()))

    def copy_rejects(self, rows: pa.RecordBatch) -> None:
        """Append the rejects of the long window that this one is a part of."""
        self._reject(pa.Table.from_batches([self._set_window(rows.select(RAW.names))]), rows.column("reason"))

    def flush_rejects(self) -> None:
        """Write the held rejects to a file."""
        if self._rejected:
            rows = pa.concat_tables(self._rejected).unify_dictionaries()
            self._rejected = []
            found, stamped = digest_payloads(rows.column("payload")), timestamp(self.state.extracted_at)
            name = f"{self.batch:05d}-undated-{len(self.state.undated):05d}-{stamped}-{found[:16]}.parquet"
            writer = Writer(self.lake, f"{self.place.folder('rejects')}/{name}", REJECTS)
            writer.write(rows)
            self.state.undated.append(writer.close())

    @property
    def undated(self) -> Sequence[File]:
        """The files of rejects."""
        return self.state.undated

    def _reject(self, rows: pa.Table, reasons: pa.Array) -> None:
        self._rejected.append(pa.table([reasons, *rows.columns], schema=REJECTS))
        if sum(some.nbytes for some in self._rejected) >= HELD_BYTES:
            self.flush_rejects()

    @property
    def full(self) -> bool:
        """Whether enough rows are held in memory to write them."""
        return self._held >= HELD_ROWS or len(self._runs) >= HELD_PAGES or self._held_bytes >= HELD_BYTES

    def flush(self) -> None:
        """Make a table of the held pages, and files of all rows that fill a file."""
        if self._runs:
            runs, self._runs, self._held, self._held_bytes = self._runs, [], 0, 0
            self._append(build_table(runs, self.place, self.state.extracted_at))

    def copy(self, rows: pa.RecordBatch) -> None:
        """Append rows of an earlier extraction. Only their window changes."""
        self._append(pa.Table.from_batches([self._set_window(rows)], RAW))

    def _set_window(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        for name, moment in (("window_start", self.place.window.start), ("window_end", self.place.window.end)):
            at = rows.schema.get_field_index(name)
            rows = rows.set_column(at, RAW.field(name), repeat_instant(moment, rows.num_rows))
        return rows

    def add_outcome(self, outcome: Outcome) -> None:
        """Note how it went with one contact."""
        self._unsaved.append(outcome)

    def save(self, questions: int, tally: Tally) -> None:
        """Save a checkpoint, so that a retry continues after the first ``questions`` queries."""
        assert self.checkpoints is not None  # noqa: S101 - only a writer with a checkpoint is saved
        self.flush()
        self.flush_rejects()
        self.state.questions, self.state.tally = questions, tally
        pending = pa.concat_tables(self._pending, promote_options="none") if self._pending else RAW.empty_table()
        fresh = pending.slice(self.state.end - self.state.written)
        if self.checkpoints.save(self.state, fresh if fresh.num_rows else None, self._unsaved):
            self._mark_saved()

    def finish(self, counts: Counts) -> Manifest:
        """Write the rest and the outcomes, check the counts and return the manifest. Nothing is committed yet."""
        self.flush()
        self.flush_rejects()
        if self._pending:
            self._write(pa.concat_tables(self._pending))
            self._pending = []
        outcomes = self._write_outcomes()
        self._others.append(outcomes)
        manifest = Manifest(
            vendor=self.place.vendor,
            account=self.place.account,
            window_start=self.place.window.start,
            window_end=self.place.window.end,
            extracted_at=self.state.extracted_at,
            batch=self.batch,
            batches=self.batches,
            files=tuple(self.state.parts),
            outcomes=(outcomes,),
            undated=tuple(self.state.undated),
            counts=counts + Counts(landed=count_rows(self.state.parts)),
            digest=hashlib.sha256("".join(self.state.digests).encode()).hexdigest(),
            asked=self.asked,
        )
        reconcile(manifest)
        self._kept = True
        return manifest

    def save_finished(self, questions: int, tally: Tally) -> None:
        """Save in the checkpoint, if there is one, that only the commit is left to do."""
        if self.checkpoints is not None:
            self.state.questions, self.state.tally = questions, tally
            self.state.finished, self.state.others = True, self._others
            if self.checkpoints.save(self.state, None, self._unsaved):
                self._mark_saved()

    @property
    def outcomes(self) -> Sequence[Outcome]:
        """The outcomes of all finished contacts, in order."""
        return [*self._outcomes, *self._unsaved]

    def _mark_saved(self) -> None:
        self._outcomes.extend(self._unsaved)
        self._unsaved = []

    def _append(self, rows: pa.Table) -> None:
        self._pending.append(rows)
        while size := rows_for_next_part(self._pending):
            pending = pa.concat_tables(self._pending)
            self._pending = [pending.slice(size)] if size < pending.num_rows else []
            self._write(pending.slice(0, size))

    def _write(self, rows: pa.Table) -> None:
        """One part: the same rows give the same bytes, whatever tables they came in."""
        rows = with_canonical_dictionaries(rows)
        found = digest_payloads(rows.column("payload"))
        writer = Writer(self.lake, self._path(f"part-{len(self.state.parts):05d}", found), RAW)
        writer.write(rows)
        self.state.parts.append(writer.close())
        self.state.digests.append(found)

    def _write_outcomes(self) -> File:
        done = self.outcomes
        found = hashlib.sha256(msgspec.json.encode(done)).hexdigest()
        writer = Writer(self.lake, self._path("outcomes", found), OUTCOMES)
        writer.write(to_batch(done))
        return writer.close()

    @property
    def _home(self) -> str:
        return self.folder or self.place.folder("raw")

    def _path(self, kind: str, content: str) -> str:
        # Two tries of one run share their instant. A retry must not overwrite a file that the first manifest names.
        return f"{self._home}/{self.batch:05d}-{kind}-{timestamp(self.state.extracted_at)}-{content[:16]}.parquet"
