"""Pages to raw Parquet: verbatim, contact by contact, in bounded memory, on any file system.

A writer gives data files names of their own and returns their manifest. Nothing refers to the files until
``commit_window`` replaces the window's manifest. A writer that fails removes its files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import itemgetter
from types import TracebackType
from typing import Any, NamedTuple, Self

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.errors import TooManyRejects
from airflow_provider_interactions.extract.checkpoint import Checkpoint, CheckpointStore, Range, Tally, merge_ranges
from airflow_provider_interactions.extract.encrypt import encrypt
from airflow_provider_interactions.extract.held_pages import HELD_BYTES, HeldPages
from airflow_provider_interactions.extract.outcomes import Answer, Outcome
from airflow_provider_interactions.extract.raw_files import RawFiles
from airflow_provider_interactions.extract.raw_table import (
    NUMBERED,
    PageRows,
    add_number,
    build_part,
    build_table,
    fill_part,
    set_window,
)
from airflow_provider_interactions.lake.manifest import Counts, File, Manifest, count_rows
from airflow_provider_interactions.lake.paths import WindowPaths
from airflow_provider_interactions.lake.reconcile import reconcile
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.schema import RAW, REJECTS


class Mark(NamedTuple):
    """What a writer held at one moment: its numbers of files, and copies of its lists. Tables never change."""

    parts: int
    undated: int
    held: Sequence[list[Any]]


@dataclass(slots=True)
class RawWriter:
    """The raw files of one batch, being written. Use it as a context manager; call ``finish`` to keep the files.

    ``folder`` is where in the lake; the window's raw folder unless set. ``asked`` is that of the manifest. With
    ``checkpoints``, what was written outlives a failure. Without, a failure leaves nothing behind. Contacts come in
    any order, each with all of its rows; a part has them in the order of their questions' numbers. ``share`` of the
    usual size is enough for a part.
    """

    lake: Lake
    place: WindowPaths
    state: Checkpoint
    batch: int = 0
    batches: int = 1
    folder: str = ""
    checkpoints: CheckpointStore | None = None
    asked: str = ""
    share: float = 1
    _held: HeldPages = field(init=False)
    _pending: list[pa.Table] = field(default_factory=list)  # rows for the next part
    _unsaved: list[pa.Table] = field(default_factory=list)  # those of them that are in no checkpoint
    _early: list[pa.Table] = field(default_factory=list)  # rows for the next checkpoint whose contact is not complete
    _saved_early: set[int] = field(default_factory=set)  # questions that were saved so
    _ranges: list[Range] = field(default_factory=list)  # questions whose rows the next part completes
    _answers: list[Answer] = field(default_factory=list)  # answers for the next checkpoint
    _rejected: list[pa.Table] = field(default_factory=list)
    _outcomes: list[tuple[int, Outcome]] = field(default_factory=list)
    _others: list[File] = field(default_factory=list)
    _kept: bool = False

    def __post_init__(self) -> None:
        self._held = HeldPages(encrypted=bool(self.lake.ring))

    @property
    def _files(self) -> RawFiles:
        return RawFiles(self.lake, self.folder or self.place.folder("raw"), self.state, self.batch)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._kept and self.checkpoints is None:
            undated = () if isinstance(error, TooManyRejects) else self.state.undated  # these stay, to be looked at
            self._files.remove_unpublished([*self.state.parts, *undated, *self._others])

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

    def restore(self, rows: Sequence[pa.Table], questions: Iterable[Range]) -> None:
        """Continue from a checkpoint: rows of complete contacts that are in no part, and these contacts' questions."""
        self._pending.extend(rows)
        self._ranges = merge_ranges(questions)

    def add_page(self, page: PageRows) -> None:
        """Add the rows of one page; they are written in groups."""
        self._held.add(page)

    def add_restored(self, rows: pa.Table) -> None:
        """Add rows that a checkpoint holds."""
        self._pending.append(rows)
        self._saved_early.update(pc.unique(rows.column("question")).to_pylist())

    def add_rows(self, rows: pa.Table) -> None:
        """Add numbered rows (``raw_table.NUMBERED``) that are one already."""
        rows = encrypt(self.lake, rows)
        self._unsaved.append(rows)
        self._append(rows)

    def mark(self) -> Mark:
        """What has been added so far, for ``roll_back``. Whoever keeps a mark keeps less than half a part in memory."""
        if fill_part(self._pending, self.share / 2):
            self._write_pending()
        lists = self._pending, self._unsaved, self._ranges, self._rejected, self.state.written
        return Mark(len(self.state.parts), len(self.state.undated), [list[Any](held) for held in lists])

    def roll_back(self, mark: Mark) -> None:
        """Drop what has been added since a mark, with the files that hold it."""
        self._pending, self._unsaved, self._ranges, self._rejected, self.state.written = map(list[Any], mark.held)
        self._files.drop_after(mark.parts, mark.undated)

    def complete(self, questions: Range) -> None:
        """All rows of a contact, whose questions these are, have been added."""
        self._ranges.append(questions)

    def write_alone(self, rows: Iterable[pa.Table], questions: Range) -> None:
        """Write the rows of one contact to parts of their own."""
        held = list[pa.Table]()
        for table in rows:
            held.append(table)
            if fill_part(held):
                self._files.write_part(build_part(held))
                held = []
        if held:
            self._files.write_part(build_part(held))
        self.state.written = merge_ranges([*self.state.written, questions])

    def reject(self, page: PageRows, reasons: Sequence[str]) -> None:
        """Add records without a readable time, with the reasons. They go to a file of their own."""
        rows = build_table([page], self.place, self.state.extracted_at)
        self.reject_rows(rows.select(RAW.names), pa.array(reasons, pa.string()))

    def build_rows(self, pages: Sequence[PageRows]) -> pa.Table:
        """The numbered rows of some pages, as they are stored."""
        return encrypt(self.lake, build_table(pages, self.place, self.state.extracted_at))

    def reject_rows(self, rows: pa.Table, reasons: pa.Array) -> None:
        """Add raw rows without a readable time, with the reasons."""
        self._rejected.append(pa.table([reasons, *rows.columns], schema=REJECTS))
        if sum(some.nbytes for some in self._rejected) >= HELD_BYTES:
            self.flush_rejects()

    def copy_rejects(self, rows: pa.RecordBatch) -> None:
        """Append the rejects of the long window that this one is a part of."""
        moved = set_window(rows.select(RAW.names), self.place.window)
        self.reject_rows(pa.Table.from_batches([moved]), rows.column("reason"))

    def flush_rejects(self) -> None:
        """Write the held rejects to a file of their own."""
        if self._rejected:
            rows = encrypt(self.lake, pa.concat_tables(self._rejected).unify_dictionaries())
            self._rejected = []
            self._files.write_rejects(rows)

    @property
    def undated_files(self) -> Sequence[File]:
        """The files of the records without a readable time."""
        return self.state.undated

    @property
    def full(self) -> bool:
        """Whether enough rows are held in memory to write them."""
        return self._held.full

    def flush(self) -> None:
        """Make a table of the held pages, and a part when there are enough rows."""
        if pages := self._held.take():
            rows = self.build_rows(pages)
            self._unsaved.append(rows)
            self._append(rows)

    def copy(self, rows: pa.RecordBatch) -> None:
        """Append rows of an earlier extraction. Only their window changes."""
        moved = pa.Table.from_batches([set_window(rows, self.place.window)], RAW)
        self._append(add_number(encrypt(self.lake, moved), 0))

    def add_outcome(self, outcome: Outcome, place: int = 0) -> None:
        """Note how it went with one contact. The file lists outcomes in the order of ``place``."""
        self._outcomes.append((place, outcome))

    def add_answer(self, answer: Answer) -> None:
        """Note how it went with one question: the next checkpoint has it, and its rows."""
        self._answers.append(answer)

    def save(self, early: Sequence[PageRows], tally: Tally) -> None:
        """Save a checkpoint. ``early`` is what came for ended questions whose contacts are not complete."""
        assert self.checkpoints is not None  # noqa: S101 - only a writer with a checkpoint is saved
        if early:
            self._early.append(self.build_rows(early))
            self._saved_early.update(page.question for page in early)
        self.flush()
        self.flush_rejects()
        self.state.tally = tally
        self._ranges = merge_ranges(self._ranges)
        if self.checkpoints.save(self.state, self._collect_unsaved(), self._answers):
            self._answers, self._unsaved, self._early = [], [], []

    def _collect_unsaved(self) -> pa.Table | None:
        """Rows that no checkpoint holds. Those that were saved early come again with the rest of their contact."""
        known = pa.array(sorted(self._saved_early), pa.int64())
        fresh = [rows.filter(pc.invert(pc.is_in(rows.column("question"), known))) for rows in self._unsaved]
        rows = pa.concat_tables([NUMBERED.empty_table(), *fresh, *self._early])
        return rows if rows.num_rows else None

    def finish(self, counts: Counts) -> Manifest:
        """Write the rest and the outcomes, check the counts and return the manifest. Nothing is committed yet."""
        self.flush()
        self.flush_rejects()
        self._write_pending()
        outcomes = self._files.write_outcomes(self.place.vendor, self.outcomes)
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

    def save_finished(self, tally: Tally) -> None:
        """Save in the checkpoint, if there is one, that only the commit is left to do."""
        if self.checkpoints is not None:
            self.state.tally = tally
            self.state.finished, self.state.others = True, self._others
            self.checkpoints.save(self.state, None, self._answers)

    @property
    def outcomes(self) -> Sequence[Outcome]:
        """The outcomes of all complete contacts, in order."""
        return [outcome for _, outcome in sorted(self._outcomes, key=itemgetter(0))]

    def _append(self, rows: pa.Table) -> None:
        self._pending.append(rows)
        if fill_part(self._pending, self.share):
            self._write_pending()

    def _write_pending(self) -> None:
        """A part of all rows that wait for one."""
        pending, self._pending, self._unsaved = self._pending, [], []
        if pending:
            self._files.write_part(build_part(pending))
        self.state.written = merge_ranges([*self.state.written, *self._ranges])
        self._saved_early.difference_update(*(range(*questions) for questions in self._ranges))
        self._ranges = []
