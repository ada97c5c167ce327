"""The canonical columns of many well-formed records at once: the same as ``vendor.interaction``, many times faster.

Whatever this module is not sure about (a missing id, an unusual time) is left to the reader of single records.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.columnar.convert import instants, mapped
from airflow_provider_interactions.columnar.json_members import Members
from airflow_provider_interactions.vendors.dynamics_marketing.guids import PLACEHOLDER, spell_guids
from airflow_provider_interactions.vendors.dynamics_marketing.vocabulary import map_type

_TAKEN = ("InteractionId", "InteractionType", "Timestamp", "CustomerJourneyId", "MessageId")


def columns(raw: pa.RecordBatch) -> tuple[pa.BooleanArray, Mapping[str, pa.Array]]:
    """Which records of a raw batch are read here, and canonical columns by name with one value for every record."""
    members = Members(raw.column("payload"), (*_TAKEN, "ContactId"))
    types = _read_types(members.text("InteractionType"), raw).dictionary_encode()
    found = {
        "interaction_id": spell_guids(members.text("InteractionId")),
        "occurred_at": instants(members.text("Timestamp")),
        "native_type": types,
        "channel": mapped(types, lambda name: map_type(name)[0]),
        "action": mapped(types, lambda name: map_type(name)[1]),
        "campaign_id": spell_guids(members.text("CustomerJourneyId")),
        "message_id": spell_guids(members.text("MessageId")),
    }
    # A ContactId that only repeats who was asked for has its column.
    same = pc.equal(spell_guids(members.text("ContactId")), raw.column("contact_id"))
    mine = pc.fill_null(same, fill_value=False).to_numpy(zero_copy_only=False)
    found["attributes"] = members.rest({**dict.fromkeys(_TAKEN), "ContactId": mine})
    sure = pa.array(members.sure)
    placeholders = pc.match_substring_regex(found["interaction_id"], PLACEHOLDER)
    sure = pc.and_(sure, pc.invert(pc.fill_null(placeholders, fill_value=True)))
    for name in ("interaction_id", "occurred_at", "native_type"):
        if found[name].null_count:
            sure = pc.and_(sure, found[name].is_valid())
    return sure, found


def _read_types(said: pa.StringArray, raw: pa.RecordBatch) -> pa.StringArray:
    """The type of a record, else the one asked for; null where neither is known."""
    if not said.null_count:
        return said
    asked = raw.column("asked_type").cast(pa.string())
    return pc.if_else(pc.equal(asked, ""), said, pc.coalesce(said, asked))
