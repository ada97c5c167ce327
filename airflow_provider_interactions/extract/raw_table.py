"""Pages of records to the tables that make the parts of a raw window: what is in a part follows from the rows alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.columnar.buffers import moments, payloads
from airflow_provider_interactions.contract import Query
from airflow_provider_interactions.lake.paths import WindowPaths
from airflow_provider_interactions.schema import RAW

#: A part ends after this many rows, or with the row that brings its payloads to this many bytes: it is one row group,
#: large enough to compress well and small enough to hold in memory.
PART_ROWS, PART_BYTES = 65_536, 64 * 1024 * 1024


@dataclass(slots=True)
class PageRows:
    """Records of one query, side by side with what is the same for all of them."""

    query: Query
    context: str
    records: Sequence[bytes]
    occurred: Sequence[datetime | None]


def rows_for_next_part(tables: Sequence[pa.Table]) -> int:
    """How many of the first rows make a part, 0 when there are not enough yet."""
    rows = sum(table.num_rows for table in tables)
    if rows < PART_ROWS and sum(table.column("payload").nbytes for table in tables) < PART_BYTES:
        return 0
    first = pa.concat_tables(tables).slice(0, PART_ROWS)
    sizes = pc.cumulative_sum(pc.binary_length(first.column("payload")).cast(pa.int64()))
    needed = int(pc.sum(pc.less(sizes, PART_BYTES)).as_py()) + 1  # with the row that brings them there
    return min(needed, PART_ROWS) if needed <= rows else 0


def with_canonical_dictionaries(rows: pa.Table) -> pa.Table:
    """The same rows, words numbered in the order of their first row: what the file's bytes depend on.

    In one chunk, unless the texts of a column are more than the 2 GiB that fit into one.
    """
    rows = rows.unify_dictionaries().combine_chunks()
    for at, column in enumerate(rows.schema):
        if pa.types.is_dictionary(column.type):
            rows = rows.set_column(at, RAW.field(at), pa.chunked_array(_renumber(rows.column(at)), column.type))
    return rows


def _renumber(words: pa.ChunkedArray) -> list[pa.DictionaryArray]:
    """All chunks have one dictionary."""
    chunks = words.chunks
    used = pc.unique(pa.chunked_array([chunk.indices for chunk in chunks], words.type.index_type))
    known = chunks[0].dictionary.take(used) if chunks else None
    return [pa.DictionaryArray.from_arrays(pc.index_in(chunk.indices, value_set=used), known) for chunk in chunks]


def digest_payloads(payloads: pa.ChunkedArray) -> str:
    """SHA-256 of the payloads one after the other, and then of their lengths as 32-bit integers, little end first."""
    found = hashlib.sha256()
    for chunk in payloads.chunks:
        _, offsets, values = chunk.buffers()
        ends = memoryview(offsets).cast("i")[chunk.offset : chunk.offset + len(chunk) + 1]
        found.update(memoryview(values)[ends[0] : ends[-1]] if values else b"")
    for chunk in payloads.chunks:
        found.update(pc.binary_length(chunk).buffers()[1])
    return found.hexdigest()


def build_table(runs: Sequence[PageRows], place: WindowPaths, extracted_at: datetime) -> pa.Table:
    """Raw rows of some pages."""
    lengths = [len(run.records) for run in runs]
    rows = sum(lengths)
    columns = [
        _repeat_word(place.vendor, rows),
        _repeat_word(place.account, rows),
        _spread_words([run.query.contact.id for run in runs], lengths).cast(pa.string()),
        _spread_words([run.query.contact.kind for run in runs], lengths),
        _spread_words([run.query.native_type or "" for run in runs], lengths),
        _spread_words([run.context for run in runs], lengths),
        moments([run.occurred for run in runs]),
        payloads([run.records for run in runs]),
        repeat_instant(extracted_at, rows),
        repeat_instant(place.window.start, rows),
        repeat_instant(place.window.end, rows),
    ]
    return pa.table(columns, schema=RAW)


def _repeat_word(text: str, rows: int) -> pa.DictionaryArray:
    return _spread_words([text], [rows])


def _spread_words(values: Sequence[str], lengths: Sequence[int]) -> pa.DictionaryArray:
    """Each value as many times as its length says, without making that many Python objects."""
    words: dict[str, int] = {}
    codes = [words.setdefault(value, len(words)) for value in values]
    ends = pc.cumulative_sum(pa.array(lengths, pa.int32()))
    indices = pa.RunEndEncodedArray.from_arrays(ends, pa.array(codes, pa.int32()))
    return pa.DictionaryArray.from_arrays(pc.run_end_decode(indices), pa.array(list(words), pa.string()))


def repeat_instant(moment: datetime, rows: int) -> pa.Array:
    """The same instant (aware) in every row."""
    return pa.repeat(pa.scalar(moment, RAW.field("extracted_at").type), rows)
