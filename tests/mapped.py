"""One record through a vendor's mapping, for tests that look at single rows."""

from dataclasses import dataclass

from airflow_provider_interactions.contract import Contact, Interaction, Vendor
from airflow_provider_interactions.errors import RecordRejected
from airflow_provider_interactions.mapping import build_batch, list_interactions, map_batch


@dataclass(frozen=True, slots=True)
class Asked:
    """The origin of a record, as a raw row has it."""

    contact: Contact
    native_type: str = ""
    context: str = ""


def map_record(vendor: Vendor, payload: bytes, asked: Asked) -> Interaction:
    """The row of one record; raises RecordRejected with the reason."""
    found = map_batch(build_batch([payload], asked.contact, asked.native_type, asked.context), vendor)
    if found.rejected:
        raise RecordRejected(found.rejected[0])
    return list_interactions(found.rows)[0]
