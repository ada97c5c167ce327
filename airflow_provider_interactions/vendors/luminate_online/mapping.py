"""The records of Luminate Online as canonical columns. XML and JSON give the same row.

Source: the page of getUserInteractions (open.convio.com, read 2026-11), whose samples hold custom types with a note
and a standard type without one. The names of the standard types are not published, so nothing is guessed from ids.

Every scalar is text in JSON, too, so records are read as plain values, ``tidy``; no number is lost in a float.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from types import NoneType
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.contract import Mapped
from airflow_provider_interactions.rejects import ANOTHER_CONTACT
from airflow_provider_interactions.schema import INSTANT
from airflow_provider_interactions.vendors.luminate_online import responses
from airflow_provider_interactions.vendors.shared import json
from airflow_provider_interactions.vendors.shared.columns import read_instants, replace_by_null
from airflow_provider_interactions.vendors.shared.records import Records

EVERYONE = "everyone"

#: Ids that no record has: what a database's default, or an export's "none", looks like.
PLACEHOLDERS = pa.array(["0", "-1"])

_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(Z|[+-]\d\d:\d\d)")
_TIME = "a valid ISO 8601 time with a zone"
_SORTED = msgspec.json.Encoder(order="sorted")


def map_records(raw: pa.RecordBatch) -> Mapped:
    """Map a raw batch to canonical columns."""
    records = _PlainRecords(raw)
    _reject_mixed(records)
    records.reject_nested("interaction")
    notes = _take_notes(records)
    own_type = records.spell_numbers(records.take_text("interactionTypeId"))
    types = records.require(pc.coalesce(own_type, records.asked_types), "interactionTypeId")
    created, subject = records.take_text("creationDate"), records.take_text("subject")
    cons_id = records.spell_numbers(records.peek_text("consId"))
    at = records.require(_read_times(records, created, "creationDate"), "creationDate")
    bulk = pc.equal(raw.column("contact_id_kind"), EVERYONE)
    records.reject_where(pc.and_(bulk, cons_id.is_null()), "consId is missing")
    ids = records.require(records.spell_numbers(records.take_text("interactionId")), "interactionId")
    has_note = pa.array([bool(some) for some in notes])
    return records.finish(
        {
            "interaction_id": _replace_placeholders(ids, (cons_id, created, own_type, subject)),
            "occurred_at": at,
            "contact_id": pc.if_else(bulk, cons_id, records.contact_ids),
            "channel": pc.if_else(has_note, "crm", "other"),
            "action": pc.if_else(has_note, "noted", "other"),
            "native_type": types,
            "subject": subject,
            "count": _read_counts(records, records.spell_numbers(records.take_text("count"))),
            "updated_at": _find_last_edits(records, notes),
        }
    )


class _PlainRecords(Records):
    """Records whose fields are plain values: None, text, objects and lists of such."""

    absent = None

    def read_texts(self, values: Sequence[Any], name: str, _: object = None) -> pa.StringArray:
        """Texts as they are; rejects objects and lists."""
        if not {str, NoneType}.issuperset(map(type, values)):
            values = [self._refuse_nested(place, value, name) for place, value in enumerate(values)]
        return pa.array(values, pa.string())

    def _refuse_nested(self, place: int, value: Any, name: str) -> str | None:
        if value is None or isinstance(value, str):
            return value
        self.reject(place, f"{name} is not text")
        return None

    def _read_fields(self, payloads: list[bytes]) -> list[dict[str, Any]]:
        return [self._keep_object(place, record) for place, record in enumerate(responses.read_records(payloads))]

    def _keep_object(self, place: int, record: Any) -> dict[str, Any]:
        if isinstance(record, dict):
            return record
        self.reject(place, "the record is neither a readable XML element nor a JSON object, or it names a member twice")
        return {}

    def _join_rest(self) -> pa.StringArray:
        # Sorted, since the two formats order their fields differently.
        return pa.array(map(_SORTED.encode, self.fields), pa.binary()).cast(pa.string())


def _reject_mixed(records: Records) -> None:
    """Reject records with a note of another constituent than their own, before any other reason counts.

    A record may name another constituent than the one asked for: the vendor's sample shows three of them in the
    response about one. Unverified: when that happens, such as for merged constituents. ``attributes`` keep the name.
    """
    for place, fields in enumerate(records.fields):
        if len(set(list_constituents(fields))) > 1:
            records.reject(place, ANOTHER_CONTACT)


def list_constituents(fields: Mapping[str, Any]) -> Iterator[str]:
    """The constituents that a record and its notes name, to compare. What is no text is named, too, as nobody's id."""
    note = fields.get("note")
    for part in (fields, *(note if isinstance(note, list) else [note])):
        for name, value in part.items() if isinstance(part, dict) else ():
            if name.lower() == "consid" and (found := spell_constituent(value)):
                yield found


