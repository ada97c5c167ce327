"""The records of Capillary as canonical columns. A page's context says in which channel a record stood, and the zone.

The vendor writes its names in two editions, and times in local time; see ``times``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from hashlib import sha256

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.contract import Mapped
from airflow_provider_interactions.errors import RecordRejected
from airflow_provider_interactions.schema import INSTANT
from airflow_provider_interactions.vendors.capillary import times, vocabulary
from airflow_provider_interactions.vendors.capillary.records import (
    CAMPAIGN,
    DELIVERED,
    NO_CAMPAIGN,
    PLACEHOLDER,
    RECEIVER,
    Context,
    read_context,
)
from airflow_provider_interactions.vendors.capillary.responses import TIMES, read_word
from airflow_provider_interactions.vendors.shared.records import (
    Records,
    join_words,
    map_words,
    null_where,
    read_local_instants,
)

#: Text that is a form of nothing.
_NOTHING = r"^(?:null|\s*)$"


def map_records(raw: pa.RecordBatch) -> Mapped:
    """Map a raw batch to canonical columns."""
    records = Records(raw)
    channels, zones, shared = _read_contexts(records)
    sent = records.require(_peek_first(records, TIMES), "sentDate")
    message_id, campaign = records.spell_numbers(_take(records, "id")), records.spell_numbers(_take(records, *CAMPAIGN))
    message_id = null_where(message_id, pc.match_substring_regex(message_id, f"^(?:{PLACEHOLDER.pattern})$"))
    subject, status = _take(records, "subject"), _take(records, "status")
    more = (message_id, _peek_first(records, RECEIVER), campaign)
    words = join_words(channels, status)
    return records.finish(
        {
            "interaction_id": _make_ids(message_id, shared, (records.contact_ids, channels, sent, subject), more),
            "occurred_at": _read_times(records, sent, zones, "sentDate"),
            "native_type": channels.dictionary_encode(),
            "channel": map_words(channels, vocabulary.map_channel),
            "action": map_words(words, lambda word: vocabulary.map_action(*word.split("\0", 1))),
            "status": status,
            "subject": subject,
            "campaign_id": null_where(campaign, pc.equal(campaign, NO_CAMPAIGN)),
            "message_id": message_id,
            "delivered_at": _read_times(records, _take(records, *DELIVERED), zones, "deliveredTime"),
        }
    )


def _take(records: Records, *names: str) -> pa.StringArray:
    """The first of some fields that has text, for each record."""
    return _coalesce(records.text(name, read_word) for name in names)


def _peek_first(records: Records, names: Iterable[str]) -> pa.StringArray:
    return _coalesce(records.peek_text(name, read_word) for name in names)


def _coalesce(columns: Iterable[pa.StringArray]) -> pa.StringArray:
    texts = [null_where(column, pc.match_substring_regex(column, _NOTHING)) for column in columns]
    return texts[0] if len(texts) == 1 else pc.coalesce(*texts)


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


def _read_times(records: Records, texts: pa.StringArray, zones: pa.DictionaryArray, name: str) -> pa.TimestampArray:
    """Local times as instants. Nearly always a batch has one zone."""
    found = pa.nulls(len(texts), INSTANT)
    for code, zone in enumerate(zones.dictionary.to_pylist()):
        here = null_where(texts, pc.not_equal(zones.indices, code))
        found = pc.coalesce(
            found, read_local_instants(here, zone, partial(times.read_instant, local=times.find_zone(zone)))
        )
    records.reject_where(pc.and_(texts.is_valid(), found.is_null()), f"{name} is not a time of the years 1 to 9999")
    return found


def _make_ids(
    message_id: pa.StringArray, shared: pa.BooleanArray, fields: Sequence[pa.Array], more: Sequence[pa.Array]
) -> pa.StringArray:
    """The message's own id; where it has none, or another message has the same, a digest of what identifies it."""
    needed = pc.or_(shared, message_id.is_null())
    if not pc.any(needed).as_py():
        return message_id
    columns = [column.filter(needed).to_pylist() for column in (*fields, *more)]
    parts = zip(shared.filter(needed).to_pylist(), *columns, strict=True)
    digests = [_hash_parts(row if is_shared else row[: len(fields)]) for is_shared, *row in parts]
    return pc.replace_with_mask(message_id, needed, pa.array(digests, pa.string()))


def _hash_parts(parts: Sequence[str | None]) -> str:
    return sha256(msgspec.json.encode(parts)).hexdigest()[:32]
