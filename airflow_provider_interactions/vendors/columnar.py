"""What vendors' readers of many records share: words that map to other words, and instants written as ISO 8601."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.vendors.members import Array, text_and_bounds

_INSTANT = pa.timestamp("us", "UTC")
#: Within these, no time zone leads out of the years 1 to 9999.
_FIRST, _LAST = (
    pa.scalar(text, pa.string()).cast(_INSTANT) for text in ("0001-01-02T00:00:00Z", "9999-12-30T00:00:00Z")
)
_LEAST = len("2026-01-31T23:59:59Z")
_STRICT = (
    r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d"
    r"(\.\d{1,6})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$"
)


def mapped(words: pa.DictionaryArray, meaning: Callable[[str], str]) -> pa.DictionaryArray:
    """Each word's meaning; asked once for each different word."""
    means = [None if word is None else meaning(word) for word in words.dictionary.to_pylist()]
    different = list(dict.fromkeys(filter(None, means)))  # a dictionary may hold no word twice
    codes = pa.array([None if mean is None else different.index(mean) for mean in means], pa.int32())
    return pa.DictionaryArray.from_arrays(codes.take(words.indices), pa.array(different, pa.string()))


def instants(texts: pa.StringArray) -> pa.TimestampArray:
    """Texts such as 2026-01-31T23:59:59.123456Z, or with an offset, in UTC; null for anything less usual."""
    usual = pc.if_else(pa.array(_shaped(texts)), texts, pa.scalar(None, pa.string()))
    try:
        found = usual.cast(_INSTANT)
    except pa.ArrowInvalid:  # among them is a 31st of June, a minute 70, a seventh digit
        strict = pc.match_substring_regex(usual, _STRICT)
        found = pc.if_else(strict, usual, pa.scalar(None, pa.string())).cast(_INSTANT)
    within = pc.and_(pc.greater(found, _FIRST), pc.less(found, _LAST))
    return pc.if_else(within, found, pa.scalar(None, _INSTANT))


def _shaped(texts: pa.StringArray) -> Array:
    # Arrow reads also dates, times without seconds and other spellings of offsets.
    text, bounds = text_and_bounds(texts)
    begin, end = bounds[:-1], bounds[1:]
    if not len(text):
        return np.zeros(len(texts), bool)
    at = partial(text.take, mode="clip")
    offset = (at(end - 3) == ord(":")) & ((at(end - 6) == ord("+")) | (at(end - 6) == ord("-")))
    zone = (at(end - 1) == ord("Z")) | offset
    shaped: Array = zone & (end - begin >= _LEAST) & (at(begin + 10) == ord("T")) & (at(begin + 16) == ord(":"))
    return shaped
