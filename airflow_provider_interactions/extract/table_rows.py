"""Rows of a bulk vendor's table as raw rows: each with its person, its instant, and its record as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.contract.bulk import SUPERSEDED, Bulk
from airflow_provider_interactions.errors import BadResponse
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.raw_table import NUMBERED, repeat_instant
from airflow_provider_interactions.schema import WORD
from airflow_provider_interactions.tables.columns import read_instants, read_keys, read_people
from airflow_provider_interactions.tables.payloads import build_payloads

#: Bytes of a table's rows that may be held in memory. A table with more is read twice: its keys, then its rows.
HELD_BYTES = 8 * 1024 * 1024


def hold_rows(batches: Iterable[pa.RecordBatch]) -> list[pa.RecordBatch] | None:
    """All batches of a scan; None if they have too many bytes to be held. The rest of them is not read then."""
    held, size = list[pa.RecordBatch](), 0
    for rows in batches:
        size += rows.nbytes
        if size > HELD_BYTES:
            return None
        held.append(rows)
    return held


def release_rows(held: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches one after the other; each one leaves the list, so that its memory can be used again."""
    held.reverse()
    while held:
        yield held.pop()


class SortedRows(NamedTuple):
    """Raw rows of the window, and raw rows whose time cannot be read. ``received`` counts all that came."""

    rows: pa.Table
    undated: pa.Table
    received: int


class SupersededRows:
    """The superseded rows of a table, found while its batches come. ``found`` has their places and keys, by place."""

    def __init__(self, found: Iterator[tuple[int, str]]) -> None:
        self._found = found
        self._next = next(found, None)
        self._passed = 0

    def take(self, rows: pa.RecordBatch, bulk: Bulk) -> list[int]:
        """The places of superseded rows in the next batch. Raises BadResponse if its rows are others than before."""
        start, self._passed = self._passed, self._passed + rows.num_rows
        places, keys = list[int](), list[str]()
        while self._next is not None and self._next[0] < self._passed:
            places.append(self._next[0] - start)
            keys.append(self._next[1])
            self._next = next(self._found, None)
        if places and read_keys(rows, bulk).take(pa.array(places)).to_pylist() != keys:
            raise BadResponse("the table changed while it was read: its rows came in another order")
        return places


@dataclass(slots=True)
class RowBuilder:
    """Makes raw rows for a job. For a job about given people, only theirs, with their places as question numbers."""

    job: Job
    bulk: Bulk
    _people: pa.Array | None = None

    def __post_init__(self) -> None:
        if not is_about_everyone(self.job):
            self._people = pa.array([f"{one.kind}\0{one.id}" for one in self.job.contacts], pa.string())

    def build(self, rows: pa.RecordBatch, native_type: str, number: int, superseded: SupersededRows) -> SortedRows:
        """The raw rows of a table's next batch that the job takes; the others are counted only."""
        received, at = rows.num_rows, read_instants(rows, self.bulk)
        ids, kinds = read_people(rows, self.bulk)
        questions = self._number(ids, kinds, number)
        contexts = _write_contexts(received, superseded.take(rows, self.bulk))
        kept = pc.and_(self._find_window(at), questions.is_valid())
        if not pc.all(kept).as_py():
            all_rows = rows, at, ids, kinds, questions, contexts
            rows, at, ids, kinds, questions, contexts = (values.filter(kept) for values in all_rows)
        columns = {
            "contact_id": ids,
            "contact_id_kind": kinds.dictionary_encode().cast(WORD),
            "asked_type": _repeat(native_type, len(at)),
            "context": contexts,
            "occurred_at": at,
            "payload": build_payloads(rows),
            "question": questions,
        }
        raw = self._complete(columns, len(at))
        if self.job.keeps == "dated" and at.null_count:
            return SortedRows(raw.filter(at.is_valid()), raw.filter(at.is_null()), received)
        return SortedRows(raw, raw.slice(0, 0), received)

    def _find_window(self, at: pa.TimestampArray) -> pa.BooleanArray:
        """Which rows are in the window, or have no instant."""
        window = self.job.window
        inside = pc.and_(pc.greater_equal(at, window.start), pc.less(at, window.end))
        return pc.fill_null(inside, fill_value=True) if self.job.keeps != "everything" else _all_true(len(at))

    def _number(self, ids: pa.StringArray, kinds: pa.StringArray, number: int) -> pa.Array:
        """The question of each row: the table's number, or the person's place. Null for others."""
        if self._people is None:
            return pa.repeat(pa.scalar(number, pa.int64()), len(ids))
        joined = pc.binary_join_element_wise(kinds, ids, "\0")
        return pc.index_in(joined, value_set=self._people).cast(pa.int64())

    def _complete(self, columns: dict[str, pa.Array], rows: int) -> pa.Table:
        """Raw rows of these columns and of those that are the same for all."""
        job = self.job
        same = {
            "vendor": _repeat(job.vendor.name, rows),
            "account": _repeat(job.credentials.account, rows),
            "extracted_at": repeat_instant(job.extracted_at, rows),
            "window_start": repeat_instant(job.window.start, rows),
            "window_end": repeat_instant(job.window.end, rows),
        }
        return pa.table([(columns | same)[name] for name in NUMBERED.names], schema=NUMBERED)


def is_about_everyone(job: Job) -> bool:
    """Whether a job takes all rows, and not those of given people."""
    return any(contact.kind == job.vendor.about.bulk_kind for contact in job.contacts)


def _all_true(rows: int) -> pa.BooleanArray:
    return pc.invert(pa.nulls(rows, pa.bool_()).is_valid())


def _repeat(text: str, rows: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), rows), pa.array([text]))


def _write_contexts(rows: int, superseded: list[int]) -> pa.DictionaryArray:
    """Empty contexts, but for superseded rows."""
    if not superseded:
        return _repeat("", rows)
    codes = pc.is_in(pa.array(range(rows)), value_set=pa.array(superseded)).cast(pa.int32())
    return pa.DictionaryArray.from_arrays(codes, pa.array(["", SUPERSEDED]))
