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


class MasterKeys:
    """The keys that encrypt contacts' keys, the current one first. Raises ConfigError if there is none."""

    def __init__(self, keys: Sequence[HashKey]) -> None:
        if not keys:
            msg = (
                "No master key is given for encrypted raw records. Name the connection that holds one in "
                "[interactions] encryption_conn_id."
            )
            raise ConfigError(msg)
        self._ciphers = {key.id: _open_cipher(_derive(key.secret, b"master key")) for key in keys}
        self.current = keys[0].id

    def wrap(self, key: bytes, owner: Owner, name: bytes) -> Wrapped:
        """A key, encrypted with the current master key. It can be unwrapped under the same name only."""
        nonce, key_id = os.urandom(NONCE_BYTES), _derive(key, b"key id")[:ID_BYTES]
        data = self._ciphers[self.current].encrypt(nonce, key + msgspec.json.encode(owner), name + key_id)
        return Wrapped(key_id.hex(), self.current, base64.b64encode(nonce + data).decode())

    def unwrap(self, wrapped: Wrapped, name: bytes) -> tuple[bytes, Owner]:
        """A key and its owner. Raises ConfigError if its master key is not given, or if the file was changed."""
        from cryptography.exceptions import InvalidTag

        master = self._ciphers.get(wrapped.master)
        if master is None:
            raise ConfigError(_explain_master(wrapped.master, list(self._ciphers)))
        try:
            data = base64.b64decode(wrapped.data)
            plain = master.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], name + bytes.fromhex(wrapped.id))
        except (InvalidTag, ValueError) as wrong:
            msg = "A file of the key store is damaged, or its entries were exchanged. Restore it from a copy."
            raise ConfigError(msg) from wrong
        return plain[:KEY_BYTES], msgspec.json.decode(plain[KEY_BYTES:], type=Owner)

    def rewrap(self, wrapped: Wrapped, name: bytes) -> Wrapped:
        """The same key, encrypted with the current master key. Raises as ``unwrap``."""
        return self.wrap(*self.unwrap(wrapped, name), name)


@dataclass(frozen=True, slots=True)
class ContactKey:
    """The key of one contact, ready for use. ``pseudonym`` is the contact in raw files. The repr shows no secret."""

    hash: bytes
    id: bytes
    pseudonym: str
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


def open_key(hashed: bytes, key_id: str, pseudonym: str, key: bytes, owner: Owner) -> ContactKey:
    """The key of a contact, by the contact's hash. A key of its own is derived for each purpose."""
    cipher, nonce_key = _open_cipher(_derive(key, b"records")), _derive(key, b"nonces")
    return ContactKey(hashed, bytes.fromhex(key_id), pseudonym, owner, cipher, nonce_key)


def _derive(key: bytes, purpose: bytes) -> bytes:
    return hmac.digest(key, b"airflow-provider-interactions " + purpose, "sha256")


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
