"""The fields of Capillary's records as columns, and the context of a page: its channel, and the connection's zone."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache, partial
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.errors import RecordRejected
from airflow_provider_interactions.schema import INSTANT
from airflow_provider_interactions.vendors.capillary import times
from airflow_provider_interactions.vendors.capillary.responses import TIMES
from airflow_provider_interactions.vendors.capillary.values import read_word
from airflow_provider_interactions.vendors.shared.columns import read_local_instants, replace_by_null
from airflow_provider_interactions.vendors.shared.records import Records

#: What the vendor writes for "no campaign" (page "Get Customer Interactions", read 2026-11).
NO_CAMPAIGN = "-1"

#: Ids that stand for none: zero and negative numbers, an empty GUID (unverified; -1 is the vendor's "unknown").
_PLACEHOLDER = r"^(?:-[0-9]+|[0-]+|\{[0-]+\})$"

#: Text that is a form of nothing.
_NOTHING = r"^(?:null|\s*)$"

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


def write_context(channel: str, time_zone: str, *, shared: bool = False) -> str:
    """The context of a page as JSON text."""
    return msgspec.json.encode(Context(channel, time_zone, shared)).decode()


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


class Identity(NamedTuple):
    """The fields that make a record that message, with one value for every record."""

    sent: pa.StringArray
    at: pa.TimestampArray
    message_id: pa.StringArray
    subject: pa.StringArray
    receiver: pa.StringArray
    campaign: pa.StringArray


def read_sent(records: Records, zones: pa.DictionaryArray) -> tuple[pa.StringArray, pa.TimestampArray]:
    """The text that says when, and what it means."""
    sent = records.require(_peek_first(records, TIMES), "sentDate")
    return sent, read_times(records, sent, zones, "sentDate")


def read_identity(records: Records, zones: pa.DictionaryArray) -> Identity:
    """Take the fields that distinguish messages; the receiver and the time also stay in ``attributes``."""
    sent, at = read_sent(records, zones)
    message_id = records.spell_numbers(take(records, "id"))
    message_id = replace_by_null(message_id, pc.match_substring_regex(message_id, _PLACEHOLDER))
    campaign = records.spell_numbers(take(records, *CAMPAIGN))
    return Identity(sent, at, message_id, take(records, "subject"), _peek_first(records, RECEIVER), campaign)


def take(records: Records, *names: str) -> pa.StringArray:
    """The first of some fields that has text, for each record."""
    return _coalesce(records.take_text(name, read_word) for name in names)


def _peek_first(records: Records, names: Iterable[str]) -> pa.StringArray:
    return _coalesce(records.peek_text(name, read_word) for name in names)


def _coalesce(columns: Iterable[pa.StringArray]) -> pa.StringArray:
    texts = [replace_by_null(column, pc.match_substring_regex(column, _NOTHING)) for column in columns]
    return texts[0] if len(texts) == 1 else pc.coalesce(*texts)


def read_times(records: Records, texts: pa.StringArray, zones: pa.DictionaryArray, name: str) -> pa.TimestampArray:
    """Local times as instants. Nearly always a batch has one zone."""
    found = pa.nulls(len(texts), INSTANT)
    for code, zone in enumerate(zones.dictionary.to_pylist()):
        here = replace_by_null(texts, pc.not_equal(zones.indices, code))
        found = pc.coalesce(
            found, read_local_instants(here, zone, partial(times.read_instant, local=times.find_zone(zone)))
        )
    records.reject_where(pc.and_(texts.is_valid(), found.is_null()), f"{name} is not a time of the years 1 to 9999")
    return found
