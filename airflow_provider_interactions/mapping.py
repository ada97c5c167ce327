"""Raw records to canonical rows by their vendor's mapping, and records that cannot be read to rejects with reasons.

Everything that reads records comes here: ``normalize``, the hook's ``interactions`` and a person's request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.contract import Contact, Interaction, Mapped, Vendor
from airflow_provider_interactions.contract.bulk import SUPERSEDED
from airflow_provider_interactions.schema import ACTIONS, CANONICAL, CHANNELS, RAW

#: What a mapping may read of a raw batch.
NEEDED = ("payload", "contact_id", "contact_id_kind", "asked_type", "context")

#: Canonical columns that come from the raw row.
_CARRIED = frozenset(("vendor", "account", "contact_id_kind", "extracted_at", "window_start", "window_end"))


class MappedRows(NamedTuple):
    """Canonical rows, their places in the raw batch, and the reason of each rejected record by its place.

    A bulk vendor's record that has a newer version is neither. ``names`` are the fields of all records that have no
    column.
    """

    rows: pa.RecordBatch
    places: pa.Array
    rejected: Mapping[int, str]
    names: frozenset[str]


def build_batch(records: Sequence[bytes], contact: Contact, asked_type: str, context: str) -> pa.RecordBatch:
    """A batch of one query's records with the columns that mappings read."""
    values = (records, contact.id, contact.kind, asked_type, context)
    columns = [pa.array(records, pa.binary()), *(pa.repeat(value, len(records)) for value in values[1:])]
    fields = [RAW.field(name) for name in NEEDED]
    return pa.record_batch(
        [column.cast(one.type) for column, one in zip(columns, fields, strict=True)], pa.schema(fields)
    )


def map_batch(raw: pa.RecordBatch, vendor: Vendor) -> MappedRows:
    """The canonical rows of a raw batch in its order. A row has the columns of a raw row that the batch has."""
    mapped = vendor.map_records(raw)
    columns = _complete(raw, mapped)
    superseded = _find_superseded(raw, vendor)
    rejected = _find_rejects(columns, mapped.rejected)
    rejected = {place: reason for place, reason in rejected.items() if place not in superseded}
    rows = pa.record_batch(
        list(columns.values()), pa.schema([CANONICAL.field(name).with_nullable(True) for name in columns])
    )
    places = pa.array(range(raw.num_rows), pa.uint64())
    left_out = rejected.keys() | superseded
    if left_out:
        places = pa.array([place for place in range(raw.num_rows) if place not in left_out], pa.uint64())
        rows = rows.take(places)
    return MappedRows(rows.cast(pa.schema([CANONICAL.field(name) for name in columns])), places, rejected, mapped.names)


def list_interactions(rows: pa.RecordBatch) -> list[Interaction]:
    """Canonical rows as objects, their instants in UTC."""
    columns = [_list_values(rows.column(name)) for name in Interaction.__struct_fields__]
    return [
        Interaction(**dict(zip(Interaction.__struct_fields__, values, strict=True)))
        for values in zip(*columns, strict=True)
    ]


def _list_values(column: pa.Array) -> list[Any]:
    values: list[Any] = column.to_pylist()
    if pa.types.is_timestamp(column.type):
        return [value and value.astimezone(UTC) for value in values]
    return values


def _complete(raw: pa.RecordBatch, mapped: Mapped) -> dict[str, pa.Array]:
    """The canonical columns in their order and types."""
    found: dict[str, pa.Array] = {}
    for column in CANONICAL:
        if column.name in mapped.columns:
            values = mapped.columns[column.name]
        elif column.name in raw.schema.names:
            values = raw.column(column.name)
        elif column.name in _CARRIED:
            continue
        else:
            values = pa.nulls(raw.num_rows, column.type)
        found[column.name] = values if values.type == column.type else values.cast(column.type)
    return found


def _find_superseded(raw: pa.RecordBatch, vendor: Vendor) -> frozenset[int]:
    """The places of the records that have a newer version, as the extraction marks them."""
    if vendor.bulk is None:
        return frozenset()
    marked = pc.equal(raw.column("context").cast(pa.string()), SUPERSEDED)
    return frozenset(pc.indices_nonzero(marked).to_pylist())


def _find_rejects(columns: Mapping[str, pa.Array], rejected: Mapping[int, str]) -> dict[int, str]:
    """The rejects of the mapping, and of rows that the table does not admit."""
    found = dict(rejected)
    for name, known in (("channel", CHANNELS), ("action", ACTIONS)):
        unknown = set(pc.unique(columns[name]).to_pylist()) - {*known, None}
        if unknown:
            masks = pc.is_in(columns[name].cast(pa.string()), pa.array(sorted(unknown)))
            for place in pc.indices_nonzero(masks).to_pylist():
                word = columns[name][place].as_py()
                found.setdefault(place, f"the vendor module maps to an unknown {name} ({word})")
    for name, values in columns.items():
        if values.null_count and not CANONICAL.field(name).nullable:
            for place in pc.indices_nonzero(values.is_null()).to_pylist():
                found.setdefault(place, f"{name} is missing")
    return found
