"""What a repeat is: a record of a contact that came before, perhaps in another state. Nothing else may be dropped.

Two records with one key are one where all that does not change is the same: time, channel, subject, campaign, message.
Then either the rest is the same too, or the vendor says that the state changed (status, count, delivery, update). A
record with a known key that is neither is another one: kept, it would replace the first, so it is rejected.

The vendor's word for the type does not count: some list a message under two names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.contract import Asked, Interaction, Vendor
from airflow_provider_interactions.errors import RecordRejected
from airflow_provider_interactions.rejects import read_record

#: Why a record is rejected whose key another record has: kept under it, one of the two would replace the other.
SHARED_ID = "its id is the id of another record of the contact, and they differ in more than a status"

_DECODER = msgspec.json.Decoder(float_hook=str)  # no number passes through a float

_LASTING = ("occurred_at", "channel", "subject", "campaign_id", "campaign_name", "message_id")
_STATE = ("status", "count", "delivered_at", "updated_at")


class Version(NamedTuple):
    """A record by digests of its columns, good in this process only: as short as it can be, as there are many."""

    lasting: int
    state: int
    rest: int

    @classmethod
    def of(cls, row: Interaction) -> Version:
        """The version that a row is."""
        lasting, state = (hash(tuple(getattr(row, name) for name in names)) for names in (_LASTING, _STATE))
        return cls(lasting, state, _digest(row.action, row.attributes))

    def is_of(self, other: Version) -> bool:
        """Whether both are versions of one record."""
        return self.lasting == other.lasting and (self.rest == other.rest or self.state != other.state)


def read_first(vendor: Vendor, payload: bytes, asked: Asked, seen: Deduplicator) -> Interaction | None:
    """One record as an interaction, None when it came before; raises RecordRejected, also where another has its id."""
    row = read_record(vendor, payload, asked)
    return row if seen.is_first(row.interaction_id, Version.of(row)) else None


def read_versions(rows: pa.RecordBatch) -> Iterator[Version]:
    """The version that each canonical row is."""
    lasting, state = (map(hash, _read_tuples(rows, names)) for names in (_LASTING, _STATE))
    actions, attributes = (rows.column(name).to_pylist() for name in ("action", "attributes"))
    return map(Version, lasting, state, map(_digest, actions, attributes))


def _read_tuples(rows: pa.RecordBatch, names: Sequence[str]) -> Iterator[tuple[object, ...]]:
    columns = (rows.column(name) for name in names)
    # Python's datetime is slow to make and not needed.
    plain = (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column for column in columns)
    return zip(*(column.to_pylist() for column in plain), strict=True)


def _digest(action: str, attributes: str) -> int:
    """What is said, however it is written: one answer may escape characters, and the next one not."""
    try:
        return hash((action, msgspec.json.encode(_DECODER.decode(attributes), order="sorted")))
    except (msgspec.DecodeError, RecursionError):  # half a surrogate pair as an escape, or too deep
        return hash((action, attributes))


@dataclass(slots=True)
class Deduplicator:
    """The interactions of the contact at hand, to know one that comes again. Rows of a contact lie together."""

    contact: str = ""
    ids: dict[str, Version] = field(default_factory=dict)

    def is_first(self, key: str, version: Version) -> bool:
        """Whether a key comes for the first time; raises RecordRejected where another record has it."""
        first = self.ids.setdefault(key, version)
        if not version.is_of(first):
            raise RecordRejected(SHARED_ID)
        return first is version

    def compare(self, contacts: pa.Array, rows: pa.RecordBatch) -> tuple[pa.BooleanArray, pa.Array] | None:
        """Which rows come for the first time, and the numbers of those that are others than the first of their key.

        None where all are first ones. A row that is neither comes again.
        """
        ids = rows.column("interaction_id")
        if self._all_first(contacts, ids, rows):
            return None
        firsts, others = [], []
        for n, (contact, key, version) in enumerate(
            zip(contacts.to_pylist(), ids.to_pylist(), read_versions(rows), strict=True)
        ):
            if contact != self.contact:
                self.contact, self.ids = contact, {}
            try:
                firsts.append(self.is_first(key, version))
            except RecordRejected:
                firsts.append(False)
                others.append(n)
        return pa.array(firsts, pa.bool_()), pa.array(others, pa.uint64())

    def _all_first(self, contacts: pa.Array, ids: pa.Array, rows: pa.RecordBatch) -> bool:
        """Whether no row of a batch comes again; only then they count as seen."""
        if not len(ids) or pc.count_distinct(ids).as_py() < len(ids):
            return not len(ids)
        ours = ids.filter(pc.equal(contacts, self.contact)).to_pylist()
        if not self.ids.keys().isdisjoint(ours):
            return False
        last = contacts[-1].as_py()
        if last != self.contact:
            self.contact, self.ids = last, {}
        mine = rows.filter(pc.equal(contacts, last))
        self.ids.update(zip(mine.column("interaction_id").to_pylist(), read_versions(mine), strict=True))
        return True
