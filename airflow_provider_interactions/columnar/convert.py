"""What vendors' readers of many records share: words with a meaning, instants in text, and digests as ids."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.columnar.buffers import Array
from airflow_provider_interactions.columnar.json_scan import text_and_bounds
from airflow_provider_interactions.schema import INSTANT

#: Within these, no time zone leads out of the years 1 to 9999, and nothing is .NET's "not set".
_FIRST, _LAST = (
    pa.scalar(text, pa.string()).cast(INSTANT) for text in ("0002-01-01T00:00:00Z", "9999-12-30T00:00:00Z")
)
_LEAST, _LOCAL = len("2026-01-31T23:59:59Z"), b"2026-01-31 23:59:59"
#: Years for which any edition of the time zones' database says the same.
_ZONES = tuple(pa.scalar(text, pa.string()).cast(INSTANT) for text in ("1970-01-02T00:00:00Z", "2037-01-01T00:00:00Z"))
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
    shaped = _shaped(texts)
    usual = texts if shaped.all() else pc.if_else(pa.array(shaped), texts, pa.scalar(None, pa.string()))
    try:
        found = usual.cast(INSTANT)
    except pa.ArrowInvalid:  # among them is a 31st of June, a minute 70, a seventh digit
        strict = pc.match_substring_regex(usual, _STRICT)
        found = pc.if_else(strict, usual, pa.scalar(None, pa.string())).cast(INSTANT)
    if not found.null_count and len(found) and _between(found.view(pa.int64()).to_numpy()):
        return found
    within = pc.and_(pc.greater(found, _FIRST), pc.less(found, _LAST))
    return pc.if_else(within, found, pa.scalar(None, INSTANT))


def _between(ticks: Array) -> bool:
    return bool(_FIRST.value < ticks.min() and ticks.max() < _LAST.value)


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


def local_instants(texts: pa.StringArray, zone: str) -> pa.TimestampArray:
    """Texts such as 31-01-2026 23:59:59 or 2026-01-31 23:59:59, local in a zone, in UTC; null for less usual ones."""
    text, bounds = text_and_bounds(texts)
    at = np.flatnonzero(np.diff(bounds) == len(_LOCAL))
    numbers = np.zeros(len(texts), np.int32)
    known = np.zeros(len(texts), bool)
    found = pa.array([], pa.timestamp("us"))
    if len(at):
        shape = np.lib.stride_tricks.sliding_window_view(text, len(_LOCAL))[bounds[at]]
        at, shape = _spelled(at, shape)
        found = _cast(shape)
        numbers[at], known[at] = np.arange(len(at), dtype=np.int32), True
    naive = found.take(pa.array(numbers, mask=~known))
    # Of two readings the first; in a gap, where there is none, the two differ.
    first, other = (
        pc.assume_timezone(naive, zone, ambiguous="earliest", nonexistent=gap).cast(INSTANT)
        for gap in ("earliest", "latest")
    )
    usual = pc.and_(pc.equal(first, other), pc.and_(pc.greater(first, _ZONES[0]), pc.less(first, _ZONES[1])))
    return pc.if_else(usual, first, pa.scalar(None, INSTANT))


def _spelled(at: Array, shape: Array) -> tuple[Array, Array]:
    """Those of some texts that have one of the two spellings, in the second one."""
    ours = shape.copy()
    day_first = shape[:, 2] == ord("-")
    ours[day_first, :10] = shape[day_first][:, [6, 7, 8, 9, 2, 3, 4, 5, 0, 1]]
    ours[day_first, 4], ours[day_first, 7] = shape[day_first, 5], shape[day_first, 2]
    model = np.frombuffer(_LOCAL, np.uint8)
    digit = (model >= ord("0")) & (model <= ord("9"))
    good = np.where(digit, ours - ord("0") < 10, ours == model).all(axis=1)
    return at[good], ours[good]


def _cast(rows: Array) -> pa.TimestampArray:
    ends = np.arange(len(rows) + 1, dtype=np.int32) * len(_LOCAL)
    texts = pa.StringArray.from_buffers(len(rows), pa.py_buffer(ends), pa.py_buffer(np.ascontiguousarray(rows)))
    try:
        return texts.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        strict = pc.match_substring_regex(
            pc.binary_join_element_wise(pc.replace_substring(texts, " ", "T"), "Z", ""), _STRICT
        )
        return pc.if_else(strict, texts, pa.scalar(None, pa.string())).cast(pa.timestamp("us"))


def digests(*parts: pa.StringArray) -> pa.StringArray:
    """32 hexadecimal digits of the SHA-256 of each row's parts as a JSON list."""
    quoted = pc.binary_join_element_wise(*map(_as_json, parts), ",")
    written = pc.binary_join_element_wise("[", quoted, "]", "")
    return pa.array([sha256(text).hexdigest()[:32] for text in written.cast(pa.binary()).to_pylist()], pa.string())


def _as_json(texts: pa.StringArray) -> pa.StringArray:
    odd = pc.fill_null(pc.match_substring_regex(texts, r'["\\\x00-\x1f]'), fill_value=False)
    quoted = pc.fill_null(pc.binary_join_element_wise('"', texts, '"', ""), "null")
    some = [json.dumps(text, ensure_ascii=False) for text in texts.filter(odd).to_pylist()]
    return pc.replace_with_mask(quoted, odd, pa.array(some, pa.string())) if some else quoted
