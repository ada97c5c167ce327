"""The suppression list: erased people, who must not come back with later windows and backfills.

::

    suppression/vendor=…/<key id>-<hash>.json      for each person, when the erasure was, and its receipt

The list holds keyed hashes only (`HashKey`). Each person is an object of its own, so that erasures side by side cannot
lose each other's entries, and one listing reads the whole list. Every step that could bring a person back reads it: the
list of contacts, the extraction, and the commit of a window. If the list has an entry, these steps need the key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from airflow_provider_interactions.addresses import fold_identifier
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.identifiers import EMAIL
from airflow_provider_interactions.lake.keys import HashKey
from airflow_provider_interactions.lake.paths import escape_segment
from airflow_provider_interactions.lake.storage import Lake

#: The folder of the list.
FOLDER = "suppression"


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """When a person was erased (UTC), and the name of the receipt, as far as it is known."""

    erased_at: datetime | None = None
    receipt: str = ""


#: An entry that says nothing of the erasure.
UNDATED = Entry()


@dataclass(frozen=True, slots=True)
class Suppression:
    """A vendor's suppression list as it was read. It is false if it is empty."""

    vendor: str
    entries: frozenset[str] = frozenset()
    keys: Sequence[HashKey] = ()

    def __bool__(self) -> bool:
        return bool(self.entries)

    def covers(self, kind: str, identifier: str) -> bool:
        """Whether a person is on the list."""
        return self.find_name(kind, identifier) is not None

    def find_name(self, kind: str, identifier: str) -> str | None:
        """The name of a person's entry; None if the person is not on the list."""
        names = (
            f"{key.id}-{key.hash(self.vendor, kind, spelling)}"
            for key in self.keys
            for spelling in _list_spellings(kind, identifier)
        )
        return next((name for name in names if name in self.entries), None)


def read_suppression(lake: Lake, vendor: str) -> Suppression:
    """The suppression list of a vendor. Raises ConfigError if it has entries of a key that the lake was not given."""
    entries = frozenset(name.removesuffix(".json") for name in lake.list_names(_folder(vendor)))
    if not entries:
        return Suppression(vendor)
    keys = tuple(lake.keys()) if lake.keys else ()
    unknown = sorted({entry.partition("-")[0] for entry in entries} - {key.id for key in keys})
    if unknown:
        raise ConfigError(_explain_absent(vendor, unknown, keys))
    return Suppression(vendor, entries, keys)


def suppress(lake: Lake, key: HashKey, vendor: str, people: Iterable[tuple[str, str]], entry: Entry = UNDATED) -> None:
    """Put people, given by kind and identifier, on the list of a vendor. Repeating it renews their entries."""
    for kind, identifier in people:
        lake.publish(_name_entry(key, vendor, kind, _list_spellings(kind, identifier)[0]), entry)


def find_entry(lake: Lake, suppression: Suppression, kind: str, identifier: str) -> Entry | None:
    """The entry of a person on a list; None if the person is not on it."""
    name = suppression.find_name(kind, identifier)
    return None if name is None else lake.read(f"{_folder(suppression.vendor)}/{name}.json", Entry) or UNDATED


def lift_suppression(lake: Lake, vendor: str, kind: str, identifier: str) -> bool:
    """Take a person off the list, who may then come back. Returns whether the person was on it.

    Raises ConfigError as ``read_suppression`` does.
    """
    found = read_suppression(lake, vendor)
    known = found.covers(kind, identifier)
    spellings = _list_spellings(kind, identifier)
    lake.remove(_name_entry(key, vendor, kind, one) for key in found.keys for one in spellings)
    return known


def _list_spellings(kind: str, identifier: str) -> Sequence[str]:
    """How the list may have an identifier, the usual one first: an address of e-mail in lower case.

    Entries of older versions have addresses as they were given, or as Python folds them.
    """
    older = [identifier.lower()] if kind == EMAIL else []
    return list(dict.fromkeys((fold_identifier(kind, identifier), *older, identifier)))


def _name_entry(key: HashKey, vendor: str, kind: str, identifier: str) -> str:
    return f"{_folder(vendor)}/{key.id}-{key.hash(vendor, kind, identifier)}.json"


def _folder(vendor: str) -> str:
    return f"{FOLDER}/vendor={escape_segment(vendor)}"


def _explain_absent(vendor: str, unknown: Sequence[str], keys: Sequence[HashKey]) -> str:
    given = f"the given keys have the ids {', '.join(key.id for key in keys)}" if keys else "no key is given"
    return (
        f"People of {vendor} were erased, so their hashes are needed to leave them out. The suppression list was made "
        f"with the key of id {', '.join(unknown)}, but {given}. Name the connection that holds that key in "
        "[interactions] suppression_conn_id. Nothing was changed."
    )
