"""The records of Which50 as canonical columns. XML records are read in the form that the same records have in JSON.

``Id`` is that of the e-mail or form, not of the event, so a record's key is a digest of what identifies it. ``Status``
and names change, so they are not part of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.contract import Mapped
from airflow_provider_interactions.vendors.shared.columns import join_words, map_words, replace_by_null
from airflow_provider_interactions.vendors.shared.records import Records
from airflow_provider_interactions.vendors.which50 import responses, vocabulary

#: What a .NET integer or GUID without a value is written as: no identifier, so no record is known by it.
_PLACEHOLDERS = pa.array(["0", "-1", "-2147483648", "00000000-0000-0000-0000-000000000000"])


def map_records(raw: pa.RecordBatch) -> Mapped:
    """Map a raw batch to canonical columns."""
    records = Records(raw, responses.convert_xml)
    records.reject_nested("ContactInteraction")
    records.fields = [responses.rename_members(fields) for fields in records.fields]
    types = records.require(records.take_text("Interaction"), "Interaction").dictionary_encode()
    at = records.require(records.take_instant("Occurred", responses.read_time), "Occurred")
    asset = records.spell_numbers(records.take_text("Id"))
    asset = replace_by_null(asset, pc.is_in(asset, _PLACEHOLDERS))
    campaign, name, status = (
        records.spell_numbers(records.take_text("CampaignId")),
        records.take_text("Name"),
        records.take_text("Status"),
    )
    words = join_words(types, status)
    return records.finish(
        {
            "interaction_id": pa.array(make_ids(records.contact_ids, types, asset, campaign, at, name), pa.string()),
            "occurred_at": at,
            "native_type": types,
            "channel": map_words(types, lambda word: vocabulary.map_type(word, None)[0]),
            "action": map_words(words, lambda word: vocabulary.map_type(*word.split("\0", 1))[1]),
            "status": status,
            "subject": name,
            "campaign_id": campaign,
            "campaign_name": records.take_text("CampaignName"),
            "message_id": asset,
        }
    )


def make_ids(
    contacts: pa.Array, types: pa.Array, assets: pa.Array, campaigns: pa.Array, at: pa.TimestampArray, names: pa.Array
) -> Iterable[str]:
    """Stable keys: 32 hexadecimal digits of the SHA-256 of a JSON list.

    ``at`` is in UTC and counts to the microsecond. Without an ``Id`` the name takes its place: otherwise two records
    of one instant would be one.
    """
    instants = pc.replace_substring(at.cast(pa.string()), " ", "T")
    columns = (column.to_pylist() for column in (contacts, types, assets, campaigns, instants, names))
    for *parts, name in zip(*columns, strict=True):
        if parts[2] is None and name is not None:
            parts.append(name)
        yield sha256(msgspec.json.encode(parts)).hexdigest()[:32]
