"""The records of Customer Insights - Journeys as canonical columns.

A record is a JSON object: one row of a table, its columns by name, null ones left out. Source of names and meanings:
the Common Data Model (see ``vocabulary``). Older rows lack columns, and names may come in another case.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.contract import Mapped
from airflow_provider_interactions.vendors.dynamics_journeys.clients import CLIENTS
from airflow_provider_interactions.vendors.dynamics_journeys.columns import (
    COUNT,
    KEYS,
    TIME,
    VERSION,
    mark_cancellations,
    read_versions,
    spell_ids,
)
from airflow_provider_interactions.vendors.dynamics_journeys.times import spell_times
from airflow_provider_interactions.vendors.dynamics_journeys.vocabulary import (
    CHANNEL_TYPED,
    CHANNEL_TYPES,
    PERSONLESS,
    map_type,
    read_published,
    spell_type,
)
from airflow_provider_interactions.vendors.shared.columns import join_words, map_words, replace_by_null
from airflow_provider_interactions.vendors.shared.dataverse import read_time
from airflow_provider_interactions.vendors.shared.guids import spell_guid
from airflow_provider_interactions.vendors.shared.records import Records

#: The reason to reject a record without a person.
NOBODY = "no column names the contact, lead, profile or visitor"

#: Columns of older definitions that are not among the published ones.
_OLDER_COLUMNS = ("EntityName",)

_WHOLE_NUMBER = r"^-?[0-9]{1,10}$"
_LARGEST_COUNT = 2**31 - 1

_TEXT = msgspec.json.Encoder()


def map_records(raw: pa.RecordBatch) -> Mapped:
    """Map a raw batch to canonical columns."""
    records = Records(raw)
    _respell_names(records)
    types = _take_types(records)
    columns = {
        "interaction_id": _read_ids(records, types),
        "occurred_at": records.require(_read_times(records), TIME),
        "native_type": types,
        "channel": _map_channels(records, types),
        "action": map_words(types, lambda name: map_type(name)[1]),
        "campaign_id": spell_ids(records.take_text("CustomerJourneyId")),
        "message_id": spell_ids(records.take_text("MessageId")),
        "count": _read_counts(records, records.take_text(COUNT)),
        "revision": _take_versions(records),
        **_read_contacts(records, types),
    }
    _name_clients(records)
    return records.finish(columns)


def _respell_names(records: Records) -> None:
    """Give columns their published names, in whatever case they come."""
    names = frozenset[str]().union(*records.fields)
    respelled = {name: _NAMES[name.lower()] for name in names if _NAMES.get(name.lower(), name) != name}
    for old, new in respelled.items():
        for fields in records.fields:
            if old in fields and new not in fields:
                fields[new] = fields.pop(old)


def _take_types(records: Records) -> pa.DictionaryArray:
    """The name of the table that a row comes from, else what the row says. The row's own name stays if it differs."""
    named = map_words(records.peek_text("InteractionType"), spell_type).cast(pa.string())
    types = pc.coalesce(map_words(records.asked_types, spell_type).cast(pa.string()), named)
    records.take_where("InteractionType", pc.equal(types, named))
    return records.require(types.dictionary_encode(), "InteractionType")


def _read_ids(records: Records, types: pa.DictionaryArray) -> pa.StringArray:
    """The type and the key. Two types might share a key, and one row would then replace the other.

    No digest stands in for a key: any other column may be filled in later, so the digest would change.
    """
    first, older = records.take_text(KEYS[0]), records.peek_text(KEYS[1])
    # As the extraction chooses the key, which marks older versions of it.
    keys = pc.coalesce(*(replace_by_null(texts, spell_ids(texts).is_null()) for texts in (first, older)))
    records.reject_where(keys.is_null(), f"{KEYS[0]} and {KEYS[1]} are missing or only placeholders")
    keys = mark_cancellations(keys, records.peek_text(COUNT))
    return pc.binary_join_element_wise(types.cast(pa.string()), keys, ":")


def _read_times(records: Records) -> pa.TimestampArray:
    reason = f"{TIME} is neither a valid ISO 8601 time nor one such as 3/1/2026 12:00:00 PM"
    return records.read_times(spell_times(records.take_text(TIME)), read_time, reason)


def _map_channels(records: Records, types: pa.DictionaryArray) -> pa.DictionaryArray:
    found = records.peek_text("ChannelType")
    if found.null_count == len(found):
        return map_words(types, lambda name: map_type(name)[0])
    return map_words(join_words(types, found), _map_channel)


def _map_channel(words: str) -> str:
    name, _, channel_type = words.partition("\0")
    channel = map_type(name)[0]
    return CHANNEL_TYPES.get(channel_type.strip().lower(), channel) if name in CHANNEL_TYPED else channel


def _read_contacts(records: Records, types: pa.DictionaryArray) -> dict[str, pa.Array]:
    """The contact that the extraction found (``columns.PEOPLE``). Types without a person are the organisation's."""
    about_all = pc.is_in(types.cast(pa.string()), pa.array(sorted(PERSONLESS)))
    found = replace_by_null(records.contact_ids, pc.equal(records.contact_ids, ""))
    organizations = spell_ids(records.peek_text("OrganizationId"))
    ids = pc.if_else(about_all, organizations, found)
    records.reject_where(ids.is_null(), NOBODY)
    records.take_where("ProfileId", pc.equal(spell_ids(records.peek_text("ProfileId")), ids))
    kinds = pc.if_else(about_all, "organization", records.raw.column("contact_id_kind").cast(pa.string()))
    return {"contact_id": ids, "contact_id_kind": kinds}


def _read_counts(records: Records, texts: pa.StringArray) -> pa.Int32Array:
    """Whole numbers, also those that come as text. Rejects others."""
    if texts.null_count == len(texts):
        return pa.nulls(len(texts), pa.int32())
    spelled = records.spell_numbers(texts)
    found = replace_by_null(spelled, pc.invert(pc.match_substring_regex(spelled, _WHOLE_NUMBER))).cast(pa.int64())
    found = replace_by_null(found, pc.greater(pc.abs(found), _LARGEST_COUNT))
    records.reject_where(pc.and_(spelled.is_valid(), found.is_null()), f"{COUNT} is not a 32-bit number")
    return found.cast(pa.int32())


def _take_versions(records: Records) -> pa.Int64Array:
    """The version of each record. What cannot be a version stays in ``attributes``."""
    found = read_versions(records.peek_text(VERSION))
    records.take_where(VERSION, found.is_valid())
    return found


def _name_clients(records: Records) -> None:
    """Add the name of a browser, operating system and so on to its GUID."""
    for column, (name, words) in CLIENTS.items():
        known: dict[Any, msgspec.Raw | None] = {}
        for fields in records.fields:
            value = fields.get(column)
            if value is None or name in fields:
                continue
            guid = bytes(value)
            if guid not in known:
                known[guid] = _find_client(guid, words)
            if (found := known[guid]) is not None:
                fields[name] = found


def _find_client(guid: bytes, words: dict[str, str]) -> msgspec.Raw | None:
    found = words.get(spell_guid(guid.decode(errors="replace").strip('"')) or "")
    return None if found is None else msgspec.Raw(_TEXT.encode(found))


_NAMES = {
    name.lower(): name for name in (*{one for columns in read_published().values() for one in columns}, *_OLDER_COLUMNS)
}
