"""Map many raw records at once: what every vendor's mapping uses.

A mapping takes each field that has a column, as an Arrow array with one value for every record. The fields that are
left become ``attributes``, with the values as the vendor wrote them. A record with a field that cannot be read is
rejected with a reason, and has nulls; the first reason counts::

    records = Records(raw)
    occurred_at = records.require(records.instant("Timestamp", read_time), "Timestamp")

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
from airflow_provider_interactions.schema import INSTANT
from airflow_provider_interactions.vendors.shared import json

Fields = dict[str, msgspec.Raw]
ReadXml = Callable[[Sequence[bytes]], Sequence[bytes | None]]
ReadText = Callable[[msgspec.Raw], str | None]

_OBJECT = msgspec.json.Decoder(Fields)
_OBJECT_OR_NULL = msgspec.json.Decoder(Fields | None)
_TEXTS = msgspec.json.Decoder(list[str | None])
_ENCODER = msgspec.json.Encoder()
_NULL = msgspec.Raw(b"null")

#: Instants in which every reader agrees, and local times for which any edition of the zones' database says the same.
_FIRST, _LAST = (pa.scalar(text).cast(INSTANT) for text in ("0002-01-01T00:00:00Z", "9999-12-30T00:00:00Z"))
_ZONES = tuple(pa.scalar(text).cast(pa.timestamp("us")) for text in ("1970-01-02T00:00:00", "2037-01-01T00:00:00"))

#: For arrays with a text that Arrow cannot read as a time: texts that surely are times, and digits beyond microseconds.
_SURE = r"^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])[T ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?"
_SURE_ZONE = r"(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$"
_LONG = r"(:\d\d\.\d{6})\d+"

#: A local time with the day first; the length of both spellings.
_DAY_FIRST = r"^(\d\d)-(\d\d)-(\d{4}) (.*)$"
_LOCAL_LENGTH = len("31-01-2026 23:59:59")


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

    def nested(self, name: str, members: Sequence[str]) -> Records:
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

    def text(self, name: str, read: ReadText = json.read_text) -> pa.StringArray:
        """Take a field as text: strings unquoted, null and empty strings as null, everything else as written.

        ``read`` reads the values one by one, unless all of them are strings or none is.
        """
        return self.read_texts(self.take(name), name, read)

    def spell_numbers(self, texts: pa.StringArray) -> pa.StringArray:
        """Texts without surrounding blanks, and whole numbers in one spelling: 1.6E3 becomes 1600."""
        return replace_unusual(texts, r"^[0-9]+$", lambda text: json.spell_integer(text.strip()) or None)

    def instant(self, name: str, read: Callable[[str], datetime | None]) -> pa.TimestampArray:
        """A field as instants in UTC. ``read`` reads an unusual text, and raises ValueError; see ``read_instants``."""
        return self.read_times(self.text(name), read, f"{name} is not a valid ISO 8601 time")

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
        return null_where(found, pc.equal(found, ""))

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
            return list(map(_OBJECT.decode, payloads))
        except (pa.ArrowInvalid, *UNREADABLE):
            return [self._read_record(place, payload) for place, payload in enumerate(payloads)]

    def _read_record(self, place: int, payload: bytes) -> Fields:
        try:
            return json.read_fields(payload)
        except RecordRejected as rejection:
            self.reject(place, rejection.reason)
            return {}


def replace_unusual(texts: pa.StringArray, usual: str, replace: Callable[[str], str | None]) -> pa.StringArray:
    """Replace texts that do not match the pattern ``usual``. Calls ``replace`` once for each different one."""
    unusual = pc.invert(pc.match_substring_regex(texts, usual))
    if not pc.any(unusual).as_py():
        return texts
    words = texts.filter(pc.fill_null(unusual, False)).dictionary_encode()
    found = pa.array(list(map(replace, words.dictionary.to_pylist())), pa.string()).take(words.indices)
    return pc.replace_with_mask(texts, pc.fill_null(unusual, False), found)


def null_where(values: pa.Array, mask: pa.BooleanArray) -> pa.Array:
    """Values, null where the mask says yes."""
    if not pc.any(mask).as_py():
        return values
    return pc.if_else(pc.fill_null(mask, False), pa.scalar(None, values.type), values)


def map_words(words: pa.Array, meaning: Callable[[str], str | None]) -> pa.StringArray:
    """Each word's meaning, null for null; asked once for each different word."""
    coded = words if pa.types.is_dictionary(words.type) else words.dictionary_encode()
    means = [None if word is None else meaning(word) for word in coded.dictionary.to_pylist()]
    different = list(dict.fromkeys(mean for mean in means if mean is not None))  # no word twice in a dictionary
    codes = pa.array([None if mean is None else different.index(mean) for mean in means], pa.int32())
    return pa.DictionaryArray.from_arrays(codes.take(coded.indices), pa.array(different, pa.string()))


