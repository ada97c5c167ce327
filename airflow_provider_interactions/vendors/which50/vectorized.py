"""The canonical columns of many well-formed JSON records at once: the same as ``records.interaction``, much faster.

XML records, and whatever else this module is not sure about, are left to the reader of single records.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.columnar.convert import digests, instants, mapped
from airflow_provider_interactions.columnar.json_members import Members
from airflow_provider_interactions.vendors.which50 import vocabulary
from airflow_provider_interactions.vendors.which50.responses import MEMBERS

#: Identifiers in their one spelling that are not placeholders, and members whose names come in another case.
_ASSET, _CAMPAIGN = "^[1-9][0-9]*$", "^(0|[1-9][0-9]*)$"
_OTHER_CASE = '(?i)"(' + "|".join(MEMBERS) + r')"\s*:'


def columns(raw: pa.RecordBatch) -> tuple[pa.BooleanArray, Mapping[str, pa.Array]]:
    """Which records of a raw batch are read here, and canonical columns by name with one value for every record."""
    members = Members(raw.column("payload"), MEMBERS)
    asset, native, name, occurred, status, campaign, campaign_name = map(members.text, MEMBERS)
    at = instants(occurred)
    types = native.dictionary_encode()
    written = pc.replace_substring(at.cast(pa.string()), " ", "T")
    rest = members.rest(dict.fromkeys(MEMBERS))
    found = {
        "interaction_id": digests(raw.column("contact_id"), native, asset, campaign, written),
        "occurred_at": at,
        "native_type": types,
        "channel": mapped(types, lambda word: vocabulary.map_type(word)[0]),
        "action": mapped(types, lambda word: vocabulary.map_type(word)[1]),
        "status": status,
        "subject": name,
        "campaign_id": campaign,
        "campaign_name": campaign_name,
        "message_id": asset,
        "attributes": rest,
    }
    sure = pc.and_(pa.array(members.sure), pc.and_(at.is_valid(), native.is_valid()))
    return pc.and_(sure, _find_plain(asset, campaign, rest)), found


def _find_plain(asset: pa.Array, campaign: pa.Array, rest: pa.Array) -> pa.BooleanArray:
    """Whether a record's identifiers and names are written in the usual way."""
    by_id = pc.match_substring_regex(asset, _ASSET).fill_null(False)
    by_campaign = pc.match_substring_regex(campaign, _CAMPAIGN).fill_null(True)
    other = pc.match_substring_regex(rest, _OTHER_CASE).fill_null(False)
    return pc.and_(pc.and_(by_id, by_campaign), pc.invert(other))
