"""Read JSON responses, shared by the vendors: records byte for byte, members, texts, numbers and counts."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from airflow_provider_interactions.errors import (
    UNREADABLE,
    BadResponse,
    RecordRejected,
)
from airflow_provider_interactions.vendors.shared.encoding import blank_strings, is_utf8, repair


def decode(body: bytes, kind: Any, what: str) -> Any:
    """Decode a JSON response into a type; raises BadResponse that says what was expected, never what was received."""
    try:
        return msgspec.json.decode(body, type=kind)
    except UNREADABLE as wrong:
        msg = f"{what} does not have the documented shape"
        raise BadResponse(msg) from wrong


_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENCODER = msgspec.json.Encoder()


#: A member's name with its colon, and what separates two members.
_NAME = re.compile(rb'\s*("(?:[^"\\]++|\\.)*+")\s*:\s*', re.DOTALL)
_COMMA = re.compile(rb"\s*[,{]")


def read_members(body: bytes, what: str) -> dict[str, msgspec.Raw]:
    """The members of a JSON object, byte for byte; raises BadResponse for other values, and for a repeated name."""
    try:
        found = _MEMBERS.decode(body)
    except UNREADABLE as wrong:
        msg = f"{what} does not have the documented shape"
        raise BadResponse(msg) from wrong
    refuse_repeated(body, found, what)
    return found


def refuse_repeated(body: bytes, found: Mapping[str, msgspec.Raw], what: str) -> None:
    """Raise BadResponse if a decoded object names a member twice: the last value would hide the others."""
    if has_repeated(body, found):
        msg = f"{what} names a member twice"
        raise BadResponse(msg)


def are_all_single(bodies: Sequence[bytes], found: Sequence[Mapping[str, msgspec.Raw]]) -> bool:
    """Whether no decoded object names a member twice, for certain: without blanks, none is longer than written again.

    False says nothing: see ``has_repeated``.
    """
    commas = max(0, len(found) - 1)
    return len(_ENCODER.encode(found)) == sum(map(len, bodies)) + commas + len(b"[]")


def has_repeated(body: bytes, found: Mapping[str, msgspec.Raw]) -> bool:
    """Whether a decoded object names a member twice."""
    if body.count(b":") == len(found):
        return False
    written = _ENCODER.encode(found)
    if len(written) == len(body) or len(_compact(written)) == len(_compact(body)):
        return False
    at, count, values = 0, 0, iter(found.values())
    while comma := _COMMA.match(body, at):
        name, value = _NAME.match(body, comma.end()), bytes(next(values, b"\0"))
        if name is None or not body.startswith(value, name.end()):
            break
        at, count = name.end() + len(value), count + 1
    return count != len(found) or body[at:].strip() not in (b"}", b"{}")


def _compact(body: bytes) -> bytes:
    try:
        return msgspec.json.format(body, indent=-1)
    except UNREADABLE:  # an odd value, which nobody has decoded
        return body


#: An array with an element.
_NESTED = re.compile(rb"\[\s*[^\]\s]")

_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw] | None)

#: JSON escapes of surrogates: an escaped backslash and whole pairs pass, group 1 is half a pair.
_SURROGATES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def mend_surrogates(text: bytes) -> bytes:
    """JSON text of the same length, with U+FFFD for each half of a surrogate pair, which msgspec refuses."""
    return _SURROGATES.sub(lambda found: rb"\ufffd" if found[1] else found[0], text)


def split_elements(array: bytes, what: str) -> list[bytes]:
    """The elements of a JSON array, byte for byte; null is an empty one.

    Raises BadResponse if it is not an array, or has another array with elements in it: as one record, all of these
    would count as one reject.
    """
    try:
        found = list(map(bytes, _ELEMENTS.decode(array) or ()))
    except UNREADABLE:
        like = blank_strings(array)
        found = list(_slice(array, like, decode(like, list[msgspec.Raw], what)))
    if any(map(_NESTED.match, found)):
        msg = f"{what} has a list inside of its list"
        raise BadResponse(msg)
    return found


def _slice(array: bytes, like: bytes, elements: Iterable[msgspec.Raw]) -> Iterator[bytes]:
    at = 0
    for element in map(bytes, elements):
        at = like.index(element, at)
        yield array[at : at + len(element)]
        at += len(element)


def read_fields(payload: bytes) -> dict[str, msgspec.Raw]:
    """A JSON record's fields as they are written, odd bytes repaired.

    Raises RecordRejected if it is not an object, or names a field twice.
    """
    if is_utf8(payload):
        with contextlib.suppress(*UNREADABLE):
            return _read_single(payload)
    with contextlib.suppress(*UNREADABLE):
        return _read_single(mend_surrogates(repair(payload)))
    reason = "the record is not a JSON object"
    raise RecordRejected(reason)


def _read_single(record: bytes) -> dict[str, msgspec.Raw]:
    found = _MEMBERS.decode(record)
    if has_repeated(record, found):
        reason = "the record names a field twice"
        raise RecordRejected(reason)
    return found


def read_text(raw: msgspec.Raw | None) -> str | None:
    """A JSON value as a column's text: strings unquoted, null and empty as None, everything else as written."""
    if raw is None:
        return None
    written = bytes(raw)
    if written in (b"null", b'""'):
        return None
    return str(msgspec.json.decode(written, type=str)) if written[:1] == b'"' else written.decode()


_WHOLE = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,3}))?")

#: Digits of the longest whole number that is spelled out; no vendor has longer ids.
_MOST_DIGITS = 40


def spell_integer(text: str) -> str:
    """A whole number in one spelling: ``1.6E3``, ``1600.0`` and ``1600`` become ``1600``. Other texts do not change.

    No digit goes through a float. Use it only for texts that are known to be numbers: in free text, ``1e0`` is a word.
    """
    found = _WHOLE.fullmatch(text)
    if found is None or text.isdigit():
        return text
    sign, whole, fraction, exponent = found[1], found[2], found[3] or "", int(found[4] or 0)
    digits = (whole + fraction).lstrip("0")
    trailing = len(digits) - len(digits.rstrip("0"))
    shift = exponent - len(fraction)
    if digits and (shift + trailing < 0 or len(digits) + shift > _MOST_DIGITS):
        return text
    spelled = (digits + "0" * shift if shift >= 0 else digits[:shift]).lstrip("0") or "0"
    return spelled if spelled == "0" else sign + spelled


# Digits in groups of three. A point does not separate groups, because it may begin a fraction.
_COUNT = re.compile(r"[0-9]+|[0-9]{1,3}(?:([, \u00a0\u202f'\u2019_])[0-9]{3})(?:\1[0-9]{3})*")
_NO_FRACTION = re.compile(r"\.0{0,2}$")


def read_count(value: object, what: str) -> int:
    """A number of records as a vendor declares it: 8, 8.0, ``"8 "``, ``"8.0"`` or ``"1,200"``.

    Raises BadResponse for anything else, also for ``"1.000"``, which may be one or a thousand. A count that cannot be
    read must not switch off the check that needs it. Each vendor decides whether null means "not declared".
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 and value == value // 1:
        return int(value)
    if isinstance(value, str):
        number = _NO_FRACTION.sub("", value.strip())
        if len(number) < _MOST_DIGITS and _COUNT.fullmatch(number):
            return int(re.sub(r"[^0-9]", "", number))
    msg = f"{what} is not a readable number of records"
    raise BadResponse(msg)


def to_utc(moment: datetime | None) -> datetime | None:
    """An instant in UTC; a time without a zone is taken as UTC."""
    if moment is None or moment.tzinfo is UTC:
        return moment
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
