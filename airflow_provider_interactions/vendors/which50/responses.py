"""Which50's responses, JSON or XML by their first byte: lists of records, and the fields of one record.

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
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pyarrow as pa

from airflow_provider_interactions import errors
from airflow_provider_interactions.contract import Response
from airflow_provider_interactions.errors import BadResponse, RecordRejected
from airflow_provider_interactions.instants import Instants
from airflow_provider_interactions.vendors.shared import json as shared_json
from airflow_provider_interactions.vendors.shared import xml
from airflow_provider_interactions.vendors.shared.columns import read_instants
from airflow_provider_interactions.vendors.shared.encoding import to_utf8
from airflow_provider_interactions.vendors.shared.xml_text import read_charset

#: A record's fields; values are JSON texts, so a field without a column is kept as it was written.
Record = dict[str, msgspec.Raw]

_BOM = b"\xef\xbb\xbf"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)?", re.ASCII)


#: Names of a record's members as the help page writes them.
MEMBERS = ("Id", "Interaction", "Name", "Occurred", "Status", "CampaignId", "CampaignName")

#: What .NET writes for a time in XML. The offset says only how to display it.
_TIME_MEMBERS = frozenset(("DateTime", "OffsetMinutes"))

_KNOWN = {name.lower(): name for name in MEMBERS}
_DOCUMENTED = frozenset(MEMBERS)


class _Stamp(msgspec.Struct, gc=False):
    at: str | None = msgspec.field(name="Occurred", default=None)


_STAMPS = msgspec.json.Decoder(list[_Stamp])


def read_interactions(response: Response) -> tuple[Sequence[bytes], Sequence[datetime | None]]:
    """The records of a history, each with its instant in UTC, None where it cannot be read; raises BadResponse."""
    what = "the list of communications"
    records: Sequence[bytes]
    occurred: Sequence[datetime | None]
    if is_xml(response):
        found = _split(response, "ContactInteraction", what, _read_stamp)
        records, occurred = found.records, found.values
    else:
        records = [] if response.status == 204 else _split_elements(response, what)
        occurred = Instants(read_instants(_read_times(records), read_time))
    if records and not any(occurred):
        _refuse_strangers(records, what)
    return records, occurred


def read_values(response: Response, name: str, fields: Sequence[str], what: str) -> list[dict[str, Any]]:
    """Some fields of each record of a list whose XML elements have this name; raises BadResponse."""
    if is_xml(response):
        found = _split(response, name, what, lambda one: {key: xml.read_text(_find_child(one, key)) for key in fields})
        return found.values
    known = {key.lower(): key for key in fields}
    try:
        rows = [_rename_members(shared_json.read_fields(row), known) for row in _split_elements(response, what)]
        return [{key: shared_json.read_text(row.get(key)) for key in fields} for row in rows]
    except (RecordRejected, *errors.UNREADABLE):
        raise BadResponse(_describe_shape(what)) from None


def is_xml(response: Response) -> bool:
    """Whether a response is XML: by its first bytes, then by its header, never by what was requested."""
    start = response.body.removeprefix(_BOM).lstrip()[:1]
    return start == b"<" or (start not in b"[{n" and "xml" in response.headers.get("content-type", ""))


def rename_members(fields: Record) -> Record:
    """The same fields with known names as they are documented, where they came in another case."""
    return fields if fields.keys() >= _DOCUMENTED else _rename_members(fields, _KNOWN)


def convert_xml(payloads: Sequence[bytes]) -> list[bytes | None]:
    """XML records in their JSON form; None for those that cannot be read."""
    return [None if element is None else _to_json(element) for element in xml.parse_many(payloads)]


def read_time(text: str) -> datetime:
    """A time in UTC from ISO 8601 text; raises ValueError.

    Digits beyond microseconds are cut. Without a zone (never seen) it is taken as UTC. Year 1 is .NET's "not set".
    """
    if not _TIME.fullmatch(text.strip()):
        msg = "no ISO 8601 time"
        raise ValueError(msg)
    found = datetime.fromisoformat(text.strip())
    moment = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    if moment.year == 1:
        msg = "no time"
        raise ValueError(msg)
    return moment


def _split_elements(response: Response, what: str) -> Sequence[bytes]:
    """The elements of a JSON list; raises BadResponse for null, for another shape and for lists in the list."""
    text = to_utf8(response).lstrip()
    if text[:1] != b"[":
        raise BadResponse(_describe_error(what) if _is_error(text) else _describe_shape(what))
    found = shared_json.split_elements(text, what)
    if any(element[:1] == b"[" for element in found):
        raise BadResponse(_describe_shape(what))
    return found


def _is_error(text: bytes) -> bool:
    # The habit of ASP.NET Web API (unverified here): an object with a Message.
    try:
        return "message" in map(str.lower, shared_json.read_fields(text))
    except RecordRejected:
        return False


def _split(response: Response, name: str, what: str, read: Any) -> xml.Split[Any]:
    charset = read_charset(response.headers.get("content-type", ""))
    found = xml.split(response.body, name, what, read, charset)
    root = xml.read_name(found.rest)
    if root == "Error":
        raise BadResponse(_describe_error(what))
    if root != f"ArrayOf{name}" or xml.says_nil(found.rest) or len(found.rest) or found.has_text:
        raise BadResponse(_describe_shape(what))
    return found


def _refuse_strangers(records: Sequence[bytes], what: str) -> None:
    """Refuse a response if its records have members, but none with a documented name: it is another list."""
    names = [_list_names(read_record) for read_record in records]
    if any(names) and not any(_KNOWN.keys() & {name.lower() for name in found} for found in names):
        raise BadResponse(_describe_shape(what))


def _list_names(payload: bytes) -> Sequence[str]:
    try:
        return list(
            shared_json.read_fields(next(filter(None, convert_xml([payload])), b"") if payload[:1] == b"<" else payload)
        )
    except RecordRejected:
        return ()


def _rename_members(fields: Record, known: dict[str, str]) -> Record:
    """The same fields with known names as they are documented, where they came in another case."""
    if all(name in fields for name in known.values()):
        return fields
    found: Record = {}
    for name, value in fields.items():
        proper = known.get(name.lower(), name)
        found[name if proper in fields or proper in found else proper] = value
    return found


def _find_child(element: xml.Element, name: str) -> xml.Element | None:
    """A member by its name, else by its name in another case."""
    found = xml.find_child(element, name)
    if found is not None:
        return found
    return next((one for one in element if xml.read_name(one).lower() == name.lower()), None)


def _read_times(records: Sequence[bytes]) -> pa.StringArray:
    """The records' times as they are written; null for a record without text, which ``normalize`` then rejects."""
    try:
        texts = [one.at for one in _STAMPS.decode(b"[%s]" % b",".join(records))]
    except errors.UNREADABLE:
        texts = [None] * len(records)
    return pa.array([text or _read_time(record) for text, record in zip(texts, records, strict=True)], pa.string())


