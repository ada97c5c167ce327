"""Master keys, which encrypt the files of a key store (AES-256-GCM)."""

from __future__ import annotations

import hmac
import os
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.keys import HashKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

#: Bytes of a nonce of GCM.
NONCE_BYTES = 12


class Sealed(msgspec.Struct, frozen=True):
    """A file of a key store: the master key's id, and the content, encrypted (in Base64, after its nonce)."""

    master: str
    data: bytes


class MasterKeys:
    """The master keys of a key store, the current one first. Raises ConfigError if there is none."""

    def __init__(self, keys: Sequence[HashKey]) -> None:
        if not keys:
            msg = (
                "No master key is given for encrypted raw records. Name the connection that holds one in "
                "[interactions] encryption_conn_id."
            )
            raise ConfigError(msg)
        self._ciphers = {key.id: open_cipher(_derive(key.secret)) for key in keys}
        self.current = keys[0].id

    def seal(self, plain: bytes, name: str, master: str) -> Sealed:
        """A file's content, encrypted with the master key of an id. It can be opened under the same name only."""
        nonce = os.urandom(NONCE_BYTES)
        return Sealed(master, nonce + self._ciphers[master].encrypt(nonce, plain, name.encode()))

    def open(self, sealed: Sealed, name: str) -> bytes:
        """The content. Raises ConfigError if its master key is not given, or if the file was changed."""
        from cryptography.exceptions import InvalidTag

        cipher = self._ciphers.get(sealed.master)
        if cipher is None:
            raise ConfigError(_explain_master(sealed.master, list(self._ciphers)))
        try:
            return cipher.decrypt(sealed.data[:NONCE_BYTES], sealed.data[NONCE_BYTES:], name.encode())
        except (InvalidTag, ValueError) as wrong:
            raise ConfigError(DAMAGED) from wrong


#: What is wrong with a file that cannot be decoded or decrypted.
DAMAGED = "A file of the key store is damaged, or it was exchanged for another one. Restore it from a copy."


def open_cipher(key: bytes) -> AESGCM:
    """AES-GCM with a key of 32 bytes. Raises ConfigError if the package for it is absent."""
    return _import_cipher()(key)


@cache
def _import_cipher() -> type[AESGCM]:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as absent:
        msg = "Encrypted raw records need the package cryptography. Install airflow-provider-interactions[encryption]."
        raise ConfigError(msg) from absent
    return AESGCM


def _derive(secret: bytes) -> bytes:
    """A key of its own for this purpose."""
    return hmac.digest(secret, b"airflow-provider-interactions master key", "sha256")


def _explain_master(wanted: str, given: Sequence[str]) -> str:
    return (
        f"The key store needs the master key of id {wanted}, but the given keys have the ids {', '.join(given)}. Put "
        "that key into the connection of [interactions] encryption_conn_id: as its password, or in the list former of "
        "its extra."
    )
