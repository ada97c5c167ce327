"""GUIDs, which the vendor prints in several spellings: in one, text by text and many at once."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.columnar.buffers import Array
from airflow_provider_interactions.columnar.json_scan import text_and_bounds

GUID = re.compile(r"\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?", re.IGNORECASE)

#: Its groups have so many digits; they begin here with dashes between them, and there without.
_GROUPS = ((8, 0, 0), (4, 9, 8), (4, 14, 12), (4, 19, 16), (12, 24, 20))
_DASHES = (8, 13, 18, 23)
_USUAL, _BARE, _BRACED = 36, 32, 38


#: What means "no id": blanks, zeros in any spelling (above all the empty GUID), minus one.
PLACEHOLDER = r"^(?:[\s0.{}()-]*|-1)$"
_PLACEHOLDER = re.compile(PLACEHOLDER)


def is_placeholder(text: str) -> bool:
    """Whether an id says that there is none."""
    return _PLACEHOLDER.search(text) is not None


def spell_guid(text: str) -> str | None:
    """A GUID in lower case with dashes, from any of its spellings (braces, no dashes, upper case); else None."""
    match = GUID.fullmatch(text.strip())
    return "-".join(match.groups()).lower() if match else None


def spell_guids(values: pa.StringArray) -> pa.StringArray:
    """GUIDs in lower case with dashes, other texts as they are."""
    text, bounds = text_and_bounds(values)
    begin, end = bounds[:-1], bounds[1:]
    lower = pc.equal(pc.ascii_lower(values), values).fill_null(fill_value=True).to_numpy(zero_copy_only=False)
    usual = lower & (end - begin == _USUAL)
    if len(text):
        usual &= text.take(begin + _DASHES[0], mode="clip") == ord("-")
    odd = pa.array(~usual & (end > begin))
    if not pc.any(odd).as_py():
        return values
    return pc.replace_with_mask(values, odd, _rewrite(values.filter(odd)))


def _rewrite(odd: pa.StringArray) -> pa.StringArray:
    text, bounds = text_and_bounds(odd)
    begin, sizes = bounds[:-1], np.diff(bounds)
    found = np.full((len(odd), _USUAL), ord("-"), np.uint8)
    known = np.zeros(len(odd), bool)
    for size, braces, dashes in ((_BARE, 0, 0), (_USUAL, 0, 1), (_BRACED, 1, 1)):
        at = np.flatnonzero(sizes == size)
        if not len(at):
            continue
        digits = np.lib.stride_tricks.sliding_window_view(text, size)[begin[at]]
        for length, dashed, bare in _GROUPS:
            begins = dashed + braces if dashes else bare
            found[at, dashed : dashed + length] = digits[:, begins : begins + length]
        known[at] = _match_punctuation(digits, braces, dashes)
    found |= 0x20  # lower case
    known &= _are_digits(found)
    ends = np.arange(len(odd) + 1, dtype=np.int32) * _USUAL
    fresh = pa.StringArray.from_buffers(len(odd), pa.py_buffer(ends), pa.py_buffer(found))
    if known.all():
        return fresh
    others = pa.array(~known)
    texts = [spell_guid(text) or text for text in odd.filter(others).to_pylist()]
    return pc.replace_with_mask(pc.if_else(others, "", fresh), others, pa.array(texts, pa.string()))


def _match_punctuation(digits: Array, braces: int, dashes: int) -> Array:
    good = np.ones(len(digits), bool)
    for at in _DASHES if dashes else ():
        good &= digits[:, at + braces] == ord("-")
    return good & (digits[:, 0] == ord("{")) & (digits[:, -1] == ord("}")) if braces else good


def _are_digits(found: Array) -> Array:
    fine: Array = (found - ord("0") < 10) | (found - ord("a") < 6)
    fine[:, _DASHES] = True
    return np.asarray(fine.all(axis=1))