def _read_time(record: bytes) -> str | None:
    """The time of a record with an odd byte, or with names in another case."""
    try:
        return shared_json.read_text(rename_members(shared_json.read_fields(record)).get("Occurred"))
    except (RecordRejected, *errors.UNREADABLE):
        return None


def _read_stamp(element: xml.Element) -> datetime | None:
    found = _find_child(element, "Occurred")
    if found is None:
        return None
    with contextlib.suppress(ValueError, OverflowError):
        time = xml.to_plain(found)
        return read_time(str(time.get("DateTime")) if isinstance(time, dict) else time or "")
    return None


def _to_json(element: xml.Element) -> bytes | None:
    try:
        fields = xml.to_plain(element)
    except BadResponse:
        return None
    if not isinstance(fields, dict):
        return None
    for name, value in fields.items():
        # As JSON would have it: a time is text, an element without content is empty text, only i:nil is null.
        if isinstance(value, dict):
            fields[name] = value["DateTime"] if _TIME_MEMBERS >= value.keys() >= {"DateTime"} else value
        elif value is None:
            fields[name] = None if xml.is_nil(xml.find_child(element, name)) else ""
    return msgspec.json.encode(fields)


def _describe_shape(what: str) -> str:
    return f"{what} does not have the documented shape"


def _describe_error(what: str) -> str:
    return f"an error came instead of {what}, under a status that says success"
