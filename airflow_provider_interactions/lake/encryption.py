"""Encrypt raw rows, each with the key of its contact (``KeyRing``), and decrypt them again.

In an encrypted row, ``payload`` holds both the record and its context, as ``encrypted_record`` says, ``context`` is
empty, and ``contact_id`` is the contact's pseudonym. A bulk row, which does not say in a column of its own whose it is,
keeps its ``contact_id``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.lake.encrypted_record import (
    HASH,
    HEADER_BYTES,
    KEY,
    STORE,
    Record,
    decrypt_record,
    describe_rows,
    encrypt_records,
    is_encrypted,
    read_texts,
)
from airflow_provider_interactions.lake.key_ring import ContactKey, KeyRing
from airflow_provider_interactions.lake.pseudonyms import require_key_ring, require_store
from airflow_provider_interactions.lake.storage import Lake

#: Why a record of a store that was not damaged cannot be decrypted.
NO_KEY = "the record is encrypted, and the key store has no key of its contact"
CHANGED = "the encrypted record was changed, or moved to another row"


@dataclass(frozen=True, slots=True)
class DecryptedRows:
    """The rows of a batch that can be read, as the vendor sent them, and the same rows as they are ``stored``.

    ``left_out`` are the others, as they are stored, with ``reasons``; None if the key of the contact was destroyed.
    """

    rows: pa.RecordBatch
    stored: pa.RecordBatch
    left_out: pa.RecordBatch | None = None
    reasons: Sequence[str | None] = ()

    @property
    def erased_rows(self) -> int:
        """How many rows are left out because the keys of their contacts were destroyed."""
        return sum(reason is None for reason in self.reasons)

    @property
    def unreadable(self) -> Mapping[int, str]:
        """The reasons of the other rows that are left out, by their places in ``left_out``."""
        return {n: reason for n, reason in enumerate(self.reasons) if reason is not None}


def encrypt_rows(
    ring: KeyRing, rows: pa.Table, named: Mapping[int, tuple[str, str]] = MappingProxyType({})
) -> pa.Table:
    """Raw rows of one vendor, encrypted, except those that are already. They may have more columns than raw ones.

    ``named`` are the contacts of bulk rows, by kind and identifier. New keys are stored before this returns.
    """
    plain = pc.invert(is_encrypted(rows.column("payload")))
    mine = rows.filter(plain)
    if not mine.num_rows:
        return rows
    own = list(zip(read_texts(mine, "contact_id_kind"), read_texts(mine, "contact_id"), strict=True))
    others = [named.get(n) for n in pc.indices_nonzero(plain).to_pylist()] if named else [None] * len(own)
    owners = [other or one for other, one in zip(others, own, strict=True)]
    known = ring.create_keys(mine.column("vendor")[0].as_py(), set(owners))
    keys = [known[owner] for owner in owners]
    stored = [one[1] if other else key.pseudonym for other, one, key in zip(others, own, keys, strict=True)]
    records = zip(read_texts(mine, "context"), mine.column("payload").to_pylist(), strict=True)
    payloads = encrypt_records(bytes.fromhex(str(ring.id)), keys, describe_rows(mine, stored), records)
    return _replace(rows, plain, payload=payloads, contact_id=stored, context=[""] * len(keys))


def decrypt_rows(lake: Lake, rows: pa.RecordBatch) -> DecryptedRows:
    """Raw rows, or rejected ones, as the vendor sent them. Rows that are not encrypted stay.

    Raises ConfigError if rows are encrypted but the lake has no key store, or another one than theirs.
    """
    encrypted = is_encrypted(rows.column("payload"))
    if not pc.any(encrypted).as_py():
        return DecryptedRows(rows, rows)
    ring, mine = require_key_ring(lake), rows.filter(encrypted)
    payloads, contacts = mine.column("payload").to_pylist(), read_texts(mine, "contact_id")
    require_store(ring, {one[STORE].hex() for one in payloads if len(one) >= HEADER_BYTES})
    keys = ring.read_keys({one[HASH] for one in payloads})
    texts = describe_rows(mine, contacts)
    found = [_decrypt(ring, keys, text, one) for text, one in zip(texts, payloads, strict=True)]
    for n, payload in enumerate(payloads):
        key = keys.get(payload[HASH])
        if key is not None and contacts[n] == key.pseudonym:
            contacts[n] = key.identifier
    contexts, records = zip(*(one if isinstance(one, Record) else ("", b"") for one in found), strict=True)
    plain = _replace(pa.Table.from_batches([rows]), encrypted, payload=records, contact_id=contacts, context=contexts)
    places = pc.indices_nonzero(encrypted).to_pylist()
    return _select_readable(
        rows, plain, {n: one for n, one in zip(places, found, strict=True) if not isinstance(one, Record)}
    )


def decrypt_table(lake: Lake, rows: pa.Table) -> pa.Table:
    """The same rows of any table, decrypted where that is possible; the others as they are stored."""
    if not {"payload", "contact_id", "occurred_at"} <= set(rows.schema.names):
        return rows
    found = [decrypt_rows(lake, batch) for batch in rows.to_batches()]
    batches = [batch for some in found for batch in (some.rows, some.left_out) if batch is not None]
    return pa.Table.from_batches(batches, rows.schema)


def _decrypt(ring: KeyRing, keys: Mapping[bytes, ContactKey], row: bytes, payload: bytes) -> Record | str | None:
    """What was encrypted, or the reason why it cannot be read; None if its key was destroyed."""
    if len(payload) < HEADER_BYTES:
        return CHANGED
    key = keys.get(payload[HASH])
    if key is None or key.id != payload[KEY]:
        return None if ring.is_destroyed(payload[HASH], payload[KEY]) else NO_KEY
    return decrypt_record(key, row, payload) or CHANGED


def _replace(rows: pa.Table, mask: pa.Array | pa.ChunkedArray, **columns: Sequence[object]) -> pa.Table:
    """Rows with other values in some columns, where the mask is true."""
    for name, values in columns.items():
        at, column = rows.schema.get_field_index(name), rows.schema.field(name)
        kind = column.type
        words = pa.types.is_dictionary(kind)
        array = pa.array(values, kind.value_type if words else kind)
        if len(array) < rows.num_rows:
            former = rows.column(at).cast(array.type)
            array = pc.replace_with_mask(former.combine_chunks(), _combine(mask), array)
        rows = rows.set_column(at, column, array.dictionary_encode().cast(kind) if words else array)
    return rows


def _combine(mask: pa.Array | pa.ChunkedArray) -> pa.Array:
    return mask.combine_chunks() if isinstance(mask, pa.ChunkedArray) else mask


def _select_readable(stored: pa.RecordBatch, plain: pa.Table, bad: Mapping[int, str | None]) -> DecryptedRows:
    rows = plain.combine_chunks().to_batches()[0]
    if not bad:
        return DecryptedRows(rows, stored)
    good = pa.array([n for n in range(stored.num_rows) if n not in bad], pa.int64())
    left_out = stored.take(pa.array(sorted(bad), pa.int64()))
    return DecryptedRows(rows.take(good), stored.take(good), left_out, [bad[n] for n in sorted(bad)])
