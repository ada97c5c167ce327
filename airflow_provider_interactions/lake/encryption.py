"""Encrypt raw rows, each with the key of its contact (`KeyRing`), and decrypt them again.

In an encrypted row, ``payload`` holds both the record and its context, ``context`` is empty, and ``contact_id`` is the
contact's pseudonym. A bulk row, which does not say in a column of its own whose it is, keeps its ``contact_id``. The
payload begins with whose key it needs::

    4 bytes    that it is encrypted, and how
    6 bytes    the id of the key store's index
    32 bytes   the contact's hash
    8 bytes    the id of the contact's key
    12 bytes   a nonce
    …          AES-256-GCM of the context's length (4 bytes), the context, and the record; at the end its tag (16 bytes)

The tag covers vendor, account, contact, the type asked for and the time of the row, so a payload cannot be moved to
another row. It does not cover the window: rows are copied to other windows as they are, and a window holds only rows
that occurred in it. The same row is always encrypted to the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.key_ring import PREFIX, KeyRing
from airflow_provider_interactions.lake.key_wrapping import HASH_BYTES, ID_BYTES, NONCE_BYTES, ContactKey
from airflow_provider_interactions.lake.storage import Lake

#: What the payload of an encrypted row begins with. No vendor's record does: all are text.
MAGIC = b"\0ai1"

#: Why a record of a store that was not damaged cannot be decrypted.
NO_KEY = "the record is encrypted, and the key store has no key of its contact"
CHANGED = "the encrypted record was changed, or moved to another row"

_INDEX_BYTES = 6
_STARTS = [len(MAGIC)]
for _length in (_INDEX_BYTES, HASH_BYTES, ID_BYTES, NONCE_BYTES):
    _STARTS.append(_STARTS[-1] + _length)


class _Header(NamedTuple):
    store: bytes
    hash: bytes
    key: bytes
    nonce: bytes


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
    def erased(self) -> int:
        """How many rows are left out because the keys of their contacts were destroyed."""
        return sum(reason is None for reason in self.reasons)

    @property
    def unreadable(self) -> Mapping[int, str]:
        """The reasons of the other rows that are left out, by their places in ``left_out``."""
        return {n: reason for n, reason in enumerate(self.reasons) if reason is not None}


def find_key_ring(lake: Lake) -> KeyRing | None:
    """The keys that new raw rows of a lake are encrypted with; None if they are stored as they are."""
    ring: KeyRing | None = lake.ring
    return ring


def encrypt_rows(
    ring: KeyRing, rows: pa.Table, named: Mapping[int, tuple[str, str]] = MappingProxyType({})
) -> pa.Table:
    """Raw rows of one vendor, encrypted, except those that are already. They may have more columns than raw ones.

    ``named`` are the contacts of bulk rows, by kind and identifier. New keys are stored before this returns.
    """
    plain = pc.indices_nonzero(pc.invert(is_encrypted(rows.column("payload")))).to_pylist()
    if not plain:
        return rows
    columns = {name: rows.column(name).to_pylist() for name in ("payload", "context", "contact_id")}
    kinds, texts = rows.column("contact_id_kind").to_pylist(), _describe_rows(rows)
    owners = {n: named.get(n) or (kinds[n], columns["contact_id"][n]) for n in plain}
    keys = ring.create_keys(rows.column("vendor")[0].as_py(), set(owners.values()))
    index = bytes.fromhex(str(ring.id))
    for n, owner in owners.items():
        contact = columns["contact_id"][n] = columns["contact_id"][n] if n in named else keys[owner].pseudonym
        row = texts.build(n, contact)
        columns["payload"][n] = _encrypt(keys[owner], index, row, columns["context"][n], columns["payload"][n])
        columns["context"][n] = ""
    return _set_columns(rows, columns)


def decrypt_rows(lake: Lake, rows: pa.RecordBatch) -> DecryptedRows:
    """Raw rows, or rejected ones, as the vendor sent them. Rows that are not encrypted stay.

    Raises ConfigError if rows are encrypted but the lake has no key store, or another one than theirs.
    """
    encrypted = is_encrypted(rows.column("payload"))
    if not pc.any(encrypted).as_py():
        return DecryptedRows(rows, rows)
    ring = require_key_ring(lake)
    columns = {name: rows.column(name).to_pylist() for name in ("payload", "context", "contact_id")}
    headers = {n: _read_header(columns["payload"][n]) for n in pc.indices_nonzero(encrypted).to_pylist()}
    _require_store(ring, {header.store.hex() for header in headers.values() if len(header.nonce) == NONCE_BYTES})
    keys = ring.read_keys(header.hash for header in headers.values())
    texts, bad = _describe_rows(rows), dict[int, str | None]()
    for n, header in headers.items():
        found = _try_decrypt(ring, keys, header, texts.build(n, columns["contact_id"][n]), columns["payload"][n])
        if not isinstance(found, _Record):
            bad[n] = found
            continue
        columns["context"][n], columns["payload"][n] = found
        if columns["contact_id"][n] == keys[header.hash].pseudonym:
            columns["contact_id"][n] = keys[header.hash].owner.identifier
    return _select_readable(rows, _set_columns(pa.Table.from_batches([rows]), columns), bad)


def decrypt_table(lake: Lake, rows: pa.Table) -> pa.Table:
    """The same rows of any table, decrypted where that is possible; the others as they are stored."""
    if not {"payload", "contact_id", "occurred_at"} <= set(rows.schema.names):
        return rows
    found = [decrypt_rows(lake, batch) for batch in rows.to_batches()]
    batches = [batch for some in found for batch in (some.rows, some.left_out) if batch is not None]
    return pa.Table.from_batches(batches, rows.schema)


def is_encrypted(payloads: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Which payloads are encrypted."""
    return pc.starts_with(payloads, pattern=MAGIC)


