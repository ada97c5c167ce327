"""Pages of records to the tables that make the parts of a raw window. A part holds whole contacts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.contract import Query
from airflow_provider_interactions.instants import to_array
from airflow_provider_interactions.lake.paths import WindowPaths
from airflow_provider_interactions.schema import RAW
from airflow_provider_interactions.window import Window

#: A part ends with the contact with which it reaches this many rows, or bytes of payloads: it is one row group, large
#: enough to compress well and small enough to hold in memory.
PART_ROWS, PART_BYTES = 65_536, 32 * 1024 * 1024

#: Payloads that are sorted as one array have at most this many bytes: Arrow's offsets end at 2 GiB.
SORTED_BYTES = 1024 * 1024 * 1024

#: Rows that are not in a part yet, with the number of the question that they belong to.
NUMBERED = RAW.append(pa.field("question", pa.int64(), nullable=False))


@dataclass(slots=True)
class PageRows:
    """Records of one query, side by side with what is the same for all of them. ``question`` is the query's number."""

    query: Query
    context: str
    records: Sequence[bytes]
    occurred: Sequence[datetime | None]
    question: int = 0


def fill_part(tables: Sequence[pa.Table], share: float = 1) -> bool:
    """Whether tables have enough rows or bytes for a part, or for this share of one."""
    rows, held = sum(table.num_rows for table in tables), sum(table.column("payload").nbytes for table in tables)
    return rows >= share * PART_ROWS or bool(held >= share * PART_BYTES)


def build_part(tables: list[pa.Table]) -> pa.Table:
    """The rows of a part in the order of the contacts: it depends on what is in it, not on what came first.

    Empties the list, so that no more copies of a part are in memory than must be.
    """
    columns = pa.concat_tables(tables).unify_dictionaries().columns
    tables.clear()
    rows = _combine_chunks(columns)
    numbers = rows.column("question").combine_chunks()
    if pc.any(pc.less(numbers[1:], numbers[:-1])).as_py():
        rows = _sort(rows, numbers)
    return with_canonical_dictionaries(rows.select(RAW.names))


def _combine_chunks(columns: list[pa.ChunkedArray]) -> pa.Table:
    """The columns of numbered rows in one chunk each. Empties the list, so that only one is in memory twice."""
    columns.reverse()
    combined = [pa.table([columns.pop()], [name]).combine_chunks().column(0) for name in NUMBERED.names]
    return pa.table(combined, schema=NUMBERED)


def _sort(rows: pa.Table, numbers: pa.Array) -> pa.Table:
    if rows.column("payload").nbytes < SORTED_BYTES:
        return rows.take(pc.sort_indices(numbers))  # a stable sort
    return pa.concat_tables(rows.filter(pc.equal(numbers, one)) for one in sorted(pc.unique(numbers).to_pylist()))


def add_number(rows: pa.Table, question: int) -> pa.Table:
    """Rows with the number of a question."""
    return rows.append_column(NUMBERED.field("question"), pa.repeat(pa.scalar(question, pa.int64()), rows.num_rows))


def pack_rows(rows: pa.Table) -> bytes:
    """Rows as the bytes of an Arrow file."""
    rows = rows.unify_dictionaries()  # an Arrow file has one dictionary a column, whatever pages its rows came in
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, rows.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(rows)
    return bytes(sink.getvalue().to_pybytes())


def unpack_rows(data: bytes) -> pa.Table:
    """The rows that ``pack_rows`` made bytes of."""
    return pa.ipc.open_file(data).read_all()


def with_canonical_dictionaries(rows: pa.Table) -> pa.Table:
    """The same rows, words numbered in the order of their first row: what the file's bytes depend on.

    In one chunk, unless the texts of a column are more than the 2 GiB that fit into one.
    """
    rows = rows.unify_dictionaries().combine_chunks()
    for at, column in enumerate(rows.schema):
        if pa.types.is_dictionary(column.type):
            rows = rows.set_column(at, RAW.field(at), pa.chunked_array(renumber_words(rows.column(at)), column.type))
    return rows