def spell_constituent(value: object) -> str:
    """A cons_id to compare: without leading zeros, empty for one that stands for none."""
    if value is None:
        return ""
    found = json.spell_integer(value.strip()).lstrip("0") if isinstance(value, str) else "not text"
    return "" if found == "-1" else found


def _take_notes(records: Records) -> list[list[dict[str, Any]]]:
    """The notes of each record, one or several, which stay in its attributes as a list."""
    found: list[list[Any]] = []
    for place, fields in enumerate(records.fields):
        note: Any = fields.pop("note", None)
        notes = [one for one in (note if isinstance(note, list) else [note]) if one is not None]
        if not all(isinstance(one, dict) for one in notes):
            records.reject(place, "note is not an object")
            notes = []
        if notes:
            fields["note"] = notes
        found.append(notes)
    return found


def _find_last_edits(records: Records, notes: Sequence[Sequence[dict[str, Any]]]) -> pa.TimestampArray:
    """The last time that a note of each record was edited."""
    edits = [
        (place, note["modifiedDate"]) for place, some in enumerate(notes) for note in some if "modifiedDate" in note
    ]
    texts = [edit if isinstance(edit, str) else None for _, edit in edits]
    ticks = read_instants(pa.array(texts, pa.string()), read_time).cast(pa.int64()).to_pylist()
    last: dict[int, int] = {}
    for (place, edit), tick in zip(edits, ticks, strict=True):
        if tick is not None:
            last[place] = max(tick, last.get(place, tick))
        elif edit is not None:
            records.reject(place, f"note.modifiedDate is not {_TIME if isinstance(edit, str) else 'text'}")
    return pa.array([last.get(place) for place in range(len(records))], pa.int64()).cast(INSTANT)


def _read_times(records: Records, texts: pa.StringArray, name: str) -> pa.TimestampArray:
    return records.read_times(texts, read_time, f"{name} is not {_TIME}")


def read_time(text: str) -> datetime:
    """An ISO 8601 time, or a date with a zone (xsd:date, its midnight there), as an instant in UTC.

    Raises ValueError for anything else. A time without a zone is refused: it would be in the site's own zone, which
    the response does not name, and a guess would move it by hours. Every sample has an offset.
    """
    # Python would read the zone of a bare date as a time of day.
    day = _DAY.fullmatch(text)
    moment = datetime.fromisoformat(f"{day[1]}T00:00:00{day[2]}" if day else text)
    if moment.tzinfo is None:
        msg = "no zone"
        raise ValueError(msg)
    return moment.astimezone(UTC)


def _read_counts(records: Records, texts: pa.StringArray) -> pa.Int32Array:
    usual = pc.match_substring_regex(texts, r"^[+-]?[0-9]{1,10}$")
    numbers = pc.utf8_ltrim(replace_by_null(texts, pc.invert(usual)), "+").cast(pa.int64())
    found = replace_by_null(numbers, pc.or_(pc.less(numbers, -(2**31)), pc.greater_equal(numbers, 2**31)))
    records.reject_where(pc.and_(texts.is_valid(), found.is_null()), "count is not a 32-bit number")
    return found.cast(pa.int32())


def _replace_placeholders(ids: pa.StringArray, parts: Sequence[pa.StringArray]) -> pa.StringArray:
    """The interactions' ids; for a placeholder, a digest of what identifies the record (unverified)."""
    placeholders = pc.is_in(ids, PLACEHOLDERS)
    if not pc.any(placeholders).as_py():
        return ids
    rows = zip(*(part.filter(placeholders).to_pylist() for part in parts), strict=True)
    digests = [sha256(msgspec.json.encode(row)).hexdigest()[:32] for row in rows]
    return pc.replace_with_mask(ids, placeholders, pa.array(digests, pa.string()))
