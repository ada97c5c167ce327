"""The action's answers: JSON, whose member Data holds all records as one string, which is JSON again.

That string is most of an answer. Where nothing but its quotes is escaped it is read as bytes: Python's own text of it
would take four bytes for each character as soon as one of them is an emoji.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.contract import Page, Response
from airflow_provider_interactions.errors import RecordRejected
from airflow_provider_interactions.packed import Instants
from airflow_provider_interactions.vendors import common
from airflow_provider_interactions.vendors.columnar import instants
from airflow_provider_interactions.vendors.json_bytes import BACKSLASH, QUOTE, objects

_DATA = b'"Data":"'

#: Bytes of an answer from which on it is faster to look at all of it than at one record after the other.
LARGE = 8192


class _Answer(msgspec.Struct):
    data: str | None = msgspec.field(name="Data", default=None)
    cursor: str | None = msgspec.field(name="NextSkipToken", default=None)


class _Stamp(msgspec.Struct, gc=False):  # a million of them need no collector
    at: datetime | None = msgspec.field(name="Timestamp", default=None)


class _Text(msgspec.Struct, gc=False):
    at: str | None = msgspec.field(name="Timestamp", default=None)


_TEXTS = msgspec.json.Decoder(list[_Text] | None)


def page(response: Response) -> Page:
    """The records of an answer; raises BadResponse."""
    large = len(response.body) >= LARGE
    data, cursor = (_at_once(response.body) if large else None) or _read(response.body)
    texts = _times(data) if large else None
    records = objects(data, 0 if texts is None else len(texts)) or common.elements(data, "Data")
    occurred = [_instant(record) for record in records] if texts is None else _occurred(texts, records)
    return Page(records, occurred, cursor=cursor)


def _at_once(body: bytes) -> tuple[bytes | memoryview, str] | None:
    """Data's text and the cursor; None where a backslash stands for more than the quote behind it."""
    begin = body.find(_DATA) + len(_DATA)
    if begin < len(_DATA):
        return None
    text = np.frombuffer(body, np.uint8)[begin - 1 :]
    quotes, escapes = text == QUOTE, text == BACKSLASH
    other = quotes[1:] != escapes[:-1]
    size = int(other.argmax())  # Data ends with the first quote that no backslash is before
    around = body[:begin] + body[begin + size :]
    if not (other[size] and quotes[size + 1]) or around.count(b'"Data"') > 1 or b"\\" in around:
        return None
    try:
        rest = msgspec.json.decode(around, type=_Answer)
    except common.UNREADABLE:
        return None
    end = begin + size - int(np.count_nonzero(escapes[: size + 1]))
    plain = memoryview(body.translate(None, b"\\"))[begin:end]
    return None if rest.data is None else (plain or b"null", rest.cursor or "")


def _read(body: bytes) -> tuple[bytes, str]:
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except common.UNREADABLE:
        answer = common.decode_loosely(body, _Answer, "the action's answer")
    # A lone surrogate can only stand inside a JSON string, where its \ud800 says the same in valid UTF-8.
    return (answer.data or "null").encode("utf-8", "backslashreplace"), answer.cursor or ""


def _times(data: bytes | memoryview) -> pa.StringArray | None:
    """The records' times as they are written; None where one is no text, or the records are no objects."""
    try:
        return pa.array([text.at for text in _TEXTS.decode(data) or ()], pa.string())
    except (*common.UNREADABLE, pa.ArrowInvalid):
        return None


def _occurred(texts: pa.StringArray, records: Sequence[bytes]) -> Sequence[datetime | None]:
    found = instants(texts)
    if found.null_count:
        doubtful = found.is_null()
        single = [_instant(records[n]) for n in pc.indices_nonzero(doubtful).to_pylist()]
        found = pc.replace_with_mask(found, doubtful, pa.array(single, found.type))
    return Instants(found)


def _instant(record: bytes) -> datetime | None:
    try:
        return common.utc(msgspec.json.decode(common.mended(record), type=_Stamp).at)
    except (*common.UNREADABLE, OverflowError):
        return _last_instant(record)


def _last_instant(record: bytes) -> datetime | None:
    """Of a record that has its time twice the last one counts, as everywhere."""
    try:
        return common.utc(msgspec.json.decode(common.fields(record)["Timestamp"], type=datetime | None))
    except (*common.UNREADABLE, OverflowError, KeyError, RecordRejected):
        return None  # normalize judges the record and rejects it with the reason
