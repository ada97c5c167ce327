"""The records of Capillary as canonical columns. A page's context says in which channel a record stood, and the zone.

The vendor writes its names in two editions, and times in local time; see ``times``.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.contract import Mapped
from airflow_provider_interactions.errors import RecordRejected
from airflow_provider_interactions.vendors.capillary import vocabulary
from airflow_provider_interactions.vendors.capillary.fields import (
    DELIVERED,
    NO_CAMPAIGN,
    Context,
    Identity,
    read_context,
    read_identity,
    read_times,
    take,
)
from airflow_provider_interactions.vendors.shared.columns import join_words, map_words, replace_by_null
from airflow_provider_interactions.vendors.shared.records import Records


def map_records(raw: pa.RecordBatch) -> Mapped:
    """Map a raw batch to canonical columns."""
    records = Records(raw)
    channels, zones, shared = _read_contexts(records)
    one, status = read_identity(records, zones), take(records, "status")
    words = join_words(channels, status)
    return records.finish(
        {
            "interaction_id": _make_ids(records, channels, one, shared),
            "occurred_at": one.at,
            "native_type": channels.dictionary_encode(),
            "channel": map_words(channels, vocabulary.map_channel),
            "action": map_words(words, lambda word: vocabulary.map_action(*word.split("\0", 1))),
            "status": status,
            "subject": one.subject,
            "campaign_id": replace_by_null(one.campaign, pc.equal(one.campaign, NO_CAMPAIGN)),
            "message_id": one.message_id,
            "delivered_at": read_times(records, take(records, *DELIVERED), zones, "deliveredTime"),
        }
    )


def _read_contexts(records: Records) -> tuple[pa.StringArray, pa.DictionaryArray, pa.BooleanArray]:
    """Of each record the channel's name, the IANA name of the zone, and whether its id is shared."""
    contexts = records.raw.column("context").dictionary_encode()
    found: list[Context | None] = []
    for code, written in enumerate(contexts.dictionary.to_pylist()):
        try:
            found.append(read_context(written))
        except RecordRejected as rejection:
            found.append(None)
            records.reject_where(pc.equal(contexts.indices, code), rejection.reason)
    channels = pa.array([one and one.channel for one in found], pa.string())
    zones = pa.array([one.time_zone if one else "UTC" for one in found], pa.string())
    shared = pa.array([bool(one and one.shared) for one in found], pa.bool_())
    return (
        channels.take(contexts.indices),
        zones.take(contexts.indices).dictionary_encode(),
        shared.take(contexts.indices),
    )


def _make_ids(records: Records, channels: pa.Array, one: Identity, shared: pa.BooleanArray) -> pa.StringArray:
    """The message's own id; where it has none, or another message has the same, a digest of what identifies it."""
    needed = pc.or_(shared, one.message_id.is_null())
    if not pc.any(needed).as_py():
        return one.message_id
    fields = (records.contact_ids, channels, one.sent, one.subject)
    columns = [column.filter(needed).to_pylist() for column in (*fields, one.message_id, one.receiver, one.campaign)]
    parts = zip(shared.filter(needed).to_pylist(), *columns, strict=True)
    digests = [_hash_parts(row if is_shared else row[: len(fields)]) for is_shared, *row in parts]
    return pc.replace_with_mask(one.message_id, needed, pa.array(digests, pa.string()))


def _hash_parts(parts: Sequence[str | None]) -> str:
    return sha256(msgspec.json.encode(parts)).hexdigest()[:32]
