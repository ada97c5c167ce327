"""Which50's answers, JSON or XML, told apart by their first byte: lists of records, and one record's fields.

JSON is a bare list. XML is .NET's DataContract form: elements in the namespace of their type (which differs from type
to type, so local names count), null as ``i:nil``, a time as ``DateTime``, already in UTC, beside ``OffsetMinutes``,
which only says how to display it. Source: the samples of the help pages (app.which50.com/Which50API/documentation,
read 2026-11); what is null and how an empty history looks is .NET's habit, unverified here.

An odd byte or entity costs its record at most: what it means for certain is read, else the record stays as its bytes,
for ``normalize`` to reject.

None is said by an empty list, by an empty ``ArrayOf…`` of the right name, or by a status 204: by nothing else. Names of
members count in any case, since .NET's serializers can be set to write camelCase (unverified here).
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from airflow_provider_interactions import errors
from airflow_provider_interactions.contract import Response
from airflow_provider_interactions.errors import BadResponse, RecordRejected
from airflow_provider_interactions.vendors.shared import json as shared_json
from airflow_provider_interactions.vendors.shared import xml
from airflow_provider_interactions.vendors.shared.encoding import to_utf8
from airflow_provider_interactions.vendors.shared.xml_text import charset_of

#: A record's fields; values are JSON texts, so that what has no column is kept as it was written.
Record = dict[str, msgspec.Raw]

_BOM = b"\xef\xbb\xbf"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)?", re.ASCII)


#: Names of a record's members as the help page writes them.
MEMBERS = ("Id", "Interaction", "Name", "Occurred", "Status", "CampaignId", "CampaignName")

_KNOWN = {name.lower(): name for name in MEMBERS}


class _Stamp(msgspec.Struct):
    occurred: Any = msgspec.field(name="Occurred", default=None)


def interactions(response: Response) -> tuple[Sequence[bytes], Sequence[datetime | None]]:
    """The records of a history, each with its instant in UTC, None where it cannot be read; raises BadResponse."""
    what = "the list of communications"
    records: Sequence[bytes]
    if is_xml(response):
        found = _split(response, "ContactInteraction", what, _stamp_of)
        records, occurred = found.records, found.values
    else:
        records = [] if response.status == 204 else _elements(response, what)
        occurred = [_instant_of(record) for record in records]
    if records and not any(occurred):
        _refuse_strangers(records, what)
    return records, occurred


def values(response: Response, name: str, fields: Sequence[str], what: str) -> list[dict[str, Any]]:
    """Some fields of each record of a list whose XML elements have this name; raises BadResponse."""
    if is_xml(response):
        found = _split(response, name, what, lambda one: {key: xml.text(_child(one, key)) for key in fields})
        return found.values
    known = {key.lower(): key for key in fields}
    try:
        rows = [_named(shared_json.fields(row), known) for row in _elements(response, what)]
        return [{key: shared_json.text(row.get(key)) for key in fields} for row in rows]
    except (RecordRejected, *errors.UNREADABLE):
        raise BadResponse(_wrong(what)) from None


def is_xml(response: Response) -> bool:
    """Whether an answer is XML: what it looks like counts, then what it says, never what was asked for."""
    start = response.body.removeprefix(_BOM).lstrip()[:1]
    return start == b"<" or (start not in b"[{n" and "xml" in response.headers.get("content-type", ""))


def record(payload: bytes) -> Record:
    """One record of either form; raises RecordRejected."""
    if payload[:1] != b"<":
        return _named(shared_json.fields(payload), _KNOWN)
    try:
        return _named(_from_xml(payload), _KNOWN)
    except BadResponse:
        reason = "the record is no XML element with members"
        raise RecordRejected(reason) from None


def instant(value: Any) -> datetime | None:
    """A time in UTC, from ISO 8601 text or from DateTime and OffsetMinutes; None for none or one without meaning.

    Digits beyond microseconds are cut. Without a zone (never seen) it is taken as UTC. Year 1 is .NET's "not set".
    """
    text = value.get("DateTime") if isinstance(value, dict) else value
    if not isinstance(text, str) or not _TIME.fullmatch(text.strip()):
        return None
    try:
        found = datetime.fromisoformat(text.strip())
        moment = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year > 1 else None


def _elements(response: Response, what: str) -> Sequence[bytes]:
    """The elements of a JSON list; raises BadResponse for null, for another shape and for lists in the list."""
    text = to_utf8(response).lstrip()
    if text[:1] != b"[":
        raise BadResponse(_error_instead(what) if _is_error(text) else _wrong(what))
    found = shared_json.elements(text, what)
    if any(element[:1] == b"[" for element in found):
        raise BadResponse(_wrong(what))
    return found


def _is_error(text: bytes) -> bool:
    # The habit of ASP.NET Web API (unverified here): an object with a Message.
    try:
        return "message" in map(str.lower, shared_json.fields(text))
    except RecordRejected:
        return False


def _split(response: Response, name: str, what: str, read: Any) -> xml.Split[Any]:
    charset = charset_of(response.headers.get("content-type", ""))
    found = xml.split(response.body, name, what, read, charset)
    root = xml.local(found.rest)
    if root == "Error":
        raise BadResponse(_error_instead(what))
    others = len(found.rest) or (found.rest.text or "").strip()
    if root != f"ArrayOf{name}" or xml.is_nil(found.rest) or others:
        raise BadResponse(_wrong(what))
    return found


def _refuse_strangers(records: Sequence[bytes], what: str) -> None:
    """Refuse an answer whose records have members, but in none of them a documented one: it is another list."""
    names = [_names(record) for record in records]
    if any(names) and not any(_KNOWN.keys() & {name.lower() for name in found} for found in names):
        raise BadResponse(_wrong(what))


def _names(payload: bytes) -> Sequence[str]:
    try:
        return list(record(payload))
    except RecordRejected:
        return ()


def _named(fields: Record, known: dict[str, str]) -> Record:
    """The same fields with known names as they are documented, where they came in another case."""
    if all(name in fields for name in known.values()):
        return fields
    found: Record = {}
    for name, value in fields.items():
        proper = known.get(name.lower(), name)
        found[name if proper in fields or proper in found else proper] = value
    return found


def _child(element: xml.Element, name: str) -> xml.Element | None:
    """A member by its name, else by its name in another case."""
    found = xml.child(element, name)
    if found is not None:
        return found
    return next((one for one in element if xml.local(one).lower() == name.lower()), None)


def _instant_of(payload: bytes) -> datetime | None:
    with contextlib.suppress(*errors.UNREADABLE):
        found = instant(msgspec.json.decode(payload, type=_Stamp).occurred)
        if found is not None:
            return found
    with contextlib.suppress(RecordRejected, *errors.UNREADABLE):
        return instant(msgspec.json.decode(record(payload).get("Occurred", b"null")))
    return None  # normalize judges the record and rejects it with the reason


def _stamp_of(element: xml.Element) -> datetime | None:
    found = _child(element, "Occurred")
    return None if found is None else instant(xml.plain(found))


def _from_xml(payload: bytes) -> Record:
    root = xml.parse(payload, "the record")
    fields = xml.plain(root)
    if not isinstance(fields, dict):
        raise BadResponse(_wrong("the record"))
    # As JSON would have it: an element without content is an empty text, only i:nil is null.
    empty = {xml.local(one): "" for one in root if fields[xml.local(one)] is None and not xml.is_nil(one)}
    return {name: msgspec.Raw(json.dumps(value).encode()) for name, value in {**fields, **empty}.items()}


def _wrong(what: str) -> str:
    return f"{what} does not have the documented shape"


def _error_instead(what: str) -> str:
    return f"an error came instead of {what}, under a status that says success"
