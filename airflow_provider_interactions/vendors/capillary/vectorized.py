"""The canonical columns of many well-formed records at once: the same as ``records.interaction``, much faster.

Whatever this module is not sure about (no id, an unusual time, a form of nothing) is left to the reader of single ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.columnar.convert import local_instants, mapped
from airflow_provider_interactions.columnar.json_members import Members
from airflow_provider_interactions.errors import RecordRejected
from airflow_provider_interactions.vendors.capillary import records, responses, vocabulary

_TAKEN = ("id", "subject", "status", *records.DELIVERED, *records.CAMPAIGN)

#: The start of a value that may be a form of nothing, or is not text.
_ODD = r"^(?:\s|null$|\{|\[)"

#: A number in another spelling, or one that means "none"; a campaign of -1 is read here.
_DRESSED = r"^-?[0-9]+(?:\.|[eE])|^-0|^[0-]+$|^\{"
_NO_ID = r"^-"


def columns(raw: pa.RecordBatch) -> tuple[pa.BooleanArray, Mapping[str, pa.Array]]:
    """Which records of a raw batch are read here, and canonical columns by name with one value for every record."""
    members = Members(raw.column("payload"), (*_TAKEN, *responses.TIMES))
    texts = {name: members.text(name) for name in (*_TAKEN, *responses.TIMES)}
    channels, zones = _read_contexts(raw.column("context"))
    message_id, status = texts["id"], texts["status"]
    campaign, sent, delivered = (
        _coalesce(texts, names) for names in (records.CAMPAIGN, responses.TIMES, records.DELIVERED)
    )
    zone = zones[0] if len(set(zones)) == 1 else "UTC"
    occurred_at, delivered_at = local_instants(sent, zone), local_instants(delivered, zone)
    words = pc.binary_join_element_wise(channels, pc.fill_null(status, ""), "\0").dictionary_encode()
    types = channels.dictionary_encode()
    found = {
        "interaction_id": message_id,
        "occurred_at": occurred_at,
        "native_type": types,
        "channel": mapped(types, vocabulary.map_channel),
        "action": mapped(words, lambda word: vocabulary.map_action(*word.rpartition("\0")[::2])),
        "status": status,
        "subject": texts["subject"],
        "campaign_id": pc.if_else(pc.equal(campaign, records.NO_CAMPAIGN), pa.scalar(None, pa.string()), campaign),
        "message_id": message_id,
        "delivered_at": delivered_at,
        "attributes": members.rest(dict.fromkeys(_TAKEN)),
    }
    sure = pa.array(members.sure & (len(set(zones)) == 1))
    for name in ("interaction_id", "occurred_at", "native_type"):
        sure = pc.and_(sure, found[name].is_valid())
    sure = pc.and_(sure, pc.or_(delivered_at.is_valid(), delivered.is_null()))
    odd = [(message_id, _DRESSED), (message_id, _NO_ID), (campaign, _DRESSED), (status, r"\x00"), (channels, r"\x00")]
    for text, pattern in odd:  # a NUL would be taken for the one between the two words
        sure = pc.and_not(sure, pc.fill_null(pc.match_substring_regex(text, pattern), fill_value=False))
    for text in texts.values():
        if text.null_count < len(text):
            sure = pc.and_not(sure, pc.fill_null(pc.match_substring_regex(text, _ODD), fill_value=False))
    return sure, found


def _coalesce(texts: Mapping[str, pa.StringArray], names: Sequence[str]) -> pa.StringArray:
    return pc.coalesce(*(texts[name] for name in names))


def _read_contexts(contexts: pa.DictionaryArray) -> tuple[pa.StringArray, Sequence[str]]:
    """The channel's name of each record, null where its context is not readable; and the zones there are."""
    channels: list[str | None] = []
    zones = []
    for written in contexts.dictionary.to_pylist():
        try:
            channel, zone, shared = records.read_context(written)
        except RecordRejected:
            channels.append(None)
        else:
            channels.append(None if shared else channel)
            zones.append(str(zone))
    return pa.array(channels, pa.string()).take(contexts.indices), zones
