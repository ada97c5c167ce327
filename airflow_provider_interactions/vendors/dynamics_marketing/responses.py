"""The action's responses: JSON, whose member Data holds all records as one string, which is JSON again."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from airflow_provider_interactions.contract import Page, Response
from airflow_provider_interactions.errors import UNREADABLE, BadResponse, RecordRejected
from airflow_provider_interactions.instants import Instants
from airflow_provider_interactions.vendors.dynamics_marketing import errors
from airflow_provider_interactions.vendors.shared import encoding, json
from airflow_provider_interactions.vendors.shared.columns import read_instants
from airflow_provider_interactions.vendors.shared.dataverse import read_time

#: How a member says that it says nothing.
_NOTHING = (b"null", b'""', b"false", b"0")


#: A member that may say where more is to be had. One that this package does not know must not end a list in silence.
_MORE = re.compile("next|more|skip|cursor|cookie|continu|bookmark|token|page|truncat|partial|incomplete", re.IGNORECASE)

#: A member that may count the records, of this page or of all. The page of the action has none.
_COUNT = re.compile("(?:count|total)$", re.IGNORECASE)

#: The draft of 2017/18 spells the cursor so (the action's page, its history).
_CURSORS = ("NextSkipToken", "NextSkiptToken")

_WHAT = "the action's response"
_SHAPE = f"{_WHAT} does not have the documented shape"
_STRING = re.compile(rb'"Data"\s*:\s*("(?:[^"\\]++|\\.)*+")', re.DOTALL)


class _Text(msgspec.Struct, gc=False):  # a million of them need no collector
    at: str | None = msgspec.field(name="Timestamp", default=None)


_TEXTS = msgspec.json.Decoder(list[_Text])


def read_page(response: Response) -> Page:
    """The records of a response; raises BadResponse, or the error that the response names."""
    members, data = _split(encoding.to_utf8(response))
    errors.refuse_error(members)
    cursor = _read_cursor(members)
    records = json.split_elements(data, "Data")
    occurred = Instants(read_instants(_read_times(data, records), read_time))
    return Page(records, occurred, cursor=cursor, total=_read_total(members))


def refuse_unknown_cursors(members: Mapping[str, msgspec.Raw], known: Collection[str]) -> None:
    """Raise BadResponse where a member with another name may say that there is more."""
    for name, value in members.items():
        if name not in known and bytes(value) not in _NOTHING and _MORE.search(name):
            msg = "the response has a member that may lead to more records, under a name that is not documented"
            raise BadResponse(msg)


def _split(body: bytes) -> tuple[Mapping[str, msgspec.Raw], bytes]:
    """The response's members, and Data's array as JSON text."""
    if body.count(b'"Data"') > 1:  # on another level, or twice: one would hide the other
        raise BadResponse(_SHAPE)
    try:
        members = json.read_members(body, _WHAT)
    except BadResponse:
        found = _STRING.search(body)
        if found is None:
            raise
        # An odd byte in a record affects that record only. Without Data, the response must be as documented.
        members = json.read_members(body[: found.start(1)] + b'""' + body[found.end(1) :], _WHAT)
        return members, _decode_data(found[1])
    return members, _decode_data(bytes(members.get("Data", b"")))


def _decode_data(written: bytes) -> bytes:
    """An empty text, null and an empty array mean that there are no records."""
    if written == b"null":
        return b"[]"
    if written[:1] != b'"':
        raise BadResponse(_SHAPE)
    try:
        text = msgspec.json.decode(written, type=str).encode()
    except UNREADABLE:
        text = encoding.unescape(written)
    if text.strip() == b"null":
        raise BadResponse(_SHAPE)
    return text or b"[]"


def _read_cursor(members: Mapping[str, msgspec.Raw]) -> str:
    """Where the next page starts; raises BadResponse if the response does not say it."""
    cursors = [members[name] for name in _CURSORS if name in members]
    if len(cursors) != 1:
        raise BadResponse(_SHAPE)
    refuse_unknown_cursors(members, ("Data", *_CURSORS))
    try:
        return msgspec.json.decode(cursors[0], type=str | None) or ""
    except UNREADABLE:
        raise BadResponse(_SHAPE) from None


def _read_total(members: Mapping[str, msgspec.Raw]) -> int | None:
    """The largest number of records that a member declares; null and -1 say nothing. Raises BadResponse."""
    values = (bytes(value) for name, value in members.items() if _COUNT.search(name))
    counts = [json.decode(value, Any, _WHAT) for value in values if value not in (b"null", b"-1")]
    return max((json.read_count(count, f"{_WHAT}'s count") for count in counts), default=None)


def _read_times(data: bytes, records: Sequence[bytes]) -> pa.StringArray:
    """The records' times as they are written; null for a record without text, which ``normalize`` then rejects."""
    try:
        texts = [one.at for one in _TEXTS.decode(data)]
    except UNREADABLE:
        texts = [_read_time(record) for record in records]
    return pa.array(texts, pa.string())


def _read_time(record: bytes) -> str | None:
    try:
        return json.read_text(json.read_fields(record).get("Timestamp"))
    except (*UNREADABLE, RecordRejected):
        return None
