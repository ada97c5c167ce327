"""The records of Dynamics 365 Marketing as canonical columns.

Only the record of EmailSent is published; that the others have the same members is an inference. Source: the action's
page (edition of 2021-01-06), and the Common Data Model (2025-01-10), in which the Form and Segment tables have no
``interactionType``: such a record is of the type that was asked for.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.contract import Mapped
from airflow_provider_interactions.vendors.dynamics_marketing.vocabulary import map_type
from airflow_provider_interactions.vendors.shared.columns import map_words
from airflow_provider_interactions.vendors.shared.guids import (
    are_placeholders,
    spell_guids,
    spell_repeated_guids,
)
from airflow_provider_interactions.vendors.shared.records import Records


def map_records(raw: pa.RecordBatch) -> Mapped:
    """Map a raw batch to canonical columns."""
    records = Records(raw)
    types = pc.coalesce(records.take_text("InteractionType"), records.asked_types).dictionary_encode()
    ids = records.require(spell_guids(records.take_text("InteractionId")), "InteractionId")
    # A placeholder is not a key: two records with it would count as one. The data model lets every other field be
    # empty, so no digest of them would distinguish two records for certain, or stay the same when one is filled in.
    records.reject_where(are_placeholders(ids), "InteractionId is only a placeholder")
    columns = {
        "interaction_id": ids,
        "occurred_at": records.require(records.take_instant("Timestamp", read_time), "Timestamp"),
        "native_type": records.require(types, "InteractionType"),
        "channel": map_words(types, lambda name: map_type(name)[0]),
        "action": map_words(types, lambda name: map_type(name)[1]),
        "campaign_id": spell_repeated_guids(records.take_text("CustomerJourneyId")),
        "message_id": spell_repeated_guids(records.take_text("MessageId")),
    }
    # A ContactId that only repeats the contact asked for has its column.
    records.take_where("ContactId", pc.equal(spell_repeated_guids(records.peek_text("ContactId")), records.contact_ids))
    return records.finish(columns)


def read_time(text: str) -> datetime:
    """An ISO 8601 time; without a zone it is in UTC. Raises ValueError."""
    try:
        return msgspec.convert(text, datetime)
    except msgspec.ValidationError as wrong:
        msg = "no ISO 8601 time"
        raise ValueError(msg) from wrong
