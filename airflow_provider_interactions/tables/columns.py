"""The columns that decide about a row: its instant, its key and version, and its person."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.contract.bulk import Bulk, PersonColumn
from airflow_provider_interactions.instants import are_unplaced
from airflow_provider_interactions.schema import INSTANT
from airflow_provider_interactions.tables.payloads import write_texts
from airflow_provider_interactions.tables.table import find_name

#: The most microseconds that an instant has, and how many are in each coarser unit.
_LARGEST = 2**63 - 1
_PER_UNIT = {"s": 1_000_000, "ms": 1_000}


def name_narrow_columns(bulk: Bulk) -> list[str]:
    """The columns of keys, versions and instants: all that says whether rows have changed."""
    return [bulk.time, *bulk.keys, bulk.version, *([bulk.count] if bulk.count else [])]


def read_instants(rows: pa.RecordBatch, bulk: Bulk) -> pa.TimestampArray:
    """The instant of each row in UTC, null where it has none that can be read, or one that is in no window.

    Digits beyond microseconds are cut. An instant without a zone is in UTC.
    """
    found = _find(rows, bulk.time)
    found = cut_instants(found) if pa.types.is_timestamp(found.type) else bulk.read_times(_to_text(found))
    return pc.if_else(are_unplaced(found), pa.scalar(None, INSTANT), found)


def cut_instants(found: pa.TimestampArray) -> pa.TimestampArray:
    """Instants in UTC and microseconds, null where these have too many digits: Arrow would make other instants of them.

    Digits beyond microseconds are cut. One without a zone is in UTC.
    """
    numbers, factor = found.cast(pa.int64()), _PER_UNIT.get(found.type.unit, 1)
    if found.type.unit == "ns":
        micros = pc.divide(numbers, 1_000)  # towards zero, so an instant before 1970 can be one too late
        late = pc.greater(pc.multiply(micros, 1_000), numbers).cast(pa.int64())
        return pc.subtract(micros, late).cast(INSTANT)
    fits = pc.and_(pc.greater_equal(numbers, -(_LARGEST // factor)), pc.less_equal(numbers, _LARGEST // factor))
    return pc.multiply(pc.if_else(fits, numbers, None), factor).cast(INSTANT)


def read_keys(rows: pa.RecordBatch, bulk: Bulk) -> pa.StringArray:
    """The key of each row, as the mapping reads it: null where it has none, or only texts that stand for none.

    Rows that share an empty text or GUID are not versions of one interaction.
    """
    keys = pc.coalesce(*(_read_key(_to_text(_find(rows, name)), bulk) for name in bulk.keys))
    return bulk.mark_keys(keys, _to_text(_find(rows, bulk.count))) if bulk.mark_keys else keys


def _read_key(texts: pa.StringArray, bulk: Bulk) -> pa.StringArray:
    return pc.if_else(bulk.spell_ids(texts).is_valid(), texts, pa.scalar(None, pa.string()))


def read_versions(rows: pa.RecordBatch, bulk: Bulk) -> pa.Int64Array:
    """The version of each row; -1 where it has none that is a number from 0 on."""
    found = _find(rows, bulk.version)
    plain = pa.types.is_integer(found.type) and found.type != pa.uint64()
    numbers = found.cast(pa.int64()) if plain else bulk.read_versions(_to_text(found))
    return pc.max_element_wise(numbers, -1)


def read_people(rows: pa.RecordBatch, bulk: Bulk) -> tuple[pa.StringArray, pa.StringArray]:
    """The identifier of each row's person and its kind; both empty where no column names a person."""
    ids, kinds = pa.nulls(rows.num_rows, pa.string()), pa.nulls(rows.num_rows, pa.string())
    for column in bulk.people:
        found = bulk.spell_ids(_to_text(_find(rows, column.name)))
        own = pc.if_else(pc.and_(ids.is_null(), found.is_valid()), _read_kinds(rows, column), None)
        ids, kinds = pc.coalesce(ids, found), pc.coalesce(kinds, own)
    return pc.fill_null(ids, ""), pc.fill_null(kinds, "")


def _read_kinds(rows: pa.RecordBatch, column: PersonColumn) -> pa.StringArray:
    usual = pa.repeat(pa.scalar(column.kind), rows.num_rows)
    if not column.kind_column:
        return usual
    words = pc.utf8_lower(pc.utf8_trim_whitespace(_to_text(_find(rows, column.kind_column))))
    for word, kind in column.kinds.items():
        usual = pc.if_else(pc.fill_null(pc.equal(words, word), False), kind, usual)
    return usual


def _find(rows: pa.RecordBatch, name: str) -> pa.Array:
    """A column, all null if the table does not have it."""
    found = find_name(rows.schema.names, name)
    return pa.nulls(rows.num_rows, pa.string()) if found is None else rows.column(found)


def _to_text(column: pa.Array) -> pa.StringArray:
    """Values as the texts that a record has, with odd bytes as escapes: Arrow's functions refuse them."""
    texts = column if pa.types.is_string(column.type) else write_texts(column)
    try:
        texts.cast(pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array(map(_escape_odd_bytes, texts.cast(pa.binary()).to_pylist()), pa.string())
    return texts


def _escape_odd_bytes(text: bytes | None) -> str | None:
    return None if text is None else text.decode("utf-8", "backslashreplace")
