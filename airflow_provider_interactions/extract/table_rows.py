"""Rows of a bulk vendor's table as raw rows: each with its person, its instant, and its record as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.contract.bulk import SUPERSEDED, Bulk
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.raw_table import NUMBERED, repeat_instant
from airflow_provider_interactions.schema import WORD
from airflow_provider_interactions.tables.columns import read_instants, read_keys, read_people, read_versions
from airflow_provider_interactions.tables.payloads import build_payloads


class SortedRows(NamedTuple):
    """Raw rows of the window, and raw rows whose time cannot be read. ``received`` counts all that came."""

    rows: pa.Table
    undated: pa.Table
    received: int


@dataclass(slots=True)
class NewestRows:
    """Finds the rows that are not the newest of their key. ``newest`` has the versions of keys with several rows."""

    newest: Mapping[str, int]
    _keys: pa.Array = field(init=False)
    _seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._keys = pa.array(list(self.newest), pa.string())

    def find_superseded(self, rows: pa.RecordBatch, bulk: Bulk) -> list[int]:
        """The places of superseded rows. Of rows with the same key and version, the first one counts."""
        if not self.newest:
            return []
        keys = read_keys(rows, bulk)
        places = pc.indices_nonzero(pc.is_in(keys, self._keys))
        some = zip(
            places.to_pylist(),
            keys.take(places).to_pylist(),
            read_versions(rows, bulk).take(places).to_pylist(),
            strict=True,
        )
        return [place for place, key, version in some if not self._is_newest(key, version)]

    def _is_newest(self, key: str, version: int) -> bool:
        first = version == self.newest[key] and key not in self._seen
        if first:
            self._seen.add(key)
        return first


@dataclass(slots=True)
class RowBuilder:
    """Makes raw rows for a job. For a job about given people, only theirs, with their places as question numbers."""

    job: Job
    bulk: Bulk
    _people: pa.Array | None = None

    def __post_init__(self) -> None:
        if not is_about_everyone(self.job):
            self._people = pa.array([f"{one.kind}\0{one.id}" for one in self.job.contacts], pa.string())

    def build(self, rows: pa.RecordBatch, native_type: str, number: int, newest: NewestRows) -> SortedRows:
        """The raw rows of a batch that the job takes; the others are counted only."""
        received, at = rows.num_rows, read_instants(rows, self.bulk)
        ids, kinds = read_people(rows, self.bulk)
        questions = self._number(ids, kinds, number)
        kept = pc.and_(self._find_window(at), questions.is_valid())
        if not pc.all(kept).as_py():
            rows, at, ids, kinds, questions = (values.filter(kept) for values in (rows, at, ids, kinds, questions))
        columns = {
            "contact_id": ids,
            "contact_id_kind": kinds.dictionary_encode().cast(WORD),
            "asked_type": _repeat(native_type, len(at)),
            "context": _write_contexts(len(at), newest.find_superseded(rows, self.bulk)),
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


def _write_contexts(rows: int, superseded: Sequence[int]) -> pa.DictionaryArray:
    """Empty contexts, but for superseded rows."""
    if not superseded:
        return _repeat("", rows)
    chosen = set(superseded)
    codes = pa.array([int(place in chosen) for place in range(rows)], pa.int32())
    return pa.DictionaryArray.from_arrays(codes, pa.array(["", SUPERSEDED]))
