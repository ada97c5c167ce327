"""The action's answers: JSON, whose member Data holds all records as one string, which is JSON again.

That string is most of an answer. Where nothing but its quotes is escaped it is read as bytes: Python's own text of it
would take four bytes for each character as soon as one of them is an emoji.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions import errors as airflow_provider_interactions_errors
from airflow_provider_interactions.columnar.buffers import Instants
from airflow_provider_interactions.columnar.convert import instants
from airflow_provider_interactions.columnar.json_scan import BACKSLASH, QUOTE, objects
from airflow_provider_interactions.contract import Page, Response
from airflow_provider_interactions.errors import BadResponse, RecordRejected
from airflow_provider_interactions.vendors.dynamics_marketing import errors
from airflow_provider_interactions.vendors.shared import encoding, json

_DATA = b'"Data":"'

#: Bytes of an answer from which on it is faster to look at all of it than at one record after the other.
LARGE = 8192

#: How a member says that it says nothing.
_NOTHING = (b"null", b'""', b"false", b"0")

#: Bytes of a text that may still be a null with blanks around it.
_LONGEST_BLANK = 64


#: A member that may say where more is to be had. One that this package does not know must not end a list in silence.
_MORE = re.compile("next|more|skip|cursor|cookie|continu|bookmark|token|page", re.IGNORECASE)

#: The draft of 2017/18 spells the cursor so (the action's page, its history).
_CURSORS = ("NextSkipToken", "NextSkiptToken")

_SHAPE = "the action's answer does not have the documented shape"
_STRING = re.compile(rb'"Data"\s*:\s*("(?:[^"\\]++|\\.)*+")', re.DOTALL)


class _Stamp(msgspec.Struct, gc=False):  # a million of them need no collector
    at: datetime | None = msgspec.field(name="Timestamp", default=None)


class _Text(msgspec.Struct, gc=False):
    at: str | None = msgspec.field(name="Timestamp", default=None)


_TEXTS = msgspec.json.Decoder(list[_Text] | None)


def read_page(response: Response) -> Page:
    """The records of an answer; raises BadResponse, or the error that the answer names."""
    body = encoding.to_utf8(response)
    large = len(body) >= LARGE
    data, cursor = (_read_at_once(body) if large else None) or _read(body)
    texts = _read_times(data) if large else None
    records = objects(data, 0 if texts is None else len(texts)) or json.split_elements(data, "Data")
    occurred = [_read_instant(record) for record in records] if texts is None else _read_occurred(texts, records)
    return Page(records, occurred, cursor=cursor)


def refuse_unknown_cursors(members: Mapping[str, msgspec.Raw], known: Collection[str]) -> None:
    """Raise BadResponse where a member with another name may say that there is more."""
    for name, value in members.items():
        if name not in known and bytes(value) not in _NOTHING and _MORE.search(name):
            msg = "the answer has a member that may lead to more records, under a name that is not documented"
            raise BadResponse(msg)


def _read_at_once(body: bytes) -> tuple[bytes | memoryview, str] | None:
    """Data's text and the cursor; None where a backslash escapes more than quotes."""
    begin = body.find(_DATA) + len(_DATA)
    if begin < len(_DATA):
        return None
    text = np.frombuffer(body, np.uint8)[begin - 1 :]
    quotes, escapes = text == QUOTE, text == BACKSLASH
    other = quotes[1:] != escapes[:-1]
    size = int(other.argmax())  # Data ends with the first quote that no backslash is before
    around = body[:begin] + body[begin + size :]
    if not (other[size] and quotes[size + 1]) or b"\\" in around:
        return None
    cursor = _read_cursor(around)
    end = begin + size - int(np.count_nonzero(escapes[: size + 1]))
    plain = memoryview(body.translate(None, b"\\"))[begin:end]
    return _require_array(plain), cursor


def _read(body: bytes) -> tuple[bytes | memoryview, str]:
    """The same of any answer: Data is cut out as bytes, so that an odd one in a record is that record's matter."""
    found = _STRING.search(body)
    if found is None:
        return b"[]", _read_cursor(body, b"null")
    cursor = _read_cursor(body[: found.start(1)] + b'""' + body[found.end(1) :])
    return _require_array(_decode_text(found[1])), cursor


def _decode_text(string: bytes) -> bytes:
    try:
        return msgspec.json.decode(string, type=str).encode()
    except airflow_provider_interactions_errors.UNREADABLE:
        return encoding.unescape(string)


def _require_array(data: bytes | memoryview) -> bytes | memoryview:
    """Data's array. An empty text, null and an empty array mean that there are no records; no other text does."""
    if bytes(data[:_LONGEST_BLANK]).strip() == b"null":
        raise BadResponse(_SHAPE)
    return data or b"[]"


def _read_cursor(around: bytes, data: bytes = b'""') -> str:
    """Where the next page starts, by an answer whose Data is cut out; raises BadResponse unless both are there."""
    members = json.read_members(around, "the action's answer")
    errors.refuse_error(members)
    cursors = [members[name] for name in _CURSORS if name in members]
    if bytes(members.get("Data", b"")) != data or around.count(b'"Data"') != 1 or len(cursors) != 1:
        raise BadResponse(_SHAPE)
    refuse_unknown_cursors(members, _CURSORS)
    try:
        return msgspec.json.decode(cursors[0], type=str | None) or ""
    except airflow_provider_interactions_errors.UNREADABLE:
        raise BadResponse(_SHAPE) from None


def _read_times(data: bytes | memoryview) -> pa.StringArray | None:
    """The records' times as they are written; None where a time is not text, or a record is not an object."""
    try:
        return pa.array([text.at for text in _TEXTS.decode(data) or ()], pa.string())
    except (*airflow_provider_interactions_errors.UNREADABLE, pa.ArrowInvalid):
        return None


def _read_occurred(texts: pa.StringArray, records: Sequence[bytes]) -> Sequence[datetime | None]:
    found = instants(texts)
    if found.null_count:
        doubtful = found.is_null()
        single = [_read_instant(records[n]) for n in pc.indices_nonzero(doubtful).to_pylist()]
        found = pc.replace_with_mask(found, doubtful, pa.array(single, found.type))
    return Instants(found)


def _read_instant(record: bytes) -> datetime | None:
    try:
        return json.to_utc(msgspec.json.decode(json.mend_surrogates(record), type=_Stamp).at)
    except (*airflow_provider_interactions_errors.UNREADABLE, OverflowError):
        return _read_last_instant(record)


def _read_last_instant(record: bytes) -> datetime | None:
    """Of a record that has its time twice the last one counts, as everywhere."""
    try:
        return json.to_utc(msgspec.json.decode(json.read_fields(record)["Timestamp"], type=datetime | None))
    except (*airflow_provider_interactions_errors.UNREADABLE, OverflowError, KeyError, RecordRejected):
        return None  # normalize judges the record and rejects it with the reason
