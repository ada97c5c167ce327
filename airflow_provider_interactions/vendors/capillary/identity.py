"""What distinguishes messages of Capillary while pages are read: the same fields as in the mapping."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.mapping import build_batch
from airflow_provider_interactions.vendors.capillary.fields import read_identity
from airflow_provider_interactions.vendors.capillary.vocabulary import REPEATED
from airflow_provider_interactions.vendors.shared.records import Records

#: Entries that list the same messages under the same ids.
_SAME = {REPEATED: "sms"}


class Sight(NamedTuple):
    """When a record happened, its key as it stands, and what makes it that message.

    ``at`` is in microseconds since 1970 UTC, None where no time can be read. Without a key, only its bytes distinguish
    a record from others. Its status may change between two answers, so it does not count.
    """

    at: int | None = None
    key: tuple[str | None, ...] | None = None
    identity: tuple[str | None, ...] = ()


def inspect_records(payloads: Sequence[bytes], time_zone: str, channels: Sequence[str]) -> list[Sight]:
    """Look at records, each with its channel. ``normalize`` rejects those that cannot be read, with the reason."""
    if not payloads:
        return []
    records = Records(build_batch(payloads, Contact(""), "", ""))
    zones = pa.array([time_zone] * len(payloads), pa.string()).dictionary_encode()
    sent, at, *others = (column.to_pylist() for column in _read_columns(records, zones))
    rows = zip(channels, at, sent, *others, strict=True)
    return [
        Sight(tick) if place in records.reasons else _build_sight(_SAME.get(channel.lower(), channel), tick, *fields)
        for place, (channel, tick, *fields) in enumerate(rows)
    ]


def _read_columns(records: Records, zones: pa.DictionaryArray) -> list[pa.Array]:
    one = read_identity(records, zones)
    return [one.sent, one.at.cast(pa.int64()), one.message_id, one.subject, one.receiver, one.campaign]


def _build_sight(
    medium: str, tick: int, sent: str, message_id: str | None, subject: str | None, *more: str | None
) -> Sight:
    if message_id:
        return Sight(tick, (message_id,), (medium, sent, subject))
    return Sight(tick, (medium, sent, subject), more)