def join_words(first: pa.Array, second: pa.StringArray) -> pa.DictionaryArray:
    """Two words as one, a NUL between them, for ``map_words``; the second may be null."""
    return pc.binary_join_element_wise(first.cast(pa.string()), pc.fill_null(second, ""), "\0").dictionary_encode()


def read_instants(texts: pa.StringArray, read: Callable[[str], datetime | None]) -> pa.TimestampArray:
    """Texts as instants in UTC, null for what ``read`` refuses by ValueError or OverflowError.

    Arrow reads ISO 8601 with a zone; ``read`` reads what Arrow does not. Digits beyond microseconds are cut, never
    rounded: that could lead into the next window.
    """
    found = _keep_certain(_cast_times(texts, _SURE + _SURE_ZONE, INSTANT))
    if found.null_count == texts.null_count:
        return found
    odd = pc.and_(texts.is_valid(), found.is_null())
    single = pa.array([_read_instant(text, read) for text in texts.filter(odd).to_pylist()], INSTANT)
    return pc.replace_with_mask(found, odd, single)


def read_local_instants(texts: pa.StringArray, zone: str, read: Callable[[str], datetime | None]) -> pa.TimestampArray:
    """Texts such as 31-01-2026 23:59:59 or 2026-01-31 23:59:59 in a zone as instants; others as ``read_instants``.

    ``read`` has the last word where a local time has two readings or none.
    """
    year_first = pc.replace_substring_regex(texts, _DAY_FIRST, r"\3-\2-\1 \4")
    local = null_where(year_first, pc.not_equal(pc.binary_length(texts), _LOCAL_LENGTH))
    naive = _cast_times(local, _SURE + "$", pa.timestamp("us"))
    first, last = (pc.assume_timezone(naive, zone, ambiguous=one, nonexistent=one) for one in ("earliest", "latest"))
    sure = pc.and_(pc.equal(first, last), pc.and_(pc.greater(naive, _ZONES[0]), pc.less(naive, _ZONES[1])))
    found = null_where(first.cast(INSTANT), pc.invert(sure))
    return pc.coalesce(found, read_instants(null_where(texts, found.is_valid()), read))


def _cast_times(texts: pa.StringArray, sure: str, kind: pa.DataType) -> pa.Array:
    """Texts as times as Arrow reads them. If it refuses one, only those that match ``sure``, the others as null."""
    try:
        return texts.cast(kind)
    except pa.ArrowInvalid:
        texts = pc.replace_substring_regex(texts, _LONG, r"\1")
    try:
        return texts.cast(kind)
    except pa.ArrowInvalid:
        return null_where(texts, pc.invert(pc.match_substring_regex(texts, sure))).cast(kind)


def _keep_certain(found: pa.TimestampArray) -> pa.TimestampArray:
    """Instants of years from which no zone leads out of 1 to 9999; year 1 is some vendors' "not set"."""
    bounds = pc.min_max(found.cast(pa.int64())).as_py()
    if bounds["min"] is None or (bounds["min"] >= _FIRST.value and bounds["max"] < _LAST.value):
        return found
    return null_where(found, pc.invert(pc.and_(pc.greater_equal(found, _FIRST), pc.less(found, _LAST))))


def _read_instant(text: str, read: Callable[[str], datetime | None]) -> datetime | None:
    try:
        return json.to_utc(read(text))
    except (ValueError, OverflowError):
        return None


def _split(joined: bytes, count: int) -> list[str | None]:
    """JSON values without a string among them, as they are written; raises ValueError where one has commas in it."""
    texts: list[str | None] = [None if text == "null" else text for text in joined.decode().split(",")]
    if len(texts) != count or b"[" in joined or b"{" in joined:
        raise ValueError
    return texts