def renumber_words(words: pa.ChunkedArray) -> list[pa.DictionaryArray]:
    """The chunks with a dictionary of only the words in use, in the order of their first rows.

    All chunks must have one dictionary.
    """
    chunks = words.chunks
    used = pc.unique(pa.chunked_array([chunk.indices for chunk in chunks], words.type.index_type))
    known = chunks[0].dictionary.take(used) if chunks else None
    return [pa.DictionaryArray.from_arrays(pc.index_in(chunk.indices, value_set=used), known) for chunk in chunks]


@dataclass(slots=True)
class PayloadDigest:
    """SHA-256 of payloads one after the other, and then of their lengths as 32-bit integers, little end first."""

    _digest: Any = field(default_factory=hashlib.sha256)
    _lengths: list[bytes] = field(default_factory=list)

    def add(self, payloads: pa.ChunkedArray) -> None:
        """Add payloads. Holds their lengths in memory."""
        for chunk in payloads.chunks:
            _, offsets, values = chunk.buffers()
            ends = memoryview(offsets).cast("i")[chunk.offset : chunk.offset + len(chunk) + 1]
            self._digest.update(memoryview(values)[ends[0] : ends[-1]] if values else b"")
            lengths = pc.binary_length(chunk)
            self._lengths.append(bytes(memoryview(lengths.buffers()[1])[4 * lengths.offset :][: 4 * len(lengths)]))

    def finish(self) -> str:
        """The digest, in hexadecimal digits."""
        for lengths in self._lengths:
            self._digest.update(lengths)
        return str(self._digest.hexdigest())


def digest_payloads(payloads: pa.ChunkedArray) -> str:
    """The digest of a file with these payloads; see ``PayloadDigest``."""
    digest = PayloadDigest()
    digest.add(payloads)
    return digest.finish()


def build_table(runs: Sequence[PageRows], place: WindowPaths, extracted_at: datetime) -> pa.Table:
    """Raw rows of some pages, with the numbers of their questions."""
    lengths = [len(run.records) for run in runs]
    rows = sum(lengths)
    columns = [
        _repeat_word(place.vendor, rows),
        _repeat_word(place.account, rows),
        _spread_words([run.query.contact.id for run in runs], lengths).cast(pa.string()),
        _spread_words([run.query.contact.kind for run in runs], lengths),
        _spread_words([run.query.native_type or "" for run in runs], lengths),
        _spread_words([run.context for run in runs], lengths),
        pa.concat_arrays([to_array(run.occurred) for run in runs]),
        pa.array([record for run in runs for record in run.records], pa.binary()),
        repeat_instant(extracted_at, rows),
        repeat_instant(place.window.start, rows),
        repeat_instant(place.window.end, rows),
        _spread_numbers([run.question for run in runs], lengths),
    ]
    return pa.table(columns, schema=NUMBERED)


def _repeat_word(text: str, rows: int) -> pa.DictionaryArray:
    return _spread_words([text], [rows])


def _spread_words(values: Sequence[str], lengths: Sequence[int]) -> pa.DictionaryArray:
    """Each value as many times as its length says, without making that many Python objects."""
    words: dict[str, int] = {}
    codes = _spread_numbers([words.setdefault(value, len(words)) for value in values], lengths).cast(pa.int32())
    return pa.DictionaryArray.from_arrays(codes, pa.array(list(words), pa.string()))


def _spread_numbers(values: Sequence[int], lengths: Sequence[int]) -> pa.Array:
    ends = pc.cumulative_sum(pa.array(lengths, pa.int32()))
    return pc.run_end_decode(pa.RunEndEncodedArray.from_arrays(ends, pa.array(values, pa.int64())))


def repeat_instant(moment: datetime, rows: int) -> pa.Array:
    """The same instant (aware) in every row."""
    return pa.repeat(pa.scalar(moment, RAW.field("extracted_at").type), rows)


def set_window(rows: pa.RecordBatch, window: Window) -> pa.RecordBatch:
    """The same rows, as those of another window."""
    for name, moment in (("window_start", window.start), ("window_end", window.end)):
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, RAW.field(name), repeat_instant(moment, rows.num_rows))
    return rows
