"""What paging looks at in a record of Capillary, and the context of a page: its channel, and the connection's zone."""

from __future__ import annotations

import re
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import NamedTuple

import msgspec

from airflow_provider_interactions import errors
from airflow_provider_interactions.errors import RecordRejected
from airflow_provider_interactions.vendors.capillary import responses, times, vocabulary
from airflow_provider_interactions.vendors.shared import json as shared_json

Record = dict[str, msgspec.Raw]

#: What the vendor writes for "no campaign" (page "Get Customer Interactions", read 2026-11).
NO_CAMPAIGN = "-1"

#: Entries that list the same messages under the same ids.
SAME = {vocabulary.REPEATED: "sms"}

#: Ids that stand for none: zero and negative numbers, an empty GUID (unverified; -1 is the vendor's "unknown").
PLACEHOLDER = re.compile(r"-[0-9]+|[0-]+|\{[0-]+\}")

RECEIVER = ("receiver", "reciever")
DELIVERED = ("deliveredTime", "delivered_time")
CAMPAIGN = ("campaignId", "campaign_id")


class Context(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a page's context says: the channel's name as sent, and the IANA name of the connection's zone.

    ``shared``: another message of the customer has the same ids, so an id alone is not a key.
    """

    channel: str
    time_zone: str
    shared: bool = False


class Sight(NamedTuple):
    """What paging needs to know of a record: when it happened, its key as it stands, and what makes it that message.

    The key is None where no instant can be read.
    """

    at: datetime | None = None
    key: tuple[str | None, ...] | None = None
    identity: tuple[str | None, ...] = ()


def write_context(channel: str, time_zone: str, *, shared: bool = False) -> str:
    """The context of a page as JSON text."""
    return msgspec.json.encode(Context(channel, time_zone, shared)).decode()


def inspect_record(payload: bytes, zone: tzinfo, channel: str) -> Sight:
    """Look at a record while paging; a status may change, so it is not part of the identity."""
    try:
        record = shared_json.read_fields(payload)
        sent, at = _read_occurred(record, zone)
    except RecordRejected:
        return Sight()  # it is landed; normalize rejects it with the reason
    try:
        message_id, subject = _read_message_id(record), _read_text(record, ("subject",))
        more = (_read_text(record, RECEIVER), _read_text(record, CAMPAIGN))
    except RecordRejected:
        return Sight(at)
    medium = SAME.get(channel.lower(), channel)
    if message_id:
        return Sight(at, (message_id,), (medium, sent, subject))
    return Sight(at, (medium, sent, subject), more)


@lru_cache
def read_context(written: str) -> Context:
    """What a context says; raises RecordRejected."""
    try:
        found = msgspec.json.decode(written, type=Context)
        times.find_zone(found.time_zone)
    except (msgspec.DecodeError, ValueError):
        reason = "the context of the record does not say channel and time zone"
        raise RecordRejected(reason) from None
    if not found.channel:
        reason = "the channel's name is missing"
        raise RecordRejected(reason)
    return found


def _read_occurred(record: Record, zone: tzinfo) -> tuple[str, datetime]:
    """The text that says when, and what it means."""
    try:
        found = responses.find_time(record)
    except errors.UNREADABLE:
        found = ("", "")
    if found is None:
        reason = "sentDate is missing"
        raise RecordRejected(reason)
    at = _read_instant(found[1], zone, "sentDate")
    assert at is not None  # noqa: S101 - there is a text
    return found[1], at


def _read_instant(text: str | None, zone: tzinfo, name: str) -> datetime | None:
    if text is None:
        return None
    try:
        return times.read_instant(text, zone)
    except ValueError:
        reason = f"{name} is not a time of the years 1 to 9999"
        raise RecordRejected(reason) from None


def _read_text(record: Record, names: tuple[str, ...]) -> str | None:
    try:
        texts = (responses.read_word(record.get(name)) for name in names)
        return next((text for text in texts if text is not None), None)
    except errors.UNREADABLE:
        reason = f"{names[0]} is not readable text"
        raise RecordRejected(reason) from None


def _read_number(record: Record, names: tuple[str, ...]) -> str | None:
    """A documented whole number as text, in its one spelling."""
    found = _read_text(record, names)
    return None if found is None else shared_json.spell_integer(found)


def _read_message_id(record: Record) -> str | None:
    found = _read_number(record, ("id",))
    return None if found is None or PLACEHOLDER.fullmatch(found) else found
