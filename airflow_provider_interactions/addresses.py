"""Addresses of e-mail, which are compared without case: no system distinguishes people by the case of an address.

The comparison is always made here, never by a database: databases fold letters other than those of English differently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.identifiers import EMAIL


def fold_addresses(addresses: pa.Array) -> pa.Array:
    """The texts by which addresses are compared. They have as many characters as the addresses."""
    return pc.utf8_lower(addresses)


def fold_identifier(kind: str, identifier: str) -> str:
    """The text by which identifiers of a kind are compared: an address without case, others as they are."""
    return str(fold_addresses(pa.scalar(identifier)).as_py()) if kind == EMAIL else identifier


def fold_contact(contact: Contact) -> Contact:
    """The contact by which contacts are compared."""
    return Contact(fold_identifier(contact.kind, contact.id), contact.kind)


def list_folded(contacts: Iterable[Contact]) -> list[str]:
    """The texts by which the addresses among some contacts are compared, each once."""
    return sorted({fold_identifier(EMAIL, one.id) for one in contacts if one.kind == EMAIL})


def add_spellings(contacts: Iterable[Contact], read: Callable[[], Iterable[pa.Array]]) -> list[Contact]:
    """The contacts, each once, and their addresses in each spelling that is among those of ``read``.

    ``read`` is called only if one of the contacts is an address.
    """
    found = dict.fromkeys(contacts)
    if folded := list_folded(found):
        for addresses in read():
            theirs = addresses.filter(pc.is_in(fold_addresses(addresses), pa.array(folded, addresses.type)))
            found.update((Contact(one, EMAIL), None) for one in pc.unique(theirs).to_pylist())
    return list(found)
