"""One window of a bulk vendor: read each table, land the rows of the window.

extract(job)  ->  TableSource  ->  tables  ->  rows of the window  ->  RawWriter  ->  Manifest

All rows of the window land. Of several rows with one key, all but the newest have the context ``SUPERSEDED``, and
``normalize`` counts them as repeated.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa
from msgspec.structs import replace

from airflow_provider_interactions.contract.bulk import TableAddress
from airflow_provider_interactions.errors import BadResponse, TooManyRejects, Unreconciled
from airflow_provider_interactions.extract.checkpoint import Checkpoint, Tally
from airflow_provider_interactions.extract.job import Job, Progress
from airflow_provider_interactions.extract.outcomes import Outcome, count_outcomes, judge_rows
from airflow_provider_interactions.extract.raw_writer import RawWriter
from airflow_provider_interactions.extract.resume import open_checkpoints
from airflow_provider_interactions.extract.table_facts import narrow_rows, write_facts
from airflow_provider_interactions.extract.table_rows import (
    RowBuilder,
    SortedRows,
    SupersededRows,
    hold_rows,
    is_about_everyone,
    release_rows,
)
from airflow_provider_interactions.extract.table_source import TableSource
from airflow_provider_interactions.extract.undated import check_undated
from airflow_provider_interactions.extract.unfinished import expire_checkpoints
from airflow_provider_interactions.extract.vanished import refuse_vanished
from airflow_provider_interactions.lake.manifest import Counts, Manifest
from airflow_provider_interactions.schema import RAW
from airflow_provider_interactions.tables.columns import name_narrow_columns
from airflow_provider_interactions.tables.table import Table

#: The number of absent types that the log names.
SHOWN = 10

#: A part has this share of the usual size. The library that reads a table needs memory beside it.
SHARE = 0.25

log = logging.getLogger(__name__)


def land_tables(job: Job, folder: str = "") -> Manifest:
    """Write the window's rows of every table to ``folder``; default: the window's raw folder.

    A retry of the same run goes on after the last whole table. Raises VendorError, and as ``RawWriter`` does.
    """
    assert job.vendor.bulk is not None  # noqa: S101 - only bulk vendors come here
    with TableSource(job, job.vendor.bulk) as source:
        tables = source.find_tables()
        if is_about_everyone(job):
            refuse_vanished(job, tables)
        _log_absent(job, tables)
        with _open_writer(job, folder, tables) as writer:
            landing = _Landing(source, writer, RowBuilder(job, job.vendor.bulk))
            landing.land_all(tables)
            return landing.finish()


@contextmanager
def _open_writer(job: Job, folder: str, tables: Sequence[TableAddress]) -> Iterator[RawWriter]:
    """A new writer, or one that continues the checkpoint of an earlier try of the same run.

    A job about given people starts over: a checkpoint does not say how many rows each has.
    """
    state = Checkpoint(extracted_at=job.extracted_at)
    if job.resume is None or not is_about_everyone(job):
        with RawWriter(
            job.lake, job.place, state, job.batch, job.batches, folder, asked=job.source_digest, share=SHARE
        ) as writer:
            yield writer
        return
    store = open_checkpoints(job, [address.native_type for address in tables])
    expire_checkpoints(job.lake, job.place, job.extracted_at, job.resume_age)
    found = store.load(job.extracted_at, job.resume_age)
    if found and found[0].finished and found[0].generation != job.generation:
        store.drop()
        found = None
    state, rows, _ = found or (state, [], [])
    state.generation = job.generation
    with RawWriter(
        job.lake, job.place, state, job.batch, job.batches, folder, store, job.source_digest, SHARE
    ) as writer:
        writer.restore(rows, [(number, number + 1) for number in range(len(state.tables))])
        yield writer


@dataclass(slots=True)
class _Landing:
    """The tables of a window on their way to the lake. ``held`` are rows of given people, which have an order."""

    source: TableSource
    writer: RawWriter
    builder: RowBuilder
    held: list[pa.Table] = field(default_factory=list)
    before: tuple[int, int, int] = (0, 0, 0)

    def __post_init__(self) -> None:
        self.before = self.writer.state.tally.sent

    @property
    def job(self) -> Job:
        return self.source.job

    @property
    def tally(self) -> Tally:
        return self.writer.state.tally

    def land_all(self, tables: Sequence[TableAddress]) -> None:
        """Land each table, and save a checkpoint after it."""
        for number, address in enumerate(tables):
            if address.native_type not in self.writer.state.tables:
                self._land(number, address)
                self.writer.complete((number, number + 1))
                if self.writer.checkpoints is not None:
                    self.writer.save((), self._count_sent())
            if self.job.progress is not None:
                requests, _, throttled = self._count_sent().sent
                self.job.progress(Progress(len(tables), number + 1, self.tally.fetched, requests, throttled))

    def finish(self) -> Manifest:
        """Check the counts, write the rest of the files, and keep the facts of the tables."""
        job, writer = self.job, self.writer
        writer.flush_rejects()
        with writer.drop_checkpoint_on(TooManyRejects, Unreconciled):
            check_undated(job, self.tally, writer.undated_files)
            outcomes = self._add_people()
            for place, outcome in enumerate(outcomes):
                writer.add_outcome(outcome, place)
            manifest = writer.finish(self._count(outcomes))
        if is_about_everyone(job):
            types = getattr(job.options, "types", ())
            write_facts(job.lake, job.place, writer.state.extracted_at, job.width, writer.state.tables, types)
        writer.save_finished(self._count_sent())
        return manifest

    def _land(self, number: int, address: TableAddress) -> None:
        mark, tally, held = self.writer.mark(), self.tally, len(self.held)

        def undo() -> None:
            self.writer.roll_back(mark)
            self.writer.state.tally = tally
            del self.held[held:]

        self.writer.state.tally = replace(tally)
        self.source.read_table(address, partial(self._read, number, address.native_type), undo)

    def _read(self, number: int, native_type: str, table: Table) -> None:
        """Read a table: its keys and versions, then its rows. Only a table whose rows can be held is read once."""
        job, bulk = self.job, self.source.bulk
        held = hold_rows(table.scan(job.window))
        narrow = table.scan(job.window, name_narrow_columns(bulk)) if held is None else held
        facts = self.source.facts.read(narrow_rows(narrow, bulk, job.window), job.window, job.width)
        superseded, before = SupersededRows(facts.superseded), self.tally.fetched
        self.writer.state.tally = replace(self.tally)
        again = table.scan(job.window) if held is None else release_rows(held)
        for batch in again if facts.rows or facts.undated else ():
            self._add(self.builder.build(batch, native_type, number, superseded))
        rows = self.tally.fetched - before
        if is_about_everyone(job) and job.keeps == "dated" and rows != facts.rows:
            msg = f"the table {native_type} changed while it was read: it had {facts.rows} rows, and then {rows}"
            raise BadResponse(msg)
        self.writer.state.tables[native_type] = facts.pieces

    def _add(self, found: SortedRows) -> None:
        undated = found.undated.num_rows
        self.tally.received += found.received
        self.tally.fetched += found.rows.num_rows
        self.tally.undated += undated
        if undated:
            reason = f"{self.source.bulk.time} is missing, cannot be read, or is in no window"
            self.tally.reasons = dict(Counter(self.tally.reasons) + Counter({reason: undated}))
            self.writer.reject_rows(found.undated.select(RAW.names), pa.repeat(pa.scalar(reason), undated))
        if is_about_everyone(self.job):
            self.writer.add_rows(found.rows)
        else:
            self.held.append(found.rows)

    def _add_people(self) -> list[Outcome]:
        """Hand over the rows of given people, person by person; returns the outcome of each contact of the job."""
        numbers = Counter[int]()
        if self.held:
            rows = pa.concat_tables(self.held).unify_dictionaries().sort_by("question")
            numbers.update(rows.column("question").to_pylist())
            self.writer.add_rows(rows)
        everyone = is_about_everyone(self.job)
        return [
            Outcome(one.id, one.kind, judge_rows(rows), rows, 0, None)
            for one, rows in (
                (one, self.tally.fetched if everyone else numbers[place]) for place, one in enumerate(self.job.contacts)
            )
        ]

    def _count(self, outcomes: Sequence[Outcome]) -> Counts:
        tally, (requests, retries, throttled) = self.tally, self._count_sent().sent
        return count_outcomes(outcomes) + Counts(
            received=tally.received,
            outside=tally.received - tally.undated - tally.fetched,
            undated=tally.undated,
            fetched=tally.fetched,
            requests=requests,
            retries=retries,
            throttled=throttled,
        )

    def _count_sent(self) -> Tally:
        """The counts so far, with the requests of this try and of earlier ones."""
        requests, retries, throttled = (sum(both) for both in zip(self.before, self.source.request_counts, strict=True))
        return replace(self.tally, sent=(requests, retries, throttled))


def _log_absent(job: Job, tables: Sequence[TableAddress]) -> None:
    """Say which of the chosen interaction types have no table: the first interaction makes it."""
    chosen = getattr(job.options, "types", None) or job.vendor.about.types
    found = {address.native_type.casefold() for address in tables}
    absent = [name for name in chosen if name.casefold() not in found]
    if absent:
        log.info(
            "%s has no table for %d of %d interaction types, so there are no interactions of these types yet: %s",
            *(
                job.vendor.name,
                len(absent),
                len(chosen),
                ", ".join([*absent[:SHOWN], *(["…"] if absent[SHOWN:] else [])]),
            ),
        )
