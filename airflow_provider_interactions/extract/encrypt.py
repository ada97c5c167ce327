"""Encrypt what an extraction writes, if the lake has a key store: raw rows, rejects, checkpoints and outcomes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.contract import Contact, Vendor
from airflow_provider_interactions.extract.outcomes import Outcome
from airflow_provider_interactions.lake.encrypted_record import is_encrypted, read_texts
from airflow_provider_interactions.lake.encryption import encrypt_rows
from airflow_provider_interactions.lake.pseudonyms import find_key_ring, hide_contacts
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.mapping import NEEDED
from airflow_provider_interactions.vendors import find_vendor

#: Rows to map at once, of vendors whose records name people.
MAPPED_ROWS = 8_192


def encrypt(lake: Lake, rows: pa.Table) -> pa.Table:
    """Raw rows as the lake stores them. Rows that are encrypted already stay."""
    ring = find_key_ring(lake)
    if ring is None or not rows.num_rows:
        return rows
    return encrypt_rows(ring, rows, _find_named(rows, find_vendor(rows.column("vendor")[0].as_py())))


def encrypt_outcomes(lake: Lake, vendor: str, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """Outcomes as the lake stores them: with pseudonyms. The key store has their identifiers."""
    hidden = hide_contacts(lake, vendor, [Contact(one.contact_id, one.contact_id_kind) for one in outcomes])
    return [msgspec.structs.replace(one, contact_id=new.id) for one, new in zip(outcomes, hidden, strict=True)]


def create_keys(lake: Lake, vendor: str, contacts: Sequence[Contact]) -> None:
    """Create the keys of all contacts of an extraction at once: each file of the key store is then changed once."""
    ring = find_key_ring(lake)
    if ring is not None:
        ring.store_keys(vendor, {(one.kind, one.id) for one in contacts})


def _find_named(rows: pa.Table, vendor: Vendor) -> dict[int, tuple[str, str]]:
    """The contacts that bulk rows name, by their places. A record that names none belongs to no contact."""
    bulk = vendor.about.bulk_kind
    if bulk is None or pc.all(is_encrypted(rows.column("payload"))).as_py():
        return {}
    kinds = read_texts(rows, "contact_id_kind")
    if bulk not in kinds:
        return {}
    contacts, own = map_contacts(rows, vendor).to_pylist(), rows.column("contact_id").to_pylist()
    kind = vendor.about.person_kinds[0]
    return {n: (kind, one) if one else (bulk, own[n]) for n, one in enumerate(contacts) if kinds[n] == bulk}


def map_contacts(rows: pa.Table, vendor: Vendor) -> pa.ChunkedArray:
    """The contacts that raw records name, by the vendor's mapping."""
    raw = rows.select(NEEDED).unify_dictionaries().combine_chunks()
    batches = raw.to_batches(max_chunksize=MAPPED_ROWS)
    found = [vendor.map_records(batch).columns["contact_id"].cast(pa.string()) for batch in batches]
    return pa.chunked_array(found, pa.string())
