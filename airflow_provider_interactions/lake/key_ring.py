"""Keys for encrypted raw records, one for each contact, kept outside of the lake: who destroys one erases a contact.

::

    index.json      the key of the pseudonyms, which stand in raw files in the place of identifiers
    ….json          256 files of contacts' keys, named by the first two digits of the contacts' hashes

The files may be in any folder that all tasks reach, on a disk or on S3: these compare before they replace a file, so no
key that a task has used is ever lost. A key is random. It is stored encrypted with a master key, together with the
contact's identifier. Destroying a key removes both, and leaves the key's id, which says that this was done.
"""

from __future__ import annotations

import hmac
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar

import msgspec

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.faults import WRITING, translate_faults
from airflow_provider_interactions.lake.key_wrapping import (
    HASH_BYTES,
    ContactKey,
    MasterKeys,
    Owner,
    Wrapped,
    make_key,
    open_key,
)
from airflow_provider_interactions.lake.keys import SEPARATOR, HashKey
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.swap import LocalObject, S3Object, open_shared_object

T = TypeVar("T")

#: What a pseudonym begins with.
PREFIX = "enc"

#: Files that are read or written side by side.
AT_ONCE = 16

#: Seconds to wait before the next try if another task has changed the same file: at first, and at most.
FIRST_PAUSE, LAST_PAUSE = 0.005, 0.5

#: The file with the key of the pseudonyms, which is also the name that it is wrapped under.
INDEX = "index.json"

_WRITING = WRITING._replace(
    failed="The key store did not accept a file", refused="The key store cannot be written", owner="the key store"
)


class Shard(msgspec.Struct, frozen=True):
    """One file of keys, and the ids of destroyed ones, both by the contact's hash in hexadecimal digits."""

    keys: dict[str, Wrapped] = {}
    destroyed: dict[str, list[str]] = {}


#: The new content of a file, and how many keys were changed in it.
Changed = tuple[bytes, int]


