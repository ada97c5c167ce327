"""Many JSON texts as one array of bytes: where its quotes and braces are, what is valid."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.columnar.buffers import Array, Slices
from airflow_provider_interactions.errors import UNREADABLE

QUOTE, COLON, COMMA, BACKSLASH, OPEN, CLOSE, NULL, BLANK = b'":,\\{}n '
#: This bit is all that [ and { differ in, and likewise ] and }.
ROUND = 0x20

#: Masks for the first 0 to 8 bytes of a word, and for a word of which only 8 count.
SHORT = np.array([(1 << 8 * size) - 1 for size in range(9)], np.uint64)
LONG = np.array([0] * 8 + [(1 << 64) - 1], np.uint64)
_MIX = np.uint64(0x9E3779B97F4A7C15)

NONE = np.arange(0)

#: Bytes of a list with one object.
_SHORTEST = len("[{}]")

#: The last ASCII character.
ASCII = 0x7F


class _Object(msgspec.Struct):
    """Any JSON object."""


_OBJECT = msgspec.json.Decoder(_Object)


def text_and_bounds(payload: pa.Array) -> tuple[Array, Array]:
    """All bytes of an array of texts, and where each text begins; the last number is where all end."""
    _, offsets, values = payload.buffers()
    bounds = np.frombuffer(offsets, np.int32)[payload.offset : payload.offset + len(payload) + 1].astype(np.int64)
    text = np.frombuffer(values or b"", np.uint8)[bounds[0] : bounds[-1]]
    return text, bounds - bounds[0]


def scanned(text: Array) -> tuple[Array, Array]:
    """Where the quotes are that no backslash is before, and where the backslashes are."""
    quote, escape = text == QUOTE, text == BACKSLASH
    np.greater(quote[1:], escape[:-1], out=quote[1:])
    return np.flatnonzero(quote), np.flatnonzero(escape)


def objects(array: bytes | memoryview, count: int) -> Slices | None:
    """The elements of a JSON array that is known to hold so many objects; None where they are not easily told apart.

    With nothing between its parts, each two of them meet in ``},{``. Where that stands just as often as they meet, it
    stands nowhere else.
    """
    text = np.frombuffer(array, np.uint8)
    if not count or len(text) < _SHORTEST or text[1] != OPEN or text[-2] != CLOSE:
        return None
    closes = np.flatnonzero(text[:-2] == CLOSE)
    commas = text[closes + 1] == COMMA
    behind = np.where(commas, text[closes + 2], text[closes + 1])
    meets = closes[commas & (behind == OPEN)]
    if len(meets) != count - 1 or (behind <= BLANK).any():
        return None
    bounds = np.empty(2 * count, np.int64)
    bounds[0], bounds[-1] = 1, len(text) - 1
    bounds[1:-1:2], bounds[2::2] = meets + 1, meets + 2
    return Slices(array, bounds)


def depths(text: Array, quotes: Array) -> tuple[Array, Array]:
    """Where the braces and brackets outside of strings are, and how deep one is in before each, and at the end."""
    brace = text | ROUND
    at = np.flatnonzero((brace == OPEN) | (brace == CLOSE))
    at = at[np.searchsorted(quotes, at) % 2 == 0]
    return at, np.concatenate(([0], np.cumsum(np.where(brace[at] == OPEN, 1, -1))))


def as_number(word: bytes) -> np.uint64:
    """Up to eight bytes as one word."""
    return np.uint64(int.from_bytes(word, "little"))


def key_hash(first: Array, last: Array, sizes: Array) -> Array:
    """Keys' hashes, from their first and last words and their sizes; different keys may have the same."""
    mixed: Array = (first ^ (last << np.uint64(1))) * _MIX + sizes.astype(np.uint64)
    return mixed


def name_hash(word: bytes) -> int:
    """The same of one name."""
    return int(key_hash(np.array([as_number(word[:8])]), np.array([last_word(word)]), np.array([len(word)]))[0])


def last_word(word: bytes) -> np.uint64:
    """The last eight bytes of a name, 0 for one that is shorter."""
    return as_number(word[-8:] if len(word) >= 8 else b"")


def valid(payload: pa.Array) -> Array:
    """Which of some texts are JSON objects. No text has a line break in it."""
    lines = pc.binary_join(pa.ListArray.from_arrays([0, len(payload)], payload), b"\n").buffers()[2]
    try:
        if len(_OBJECT.decode_lines(lines)) == len(payload):
            return np.ones(len(payload), bool)
    except UNREADABLE:
        pass
    return np.array([_passes(_OBJECT.decode, text) for text in payload.to_pylist()], bool)


def decodable(payload: pa.Array) -> Array:
    """Which of some texts are UTF-8."""
    try:
        payload.cast(pa.string()).validate(full=True)
    except pa.ArrowInvalid:
        return np.array([_passes(bytes.decode, text) for text in payload.to_pylist()], bool)
    return np.ones(len(payload), bool)


def decoded(text: bytes) -> str | None:
    """A JSON string's value; None for one that cannot be read."""
    try:
        return msgspec.json.decode(text, type=str)
    except UNREADABLE:
        return None


def _passes(check: Callable[[bytes], object], text: bytes) -> bool:
    try:
        check(text)
    except UNREADABLE:
        return False
    return True
