"""The files of a key store: read together, remembered, and replaced only if nobody else has replaced them meanwhile.

::

    index.json      the key of the pseudonyms, which stand in raw files in the place of identifiers
    ….json          256 files of contacts' keys, named by the first two digits of the contacts' hashes

Each file is encrypted as a whole with a master key. Every change of it encrypts it again with the same one.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.conditional import StoreObject
from airflow_provider_interactions.lake.faults import WRITING, translate_faults
from airflow_provider_interactions.lake.keys import HashKey
from airflow_provider_interactions.lake.master_keys import DAMAGED, MasterKeys, Sealed
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.swap import LocalObject, open_shared_object

T = TypeVar("T")

#: Files that are read or written side by side.
AT_ONCE = 16

#: Seconds to wait before the next try if another task has changed the same file: at first, and at most.
FIRST_PAUSE, LAST_PAUSE = 0.005, 0.5

#: The file with the key of the pseudonyms.
INDEX = "index.json"

_WRITING = WRITING._replace(
    failed="The key store did not accept a file", refused="The key store cannot be written", owner="the key store"
)


class StoredKey(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A contact's key: its id, the secret, and whose it is."""

    id: bytes
    secret: bytes
    vendor: str
    kind: str
    identifier: str


class KeyFile(msgspec.Struct, frozen=True, array_like=True):
    """The keys in one file, and the ids of destroyed ones, both by the contact's hash."""

    keys: dict[bytes, StoredKey] = {}
    destroyed: dict[bytes, list[bytes]] = {}


_DECODER = msgspec.msgpack.Decoder(KeyFile)

#: What becomes of a file, or None if it stays, and how many keys were changed in it.
Changed = tuple[bytes | None, int]


@dataclass(slots=True)
class KeyFiles:
    """The files in a folder, ``store``. ``masters`` returns the master keys. Raises as ``KeyRing`` does.

    ``known`` are the files that were read before.
    """

    store: Lake
    masters: Callable[[], Sequence[HashKey]] = field(repr=False)
    _masters: MasterKeys | None = field(default=None, repr=False)
    known: dict[str, KeyFile] = field(default_factory=dict, repr=False)
    _compares: bool = False

    def read_index(self) -> bytes | None:
        """The key of the pseudonyms; None if there is none yet."""
        found = self.store.read(INDEX, Sealed)
        return self._open_masters().open(found, INDEX) if found else None

    def create_index(self, secret: bytes) -> None:
        """Store the key of the pseudonyms, unless another task has stored one."""
        masters = self._open_masters()
        fresh = msgspec.json.encode(masters.seal(secret, INDEX, masters.current))
        self._replace(INDEX, lambda data: (None, 0) if data else (fresh, 1))

    def read(self, names: Iterable[str]) -> None:
        """Read files."""
        paths = sorted(names)
        found = dict(self.store.read_files(paths))
        self.known.update({path: self._decode(path, found.get(path, b"")) for path in paths})

    def read_new(self, names: Iterable[str]) -> None:
        """Read files that were not read before."""
        self.read(set(names) - self.known.keys())

    def change(self, changes: Iterable[tuple[str, Callable[[KeyFile], tuple[KeyFile, int]]]]) -> int:
        """Change several files, each by a function that also returns how many keys it changes. Returns their sum.

        A file of which no key is changed is not written.
        """
        return sum(self._do_at_once(lambda item: self._change(*item), changes))

    def rewrap(self) -> int:
        """Encrypt all files with the current master key that have another one. Returns the number of their keys."""
        names = [name for name in self.store.list_names("") if name.endswith(".json")]
        return sum(self._do_at_once(self._rewrap, names))

    def _change(self, name: str, change: Callable[[KeyFile], tuple[KeyFile, int]]) -> int:
        masters, latest = self._open_masters(), [_EMPTY]

        def encode(data: bytes) -> Changed:
            latest[0], count = change(self._decode(name, data))
            master = msgspec.json.decode(data, type=Sealed).master if data else masters.current
            plain = msgspec.msgpack.encode(latest[0])
            return msgspec.json.encode(masters.seal(plain, name, master)) if count else None, count

        count = self._replace(name, encode)
        self.known[name] = latest[0]  # only now: a key that was not stored must never be used
        return count

    def _rewrap(self, name: str) -> int:
        masters = self._open_masters()

        def rewrap(data: bytes) -> Changed:
            sealed = _decode_sealed(data)
            if sealed.master == masters.current:
                return None, 0
            plain = masters.open(sealed, name)
            count = 1 if name == INDEX else len(_DECODER.decode(plain).keys)
            return msgspec.json.encode(masters.seal(plain, name, masters.current)), count

        return self._replace(name, rewrap)

    def _decode(self, name: str, data: bytes) -> KeyFile:
        return _DECODER.decode(self._open_masters().open(_decode_sealed(data), name)) if data else _EMPTY

    def _open_masters(self) -> MasterKeys:
        if self._masters is None:
            self._masters = MasterKeys(self.masters())
        return self._masters

    def _replace(self, name: str, change: Callable[[bytes], Changed]) -> int:
        """Replace a file by what ``change`` makes of it, again if another task was faster."""
        shared, pause = self._open_file(name), FIRST_PAUSE
        changed: bytes | None = None
        count = 0
        while True:
            with translate_faults(_WRITING):
                data, version = shared.read()
                if changed is not None and data == changed:
                    return count  # the answer to the last write was lost
                changed, count = change(data)
                if changed is None or shared.swap(changed, version):
                    return count
            time.sleep(random.uniform(0, pause))  # noqa: S311 - it keeps tasks apart, it guards nothing
            pause = min(2 * pause, LAST_PAUSE)

    def _open_file(self, name: str) -> LocalObject | StoreObject:
        shared = open_shared_object(self.store, name)
        with translate_faults(_WRITING):
            self._compares = self._compares or (shared is not None and shared.check())
        if shared is None or not self._compares:
            msg = (
                "The key store cannot compare before it replaces a file, so tasks side by side could lose keys. Keep "
                "the keys on a disk that all workers share, on S3 or a store that has its conditional writes, or on "
                "Google's or Azure's store."
            )
            raise ConfigError(msg)
        return shared

    def _do_at_once(self, work: Callable[[T], int], items: Iterable[T]) -> list[int]:
        """The results of some work: several at a time, where each waits for a network."""
        waiting = list(items)
        if self.store.local or len(waiting) <= 1:
            return [work(one) for one in waiting]
        with ThreadPoolExecutor(AT_ONCE) as threads:
            return list(threads.map(work, waiting))


_EMPTY = KeyFile()


def _decode_sealed(data: bytes) -> Sealed:
    try:
        return msgspec.json.decode(data, type=Sealed)
    except msgspec.DecodeError as wrong:
        raise ConfigError(DAMAGED) from wrong
