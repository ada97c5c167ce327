"""People to look for in tables: by their identifiers, or by a suppression list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.addresses import fold_addresses, list_folded
from airflow_provider_interactions.contract import Contact, Vendor
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.extract.encrypt import map_contacts
from airflow_provider_interactions.identifiers import EMAIL
from airflow_provider_interactions.lake.pseudonyms import is_pseudonym, list_owners, reveal_contacts
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.suppression import Suppression


class People(Protocol):
    """People to look for."""

    def find(self, ids: pa.Array, kind: str) -> pa.BooleanArray | None:
        """Which identifiers of a kind are theirs; None if there can be none."""

    def may_lie_between(self, low: str, high: str) -> bool:
        """Whether an identifier of theirs can be in this range."""


@dataclass(frozen=True, slots=True)
class GivenPeople:
    """People by their identifiers, and by hashes of them with the keys of the ids ``pseudonyms``.

    Addresses of e-mail count in any case of their letters. Encrypted rows have such hashes, too. Then the id is that of
    the key store.
    """

    contacts: Sequence[Contact]
    pseudonyms: frozenset[str] = frozenset()
    _ids: dict[str, pa.Array] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for kind in {one.kind for one in self.contacts}:
            ids = [one.id for one in self.contacts if one.kind == kind]
            self._ids[kind] = pa.array(list_folded(self.contacts) if kind == EMAIL else ids, pa.string())

    def find(self, ids: pa.Array, kind: str) -> pa.BooleanArray | None:
        """Which identifiers are theirs. Raises ConfigError for hashes that were made with another key."""
        if len(ids):
            self._require_key(ids[0].as_py())
        if kind not in self._ids:
            return None
        return pc.is_in(fold_addresses(ids) if kind == EMAIL else ids, self._ids[kind])

    def may_lie_between(self, low: str, high: str) -> bool:
        """Whether one of their identifiers is in the range. Raises ConfigError as ``find``."""
        self._require_key(low)
        return EMAIL in self._ids or any(low <= one.id <= high for one in self.contacts)

    def _require_key(self, identifier: str | None) -> None:
        prefix, _, rest = (identifier or "").partition(":")
        key = rest.partition(":")[0]
        if prefix == "hmac" and key and key not in self.pseudonyms:
            msg = (
                f"The policy for personal data has replaced the contacts by hashes with the key {key}. Give that key "
                "to the erasure. Without it, the rows do not show which person they belong to."
            )
            raise ConfigError(msg)
        if is_pseudonym(identifier or "") and key not in self.pseudonyms:
            msg = (
                f"The rows are encrypted with the key store of id {key}. Give the erasure that store (encrypt_raw). "
                "Without it, the rows do not show which person they belong to."
            )
            raise ConfigError(msg)


@dataclass(frozen=True, slots=True)
class SuppressedPeople:
    """People on a suppression list. Encrypted rows whose key was destroyed (`KeyRing`) are theirs, too."""

    suppression: Suppression
    lake: Lake
    _known: dict[tuple[str, str], bool] = field(default_factory=dict, repr=False)

    def find(self, ids: pa.Array, kind: str) -> pa.BooleanArray | None:
        """Which identifiers are on the list. Hashes each one once."""
        known = reveal_contacts(self.lake, pc.unique(ids.drop_null()).to_pylist())
        found = [one for one, name in known.items() if name is None or self._covers(kind, name)]
        return pc.is_in(ids, pa.array(found, pa.string())) if found else None

    def may_lie_between(self, low: str, high: str) -> bool:  # noqa: ARG002 - hashes have no order
        """Always: a hash does not say where its identifier is."""
        return True

    def _covers(self, kind: str, identifier: str) -> bool:
        known = self._known.get((kind, identifier))
        if known is None:
            known = self._known[kind, identifier] = self.suppression.covers(kind, identifier)
        return known


def find_rows(rows: pa.Table, people: People, vendor: Vendor) -> pa.BooleanArray | None:
    """Which rows are theirs; None if no row is. Rows of any table that has a contact and its kind.

    A record of a bulk query names its contact itself: in raw rows the mapping finds it. In canonical rows it has the
    bulk kind.
    """
    kinds, ids = rows.column("contact_id_kind").cast(pa.string()), rows.column("contact_id")
    mask = None
    for kind in pc.unique(kinds).to_pylist():
        person_kind, mine = kind, ids
        if kind == vendor.about.bulk_kind:
            person_kind = vendor.about.person_kinds[0]
            mine = _find_named(rows, vendor) if "payload" in rows.schema.names else ids
        found = people.find(mine, person_kind)
        if found is not None and pc.any(found).as_py():
            theirs = pc.and_(found, pc.equal(kinds, kind))
            mask = theirs if mask is None else pc.or_(mask, theirs)
    return mask if mask is not None and pc.any(mask).as_py() else None


def _find_named(rows: pa.Table, vendor: Vendor) -> pa.Array | pa.ChunkedArray:
    """The contacts that raw records name; of encrypted ones their pseudonyms."""
    owners = list_owners(rows.column("payload"))
    if not owners.null_count:
        return owners
    mapped = map_contacts(rows, vendor)
    return mapped if owners.null_count == len(owners) else pc.coalesce(owners, mapped)
