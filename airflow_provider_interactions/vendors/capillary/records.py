"""One record of Capillary as a canonical row. The page's context says in which channel it stood, and the zone."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, tzinfo
from functools import lru_cache

import msgspec

from airflow_provider_interactions.contract import Asked, Interaction
from airflow_provider_interactions.errors import RecordRejected
from airflow_provider_interactions.vendors import common
from airflow_provider_interactions.vendors.capillary import answers, kinds, times

Record = dict[str, msgspec.Raw]

#: What the vendor writes for "no campaign" (page "Get Customer Interactions", read 2026-11).
NO_CAMPAIGN = "-1"

DELIVERED = ("deliveredTime", "delivered_time")
CAMPAIGN = ("campaignId", "campaign_id")
_COLUMNS = ("id", "subject", "status", *DELIVERED, *CAMPAIGN)


class Context(msgspec.Struct, frozen=True):
    """What a page's context says: the channel's name as sent, and the IANA name of the connection's zone."""

    channel: str
    time_zone: str


def context(channel: str, time_zone: str) -> str:
    """The context of a page as JSON text."""
    return msgspec.json.encode(Context(channel, time_zone)).decode()


def occurred(payload: bytes, zone: tzinfo) -> datetime | None:
    """When a record happened, in UTC; None where it does not say so readably."""
    try:
        return _occurred(_record(payload), zone)[1]
    except RecordRejected:
        return None  # it is landed; normalize rejects it with the reason


def interaction(payload: bytes, asked: Asked) -> Interaction:
    """Map one record to the canonical columns; raises RecordRejected that names the field."""
    channel, zone = surroundings(asked.context)
    record = _record(payload)
    sent, at = _occurred(record, zone)
    message_id, subject, status = (_text(record, (name,)) for name in ("id", "subject", "status"))
    campaign = _text(record, CAMPAIGN)
    return Interaction(
        interaction_id=message_id or _digest(asked.contact.id, channel, sent, subject),
        occurred_at=at,
        channel=kinds.channel(channel),
        action=kinds.action(channel, status),
        native_type=channel,
        status=status,
        subject=subject,
        campaign_id=None if campaign == NO_CAMPAIGN else campaign,
        message_id=message_id,
        delivered_at=_instant(_text(record, DELIVERED), zone, "deliveredTime"),
        attributes=common.attributes(record, _COLUMNS),
    )


@lru_cache
def surroundings(written: str) -> tuple[str, tzinfo]:
    """The channel's name and the zone that a context tells; raises RecordRejected."""
    try:
        found = msgspec.json.decode(written, type=Context)
        zone = times.zone(found.time_zone)
    except (msgspec.DecodeError, ValueError):
        reason = "the context of the record does not say channel and time zone"
        raise RecordRejected(reason) from None
    if not found.channel:
        reason = "the channel's name is missing"
        raise RecordRejected(reason)
    return found.channel, zone


def _record(payload: bytes) -> Record:
    try:
        return msgspec.json.decode(payload, type=Record)
    except common.UNREADABLE:
        reason = "the record is no JSON object"
        raise RecordRejected(reason) from None


def _occurred(record: Record, zone: tzinfo) -> tuple[str, datetime]:
    """The text that says when, and what it means."""
    try:
        found = answers.sent(record)
    except common.UNREADABLE:
        found = ("", "")
    if found is None:
        reason = "sentDate is missing"
        raise RecordRejected(reason)
    at = _instant(found[1], zone, "sentDate")
    assert at is not None  # noqa: S101 - there is a text
    return found[1], at


def _instant(text: str | None, zone: tzinfo, name: str) -> datetime | None:
    if text is None:
        return None
    try:
        return times.instant(text, zone)
    except ValueError:
        reason = f"{name} is no time of the years 1 to 9999"
        raise RecordRejected(reason) from None


def _text(record: Record, names: tuple[str, ...]) -> str | None:
    try:
        texts = (answers.word(record.get(name)) for name in names)
        return next((text for text in texts if text is not None), None)
    except common.UNREADABLE:
        reason = f"{names[0]} is no readable text"
        raise RecordRejected(reason) from None


def _digest(*parts: str | None) -> str:
    written = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()[:32]
