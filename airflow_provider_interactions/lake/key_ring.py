"""Keys for encrypted raw records, one for each contact, kept outside of the lake: who destroys one erases a contact.

The files of ``key_files`` may be in any folder that all tasks reach: on a disk, on S3, or on Google's or Azure's store.
These compare before they replace a file, so no key that a task has used is ever lost. A key is random. It is stored
together with the contact's identifier. Destroying a key removes both, and leaves the key's id, which says that this was
done.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.key_files import KeyFile, KeyFiles, StoredKey
from airflow_provider_interactions.lake.keys import SEPARATOR, HashKey
from airflow_provider_interactions.lake.master_keys import open_cipher
from airflow_provider_interactions.lake.storage import Lake

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

T = TypeVar("T")

#: What a pseudonym begins with.
PREFIX = "enc"

#: Bytes of a contact's hash, of a key's id, and of each of its two secrets: AES-256's, and that of the nonces.
HASH_BYTES, ID_BYTES, SECRET_BYTES = 32, 8, 32

#: Keys that are held ready for use. An opened cipher takes some kilobytes.
READY_KEYS = 65_536


@dataclass(slots=True, eq=False)
class ContactKey:
    """The key of one contact, ready for use. ``pseudonym`` is the contact in raw files. The repr shows no secret."""

    hash: bytes
    id: bytes
    pseudonym: str
    identifier: str = field(repr=False)
    cipher: AESGCM = field(repr=False)
    nonce_key: bytes = field(repr=False)


@dataclass(slots=True)
class KeyRing:
    """The keys in a folder, ``store``. ``masters`` returns the master keys, the current one first.

    It remembers what it has read. Raises ConfigError if a file was encrypted with a master key that is not given, and
    the errors of ``Lake`` if the store cannot be reached.
    """

    store: Lake
    masters: Callable[[], Sequence[HashKey]] = field(repr=False)
    _index: HashKey | None = field(default=None, repr=False)
    _prefix: str = ""
    _files: KeyFiles = field(init=False, repr=False)
    _ready: dict[bytes, ContactKey] = field(default_factory=dict, repr=False)
    _owned: dict[tuple[str, str, str], ContactKey] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._files = KeyFiles(self.store, self.masters)

    @property
    def id(self) -> str | None:
        """The id that pseudonyms begin with; None if nothing was ever encrypted with this store."""
        index = self._read_index()
        return index.id if index else None

    def hash_contact(self, vendor: str, kind: str, identifier: str) -> bytes:
        """The contact's hash. Makes the store's index at the first time."""
        index = self._index or self._read_index() or self._create_index()
        return hmac.digest(index.secret, SEPARATOR.join((vendor, kind, identifier)).encode(), "sha256")

    def spell_hash(self, hashed: bytes) -> str:
        """The pseudonym of a contact's hash: ``enc:<id>:<64 hexadecimal digits>``."""
        if not self._prefix:
            self._prefix = f"{PREFIX}:{self.id}:"
        return f"{self._prefix}{hashed.hex()}"

    def create_keys(self, vendor: str, contacts: Iterable[tuple[str, str]]) -> dict[tuple[str, str], ContactKey]:
        """The keys of contacts, given by kind and identifier. New ones are stored before this returns.

        Tasks that do this side by side for one contact get the same key.
        """
        found, unknown = dict[tuple[str, str], ContactKey](), list[tuple[str, str]]()
        for contact in contacts:
            ready = self._owned.get((vendor, *contact))
            if ready is None:
                unknown.append(contact)
            else:
                found[contact] = ready
        for contact, hashed in self.store_keys(vendor, unknown).items():
            key = found[contact] = self._open(hashed)
            self._owned[vendor, *contact] = key
        return found

    def store_keys(self, vendor: str, contacts: Iterable[tuple[str, str]]) -> dict[tuple[str, str], bytes]:
        """The same without the keys: returns the hashes of the contacts."""
        hashes = {contact: self.hash_contact(vendor, *contact) for contact in contacts}
        self._files.read_new(map(_name_file, hashes.values()))
        self._create(vendor, {hashed: contact for contact, hashed in hashes.items() if self._find(hashed) is None})
        return hashes

    def read_keys(self, hashes: Iterable[bytes]) -> dict[bytes, ContactKey]:
        """The keys of these hashes, without those that the store does not have."""
        wanted = {one for one in hashes if len(one) == HASH_BYTES}
        self._files.read({_name_file(one) for one in wanted if self._find(one) is None})
        return {one: self._open(one) for one in wanted if self._find(one)}

    def read_identifiers(self, hashes: Iterable[bytes]) -> dict[bytes, str]:
        """The identifiers of the contacts of these hashes, without those whose keys the store does not have."""
        wanted = set(hashes)
        self._files.read({_name_file(one) for one in wanted if self._find(one) is None})
        return {one: stored.identifier for one in wanted if (stored := self._find(one))}

    def list_identifiers(self, vendor: str, kind: str) -> list[str]:
        """The identifiers of all contacts of a kind that have a key. Reads all files of the store."""
        self._files.read(_NAMES)
        stored = (key for file in self._files.known.values() for key in file.keys.values())
        return [key.identifier for key in stored if (key.vendor, key.kind) == (vendor, kind)]

    def is_destroyed(self, hashed: bytes, key_id: bytes | None = None) -> bool:
        """Whether a key of this hash was destroyed, of the hashes that ``read_keys`` looked for."""
        file = self._files.known.get(_name_file(hashed), KeyFile())
        found = file.destroyed.get(hashed, [])
        return bool(found) if key_id is None else key_id in found

    def destroy_keys(self, vendor: str, contacts: Iterable[tuple[str, str]]) -> int:
        """Destroy the keys of contacts. Nobody can read again what was encrypted with them. Returns their number."""
        if self.id is None:
            return 0
        gone = _group_by_file({self.hash_contact(vendor, *contact): None for contact in contacts})
        self._ready.clear()
        self._owned.clear()
        return self._files.change((name, partial(_remove, hashes=list(some))) for name, some in gone.items())

    def rewrap_keys(self) -> int:
        """Encrypt all files with the current master key that have another one. Returns the number of keys in them.

        Afterwards the former master keys are not needed any more.
        """
        return self._files.rewrap()

    def _read_index(self) -> HashKey | None:
        if self._index is None:
            secret = self._files.read_index()
            self._index = HashKey(secret) if secret else None
        return self._index

    def _create_index(self) -> HashKey:
        """Make the key of the pseudonyms, unless another task has made one."""
        self._files.create_index(os.urandom(SECRET_BYTES))
        found = self._read_index()
        assert found is not None  # noqa: S101 - it was just written
        return found

    def _create(self, vendor: str, absent: Mapping[bytes, tuple[str, str]]) -> None:
        """Store new keys of contacts, by their hashes, except where another task has stored one meanwhile."""
        size = ID_BYTES + 2 * SECRET_BYTES
        fresh = os.urandom(size * len(absent))
        keys = {
            hashed: StoredKey(fresh[at : at + ID_BYTES], fresh[at + ID_BYTES : at + size], vendor, *contact)
            for at, (hashed, contact) in zip(range(0, len(fresh), size), absent.items(), strict=True)
        }
        self._files.change((name, partial(_add, keys=some)) for name, some in _group_by_file(keys).items())

    def _find(self, hashed: bytes) -> StoredKey | None:
        file = self._files.known.get(_NAMES[hashed[0]])
        return file.keys.get(hashed) if file else None

    def _open(self, hashed: bytes) -> ContactKey:
        stored, ready = self._find(hashed), self._ready.get(hashed)
        assert stored is not None  # noqa: S101 - whoever calls this has found it
        if ready is None or ready.id != stored.id:
            if len(self._ready) >= READY_KEYS:
                self._ready.clear()
                self._owned.clear()
            cipher, nonce_key = open_cipher(stored.secret[:SECRET_BYTES]), stored.secret[SECRET_BYTES:]
            ready = ContactKey(hashed, stored.id, self.spell_hash(hashed), stored.identifier, cipher, nonce_key)
            self._ready[hashed] = ready
        return ready


