"""Keys of contacts as they are stored: encrypted with a master key (AES-GCM), together with whose they are."""

from __future__ import annotations

import base64
import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.keys import HashKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

#: Bytes of a key (AES-256), of a nonce of GCM, of a contact's hash, and of the id of a contact's key.
KEY_BYTES, NONCE_BYTES, HASH_BYTES, ID_BYTES = 32, 12, 32, 8


class Wrapped(msgspec.Struct, frozen=True):
    """A key as it is stored: its own id, the master key's id, and both the key and its owner, encrypted, in Base64."""

    id: str
    master: str
    data: str


class Owner(msgspec.Struct, frozen=True, array_like=True):
    """Whose key it is."""

    vendor: str = ""
    kind: str = ""
    identifier: str = ""


@dataclass(frozen=True, slots=True)
class ContactKey:
    """The key of one contact, ready for use. The repr shows no secret and nobody."""

    hash: bytes
    id: bytes
    owner: Owner = field(repr=False)
    cipher: AESGCM = field(repr=False)
    nonce_key: bytes = field(repr=False)

    def make_nonce(self, row: bytes, record: bytes) -> bytes:
        """A nonce that only the same record in the same row gets again, so that a retry writes the same bytes."""
        message = len(row).to_bytes(4, "big") + row + record
        return hmac.digest(self.nonce_key, message, "sha256")[:NONCE_BYTES]


def make_key() -> bytes:
    """A random key."""
    return os.urandom(KEY_BYTES)


def open_key(hashed: bytes, key: bytes, owner: Owner) -> ContactKey:
    """The key of a contact, by the contact's hash. A key of its own is derived for each purpose."""
    return ContactKey(hashed, _identify(key), owner, _open_cipher(_derive(key, b"records")), _derive(key, b"nonces"))


def wrap_key(master: HashKey, key: bytes, owner: Owner, name: bytes) -> Wrapped:
    """A key, encrypted with a master key. It can be unwrapped under the same name only."""
    nonce = os.urandom(NONCE_BYTES)
    data = _open_master(master).encrypt(nonce, key + msgspec.json.encode(owner), name)
    return Wrapped(_identify(key).hex(), master.id, base64.b64encode(nonce + data).decode())


def unwrap_key(masters: Sequence[HashKey], wrapped: Wrapped, name: bytes) -> tuple[bytes, Owner]:
    """A key and its owner. Raises ConfigError if its master key is not given, or if the file was changed."""
    by_id = {one.id: one for one in masters}
    if wrapped.master not in by_id:
        raise ConfigError(_explain_master(wrapped.master, list(by_id)))
    master = _open_master(by_id[wrapped.master])
    from cryptography.exceptions import InvalidTag

    try:
        data = base64.b64decode(wrapped.data)
        plain = master.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], name)
    except (InvalidTag, ValueError) as wrong:
        msg = "A file of the key store is damaged, or its entries were exchanged. Restore it from a copy."
        raise ConfigError(msg) from wrong
    return plain[:KEY_BYTES], msgspec.json.decode(plain[KEY_BYTES:], type=Owner)


def rewrap_key(masters: Sequence[HashKey], wrapped: Wrapped, name: bytes) -> Wrapped:
    """The same key, encrypted with the first of the master keys. Raises as ``unwrap_key``."""
    return wrap_key(masters[0], *unwrap_key(masters, wrapped, name), name)


def _derive(key: bytes, purpose: bytes) -> bytes:
    return hmac.digest(key, b"airflow-provider-interactions " + purpose, "sha256")


def _identify(key: bytes) -> bytes:
    return _derive(key, b"key id")[:ID_BYTES]


def _open_master(master: HashKey) -> AESGCM:
    return _open_cipher(_derive(master.secret, b"master key"))


def _open_cipher(key: bytes) -> AESGCM:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as absent:
        msg = "Encrypted raw records need the package cryptography. Install airflow-provider-interactions[encryption]."
        raise ConfigError(msg) from absent
    return AESGCM(key)


def _explain_master(wanted: str, given: Sequence[str]) -> str:
    return (
        f"The key store needs the master key of id {wanted}, but the given keys have the ids {', '.join(given)}. Put "
        "that key into the connection of [interactions] encryption_conn_id: as its password, or in the list former of "
        "its extra."
    )