def list_owners(payloads: pa.ChunkedArray) -> pa.Array:
    """The pseudonyms of the contacts with whose keys payloads are encrypted; null for those that are not."""
    if not pc.any(is_encrypted(payloads)).as_py():
        return pa.nulls(len(payloads), pa.string())
    headers = (_read_header(one) if one.startswith(MAGIC) else None for one in payloads.to_pylist())
    names = [f"{PREFIX}:{one.store.hex()}:{one.hash.hex()}" if one else None for one in headers]
    return pa.array(names, pa.string())


def name_contacts(lake: Lake, vendor: str, contacts: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The pseudonyms of contacts, given by kind and identifier; none if nothing was ever encrypted."""
    ring = find_key_ring(lake)
    if ring is None or ring.id is None:
        return {}
    return {(kind, one): ring.spell_hash(ring.hash_contact(vendor, kind, one)) for kind, one in contacts}


def reveal_contacts(lake: Lake, contacts: Sequence[str]) -> dict[str, str | None]:
    """The identifiers of contacts by how raw files spell them: those of pseudonyms, or the same text.

    None is a contact whose key was destroyed. A pseudonym without a key stays. Raises ConfigError if the lake has no
    key store, or another one than theirs.
    """
    found: dict[str, str | None] = {one: one for one in contacts}
    names = [one for one in found if is_pseudonym(one)]
    if names:
        ring = require_key_ring(lake)
        _require_store(ring, {one.split(":")[1] for one in names})
        hashes = {one: bytes.fromhex(one.split(":")[2]) for one in names}
        keys = ring.read_keys(hashes.values())
        for name, hashed in hashes.items():
            if hashed in keys:
                found[name] = keys[hashed].owner.identifier
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


def is_pseudonym(contact: str) -> bool:
    """Whether a contact is spelled as ``KeyRing.spell_hash`` does."""
    parts = contact.split(":")
    return len(parts) == 3 and parts[0] == PREFIX and (len(parts[1]), len(parts[2])) == (12, 64)


@dataclass(frozen=True, slots=True)
class _RowTexts:
    """What a tag covers beside the record. ``fields`` are vendor, account, kind and type of each row."""

    fields: Sequence[tuple[str, ...]]
    times: Sequence[int | None]

    def build(self, n: int, contact: str) -> bytes:
        return msgspec.json.encode((*self.fields[n], contact, self.times[n]))


def _describe_rows(rows: pa.Table | pa.RecordBatch) -> _RowTexts:
    names = ("vendor", "account", "contact_id_kind", "asked_type")
    fields = list(zip(*(rows.column(name).to_pylist() for name in names), strict=True))
    return _RowTexts(fields, rows.column("occurred_at").cast(pa.int64()).to_pylist())


def _encrypt(key: ContactKey, index: bytes, row: bytes, context: str, payload: bytes) -> bytes:
    written = context.encode()
    record = b"".join((len(written).to_bytes(4, "big"), written, payload))
    nonce = key.make_nonce(row, record)
    return b"".join((MAGIC, index, key.hash, key.id, nonce, key.cipher.encrypt(nonce, record, row)))


class _Record(NamedTuple):
    context: str
    payload: bytes


def _try_decrypt(
    ring: KeyRing, keys: Mapping[bytes, ContactKey], header: _Header, row: bytes, payload: bytes
) -> _Record | str | None:
    """What was encrypted, or the reason why it cannot be read; None if its key was destroyed."""
    from cryptography.exceptions import InvalidTag

    key = keys.get(header.hash)
    if len(header.nonce) < NONCE_BYTES:
        return CHANGED
    if key is None or key.id != header.key:
        return None if ring.is_destroyed(header.hash, header.key) else NO_KEY
    try:
        record = key.cipher.decrypt(header.nonce, payload[_STARTS[-1] :], row)
    except InvalidTag:
        return CHANGED
    end = 4 + int.from_bytes(record[:4], "big")
    return _Record(record[4:end].decode(), record[end:])


def _read_header(payload: bytes) -> _Header:
    return _Header(*(payload[start:end] for start, end in pairwise(_STARTS)))


def _set_columns(rows: pa.Table, columns: Mapping[str, Sequence[object]]) -> pa.Table:
    for name, values in columns.items():
        at, column = rows.schema.get_field_index(name), rows.schema.field(name)
        kind = column.type
        if pa.types.is_dictionary(kind):
            array = pa.array(values, kind.value_type).dictionary_encode().cast(kind)
        else:
            array = pa.array(values, kind)
        rows = rows.set_column(at, column, array)
    return rows


def _select_readable(stored: pa.RecordBatch, plain: pa.Table, bad: Mapping[int, str | None]) -> DecryptedRows:
    rows = plain.combine_chunks().to_batches()[0]
    if not bad:
        return DecryptedRows(rows, stored)
    good = pa.array([n for n in range(stored.num_rows) if n not in bad], pa.int64())
    left_out = stored.take(pa.array(sorted(bad), pa.int64()))
    return DecryptedRows(rows.take(good), stored.take(good), left_out, [bad[n] for n in sorted(bad)])


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


def _require_store(ring: KeyRing, ids: set[str]) -> None:
    """Raise ConfigError if nothing is of this store. What is of another one among others has no key."""
    if ids and ring.id not in ids:
        others = sorted(ids)
        msg = (
            f"Raw records of the lake were encrypted with the key store of id {', '.join(others)}, but the given store "
            f"has the id {ring.id}. Check the address in encrypt_raw."
        )
        raise ConfigError(msg)
