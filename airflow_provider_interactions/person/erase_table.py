"""Erase people from a table that the lake is loaded into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from airflow_provider_interactions.contract import Contact, Vendor


class Table(Protocol):
    """What an erasure needs of a ``load.Target``."""

    def erase(self, vendor: str, account: str, contacts: Iterable[Contact]) -> int:
        """Remove all rows of these contacts. Returns the number of removed rows. Raises LoadError."""

    def describe(self) -> tuple[str, str]:
        """The namespace and the name of the table."""


def spell_for_table(vendor: Vendor, contacts: Sequence[Contact]) -> Iterator[Contact]:
    """The contacts as canonical rows have them: rows of a bulk query have the bulk kind."""
    bulk = vendor.about.bulk_kind
    for one in contacts:
        yield one
        if bulk and one.kind == vendor.about.person_kinds[0]:
            yield Contact(one.id, bulk)
