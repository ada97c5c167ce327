"""Find repeats: a record that the contact already had, perhaps in another state. Nothing else may be dropped.

Two records with the same key are versions of one record if their lasting columns are equal: time, channel, subject,
campaign, message. In addition, either the rest is equal too, or the state differs (status, count, delivery, update).
Any other record with a known key is a different record. If kept, it would replace the first, so it is rejected.

The vendor's name for the type is ignored, because some vendors list a message under two names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.errors import RecordRejected

#: Reason to reject a record whose key belongs to another record: if both were kept, one would replace the other.
SHARED_ID = "its id is the id of another record of the contact, and they differ in more than a status"

_DECODER = msgspec.json.Decoder(float_hook=str)  # keeps all digits of a number

_LASTING = ("occurred_at", "channel", "subject", "campaign_id", "campaign_name", "message_id")
_STATE = ("status", "count", "delivered_at", "updated_at")


class Version(NamedTuple):
    """Digests of a record's columns, valid in this process only. Kept short, because there are many."""

    lasting: int
    state: int
    rest: int

    def is_of(self, other: Version) -> bool:
        """Whether both are versions of one record."""
        return self.lasting == other.lasting and (self.rest == other.rest or self.state != other.state)


def read_versions(rows: pa.RecordBatch) -> Iterator[Version]:
    """The version of each canonical row."""
    lasting, state = (map(hash, _read_tuples(rows, names)) for names in (_LASTING, _STATE))
    actions, attributes = (rows.column(name).to_pylist() for name in ("action", "attributes"))
    return map(Version, lasting, state, map(_digest, actions, attributes))


def _read_tuples(rows: pa.RecordBatch, names: Sequence[str]) -> Iterator[tuple[object, ...]]:
    columns = (rows.column(name) for name in names)
    # Python's datetime is slow to make and not needed.
    plain = (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column for column in columns)
    return zip(*(column.to_pylist() for column in plain), strict=True)


def _digest(action: str, attributes: str) -> int:
    """A digest of the content, whatever its spelling: responses may differ in how they escape characters."""
    try:
        return hash((action, msgspec.json.encode(_DECODER.decode(attributes), order="sorted")))
    except (msgspec.DecodeError, RecursionError):  # an escaped half of a surrogate pair, or too deep
        return hash((action, attributes))


@dataclass(slots=True)
class Deduplicator:
    """The interactions of the current contact, to recognize repeats. Rows of a contact must be adjacent."""

    contact: str = ""
    ids: dict[str, Version] = field(default_factory=dict)

    def is_first(self, key: str, version: Version) -> bool:
        """Whether a key is new. Raises RecordRejected if the key belongs to another record."""
        first = self.ids.setdefault(key, version)
        if not version.is_of(first):
            raise RecordRejected(SHARED_ID)
        return first is version

    def compare(self, contacts: pa.Array, rows: pa.RecordBatch) -> tuple[pa.BooleanArray, pa.Array] | None:
        """Which rows are new, and the indices of rows whose key belongs to a different record.

        None if all rows are new. All other rows are repeats.
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
        """Whether all rows of a batch are new. Only then remembers them as seen."""
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
