"""One record of Which50 as a canonical row."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

import msgspec

from airflow_provider_interactions import errors
from airflow_provider_interactions.contract import Asked, Interaction
from airflow_provider_interactions.errors import RecordRejected
from airflow_provider_interactions.vendors.shared import json as shared_json
from airflow_provider_interactions.vendors.which50 import responses, vocabulary
from airflow_provider_interactions.vendors.which50.responses import Record

#: What a .NET integer or GUID without a value is written as: no identifier, so no record is known by it.
_PLACEHOLDERS = frozenset({"0", "-1", "-2147483648", "00000000-0000-0000-0000-000000000000"})


def interaction(payload: bytes, asked: Asked) -> Interaction:
    """Map one record to the canonical columns; raises RecordRejected that names the field."""
    record = responses.read_record(payload)
    native_type, at = _read_text(record, "Interaction"), _read_occurred(record)
    if native_type is None:
        reason = "Interaction is missing"
        raise RecordRejected(reason)
    asset, campaign, subject = _read_asset(record), _read_whole(record, "CampaignId"), _read_text(record, "Name")
    channel, action = vocabulary.map_type(native_type)
    return Interaction(
        interaction_id=make_interaction_id(asked.contact.id, native_type, asset, campaign, at, subject),
        occurred_at=at,
        channel=channel,
        action=action,
        native_type=native_type,
        status=_read_text(record, "Status"),
        subject=subject,
        campaign_id=campaign,
        campaign_name=_read_text(record, "CampaignName"),
        message_id=asset,
        attributes=shared_json.collect_attributes(record, responses.MEMBERS),
    )


def make_interaction_id(
    contact_id: str, native_type: str, asset: str | None, campaign: str | None, at: datetime, name: str | None
) -> str:
    """A stable key, since ``Id`` is that of the e-mail or form, not of the event: 32 hexadecimal digits of SHA-256.

    ``at`` is in UTC and counts to the microsecond. ``Status`` and names change, so they are not part of it. Without an
    ``Id`` the name takes its place: otherwise two records of one instant would be one.
    """
    instant = f"{at.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
    parts = [contact_id, native_type, asset, campaign, instant]
    if asset is None and name is not None:
        parts.append(name)
    written = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()[:32]


def _read_asset(record: Record) -> str | None:
    found = _read_whole(record, "Id")
    return None if found in _PLACEHOLDERS else found


def _read_whole(record: Record, name: str) -> str | None:
    """A number that is documented as whole, in its one spelling, whatever the format and the quotes."""
    found = (_read_text(record, name) or "").strip()
    return shared_json.spell_integer(found) or None


def _read_occurred(record: Record) -> datetime:
    raw = record.get("Occurred", msgspec.Raw(b"null"))
    try:
        at = responses.read_instant(msgspec.json.decode(raw))
    except errors.UNREADABLE:
        at = None
    if at is None:
        reason = "Occurred is missing" if bytes(raw) in (b"null", b'""') else "Occurred is not a valid ISO 8601 time"
        raise RecordRejected(reason)
    return at


def _read_text(record: Record, name: str) -> str | None:
    try:
        return shared_json.read_text(record.get(name))
    except errors.UNREADABLE:
        reason = f"{name} is not readable text"
        raise RecordRejected(reason) from None
