"""How the lake and its tables may have the identifiers of people who are to be erased."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_interactions.addresses import fold_contact
from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.lake.pseudonyms import add_encrypted, name_contacts
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.normalize.policy import Key


def list_spellings(lake: Lake, vendor: str, contacts: Sequence[Contact]) -> list[Contact]:
    """The contacts, and their addresses of e-mail in lower case and in each spelling that has a key for encryption."""
    return add_encrypted(lake, vendor, dict.fromkeys([*contacts, *map(fold_contact, contacts)]))


def add_pseudonyms(lake: Lake, vendor: str, contacts: Sequence[Contact], keys: Sequence[Key]) -> list[Contact]:
    """The contacts, also as rows under a policy with one of the keys, and encrypted rows, have them."""
    hashed = (Contact(key.hash(one.id.encode()), one.kind) for key in keys for one in contacts)
    encrypted = name_contacts(lake, vendor, ((one.kind, one.id) for one in contacts))
    return [*contacts, *hashed, *(Contact(name, kind) for (kind, _), name in encrypted.items())]
