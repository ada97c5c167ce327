"""The receipt of an erasure: what was removed from where, and what a search found afterwards. It names nobody.

::

    receipts/<name>.json      one for each erasure, written before anything is removed, and again after each step
    receipts/<name>.html      the same as a page for people
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.keys import HashKey
from airflow_provider_interactions.lake.paths import escape_segment
from airflow_provider_interactions.lake.storage import Lake


class HashedPerson(msgspec.Struct, frozen=True, order=True):
    """A person of a receipt: the keyed hash of the identifier (`HashKey.hash`)."""

    vendor: str
    kind: str
    hash: str


class TableErasure(msgspec.Struct, frozen=True):
    """The rows that were removed from a target; the names are those of `Target.describe`."""

    namespace: str
    table: str
    rows: int


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """An erasure, in numbers. Times are in UTC.

    ``state`` is ``running`` until the end, also after the process was killed. ``complete`` means that everything was
    removed, and that the search found no identifier. ``found`` means that everything of these people was removed, but
    rows of others name them: ``found`` counts these rows by place. ``failed`` means that something is left, for the
    reasons in ``failures``: run the erasure again.

    ``erased`` counts rows by place. Places that have none are 0. ``interrupted`` counts tries that ended early: what
    such a try removed after its last step is in no count. ``unread`` are files that the search could not read, such as
    those that another process is writing. ``keys`` are destroyed keys of encrypted raw records; null if the lake has no
    key store.
    """

    name: str
    state: Literal["running", "complete", "found", "failed"] = "running"
    approved_by: str
    key_id: str
    people: tuple[HashedPerson, ...]
    started_at: datetime
    ended_at: datetime | None = None
    interrupted: int = 0
    erased: dict[str, int] = msgspec.field(default_factory=dict)
    files: int = 0
    tables: tuple[TableErasure, ...] = ()
    keys: int | None = None
    searched: int = 0
    unread: int = 0
    found: dict[str, int] = msgspec.field(default_factory=dict)
    failures: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Its path in the lake."""
        return name_receipt(self.name)

    @property
    def page(self) -> str:
        """The path of its page in the lake."""
        return f"{self.path.removesuffix('.json')}.html"


def name_receipt(name: str) -> str:
    """The path of a receipt in the lake."""
    return f"receipts/{escape_segment(name)}.json"


def open_receipt(
    lake: Lake, name: str, key: HashKey, people: Mapping[str, Sequence[Contact]], approved_by: str, now: datetime
) -> Receipt:
    """A new receipt, or the one of this name, to be continued. Raises ConfigError if that is about other people."""
    hashed = tuple(
        sorted(
            HashedPerson(vendor, one.kind, key.hash(vendor, one.kind, one.id))
            for vendor, contacts in people.items()
            for one in contacts
        )
    )
    fresh = Receipt(name=name, approved_by=approved_by, key_id=key.id, people=hashed, started_at=now)
    former = lake.read(fresh.path, Receipt)
    if former is None:
        return fresh
    if (former.people, former.key_id) != (hashed, key.id):
        msg = f"The receipt {name} is about other people, or was made with another key. Give the erasure another name."
        raise ConfigError(msg)
    early = former.interrupted + (former.state == "running")
    return replace(former, state="running", approved_by=approved_by, ended_at=None, interrupted=early, failures=())


def add_rows(receipt: Receipt, rows: Mapping[str, int], files: int) -> Receipt:
    """The receipt with more rows, by place, that were removed from a number of files."""
    total = Counter(receipt.erased)
    total.update(rows)
    return replace(receipt, erased=dict(sorted(total.items())), files=receipt.files + files)


def add_table(receipt: Receipt, namespace: str, table: str, rows: int) -> Receipt:
    """The receipt with more rows of a target."""
    known = {(one.namespace, one.table): one.rows for one in receipt.tables}
    known[namespace, table] = known.get((namespace, table), 0) + rows
    return replace(receipt, tables=tuple(TableErasure(*names, n) for names, n in sorted(known.items())))


def describe_receipt(receipt: Receipt) -> str:
    """The receipt in one sentence, without anybody's identifier."""
    rows = ", ".join(f"{n} from {place}" for place, n in receipt.erased.items() if n) or "no rows from the lake"
    tables = "".join(f", {one.rows} from table {one.table}" for one in receipt.tables)
    tables += f", destroyed {receipt.keys} keys of encrypted raw records" if receipt.keys is not None else ""
    rest = ", ".join(f"{n} in {place}" for place, n in receipt.found.items()) or "nothing"
    return (
        f"Erasure {receipt.name} is {receipt.state}: removed {rows}{tables}; the search of {receipt.searched} files "
        f"found {rest}, and could not read {receipt.unread} files."
    )
