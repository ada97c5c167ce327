"""Answers of the API in either format, taken apart into records without losing a byte of them.

JSON is a mechanical conversion of the XML: one element is an object, several are a list, none is an absent key; every
scalar is a string; nil is null; an empty element is ``{}``. The form of an empty answer is not published, so every
form of "nothing" counts as one. Half a surrogate pair becomes U+FFFD, as in ``xml``. Source: the page of
getUserInteractions and the vendor's own JavaScript library (github.com/convio/luminateExtend), read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from airflow_provider_interactions.errors import BadResponse
from airflow_provider_interactions.vendors import common, xml

T = TypeVar("T")

#: Reads one field of a record as ``tidy`` leaves it.
Get = Callable[[str], Any]

_BOM = b"\xef\xbb\xbf"
_BLANK = re.compile(rb'null|"\s*"|\{\s*\}|\[\s*\]|<[^>]*/>|<[^>]*>\s*</[^>]*>')
_HALF = re.compile(
    rb"\\\\|\\u[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2}"  # no half: a backslash, a whole pair
    rb"|(\\u[Dd][89A-Fa-f][0-9A-Fa-f]{2}|\xed[\xa0-\xbf][\x80-\xbf])"
)
_DECODER = msgspec.json.Decoder(float_hook=str)  # no number passes through a float


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """The records' own bytes, what was read from each, and the answer's other fields."""

    records: list[bytes]
    values: list[T]
    rest: dict[str, Any]


def read(body: bytes, name: str, what: str, value: Callable[[Get], T]) -> Answer[T]:
    """Take an answer apart by itself telling XML from JSON; raises BadResponse for anything else.

    ``name`` is the element of a record, ``value`` reads from each what the caller needs.
    """
    found = _from_xml if body.removeprefix(_BOM).lstrip()[:1] == b"<" else _from_json
    answer = found(body, name, what, value)
    if len(answer.records) == 1 and _BLANK.fullmatch(answer.records[0]):
        return Answer([], [], answer.rest)
    return answer


def fields(payload: bytes) -> Any:
    """One record of either format as tidy values; raises BadResponse when it is neither."""
    try:
        is_xml = payload[:1] == b"<"
        return tidy(xml.plain(xml.parse(payload, "the record")) if is_xml else _decoded(payload, "the record"))
    except RecursionError:
        msg = "the record is nested too deeply"
        raise BadResponse(msg) from None


def tidy(value: Any) -> Any:
    """A value as both formats have it: trimmed text, None for every form of nothing, dicts and lists of such."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, dict):
        return {key: tidy(part) for key, part in value.items()} or None
    if isinstance(value, list):
        return [tidy(part) for part in value]
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def number(value: Any) -> int | None:
    """A count that the vendor declares, None where there is none that can be read."""
    return int(value) if isinstance(value, str) and value.isdecimal() and value.isascii() else None


def _from_xml(body: bytes, name: str, what: str, value: Callable[[Get], T]) -> Answer[T]:
    found = xml.split(body, name, what, lambda element: value(_reader(element)))
    _check_root(xml.local(found.rest), what)
    rest = tidy(xml.plain(found.rest))
    return Answer(found.records, found.values, rest if isinstance(rest, dict) else {})


def _reader(element: xml.Element) -> Get:
    def get(name: str) -> Any:
        found = xml.child(element, name)
        return None if found is None else tidy(xml.plain(found))

    return get


def _from_json(body: bytes, name: str, what: str, value: Callable[[Get], T]) -> Answer[T]:
    outer = _typed(body.removeprefix(_BOM), dict[str, msgspec.Raw], what)
    if len(outer) != 1:
        msg = f"{what} does not have the documented shape"
        raise BadResponse(msg)
    root, content = outer.popitem()
    _check_root(root, what)
    inner = {} if _BLANK.fullmatch(bytes(content)) else _typed(content, dict[str, msgspec.Raw], what)
    records = _listed(inner.pop(name, None), what)
    values = [value(_json_reader(record)) for record in records]
    return Answer(records, values, {key: fields(bytes(raw)) for key, raw in inner.items()})


def _listed(raw: msgspec.Raw | None, what: str) -> list[bytes]:
    if raw is None:
        return []
    written = bytes(raw)
    return [bytes(one) for one in _typed(written, list[msgspec.Raw], what)] if written[:1] == b"[" else [written]


def _json_reader(record: bytes) -> Get:
    try:
        found = fields(record)
    except BadResponse:
        found = None  # normalize judges the record and rejects it with the reason
    return found.get if isinstance(found, dict) else lambda _: None


def _check_root(name: str, what: str) -> None:
    # One page shows another method's name here, so only the ending is relied upon.
    if not name.endswith("Response") or name == "errorResponse":
        msg = f"{what} does not have the documented shape"
        raise BadResponse(msg)


def _typed(body: bytes | msgspec.Raw, kind: Any, what: str) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except common.UNREADABLE:
        return common.decode(_whole(bytes(body)), kind, what)


def _decoded(body: bytes, what: str) -> Any:
    for attempt in (bytes, _whole):
        try:
            return _DECODER.decode(attempt(body))
        except common.UNREADABLE:
            continue
    msg = f"{what} does not have the documented shape"
    raise BadResponse(msg)


def _whole(body: bytes) -> bytes:
    """JSON without half surrogate pairs, for which one bad subject would cost the whole page."""
    return _HALF.sub(lambda found: "\ufffd".encode() if found[1] else found[0], body)