def add_key_ring(lake: Lake, store: Lake, masters: Callable[[], Sequence[HashKey]]) -> Lake:
    """The lake, whose new raw rows are encrypted with keys in a folder. Raises ConfigError if that is in the lake.

    A copy of the lake would have the keys, too.
    """
    if store.protocols == lake.protocols and f"{store.root}/".startswith(f"{lake.root}/"):
        msg = (
            "The key store (encrypt_raw) is in the lake, so a copy of the lake would hold the keys. Keep it elsewhere."
        )
        raise ConfigError(msg)
    return replace(lake, ring=KeyRing(store, masters))


def _name_file(hashed: bytes) -> str:
    return _NAMES[hashed[0]]


#: The names of the files, by the first byte of a hash.
_NAMES = [f"{number:02x}.json" for number in range(256)]


def _group_by_file(values: Mapping[bytes, T]) -> dict[str, dict[bytes, T]]:
    grouped = dict[str, dict[bytes, T]]()
    for hashed, value in values.items():
        grouped.setdefault(_name_file(hashed), {})[hashed] = value
    return grouped


def _add(file: KeyFile, keys: Mapping[bytes, StoredKey]) -> tuple[KeyFile, int]:
    added = {hashed: key for hashed, key in keys.items() if hashed not in file.keys}
    return KeyFile(file.keys | added, file.destroyed), len(added)


def _remove(file: KeyFile, hashes: Sequence[bytes]) -> tuple[KeyFile, int]:
    gone = {one: file.keys[one].id for one in hashes if one in file.keys}
    kept = {one: key for one, key in file.keys.items() if one not in gone}
    destroyed = file.destroyed | {one: [*file.destroyed.get(one, []), key] for one, key in gone.items()}
    return KeyFile(kept, destroyed), len(gone)
