"""Refuse a request about people who were erased: an answer would bring back what an erasure has removed."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.suppression import Entry, find_entry, read_suppression
from airflow_provider_interactions.person.words import UTC_ZONE, show_time


def refuse_erased(lake: Lake, vendor: str, contacts: Sequence[Contact], places: Sequence[int] = ()) -> None:
    """Raise ConfigError if one of the contacts is on the vendor's suppression list, or if the list cannot be read.

    ``places`` are the contacts' places in the request, from 1: the message names them by these.
    """
    suppression = read_suppression(lake, vendor)
    if not suppression:
        return
    for place, contact in zip(places or range(1, len(contacts) + 1), contacts, strict=True):
        entry = find_entry(lake, suppression, contact.kind, contact.id)
        if entry is not None:
            raise ConfigError(_explain(vendor, place, entry))


def _explain(vendor: str, place: int, entry: Entry) -> str:
    when = f" on {show_time(entry.erased_at, UTC_ZONE)}" if entry.erased_at else ""
    receipt = f" (receipt {entry.receipt})" if entry.receipt else ""
    return (
        f"Contact {place} of {vendor} was erased{when}{receipt} and is on the suppression list, so the vendor was not "
        "asked and nothing was written. Answer the request with the receipt. If the data is wanted again, take the "
        f"contact off the list first: interactions lift {vendor}."
    )
