"""One record, XML or JSON, to the canonical columns: both formats give the same row.

Source: the page of getUserInteractions (open.convio.com, read 2026-11), whose samples hold custom types with a note
and a standard type without one. The names of the standard types are not published, so nothing is guessed from ids.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import msgspec

from airflow_provider_interactions.contract import Asked, Interaction, T
from airflow_provider_interactions.errors import BadResponse, RecordRejected
from airflow_provider_interactions.vendors.luminate_online import responses
from airflow_provider_interactions.vendors.shared.json import spell_integer

EVERYONE = "everyone"

#: Ids that no record has: what a database's default, or an export's "none", looks like.
PLACEHOLDERS = frozenset({"0", "-1"})

_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(Z|[+-]\d\d:\d\d)")
_INTEGER = re.compile(r"[+-]?[0-9]{1,10}")
_COLUMNS = frozenset({"interactionId", "creationDate", "interactionTypeId", "subject", "count", "note"})


def interaction(payload: bytes, asked: Asked) -> Interaction:
    """Map one record to the canonical columns; raises RecordRejected that names the field."""
    record = _read_fields(payload)
    notes = _list_notes(record)
    cons_id = _read_text(record, "consId")
    bulk = asked.contact.kind == EVERYONE
    return Interaction(
        interaction_id=_make_key(record),
        occurred_at=_require(_read_instant(record, "creationDate"), "creationDate"),
        contact_id=_require(cons_id, "consId") if bulk else None,
        channel="crm" if notes else "other",
        action="noted" if notes else "other",
        native_type=_require(_read_text(record, "interactionTypeId") or asked.native_type, "interactionTypeId"),
        subject=_read_text(record, "subject"),
        count=_read_count(record),
        updated_at=max(filter(None, (_read_instant(note, "modifiedDate", "note.") for note in notes)), default=None),
        attributes=_collect_attributes(record, notes),
    )


def _make_key(record: dict[str, Any]) -> str:
    """The interaction's id; for a placeholder, a digest of what identifies the record (unverified)."""
    known = spell_integer(_require(_read_text(record, "interactionId"), "interactionId"))
    if known not in PLACEHOLDERS:
        return known
    fields = [_read_text(record, name) for name in ("consId", "creationDate", "interactionTypeId", "subject")]
    return sha256(msgspec.json.encode(fields)).hexdigest()[:32]


def read_instant(text: str) -> datetime:
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


def read_occurred(value: Any) -> datetime | None:
    """When a record happened, None where it does not say readably."""
    try:
        return read_instant(value) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None


def _read_fields(payload: bytes) -> dict[str, Any]:
    try:
        record = responses.read_fields(payload)
    except BadResponse:
        record = None
    if not isinstance(record, dict):
        reason = "the record is neither a readable XML element nor a JSON object"
        raise RecordRejected(reason)
    return record


def _list_notes(record: dict[str, Any]) -> list[dict[str, Any]]:
    found = record.get("note")
    notes = [note for note in (found if isinstance(found, list) else [found]) if note is not None]
    if not all(isinstance(note, dict) for note in notes):
        reason = "note is not an object"
        raise RecordRejected(reason)
    return notes


def _read_text(record: dict[str, Any], name: str, within: str = "") -> str | None:
    value = record.get(name)
    if value is not None and not isinstance(value, str):
        reason = f"{within}{name} is not text"
        raise RecordRejected(reason)
    return value


def _read_instant(record: dict[str, Any], name: str, within: str = "") -> datetime | None:
    text = _read_text(record, name, within)
    try:
        return read_instant(text) if text else None
    except (ValueError, OverflowError):
        reason = f"{within}{name} is not a valid ISO 8601 time with a zone"
        raise RecordRejected(reason) from None


def _read_count(record: dict[str, Any]) -> int | None:
    text = _read_text(record, "count")
    if text is None:
        return None
    if not _INTEGER.fullmatch(text) or not -(2**31) <= int(text) < 2**31:
        reason = "count is not a 32-bit number"
        raise RecordRejected(reason)
    return int(text)


def _collect_attributes(record: dict[str, Any], notes: list[dict[str, Any]]) -> str:
    others = {key: value for key, value in record.items() if key not in _COLUMNS}
    # Sorted, since the two formats order their fields differently.
    return msgspec.json.encode({**others, "note": notes} if notes else others, order="sorted").decode()


def _require(value: T | None, name: str) -> T:
    if not value:
        reason = f"{name} is missing"
        raise RecordRejected(reason)
    return value
