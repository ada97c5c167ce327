"""Map many raw records at once: what every vendor's mapping uses.

A mapping takes each field that has a column, as an Arrow array with one value for every record. The fields that are
left become ``attributes``, with the values as the vendor wrote them. A record with a field that cannot be read is
rejected with a reason, and has nulls; the first reason counts::

    records = Records(raw)
    occurred_at = records.require(records.take_instant("Timestamp", read_time), "Timestamp")

Fields are JSON texts (``msgspec.Raw``) until they are taken, so no digit of a number is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from datetime import datetime
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.contract import Mapped
from airflow_provider_interactions.errors import UNREADABLE, RecordRejected
from airflow_provider_interactions.vendors.shared import json
from airflow_provider_interactions.vendors.shared.columns import read_instants, replace_by_null, replace_unusual

Fields = dict[str, msgspec.Raw]
ReadXml = Callable[[Sequence[bytes]], Sequence[bytes | None]]
ReadText = Callable[[msgspec.Raw], str | None]

_OBJECT = msgspec.json.Decoder(Fields)
_OBJECT_OR_NULL = msgspec.json.Decoder(Fields | None)
_TEXTS = msgspec.json.Decoder(list[str | None])
_ENCODER = msgspec.json.Encoder()
_NULL = msgspec.Raw(b"null")


class Records:
    """The records of a raw batch (``schema.RAW``), and the reasons why some of them are rejected.

    A field that was taken is not in ``attributes``. ``read_xml`` makes the vendor's JSON form of XML records: of each
    a JSON object, or None where it cannot be read.
    """

    absent: Any = _NULL

    def __init__(self, raw: pa.RecordBatch, read_xml: ReadXml | None = None) -> None:
        self.raw = raw
        self.reasons: dict[int, str] = {}
        self.fields: list[dict[str, Any]]
        payloads = raw.column("payload").to_pylist()
        if read_xml is not None:
            payloads = self._convert_xml(payloads, read_xml)
        self.fields = self._read_fields(payloads)

    def __len__(self) -> int:
        return len(self.fields)

    @property
    def asked_types(self) -> pa.StringArray:
        """The interaction types asked for; null where all were."""
        asked = self.raw.column("asked_type").cast(pa.string())
        return pc.if_else(pc.equal(asked, ""), pa.scalar(None, pa.string()), asked)

    @property
    def contact_ids(self) -> pa.StringArray:
        """The contacts asked for."""
        return self.raw.column("contact_id")

    def reject(self, row: int, reason: str) -> None:
        """Reject a record, unless it is rejected already."""
        self.reasons.setdefault(row, reason)

    def reject_nested(self, name: str) -> None:
        """Reject the records that hold others, which would not become rows."""
        for place, fields in enumerate(self.fields):
            if name in fields:
                self.reject(place, "the record holds another record")

    def reject_where(self, mask: pa.BooleanArray, reason: str) -> None:
        """Reject the records of a mask; null counts as no."""
        if pc.any(mask).as_py():
            for row in pc.indices_nonzero(mask).to_pylist():
                self.reject(row, reason)

    def require(self, values: pa.Array, name: str) -> pa.Array:
        """The same values; rejects the records that have none."""
        if values.null_count:
            self.reject_where(values.is_null(), f"{name} is missing")
        return values

    def take(self, name: str) -> list[msgspec.Raw]:
        """A field as JSON texts, null where it is absent."""
        return [fields.pop(name, self.absent) for fields in self.fields]

    def take_where(self, name: str, mask: pa.BooleanArray) -> None:
        """Remove a field from some records, because it has a column in these."""
        for place in pc.indices_nonzero(mask).to_pylist():
            self.fields[place].pop(name, None)

    def peek_text(self, name: str, read: ReadText = json.read_text) -> pa.StringArray:
        """A field as text, which also stays in ``attributes``."""
        return self.read_texts([fields.get(name, self.absent) for fields in self.fields], name, read)

    def take_members(self, name: str, members: Sequence[str]) -> Records:
        """The members of a field that is an object or null. Any other value rejects the record.

        If it has other members than these, it stays in ``attributes``.
        """
        inner = copy(self)
        inner.fields = [
            self._read_nested(place, fields.get(name, _NULL), name) for place, fields in enumerate(self.fields)
        ]
        for fields, some in zip(self.fields, inner.fields, strict=True):
            if some.keys() <= set(members):
                fields.pop(name, None)
        return inner

    def _read_nested(self, place: int, value: msgspec.Raw, name: str) -> Fields:
        try:
            return _OBJECT_OR_NULL.decode(value) or {}
        except UNREADABLE:
            self.reject(place, f"{name} is not an object")
            return {}

    def take_text(self, name: str, read: ReadText = json.read_text) -> pa.StringArray:
        """Take a field as text: strings unquoted, null and empty strings as null, everything else as written.

        ``read`` reads the values one by one, unless all of them are strings or none is.
        """
        return self.read_texts(self.take(name), name, read)

    def spell_numbers(self, texts: pa.StringArray) -> pa.StringArray:
        """Texts without surrounding blanks, and whole numbers in one spelling: 1.6E3 becomes 1600."""
        return replace_unusual(texts, r"^[0-9]+$", lambda text: json.spell_integer(text.strip()) or None)

    def take_instant(self, name: str, read: Callable[[str], datetime | None]) -> pa.TimestampArray:
        """A field as instants in UTC. ``read`` reads an unusual text, and raises ValueError; see ``read_instants``."""
        return self.read_times(self.take_text(name), read, f"{name} is not a valid ISO 8601 time")

    def read_times(
        self, texts: pa.StringArray, read: Callable[[str], datetime | None], reason: str
    ) -> pa.TimestampArray:
        """Texts as instants in UTC; rejects with this reason what ``read`` refuses."""
        found = read_instants(texts, read)
        if found.null_count > texts.null_count:
            self.reject_where(pc.and_(texts.is_valid(), found.is_null()), reason)
        return found

    def read_texts(self, values: Sequence[msgspec.Raw], name: str, read: ReadText = json.read_text) -> pa.StringArray:
        """JSON texts as ``text`` reads them; rejects what cannot be read."""
        if values.count(_NULL) == len(values):
            return pa.nulls(len(values), pa.string())
        joined = b",".join(values)
        texts: Iterable[str | None]
        try:
            texts = _TEXTS.decode(b"[%s]" % joined) if b'"' in joined else _split(joined, len(values))
        except (*UNREADABLE, ValueError):
            texts = [self._read_text(row, value, name, read) for row, value in enumerate(values)]
        found = pa.array(texts, pa.string())
        return replace_by_null(found, pc.equal(found, ""))

    def finish(self, columns: Mapping[str, pa.Array]) -> Mapped:
        """The mapping's result: these columns, what is left as ``attributes``, and the rejects."""
        names = frozenset[str]().union(*self.fields)
        return Mapped({**columns, "attributes": self._join_rest()}, self.reasons, names)

    def _join_rest(self) -> pa.StringArray:
        return pa.array(list(map(_ENCODER.encode, self.fields)), pa.binary()).cast(pa.string())

    def _read_text(self, row: int, value: msgspec.Raw, name: str, read: ReadText) -> str | None:
        try:
            return read(value)
        except UNREADABLE:
            self.reject(row, f"{name} is not readable text")
            return None

    def _convert_xml(self, payloads: list[bytes], read_xml: ReadXml) -> list[bytes]:
        places = [place for place, payload in enumerate(payloads) if payload[:1] == b"<"]
        for place, found in zip(places, read_xml([payloads[place] for place in places]), strict=True):
            payloads[place] = found or b"{}"
            if found is None:
                self.reject(place, "the record is not an XML element with members")
        return payloads

    def _read_fields(self, payloads: list[bytes]) -> list[Fields]:
        try:
            self.raw.column("payload").cast(pa.string())  # the decoder does not look whether text is UTF-8
            found = list(map(_OBJECT.decode, payloads))
            if json.are_all_single(payloads, found):
                return found
        except (pa.ArrowInvalid, *UNREADABLE):
            pass  # some are not objects of valid text
        return [self._read_record(place, payload) for place, payload in enumerate(payloads)]

    def _read_record(self, place: int, payload: bytes) -> Fields:
        try:
            return json.read_fields(payload)
        except RecordRejected as rejection:
            self.reject(place, rejection.reason)
            return {}


def _split(joined: bytes, count: int) -> list[str | None]:
    """JSON values without a string among them, as they are written; raises ValueError where one has commas in it."""
    texts: list[str | None] = [None if text == "null" else text for text in joined.decode().split(",")]
    if len(texts) != count or b"[" in joined or b"{" in joined:
        raise ValueError
    return texts
