"""The records of Dynamics 365 Marketing as canonical columns.

Only the record of EmailSent is published; that the others have the same members is an inference. Source: the action's
page (edition of 2021-01-06), and the Common Data Model (2025-01-10), in which the Form and Segment tables have no
``interactionType``: such a record is of the type that was asked for.
"""

from __future__ import annotations

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.contract import Mapped
from airflow_provider_interactions.errors import UNREADABLE
from airflow_provider_interactions.rejects import ANOTHER_CONTACT
from airflow_provider_interactions.vendors.dynamics_marketing.vocabulary import map_type
from airflow_provider_interactions.vendors.shared.columns import map_words
from airflow_provider_interactions.vendors.shared.dataverse import read_time
from airflow_provider_interactions.vendors.shared.guids import (
    are_placeholders,
    spell_guids,
    spell_repeated_guids,
)
from airflow_provider_interactions.vendors.shared.json import read_text
from airflow_provider_interactions.vendors.shared.records import Records


def map_records(raw: pa.RecordBatch) -> Mapped:
    """Map a raw batch to canonical columns."""
    records = Records(raw)
    _reject_others(records)
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
    return records.finish(columns)


def _reject_others(records: Records) -> None:
    """Reject the records that name another contact, before any other reason counts; one that is repeated has a column.

    That a record of a merged contact names the former one is possible. Unverified.
    """
    for name in [name for name in frozenset[str]().union(*records.fields) if name.lower() == "contactid"]:
        named = spell_repeated_guids(records.peek_text(name, _read_any))
        same = pc.equal(named, records.contact_ids)
        records.reject_where(pc.and_(pc.invert(same), pc.invert(are_placeholders(named))), ANOTHER_CONTACT)
        records.take_where(name, same)


def _read_any(value: msgspec.Raw) -> str | None:
    """A value as text, also where it is not readable: it is not the contact asked for then."""
    try:
        return read_text(value)
    except UNREADABLE:
        return bytes(value).decode("utf-8", "replace")
