"""Split responses of the API, in either format, into records without losing a byte of them.

JSON is a mechanical conversion of the XML: one element is an object, several are a list, none is an absent key; every
scalar is a string; nil is null; an empty element is ``{}``. Half a surrogate pair becomes U+FFFD, as in ``xml``.
Source: the page of getUserInteractions and the vendor's own JavaScript library (github.com/convio/luminateExtend), read
2026-11.

The form of an empty answer is not published (unverified), so these count as one: the method's own root without content,
with null, ``{}``, ``[]`` or an empty text, or with no member but numbers. Whatever else has no records where the
documentation puts them is refused: an error or another text inside, another method's root, records on another level.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from json import loads
from typing import Any, Generic, TypeVar

import msgspec

from airflow_provider_interactions import errors
from airflow_provider_interactions.contract import Response
from airflow_provider_interactions.errors import BadResponse
from airflow_provider_interactions.vendors.luminate_online.errors import classify_code
from airflow_provider_interactions.vendors.shared import json, xml
from airflow_provider_interactions.vendors.shared.encoding import to_utf8
from airflow_provider_interactions.vendors.shared.xml_text import read_charset, repair_utf8

T = TypeVar("T")

#: Reads one field of a record as ``tidy`` leaves it.
Get = Callable[[str], Any]

_BOM = b"\xef\xbb\xbf"
_BLANK = re.compile(rb'null|"\s*"|\{\s*\}|\[\s*\]|<[^>]*/>|<[^>]*>\s*</[^>]*>')
_HALF = re.compile(
    rb"\\\\|\\u[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2}"  # no half: a backslash, a whole pair
    rb"|(\\u[Dd][89A-Fa-f][0-9A-Fa-f]{2}|\xed[\xa0-\xbf][\x80-\xbf])"
)
#: Members of a response, in lower case, that say that the call failed.
_FAILURES = frozenset({"error", "errors", "errorresponse", "exception", "fault", "code", "message"})
#: Members that say nothing about records: what a conversion leaves of the root's attributes.
_PLAIN = frozenset({"xmlns", "xmlns:xsi", "xsi:schemalocation", "schemalocation"})
_NUMBER = re.compile(r"-?[0-9][0-9.,]*")
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_CONTROL = re.compile(rb"[\x00-\x1f]")
_DECODER = msgspec.json.Decoder(float_hook=str)  # no number passes through a float
_ENCODER = msgspec.json.Encoder()


class _Peeked(msgspec.Struct, gc=False, rename=None):
    """What a caller reads of a record: of a note only whether there is one."""

    interactionId: Any = None  # noqa: N815 - the vendor's names
    interactionTypeId: Any = None  # noqa: N815
    creationDate: Any = None  # noqa: N815
    consId: Any = None  # noqa: N815
    note: msgspec.Raw = msgspec.Raw(b"null")
    cons_id: Any = None


_PEEKED = msgspec.json.Decoder(list[_Peeked], float_hook=str)


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """The records' own bytes, what was read from each, and the response's other fields."""

    records: list[bytes]
    values: list[T]
    rest: dict[str, Any]


def read(response: Response, method: str, name: str, what: str, value: Callable[[Get], T]) -> Answer[T]:
    """Split a response, XML or JSON, into its records.

    ``method`` is what was called, ``name`` the element of a record, ``value`` reads from each what the caller needs.
    Raises the error that the response names, or BadResponse if it does not have the documented shape.
    """
    body = response.body
    found = _read_xml if body.removeprefix(_BOM).lstrip()[:1] == b"<" else _read_json
    answer = found(response, f"{method}Response", name, what, value)
    if len(answer.records) == 1 and _BLANK.fullmatch(answer.records[0]):
        answer = Answer([], [], answer.rest)
    _check_rest(answer, name, what)
    return answer


def read_records(payloads: Sequence[bytes]) -> list[Any]:
    """Records of either format as tidy values; None for those that cannot be read."""
    elements = xml.parse_many([payload for payload in payloads if payload[:1] == b"<"])
    return [_read_plain(payload, elements) for payload in payloads]


def _read_plain(payload: bytes, elements: Iterator[xml.Element | None]) -> Any:
    try:
        if payload[:1] != b"<":
            return tidy(_decode(payload, "the record"))
        element = next(elements)
        return None if element is None else tidy(xml.to_plain(element))
    except (BadResponse, RecursionError):
        return None


def read_fields(payload: bytes) -> Any:
    """One JSON value as tidy values; raises BadResponse."""
    try:
        return tidy(_decode(payload, "the record"))
    except RecursionError:
        msg = "the record is nested too deeply"
        raise BadResponse(msg) from None


def tidy(value: Any) -> Any:
    """A value as both formats have it: trimmed text, None for every empty form, dicts and lists of such values."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, dict):  # most members are text: a call for each would double the time
        return {key: (part.strip() or None) if type(part) is str else tidy(part) for key, part in value.items()} or None
    if isinstance(value, list):
        return [tidy(part) for part in value]
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_number(rest: Mapping[str, Any], name: str) -> int | None:
    """A count that the vendor declares, its name in any case; None if it declares none.

    Raises BadResponse if it cannot be read, or if there are several.
    """
    found = [value for key, value in rest.items() if key.lower() == name.lower() and value is not None]
    return json.read_count(found[0] if len(found) == 1 else found, name) if found else None


def _read_xml(response: Response, root: str, name: str, what: str, value: Callable[[Get], T]) -> Answer[T]:
    charset = read_charset(response.headers.get("content-type", ""))
    found = xml.split(response.body, name, what, lambda element: value(_make_getter(element)), charset)
    _check_root(xml.read_name(found.rest), root, what)
    if xml.says_nil(found.rest) or found.has_text:
        raise BadResponse(_describe_shape(what))
    return Answer(found.records, found.values, tidy(xml.to_plain(found.rest)) or {})


