"""One record of Which50 as a canonical row."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

import msgspec

from airflow_provider_interactions.contract import Asked, Interaction
from airflow_provider_interactions.errors import RecordRejected
from airflow_provider_interactions.vendors import common
from airflow_provider_interactions.vendors.which50 import answers, kinds
from airflow_provider_interactions.vendors.which50.answers import Record

_COLUMNS = ("Id", "Interaction", "Name", "Occurred", "Status", "CampaignId", "CampaignName")


def interaction(payload: bytes, asked: Asked) -> Interaction:
    """Map one record to the canonical columns; raises RecordRejected that names the field."""
    record = answers.record(payload)
    native_type, at = _text(record, "Interaction"), _occurred(record)
    if native_type is None:
        reason = "Interaction is missing"
        raise RecordRejected(reason)
    asset, campaign = _text(record, "Id"), _text(record, "CampaignId")
    channel, action = kinds.kind(native_type)
    return Interaction(
        interaction_id=interaction_id(asked.contact.id, native_type, asset, campaign, at),
        occurred_at=at,
        channel=channel,
        action=action,
        native_type=native_type,
        status=_text(record, "Status"),
        subject=_text(record, "Name"),
        campaign_id=campaign,
        campaign_name=_text(record, "CampaignName"),
        message_id=asset,
        attributes=common.attributes(record, _COLUMNS),
    )


def interaction_id(contact_id: str, native_type: str, asset: str | None, campaign: str | None, at: datetime) -> str:
    """A stable key, since ``Id`` is that of the e-mail or form, not of the event: 32 hexadecimal digits of SHA-256.

    ``at`` is in UTC and counts to the microsecond. ``Status`` and names change, so they are no part of it.
    """
    parts = (contact_id, native_type, asset, campaign, f"{at.replace(tzinfo=None).isoformat(timespec='microseconds')}Z")
    written = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()[:32]


def _occurred(record: Record) -> datetime:
    raw = record.get("Occurred", msgspec.Raw(b"null"))
    try:
        at = answers.instant(msgspec.json.decode(raw))
    except common.UNREADABLE:
        at = None
    if at is None:
        reason = "Occurred is missing" if bytes(raw) in (b"null", b'""') else "Occurred is no ISO 8601 time"
        raise RecordRejected(reason)
    return at


def _text(record: Record, name: str) -> str | None:
    try:
        return common.text(record.get(name))
    except common.UNREADABLE:
        reason = f"{name} is no readable text"
        raise RecordRejected(reason) from None
