"""Top-level members of many JSON objects at once: their values as columns, and the objects' text without them.

No Python object per record: numpy looks at all bytes of a batch side by side. Quotes alternate, so every second one
ends a string; a string before a colon is a key; its member ends before the next key's comma or the last brace. The
text without some members is that text cut where they begin and end, every second piece dropped, the others joined::

    {"a":"x","b":null,"c":[1]}        without a and c: cuts at 1, 9, 17 and 25
     ~~~~~~~~        ~~~~~~~~         leaves {"b":null}

Only what is beyond doubt is read this way. A record with blanks between its parts, an escape in a place that matters,
a key that comes twice, or a fault, is not ``sure``: it is for the reader of single records, who knows all of JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.columnar.buffers import Array, pieces
from airflow_provider_interactions.columnar.json_scan import (
    ASCII,
    BLANK,
    CLOSE,
    COLON,
    COMMA,
    LONG,
    NONE,
    NULL,
    OPEN,
    QUOTE,
    ROUND,
    SHORT,
    as_number,
    decodable,
    decoded,
    depths,
    key_hash,
    last_word,
    name_hash,
    scanned,
    text_and_bounds,
    valid,
)

#: Keys told apart in one batch. A record with two of the rarer ones is not sure.
_KEYS = 64

#: Bytes below which a batch is not worth it.
_LEAST = 16


class Members:
    """The members with these names in a batch of JSON texts, given as a binary array.

    ``sure`` tells, once all texts are read, which records were; of the others, values may be null and the rest whole.
    """

    def __init__(self, payload: pa.Array, names: Sequence[str]) -> None:
        self._size, self._payload = len(payload), payload
        self._text, self._bounds = text_and_bounds(payload)
        self.sure = np.diff(self._bounds) >= 2
        quotes, escapes = self._quotes()
        begins, self._strings = quotes[::2], quotes[1::2]
        after = self._at(self._strings + 1)
        if len(after) and after.min() <= BLANK:
            self._refuse(self._strings[after <= BLANK])
        keys = np.flatnonzero(after == COLON)
        # One of each for every member, in order: its key among the strings, the key's first quote, the value.
        self._places, self._keys, self._values = keys, begins[keys], self._strings[keys] + 2
        self._ends = self._values
        self._escaped = np.zeros(len(keys), bool)
        self._firsts = self._at(self._values)
        self._assign()
        self._named = dict.fromkeys(names, NONE)
        self._leave_nested(quotes)
        if not len(self._keys) or len(self._text) < _LEAST:
            self.sure[:] = False
            return
        self._find_ends()
        self._check(escapes)
        found = self._find(names)
        self._mark_escaped(escapes)
        self._named = {name: at[self.sure[self._rows[at]]] for name, at in found.items()}

    def text(self, name: str) -> pa.StringArray:
        """A member's values: strings unquoted, anything else as written, null where there is none, null or ""."""
        at = self._named[name]
        begin, end, first = self._values[at], self._ends[at], self._firsts[at]
        begin, end = begin + (first == QUOTE), end - (first == QUOTE)
        cuts = np.zeros(2 * len(at) + 1, np.int32)
        cuts[:-1:2], cuts[1::2] = begin, end
        cuts[-1] = len(self._text)
        index, missing = np.zeros(self._size, np.int32), np.ones(self._size, bool)
        index[self._rows[at]] = np.arange(0, 2 * len(at), 2, dtype=np.int32)
        missing[self._rows[at]] = (begin == end) | (first == NULL)
        found = pieces(self._text, cuts, pa.string()).take(pa.array(index, mask=missing))
        return self._unescaped(at, found) if self._escaped[at].any() else found

    def rest(self, gone: Mapping[str, Array | None]) -> pa.StringArray:
        """The texts without these members, each with a mask of the records where it goes (None: wherever it is)."""
        going = np.zeros(len(self._keys), bool)
        for name, mask in gone.items():
            at = self._named[name]
            going[at if mask is None else at[mask[self._rows[at]]]] = True
        at = np.flatnonzero(going)
        rows, first = self._rows[at], np.searchsorted(at, self._members)
        # With its comma: the one behind where nothing before it is kept, else the one in front.
        leading = at - self._members[rows] == np.arange(len(at)) - first[rows]
        last = at + 1 == self._members[rows + 1]
        begin, end = self._keys[at] - ~leading, self._ends[at] + (leading & ~last)
        cuts = np.zeros(2 * len(at) + 2, np.int32)
        cuts[1:-1:2], cuts[2:-1:2], cuts[-1] = begin, end, self._bounds[-1]
        kept = pieces(self._text, cuts, pa.binary()).take(pa.array(np.arange(0, len(cuts) - 1, 2, dtype=np.int32)))
        lost = np.concatenate(([0], np.cumsum(end - begin)))
        offsets = (self._bounds - lost[first]).astype(np.int32)
        return pa.StringArray.from_buffers(self._size, pa.py_buffer(offsets), kept.buffers()[2])

    def _at(self, where: Array) -> Array:
        return self._text.take(where, mode="clip")

    def _refuse(self, where: Array) -> None:
        """Records with something odd at these bytes are not sure."""
        self.sure[np.searchsorted(self._bounds, where, "right") - 1] = False

    def _quotes(self) -> tuple[Array, Array]:
        """Where strings begin and end, by turns, and where the backslashes are."""
        quotes, escapes = scanned(self._text)
        self._refuse(escapes[1:][np.diff(escapes) == 1])  # the second of two may be escaped itself
        ends = np.searchsorted(quotes, self._bounds)
        odd = np.diff(ends) % 2 == 1
        if odd.any():
            self.sure[odd] = False
            quotes = quotes[~np.repeat(odd, np.diff(ends))]
        return quotes, escapes

    def _assign(self) -> None:
        """Tell each record's first member, and each member's record."""
        self._members = np.searchsorted(self._keys, self._bounds)
        self._rows = np.repeat(np.arange(self._size), np.diff(self._members))

    def _leave_nested(self, quotes: Array) -> None:
        """Forget the members of inner objects."""
        nested = np.zeros(self._size, bool)
        nested[self._rows[self._firsts | ROUND == OPEN]] = True
        nested &= self.sure
        if not nested.any():
            return
        braces, depth = depths(self._text, quotes)
        inside = np.flatnonzero(nested[self._rows])
        before = depth[np.searchsorted(braces, self._bounds[:-1])]
        level = depth[np.searchsorted(braces, self._keys[inside])] - before[self._rows[inside]]
        outer = np.ones(len(self._keys), bool)
        outer[inside] = level == 1
        self._places, self._keys = self._places[outer], self._keys[outer]
        self._values, self._firsts = self._values[outer], self._firsts[outer]
        self._assign()

    def _find_ends(self) -> None:
        """Where each member ends: before the comma that the next key follows, or before the last brace."""
        self._ends = np.empty_like(self._keys)
        self._ends[:-1] = self._keys[1:] - 1
        some = np.diff(self._members) > 0
        self._ends[self._members[1:][some] - 1] = self._bounds[1:][some] - 1
        self.sure &= some

    def _check(self, escapes: Array) -> None:
        """Leave only valid JSON with nothing between its parts: ``{``, ``"key":value,`` again and again, ``}``."""
        sure, bounds, values, ends = self.sure, self._bounds, self._values, self._ends
        sure &= (self._at(bounds[:-1]) == OPEN) & (self._at(bounds[1:] - 1) == CLOSE)
        sure[sure] = self._keys[self._members[:-1][sure]] == bounds[:-1][sure] + 1
        good = self._at(ends) == COMMA
        good[self._members[1:][sure] - 1] = True
        lasts = self._at(ends - 1)
        good &= (self._firsts > BLANK) & (lasts > BLANK)
        if not good.all():
            sure[self._rows[~good]] = False
        if self._text.min() < BLANK:
            self._refuse(np.flatnonzero(self._text < BLANK))
        if self._text.max() > ASCII:
            sure &= decodable(self._payload)
        # A value of one string, or one of three words, is valid by now; what else there is, a decoder shall say.
        one = np.diff(self._places, append=len(self._strings)) == 2  # only one string between two keys
        plain = one & (self._firsts == QUOTE) & (lasts == QUOTE)
        odd = np.flatnonzero(~plain)
        for word in (b"null", b"true", b"false"):
            odd = odd[~self._is(word, values[odd], ends[odd])]
        doubt = np.zeros(self._size, bool)
        doubt[self._rows[odd]] = True
        doubt[np.searchsorted(bounds, escapes, "right") - 1] = True
        doubt &= sure
        if doubt.any():
            sure[doubt] = valid(self._payload.filter(pa.array(doubt)))

    def _is(self, word: bytes, begin: Array, end: Array) -> Array:
        same: Array = (end - begin == len(word)) & (self._words(begin) & SHORT[len(word)] == as_number(word))
        return same

    def _words(self, where: Array) -> Array:
        """Eight bytes from there on, as a number; other ones near the end of the text."""
        words = np.ndarray((len(self._text) - 7,), "<u8", self._text, strides=(1,))
        return words[np.minimum(where, len(words) - 1)]

    def _find(self, names: Sequence[str]) -> dict[str, Array]:
        """The members of each name; a record that has any key twice is not sure."""
        sizes = self._values - self._keys - 3
        short = np.minimum(sizes, 8)
        first = self._words(self._keys + 1) & SHORT.take(short)
        last = self._words(self._values - 10) & LONG.take(short)
        hashes = pa.array(key_hash(first, last, sizes)).dictionary_encode()
        codes = np.frombuffer(hashes.indices.buffers()[1], np.int32)
        self._refuse_twice(codes)
        self.sure[self._rows[-1]] &= self._keys[-1] + 9 <= len(self._text)  # else its key was not read
        known = {number: code for code, number in enumerate(hashes.dictionary.to_pylist())}
        found = {}
        for name in names:
            word = name.encode()
            at = np.flatnonzero(codes == known.get(name_hash(word), -1))
            same = (sizes[at] == len(word)) & (first[at] == as_number(word[:8])) & (last[at] == last_word(word))
            for start in range(8, len(word) - 8, 8):
                same &= self._words(self._keys[at] + 1 + start) == as_number(word[start : start + 8])
            self.sure[self._rows[at[~same]]] = False
            found[name] = at[same]
        return found

    def _refuse_twice(self, codes: Array) -> None:
        counts = np.diff(self._members)
        some = counts > 0
        bits = np.left_shift(np.uint64(1), np.minimum(codes, _KEYS - 1).astype(np.uint64))
        different = np.bitwise_count(np.bitwise_or.reduceat(bits, self._members[:-1][some]))
        self.sure[some] &= different == counts[some]

    def _mark_escaped(self, escapes: Array) -> None:
        """Records with an escape in a key are not sure; of values, only note it."""
        self._escaped = np.zeros(len(self._keys), bool)
        around = np.maximum(np.searchsorted(self._keys, escapes, "right") - 1, 0)
        self.sure[self._rows[around[escapes < self._values[around]]]] = False
        self._escaped[around[escapes < self._ends[around]]] = True

    def _unescaped(self, at: Array, found: pa.StringArray) -> pa.StringArray:
        at = at[self._escaped[at] & (self._firsts[at] == QUOTE)]
        mask = np.zeros(self._size, bool)
        mask[self._rows[at]] = True
        spans = zip(self._values[at], self._ends[at], strict=True)
        texts = [decoded(self._text[begin:end].tobytes()) for begin, end in spans]
        self.sure[self._rows[at[[text is None for text in texts]]]] = False
        return pc.replace_with_mask(found, pa.array(mask), pa.array(texts, pa.string()))