def _make_getter(element: xml.Element) -> Get:
    def get(name: str) -> Any:
        found = xml.find_child(element, name)
        return None if found is None else tidy(xml.to_plain(found))

    return get


def _read_json(response: Response, root: str, name: str, what: str, value: Callable[[Get], T]) -> Answer[T]:
    body = to_utf8(response)
    outer = _decode_members(body, what)
    found, content = next(iter(outer.items()), ("", msgspec.Raw()))
    if len(outer) != 1:
        raise BadResponse(_describe_shape(what))
    _check_root(found, root, what)
    inner = {} if _BLANK.fullmatch(bytes(content)) else _decode_members(content, what)
    listed = inner.pop(name, None)
    records = _list_records(listed, what)
    values = [value(get) for get in _make_json_getters(bytes(listed or b""), records)]
    return Answer(records, values, {key: read_fields(bytes(raw)) for key, raw in inner.items()})


def _list_records(raw: msgspec.Raw | None, what: str) -> list[bytes]:
    if raw is None:
        return []
    written = bytes(raw)
    if written[:1] != b"[":
        return [written]
    records = [bytes(one) for one in _decode_as(written, list[msgspec.Raw], what)]
    # One element is no list in this format, so a list of one form of nothing is not one of them.
    if any(one[:1] == b"[" for one in records) or (len(records) == 1 and _BLANK.fullmatch(records[0])):
        raise BadResponse(_describe_shape(what))
    return records


def _make_json_getters(listed: bytes, records: Sequence[bytes]) -> Iterator[Get]:
    try:
        found = _PEEKED.decode(listed if listed[:1] == b"[" else b"[%s]" % listed)
    except errors.UNREADABLE:
        return map(_make_json_getter, records)
    return (_make_peeked_getter(one) for one in found)


def _make_peeked_getter(record: _Peeked) -> Get:
    def get(name: str) -> Any:
        value = getattr(record, name)
        if isinstance(value, msgspec.Raw):
            return None if _BLANK.fullmatch(value) else value
        return (value.strip() or None) if type(value) is str else tidy(value)

    return get


def _make_json_getter(record: bytes) -> Get:
    try:
        found = read_fields(record)
    except BadResponse:
        found = None  # normalize judges the record and rejects it with the reason
    return found.get if isinstance(found, dict) else lambda _: None


def _check_root(found: str, root: str, what: str) -> None:
    if found != root:
        raise BadResponse(_describe_shape(what))


def _check_rest(answer: Answer[Any], name: str, what: str) -> None:
    """Refuse a response if its other members report a failure, or hold the records at another level."""
    for key, member in answer.rest.items():
        if key.lower() in _FAILURES:
            found = classify_code(_read_code(answer.rest if isinstance(member, str) else member))
            raise found or BadResponse(f"{what} holds an error instead of records")
        nested = isinstance(member, dict | list)
        if key.lower().startswith(name.lower()) or (nested and (not answer.records or _holds(member, name))):
            raise BadResponse(_describe_shape(what))
        if not answer.records and not _is_plain(key, member):
            raise BadResponse(f"{what} holds a text instead of records")


def _is_plain(key: str, member: object) -> bool:
    """Whether a member leaves no doubt that a response without records is empty: nothing, or a number."""
    return member is None or key.lower() in _PLAIN or (isinstance(member, str) and bool(_NUMBER.fullmatch(member)))


def _read_code(member: Any) -> str:
    found = member.get("code") if isinstance(member, dict) else None
    return found if isinstance(found, str) else ""


def _holds(value: Any, name: str) -> bool:
    """Whether there is a member of this name at any depth."""
    if isinstance(value, list):
        return any(_holds(one, name) for one in value)
    return isinstance(value, dict) and (name in value or any(_holds(one, name) for one in value.values()))


def _describe_shape(what: str) -> str:
    return f"{what} does not have the documented shape"


def _decode_members(body: bytes | msgspec.Raw, what: str) -> dict[str, msgspec.Raw]:
    """The members of an object, repaired if necessary; raises BadResponse, also for a name that comes twice."""
    text = bytes(body)
    try:
        msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except errors.UNREADABLE:
        text = _mend(text)
    return json.read_members(text, what)


def _decode_as(body: bytes | msgspec.Raw, kind: Any, what: str) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except errors.UNREADABLE:
        return json.decode(_mend(bytes(body)), kind, what)


def _decode(body: bytes, what: str) -> Any:
    for attempt in (bytes, _mend):
        text = attempt(body)
        try:
            found = _DECODER.decode(text)
        except errors.UNREADABLE:
            continue
        # The decoder keeps one of several members of a name. What it kept all of has its length, unless it has blanks.
        if len(_ENCODER.encode(found)) != len(text):
            loads(text, object_pairs_hook=_refuse_twice)
        return found
    raise BadResponse(_describe_shape(what))


def _refuse_twice(members: list[tuple[str, Any]]) -> None:
    """Raise BadResponse if a name comes twice among the members of an object."""
    if len({name for name, _ in members}) < len(members):
        msg = "the record names a member twice"
        raise BadResponse(msg)


def _mend(body: bytes) -> bytes:
    """JSON whose strings held raw control characters, Windows-1252 bytes or half surrogate pairs.

    Each would make the whole page unreadable. The first two become the characters that were meant, the last U+FFFD.
    """
    strings = _STRING.sub(lambda string: _CONTROL.sub(_escape, string[0]), repair_utf8(body))
    return _HALF.sub(lambda found: "\ufffd".encode() if found[1] else found[0], strings)


def _escape(found: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % found[0][0]
