"""Keys for keyed hashes of identifiers. Only with the key can one find out whether a hash belongs to a person."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from airflow_provider_interactions.connection import ConnectionFields, read_extra
from airflow_provider_interactions.errors import ConfigError

#: The least length of a key in bytes: that of the hash, as RFC 2104, section 3, advises.
LEAST_BYTES = 32

#: Characters of a key's id.
ID_LENGTH = 12

#: Separates the parts of what is hashed. No identifier may hold it.
SEPARATOR = "\0"


@dataclass(frozen=True, slots=True)
class HashKey:
    """A secret key for HMAC-SHA-256. Its ``id`` is computed from the key and identifies it.

    Raises ConfigError if the key is shorter than 32 bytes: a short key can be guessed, and with it the identifiers.
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) < LEAST_BYTES:
            msg = f"The key has {len(self.secret)} bytes. Give at least {LEAST_BYTES} random bytes."
            raise ConfigError(msg)

    @property
    def id(self) -> str:
        """The first hexadecimal digits of a hash of a fixed text."""
        return hmac.digest(self.secret, b"airflow-provider-interactions key id", "sha256").hex()[:ID_LENGTH]

    def hash(self, vendor: str, kind: str, identifier: str) -> str:
        """The keyed hash of an identifier, in hexadecimal digits. It differs between vendors and kinds."""
        return hmac.digest(self.secret, SEPARATOR.join((vendor, kind, identifier)).encode(), "sha256").hex()


def read_hash_keys(connection: ConnectionFields) -> list[HashKey]:
    """The keys that a connection holds: its password, then the former keys in the list ``former`` of its extra.

    Entries of the suppression list may have been made with former keys. Raises ConfigError if a key is too short.
    """
    former = read_extra(connection).get("former", [])
    if not isinstance(former, list):
        msg = f"The extra former of connection {connection.conn_id} is not a list. Write the former keys as a list."
        raise ConfigError(msg)
    return [HashKey(str(secret).encode()) for secret in (connection.password or "", *former)]