@dataclass(slots=True)
class KeyRing:
    """The keys in a folder, ``store``. ``masters`` returns the master keys, the current one first.

    It remembers what it has read. Raises ConfigError if a key was encrypted with a master key that is not given, and
    the errors of ``Lake`` if the store cannot be reached.
    """

    store: Lake
    masters: Callable[[], Sequence[HashKey]] = field(repr=False)
    _index: HashKey | None = field(default=None, repr=False)
    _prefix: str = ""
    _known_masters: MasterKeys | None = field(default=None, repr=False)
    _shards: dict[str, Shard] = field(default_factory=dict, repr=False)
    _ready: dict[bytes, ContactKey] = field(default_factory=dict, repr=False)
    _compares: bool = False

    @property
    def id(self) -> str | None:
        """The id that pseudonyms begin with; None if nothing was ever encrypted with this store."""
        index = self._read_index()
        return index.id if index else None

    def hash_contact(self, vendor: str, kind: str, identifier: str) -> bytes:
        """The contact's hash. Makes the store's index at the first time."""
        index = self._read_index() or self._create_index()
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
        hashes = {contact: self.hash_contact(vendor, *contact) for contact in contacts}
        self._read_shards({_name_shard(one) for one in hashes.values()} - self._shards.keys())
        absent: dict[str, dict[bytes, Owner]] = {}
        for contact, hashed in hashes.items():
            if self._find(hashed) is None:
                absent.setdefault(_name_shard(hashed), {})[hashed] = Owner(vendor, *contact)
        _do_at_once(lambda item: self._add(*item), absent.items())
        return {contact: self._open(hashed) for contact, hashed in hashes.items()}

    def read_keys(self, hashes: Iterable[bytes]) -> dict[bytes, ContactKey]:
        """The keys of these hashes, without those that the store does not have."""
        wanted = {one for one in hashes if len(one) == HASH_BYTES}
        self._read_shards({_name_shard(one) for one in wanted if self._find(one) is None})
        return {one: self._open(one) for one in wanted if self._find(one)}

    def is_destroyed(self, hashed: bytes, key_id: bytes | None = None) -> bool:
        """Whether a key of this hash was destroyed, of the hashes that ``read_keys`` looked for."""
        found = self._shards.get(_name_shard(hashed), Shard()).destroyed.get(hashed.hex(), [])
        return bool(found) if key_id is None else key_id.hex() in found

    def destroy_keys(self, vendor: str, contacts: Iterable[tuple[str, str]]) -> int:
        """Destroy the keys of contacts. Nobody can read again what was encrypted with them. Returns their number."""
        if self.id is None:
            return 0
        gone: dict[str, list[str]] = {}
        for contact in contacts:
            hashed = self.hash_contact(vendor, *contact)
            gone.setdefault(_name_shard(hashed), []).append(hashed.hex())
        self._ready.clear()
        return sum(_do_at_once(lambda item: self._remove(*item), gone.items()))

    def rewrap_keys(self) -> int:
        """Encrypt all keys with the current master key that have another one. Returns the number of such keys.

        Afterwards the former master keys are not needed any more.
        """
        names = [name for name in self.store.list_names("") if name.endswith(".json") and name != INDEX]
        count = self._change(INDEX, self._rewrap_index) if self.id else 0
        return count + sum(_do_at_once(lambda name: self._change(name, self._rewrap_shard), names))

    def _open_masters(self) -> MasterKeys:
        if self._known_masters is None:
            self._known_masters = MasterKeys(self.masters())
        return self._known_masters

    def _read_index(self) -> HashKey | None:
        if self._index is None:
            found = self.store.read(INDEX, Wrapped)
            self._index = HashKey(self._open_masters().unwrap(found, INDEX.encode())[0]) if found else None
        return self._index

    def _create_index(self) -> HashKey:
        """Make the key of the pseudonyms, unless another task has made one."""
        fresh = msgspec.json.encode(self._open_masters().wrap(make_key(), Owner(), INDEX.encode()))
        self._change(INDEX, lambda data: (data, 0) if data else (fresh, 1))
        found = self._read_index()
        assert found is not None  # noqa: S101 - it was just written
        return found

    def _read_shards(self, names: Iterable[str]) -> None:
        paths = sorted(names)
        found = dict(self.store.read_many(paths, Shard))
        self._shards.update({path: found.get(path, Shard()) for path in paths})

    def _find(self, hashed: bytes) -> Wrapped | None:
        return self._shards.get(_name_shard(hashed), Shard()).keys.get(hashed.hex())

    def _open(self, hashed: bytes) -> ContactKey:
        wrapped, ready = self._find(hashed), self._ready.get(hashed)
        assert wrapped is not None  # noqa: S101 - whoever calls this has found it
        if ready is None or ready.id.hex() != wrapped.id:
            name = self.spell_hash(hashed)
            ready = open_key(hashed, wrapped.id, name, *self._open_masters().unwrap(wrapped, hashed))
            self._ready[hashed] = ready
        return ready

    def _add(self, name: str, owners: Mapping[bytes, Owner]) -> int:
        """Add new keys to a file, except for contacts that another task has given one meanwhile."""
        masters = self._open_masters()
        fresh = {one.hex(): masters.wrap(make_key(), owner, one) for one, owner in owners.items()}

        def add(data: bytes) -> Changed:
            shard = _decode(data)
            added = {one: key for one, key in fresh.items() if one not in shard.keys}
            return msgspec.json.encode(Shard(shard.keys | added, shard.destroyed)), len(added)

        return self._change(name, add)

    def _remove(self, name: str, hashes: Sequence[str]) -> int:
        def remove(data: bytes) -> Changed:
            shard = _decode(data)
            gone = {one: shard.keys[one].id for one in hashes if one in shard.keys}
            kept = {one: key for one, key in shard.keys.items() if one not in gone}
            destroyed = shard.destroyed | {one: [*shard.destroyed.get(one, []), key] for one, key in gone.items()}
            return msgspec.json.encode(Shard(kept, destroyed)), len(gone)

        return self._change(name, remove)

    def _rewrap_index(self, data: bytes) -> Changed:
        masters, found = self._open_masters(), msgspec.json.decode(data, type=Wrapped)
        if found.master == masters.current:
            return data, 0
        return msgspec.json.encode(masters.rewrap(found, INDEX.encode())), 1

    def _rewrap_shard(self, data: bytes) -> Changed:
        masters, shard = self._open_masters(), _decode(data)
        old = {one: key for one, key in shard.keys.items() if key.master != masters.current}
        fresh = {one: masters.rewrap(key, bytes.fromhex(one)) for one, key in old.items()}
        return msgspec.json.encode(Shard(shard.keys | fresh, shard.destroyed)), len(fresh)

    def _change(self, name: str, change: Callable[[bytes], Changed]) -> int:
        """Replace a file by what ``change`` makes of it, again if another task was faster; nothing if that is 0."""
        shared, pause = self._open_file(name), FIRST_PAUSE
        while True:
            with translate_faults(_WRITING):
                data, version = shared.read()
                changed, count = change(data)
                if not count or shared.swap(changed, version) is not None:
                    break
            time.sleep(random.uniform(0, pause))  # noqa: S311 - it keeps tasks apart, it guards nothing
            pause = min(2 * pause, LAST_PAUSE)
        if name != INDEX:
            self._shards[name] = _decode(changed)
        return count

    def _open_file(self, name: str) -> LocalObject | S3Object:
        shared = open_shared_object(self.store, name)
        with translate_faults(_WRITING):
            self._compares = self._compares or (shared is not None and shared.check())
        if shared is None or not self._compares:
            msg = (
                "The key store cannot compare before it replaces a file, so tasks side by side could lose keys. Keep "
                "the keys on a disk that all workers share, or on S3 or a store that has its conditional writes."
            )
            raise ConfigError(msg)
        return shared


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


def _name_shard(hashed: bytes) -> str:
    return f"{hashed[:1].hex()}.json"


def _decode(data: bytes) -> Shard:
    return msgspec.json.decode(data, type=Shard) if data else Shard()


def _do_at_once(work: Callable[[T], int], items: Iterable[T]) -> list[int]:
    """The results of some work, several at a time."""
    waiting = list(items)
    if len(waiting) == 1:
        return [work(waiting[0])]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(work, waiting))
