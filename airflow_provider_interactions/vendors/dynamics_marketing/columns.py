"""The canonical columns of many well-formed records at once: the same as ``vendor.interaction``, several times faster.

Whatever this module is not sure about (a value of another type, a missing id, an odd time), it leaves to the reader of
single records by returning None for the whole batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.vendors.common import UNREADABLE
from airflow_provider_interactions.vendors.dynamics_marketing.kinds import KINDS

#: Any spelling of a GUID in lower case; see ``vendor.GUID``.
_GUID = r"^\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?$"
_DASHED = r"\1-\2-\3-\4-\5"
_LENGTH = 36


class _Record(msgspec.Struct, gc=False):
    id: str = msgspec.field(name="InteractionId")
    type: str = msgspec.field(name="InteractionType")
    at: str = msgspec.field(name="Timestamp")
    contact: str | None = msgspec.field(name="ContactId", default=None)
    journey: str | None = msgspec.field(name="CustomerJourneyId", default=None)
    message: str | None = msgspec.field(name="MessageId", default=None)


_RECORDS = msgspec.json.Decoder(_Record)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TAKEN = ("InteractionId", "InteractionType", "Timestamp", "CustomerJourneyId", "MessageId")


def columns(raw: pa.RecordBatch) -> Mapping[str, pa.Array] | None:
    """Canonical columns by name for a raw batch, one value a row; None when a record needs a closer look."""
    payloads = raw.column("payload").to_pylist()
    lines = b"\n".join(payloads)
    try:
        records, fields = _RECORDS.decode_lines(lines), _FIELDS.decode_lines(lines)
        if not (len(records) == len(fields) == raw.num_rows and all(payloads)):
            return None  # a payload with line breaks, or an empty one
        found = _columns(records)
        mine = _mine(records, raw)
        attributes = _attributes(fields, mine)
    except (*UNREADABLE, pa.ArrowException, OverflowError):
        return None
    if len(attributes) != raw.num_rows or any(found[name].null_count for name in ("interaction_id", "native_type")):
        return None
    return {**found, "attributes": attributes}


def _columns(records: Sequence[_Record]) -> dict[str, pa.Array]:
    types = _texts([record.type for record in records])
    channels, actions = zip(*(KINDS.get(name, ("other", "other")) for name in types.to_pylist()), strict=True)
    return {
        "interaction_id": _guids([record.id for record in records]),
        "occurred_at": pa.array([record.at for record in records]).cast(pa.timestamp("us", "UTC")),
        "native_type": types,
        "channel": pa.array(channels, pa.string()),
        "action": pa.array(actions, pa.string()),
        "campaign_id": _guids([record.journey for record in records]),
        "message_id": _guids([record.message for record in records]),
    }


def _mine(records: Sequence[_Record], raw: pa.RecordBatch) -> Sequence[bool]:
    """Where a record's ContactId only repeats who was asked for."""
    same = pc.equal(_guids([record.contact for record in records]), raw.column("contact_id"))
    return list(pc.fill_null(same, fill_value=False).to_pylist())


def _texts(values: Sequence[str | None]) -> pa.Array:
    """Texts, an empty one as null."""
    found = pa.array(values, pa.string())
    return pc.if_else(pc.equal(found, ""), pa.scalar(None, pa.string()), found)


def _guids(values: Sequence[str | None]) -> pa.Array:
    """GUIDs in lower case with dashes, other texts as they are; raises ArrowInvalid for one with blanks around it."""
    found = _texts(values)
    if pc.any(pc.match_substring_regex(found, r"^\s|\s$")).as_py():
        msg = "blanks around a value"
        raise pa.ArrowInvalid(msg)
    usual = pc.and_(pc.equal(pc.ascii_lower(found), found), pc.equal(pc.binary_length(found), _LENGTH))
    odd = pc.fill_null(pc.invert(usual), fill_value=False)  # as the vendor prints few of them
    return pc.replace_with_mask(found, odd, _rewritten(found.filter(odd)))


def _rewritten(odd: pa.Array) -> pa.Array:
    lower = pc.ascii_lower(odd)
    is_guid = pc.match_substring_regex(lower, _GUID)
    return pc.if_else(is_guid, pc.replace_substring_regex(lower, _GUID, _DASHED), odd)


def _attributes(fields: Sequence[dict[str, Any]], mine: Sequence[bool]) -> pa.Array:
    """JSON of the fields without a column, byte for byte, and without ContactId where it is ``mine``.

    Raises ArrowInvalid for bytes that are no UTF-8. A value with a line break in it gives more lines than records.
    """
    for record, echo in zip(fields, mine, strict=True):
        for name in _TAKEN:
            record.pop(name, None)
        if echo:
            del record["ContactId"]
    lines = msgspec.json.Encoder().encode_lines(fields).split(b"\n")
    found = pa.array(lines[:-1], pa.string())
    found.validate(full=True)
    return found
