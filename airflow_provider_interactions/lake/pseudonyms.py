"""Pseudonyms, which stand in encrypted raw files in the place of contacts' identifiers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.addresses import add_spellings
from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.identifiers import EMAIL
from airflow_provider_interactions.lake.encrypted_record import HASH, STORE, is_encrypted
from airflow_provider_interactions.lake.key_ring import PREFIX, KeyRing
from airflow_provider_interactions.lake.storage import Lake


def find_key_ring(lake: Lake) -> KeyRing | None:
    """The keys that new raw rows of a lake are encrypted with; None if they are stored as they are."""
    ring: KeyRing | None = lake.ring
    return ring


def require_key_ring(lake: Lake) -> KeyRing:
    """The keys of a lake. Raises ConfigError if it has none."""
    ring = find_key_ring(lake)
    if ring is None:
        msg = (
            "Encrypted raw records need their key store, but none is given. Name its address in [interactions] "
            "encrypt_raw, or in the argument encrypt_raw."
        )
        raise ConfigError(msg)
    return ring


def require_store(ring: KeyRing, ids: set[str]) -> None:
    """Raise ConfigError if nothing is of this store. What is of another one among others has no key."""
    if ids and ring.id not in ids:
        others = sorted(ids)
        msg = (
            f"Raw records of the lake were encrypted with the key store of id {', '.join(others)}, but the given store "
            f"has the id {ring.id}. Check the address in encrypt_raw."
        )
        raise ConfigError(msg)


def name_contacts(lake: Lake, vendor: str, contacts: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The pseudonyms of contacts, given by kind and identifier; none if nothing was ever encrypted."""
    ring = find_key_ring(lake)
    if ring is None or ring.id is None:
        return {}
    return {(kind, one): ring.spell_hash(ring.hash_contact(vendor, kind, one)) for kind, one in contacts}


def add_encrypted(lake: Lake, vendor: str, contacts: Iterable[Contact]) -> list[Contact]:
    """The contacts, and their addresses of e-mail in each spelling for which the key store has a key."""
    ring = find_key_ring(lake)
    if ring is None:
        return list(dict.fromkeys(contacts))
    return add_spellings(contacts, lambda: [pa.array(ring.list_identifiers(vendor, EMAIL), pa.string())])


def hide_contacts(lake: Lake, vendor: str, contacts: Sequence[Contact]) -> list[Contact]:
    """Contacts as the lake stores them: with pseudonyms, whose identifiers the key store has, if rows are encrypted."""
    ring = find_key_ring(lake)
    if ring is None:
        return list(contacts)
    hashes = ring.store_keys(vendor, {(one.kind, one.id) for one in contacts})
    return [Contact(ring.spell_hash(hashes[one.kind, one.id]), one.kind) for one in contacts]


def reveal_contacts(lake: Lake, contacts: Sequence[str]) -> dict[str, str | None]:
    """The identifiers of contacts by how raw files spell them: those of pseudonyms, or the same text.

    None is a contact whose key was destroyed. A pseudonym without a key stays. Raises ConfigError if the lake has no
    key store, or another one than theirs.
    """
    found: dict[str, str | None] = {one: one for one in contacts}
    names = [one for one in found if is_pseudonym(one)]
    if names:
        ring = require_key_ring(lake)
        require_store(ring, {one.split(":")[1] for one in names})
        hashes = {one: bytes.fromhex(one.split(":")[2]) for one in names}
        known = ring.read_identifiers(hashes.values())
        for name, hashed in hashes.items():
            if hashed in known:
                found[name] = known[hashed]
            elif ring.is_destroyed(hashed):
                found[name] = None
    return found


def reveal_column(lake: Lake, contacts: pa.Array) -> pa.Array:
    """The identifiers of a column of contacts. A pseudonym without a key stays."""
    known = pc.unique(contacts)
    revealed = reveal_contacts(lake, known.to_pylist())
    if all(name == one for name, one in revealed.items()):
        return contacts
    names = [revealed[one] or one for one in known.to_pylist()]
    return pa.array(names, pa.string()).take(pc.index_in(contacts, value_set=known))


def list_owners(payloads: pa.ChunkedArray) -> pa.Array:
    """The pseudonyms of the contacts with whose keys payloads are encrypted; null for those that are not."""
    if not pc.any(is_encrypted(payloads)).as_py():
        return pa.nulls(len(payloads), pa.string())
    mine = pc.if_else(is_encrypted(payloads), payloads, None).to_pylist()
    return pa.array([one and f"{PREFIX}:{one[STORE].hex()}:{one[HASH].hex()}" for one in mine], pa.string())


def is_pseudonym(contact: str) -> bool:
    """Whether a contact is spelled as ``KeyRing.spell_hash`` does."""
    parts = contact.split(":")
    return len(parts) == 3 and parts[0] == PREFIX and (len(parts[1]), len(parts[2])) == (12, 64)
