"""Find repeats: a record that the contact already had, perhaps with another status. Only repeats may be dropped.

Two records with the same key are versions of one record if their lasting columns are equal: time, channel, subject,
campaign, message. In addition, either the rest is equal too, or the state differs (status, count, delivery, update).
Any other record with a known key is a different record. If kept, it would replace the first, so it is rejected.

The vendor's name for the type is ignored, because some vendors list a message under two names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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

    @staticmethod
    def _note(ids: dict[str, Version], key: str, version: Version) -> bool:
        """Whether a key is new. Raises RecordRejected if the key belongs to another record."""
        first = ids.setdefault(key, version)
        if not version.is_of(first):
            raise RecordRejected(SHARED_ID)
        return first is version

    def compare(self, contacts: pa.Array, rows: pa.RecordBatch) -> tuple[pa.BooleanArray, pa.Array] | None:
        """Which rows are new, and the indices of rows whose key belongs to a different record.

        None if all rows are new. All other rows are repeats.
        """
        if not rows.num_rows:
            return None
        suspects = self._find_suspects(contacts, rows.column("interaction_id"))
        firsts = [True] * rows.num_rows
        others = []
        known = {self.contact: self.ids}
        for n, contact, key, version in zip(suspects.to_pylist(), *_read_keys(contacts, rows, suspects), strict=True):
            try:
                firsts[n] = self._note(known.setdefault(contact, {}), key, version)
            except RecordRejected:
                firsts[n] = False
                others.append(n)
        self._remember_last(contacts, rows, known)
        return (pa.array(firsts, pa.bool_()), pa.array(others, pa.uint64())) if len(suspects) else None

    def _find_suspects(self, contacts: pa.Array, ids: pa.StringArray) -> pa.Array:
        """The indices of rows whose key comes more than once, or came before. Most batches have none."""
        counts = pc.value_counts(ids)
        several = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
        mask = pc.is_in(ids, several)
        if self.ids:
            before = pa.array(list(self.ids), pa.string())
            mask = pc.or_(mask, pc.and_(pc.equal(contacts, self.contact), pc.is_in(ids, before)))
        return pc.indices_nonzero(mask)

    def _remember_last(self, contacts: pa.Array, rows: pa.RecordBatch, known: Mapping[str, dict[str, Version]]) -> None:
        """Keep the keys of the last contact, whose other rows may come with the next batch."""
        last = contacts[-1].as_py()
        mine = pc.indices_nonzero(pc.equal(contacts, last))
        ids = known.get(last, {})
        for _, key, version in zip(*_read_keys(contacts, rows, mine), strict=True):
            ids.setdefault(key, version)
        self.contact, self.ids = last, ids


def _read_keys(
    contacts: pa.Array, rows: pa.RecordBatch, indices: pa.Array
) -> tuple[Sequence[str], Sequence[str], Iterator[Version]]:
    """The contact, the key and the version of some rows."""
    some = rows.take(indices)
    return contacts.take(indices).to_pylist(), some.column("interaction_id").to_pylist(), read_versions(some)
