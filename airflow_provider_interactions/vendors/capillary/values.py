"""JSON values as Capillary writes them: one or several, every empty form, and strings that need repair."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from airflow_provider_interactions.errors import UNREADABLE, BadResponse
from airflow_provider_interactions.vendors.shared import json

Raw = msgspec.Raw

ABSENT = Raw(b"")
_BOM = b"\xef\xbb\xbf"
# Every form of "nothing" that a conversion from XML to JSON leaves.
_NOTHING = re.compile(rb'(?:null|\{\s*\}|\[\s*\]|"(?:null|(?:\s|\\[nrt])*)")?')
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_CONTROL = re.compile(rb"[\x00-\x1f]")

SHAPELESS = "the response has neither of the two documented shapes"


def to_list(raw: Raw | bytes) -> list[bytes]:
    """An object or an array as a list; an empty form gives an empty list. In an array, empty forms are elements."""
    written = bytes(raw)
    if written[:1] == b"[":
        return list(map(bytes, decode_as(written, list[Raw])))
    return [] if is_nothing(written) else [written]


def unwrap(raw: Raw | bytes, name: str) -> Raw | bytes:
    """The member ``name`` of an object; the value itself if it lacks that member."""
    if bytes(raw)[:1] != b"{":
        return raw
    return decode_as(raw, dict[str, Raw]).get(name, raw)  # type: ignore[no-any-return]


def read_word(raw: Raw | None) -> str | None:
    """A JSON scalar as text; None for every empty form, and for the text "null"."""
    return None if raw is None or is_nothing(raw) else json.read_text(raw)


def is_nothing(raw: Raw | bytes) -> bool:
    """Whether a value is one of the empty forms."""
    return _NOTHING.fullmatch(bytes(raw)) is not None


def decode_as(text: bytes | Raw, kind: Any) -> Any:
    """Decode JSON into a type, repaired if necessary; raises BadResponse if it does not fit."""
    try:
        return _decode_once(bytes(text), kind)
    except UNREADABLE:
        pass
    try:
        return _decode_once(mend(bytes(text)), kind)
    except UNREADABLE:
        raise BadResponse(SHAPELESS) from None


def _decode_once(text: bytes, kind: Any) -> Any:
    """Decode; raises BadResponse if an object of a known kind names a member twice."""
    found = msgspec.json.decode(text, type=kind)
    if isinstance(found, msgspec.Struct):
        json.refuse_repeated(text, msgspec.json.decode(text, type=dict[str, Raw]), "the response")
    return found


def mend(text: bytes) -> bytes:
    """JSON whose strings held raw control characters or half surrogate pairs: escaped, and replaced by U+FFFD.

    The vendor's own v1.1 sample has line breaks inside strings. A short message that is cut at its limit can end in
    half an emoji.
    """
    strings = _STRING.sub(lambda string: _CONTROL.sub(_escape, string[0]), text.removeprefix(_BOM))
    return json.mend_surrogates(strings)


def _escape(found: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % found[0][0]
