"""The form of an encrypted record: how one is made with its contact's key, and read again.

::

    4 bytes    that it is encrypted, and how
    6 bytes    the id of the key store's index
    32 bytes   the contact's hash
    8 bytes    the id of the contact's key
    12 bytes   a nonce
    …          AES-256-GCM of the context's length (4 bytes), the context, and the record; at the end its tag (16 bytes)

The tag covers vendor, account, contact, the type asked for and the time of the row, so a payload cannot be moved to
another row. It does not cover the window: rows are copied to other windows as they are, and a window holds only rows
that occurred in it. The nonce is a keyed hash (BLAKE2b) of the record and its row, so the same row is always encrypted
to the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.lake.key_ring import HASH_BYTES, ID_BYTES, ContactKey
from airflow_provider_interactions.lake.master_keys import NONCE_BYTES

#: What the payload of an encrypted row begins with. No vendor's record does: all are text.
MAGIC = b"\0ai1"

_STARTS = [0]
for _length in (len(MAGIC), 6, HASH_BYTES, ID_BYTES, NONCE_BYTES):
    _STARTS.append(_STARTS[-1] + _length)

#: Where the parts are, and where the encrypted bytes begin.
_, STORE, HASH, KEY, NONCE = (slice(*bounds) for bounds in pairwise(_STARTS))
HEADER_BYTES = _STARTS[-1]

#: Bytes of a context's length, and those of an empty one.
_LENGTH_BYTES = 4
_NO_CONTEXT = bytes(_LENGTH_BYTES)

#: What a tag covers of a row beside its contact.
_COVERED = ("vendor", "account", "contact_id_kind", "asked_type")


class Record(NamedTuple):
    """What was encrypted."""

    context: str
    payload: bytes


def is_encrypted(payloads: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Which payloads are encrypted."""
    return pc.starts_with(payloads, pattern=MAGIC)


def read_texts(rows: pa.Table | pa.RecordBatch, name: str) -> list[str]:
    """The values of a column. Those of a dictionary are slow to read one by one."""
    texts: list[str] = rows.column(name).cast(pa.string()).to_pylist()
    return texts


def describe_rows(rows: pa.Table | pa.RecordBatch, contacts: Sequence[str]) -> list[bytes]:
    """What the tags of rows cover, each text after its length; ``contacts`` is how the rows are stored under them."""
    ids = pa.chunked_array([pa.array(contacts, pa.string())])
    columns = [*(_flatten(rows.column(name)) for name in _COVERED), ids]
    parts = [part for one in columns for part in (pc.binary_length(one).cast(pa.string()), one)]
    times = _flatten(rows.column("occurred_at").cast(pa.int64()))
    joined = pc.binary_join_element_wise(*parts, times, ":", null_handling="replace", null_replacement="-")
    found: list[bytes] = joined.cast(pa.binary()).to_pylist()
    return found


def _flatten(column: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as texts."""
    return pa.chunked_array(column.chunks if isinstance(column, pa.ChunkedArray) else [column]).cast(pa.string())


def encrypt_records(
    index: bytes, keys: Sequence[ContactKey], rows: Sequence[bytes], records: Iterable[tuple[str, bytes]]
) -> list[bytes]:
    """Payloads of records, given by context and payload. ``rows`` is what ``describe_rows`` says of their rows."""
    found = list[bytes]()
    for key, row, (context, payload) in zip(keys, rows, records, strict=True):
        plain = _join(context, payload) if context else _NO_CONTEXT + payload
        nonce = blake2b(row + plain, key=key.nonce_key, digest_size=NONCE_BYTES).digest()
        found.append(b"".join((MAGIC, index, key.hash, key.id, nonce, key.cipher.encrypt(nonce, plain, row))))
    return found


def _join(context: str, payload: bytes) -> bytes:
    text = context.encode()
    return b"".join((len(text).to_bytes(_LENGTH_BYTES, "big"), text, payload))


def decrypt_record(key: ContactKey, row: bytes, payload: bytes) -> Record | None:
    """What was encrypted; None if it was changed, or belongs to another row."""
    from cryptography.exceptions import InvalidTag

    try:
        plain = key.cipher.decrypt(payload[NONCE], payload[HEADER_BYTES:], row)
    except InvalidTag:
        return None
    end = _LENGTH_BYTES + int.from_bytes(plain[:_LENGTH_BYTES], "big")
    return Record(plain[_LENGTH_BYTES:end].decode(), plain[end:])
