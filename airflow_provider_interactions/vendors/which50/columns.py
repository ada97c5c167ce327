"""The canonical columns of many well-formed JSON records at once: the same as ``records.interaction``, much faster.

XML records, and whatever else this module is not sure about, are left to the reader of single records.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.vendors.columnar import digests, instants, mapped
from airflow_provider_interactions.vendors.members import Members
from airflow_provider_interactions.vendors.which50 import kinds

_COLUMNS = ("Id", "Interaction", "Name", "Occurred", "Status", "CampaignId", "CampaignName")


def columns(raw: pa.RecordBatch) -> tuple[pa.BooleanArray, Mapping[str, pa.Array]]:
    """Which records of a raw batch are read here, and canonical columns by name with one value for every record."""
    members = Members(raw.column("payload"), _COLUMNS)
    asset, native, name, occurred, status, campaign, campaign_name = map(members.text, _COLUMNS)
    at = instants(occurred)
    types = native.dictionary_encode()
    written = pc.replace_substring(at.cast(pa.string()), " ", "T")
    found = {
        "interaction_id": digests(raw.column("contact_id"), native, asset, campaign, written),
        "occurred_at": at,
        "native_type": types,
        "channel": mapped(types, lambda word: kinds.kind(word)[0]),
        "action": mapped(types, lambda word: kinds.kind(word)[1]),
        "status": status,
        "subject": name,
        "campaign_id": campaign,
        "campaign_name": campaign_name,
        "message_id": asset,
        "attributes": members.rest(dict.fromkeys(_COLUMNS)),
    }
    return pc.and_(pa.array(members.sure), pc.and_(at.is_valid(), native.is_valid())), found
