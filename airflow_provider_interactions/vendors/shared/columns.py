"""Arrow columns of many records: replace texts, map words, and read instants."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.schema import INSTANT
from airflow_provider_interactions.vendors.shared import json

#: Instants in which every reader agrees, and local times for which any edition of the zones' database says the same.
_FIRST, _LAST = (pa.scalar(text).cast(INSTANT) for text in ("0002-01-01T00:00:00Z", "9999-12-30T00:00:00Z"))
_ZONES = tuple(pa.scalar(text).cast(pa.timestamp("us")) for text in ("1970-01-02T00:00:00", "2037-01-01T00:00:00"))

#: For arrays with a text that Arrow cannot read as a time: texts that surely are times, and digits beyond microseconds.
_SURE = r"^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])[T ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?"
_SURE_ZONE = r"(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$"
_LONG = r"(:\d\d\.\d{6})\d+"

#: A local time with the day first; the length of both spellings.
_DAY_FIRST = r"^(\d\d)-(\d\d)-(\d{4}) (.*)$"
_LOCAL_LENGTH = len("31-01-2026 23:59:59")


def replace_unusual(texts: pa.StringArray, usual: str, replace: Callable[[str], str | None]) -> pa.StringArray:
    """Replace texts that do not match the pattern ``usual``. Calls ``replace`` once for each different one."""
    unusual = pc.invert(pc.match_substring_regex(texts, usual))
    if not pc.any(unusual).as_py():
        return texts
    words = texts.filter(pc.fill_null(unusual, False)).dictionary_encode()
    found = pa.array(list(map(replace, words.dictionary.to_pylist())), pa.string()).take(words.indices)
    return pc.replace_with_mask(texts, pc.fill_null(unusual, False), found)


def replace_by_null(values: pa.Array, mask: pa.BooleanArray) -> pa.Array:
    """Values, null where the mask says yes."""
    if not pc.any(mask).as_py():
        return values
    return pc.if_else(pc.fill_null(mask, False), pa.scalar(None, values.type), values)


def map_words(words: pa.Array, meaning: Callable[[str], str | None]) -> pa.StringArray:
    """Each word's meaning, null for null; asked once for each different word."""
    coded = words if pa.types.is_dictionary(words.type) else words.dictionary_encode()
    means = [None if word is None else meaning(word) for word in coded.dictionary.to_pylist()]
    different = list(dict.fromkeys(mean for mean in means if mean is not None))  # no word twice in a dictionary
    codes = pa.array([None if mean is None else different.index(mean) for mean in means], pa.int32())
    return pa.DictionaryArray.from_arrays(codes.take(coded.indices), pa.array(different, pa.string()))


def join_words(first: pa.Array, second: pa.StringArray) -> pa.DictionaryArray:
    """Two words as one, a NUL between them, for ``map_words``; the second may be null."""
    return pc.binary_join_element_wise(first.cast(pa.string()), pc.fill_null(second, ""), "\0").dictionary_encode()


def read_instants(texts: pa.StringArray, read: Callable[[str], datetime | None]) -> pa.TimestampArray:
    """Texts as instants in UTC, null for what ``read`` refuses by ValueError or OverflowError.

    Arrow reads ISO 8601 with a zone; ``read`` reads what Arrow does not. Digits beyond microseconds are cut, never
    rounded: that could lead into the next window.
    """
    found = _keep_certain(_cast_times(texts, _SURE + _SURE_ZONE, INSTANT))
    if found.null_count == texts.null_count:
        return found
    odd = pc.and_(texts.is_valid(), found.is_null())
    single = pa.array([_read_instant(text, read) for text in texts.filter(odd).to_pylist()], INSTANT)
    return pc.replace_with_mask(found, odd, single)


def read_local_instants(texts: pa.StringArray, zone: str, read: Callable[[str], datetime | None]) -> pa.TimestampArray:
    """Texts such as 31-01-2026 23:59:59 or 2026-01-31 23:59:59 in a zone as instants; others as ``read_instants``.

    ``read`` has the last word where a local time has two readings or none.
    """
    year_first = pc.replace_substring_regex(texts, _DAY_FIRST, r"\3-\2-\1 \4")
    local = replace_by_null(year_first, pc.not_equal(pc.binary_length(texts), _LOCAL_LENGTH))
    naive = _cast_times(local, _SURE + "$", pa.timestamp("us"))
    first, last = (pc.assume_timezone(naive, zone, ambiguous=one, nonexistent=one) for one in ("earliest", "latest"))
    sure = pc.and_(pc.equal(first, last), pc.and_(pc.greater(naive, _ZONES[0]), pc.less(naive, _ZONES[1])))
    found = replace_by_null(first.cast(INSTANT), pc.invert(sure))
    return pc.coalesce(found, read_instants(replace_by_null(texts, found.is_valid()), read))


def _cast_times(texts: pa.StringArray, sure: str, kind: pa.DataType) -> pa.Array:
    """Texts as times as Arrow reads them. If it refuses one, only those that match ``sure``, the others as null."""
    try:
        return texts.cast(kind)
    except pa.ArrowInvalid:
        texts = pc.replace_substring_regex(texts, _LONG, r"\1")
    try:
        return texts.cast(kind)
    except pa.ArrowInvalid:
        return replace_by_null(texts, pc.invert(pc.match_substring_regex(texts, sure))).cast(kind)


def _keep_certain(found: pa.TimestampArray) -> pa.TimestampArray:
    """Instants of years from which no zone leads out of 1 to 9999; year 1 is some vendors' "not set"."""
    bounds = pc.min_max(found.cast(pa.int64())).as_py()
    if bounds["min"] is None or (bounds["min"] >= _FIRST.value and bounds["max"] < _LAST.value):
        return found
    return replace_by_null(found, pc.invert(pc.and_(pc.greater_equal(found, _FIRST), pc.less(found, _LAST))))


def _read_instant(text: str, read: Callable[[str], datetime | None]) -> datetime | None:
    try:
        return json.to_utc(read(text))
    except (ValueError, OverflowError):
        return None
