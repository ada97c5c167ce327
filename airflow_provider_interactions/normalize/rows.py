"""Raw rows to canonical rows, each interaction once, in the order of the raw rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa

from airflow_provider_interactions.contract import Vendor
from airflow_provider_interactions.mapping import map_batch
from airflow_provider_interactions.normalize.repeats import SHARED_ID, Deduplicator
from airflow_provider_interactions.schema import CANONICAL, REJECTS

#: Bytes of payload in one step: the intermediate results can be many times as large.
BATCH_BYTES = 6 * 1024 * 1024


class SortedRows(NamedTuple):
    """The first row of each interaction, their places in the raw batch, and why others are rejected, by place.

    All other places hold repeats. ``names`` are the fields of all records that have no column.
    """

    rows: pa.RecordBatch
    places: pa.Array
    rejected: Mapping[int, str]
    names: frozenset[str]


def to_rows(batch: pa.RecordBatch, vendor: Vendor, seen: Deduplicator) -> SortedRows:
    """Map a raw batch, and leave out what came before."""
    rows, places, rejected, names = map_batch(batch, vendor)
    contacts = batch.column("contact_id")
    found = seen.compare(contacts if len(places) == len(contacts) else contacts.take(places), rows)
    if found is None:
        return SortedRows(rows, places, rejected, names)
    firsts, others = found
    shared = dict.fromkeys(places.take(others).to_pylist(), SHARED_ID)
    return SortedRows(rows.filter(firsts), places.filter(firsts), {**rejected, **shared}, names)


def build_rejects(batch: pa.RecordBatch, rejected: Mapping[int, str]) -> pa.RecordBatch:
    """The raw rows that are rejected, with the reasons, in the order of the raw rows."""
    places = sorted(rejected)
    rows = batch.take(pa.array(places, pa.uint64()))
    reasons = pa.array([rejected[place] for place in places], pa.string())
    return pa.record_batch([reasons, *rows.columns], schema=REJECTS)


def slice_batch(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """A batch in steps of a bounded number of bytes."""
    rows = max(1, BATCH_BYTES * batch.num_rows // max(1, batch.column("payload").nbytes))
    return (batch.slice(start, rows) for start in range(0, batch.num_rows, rows))


def join_rows(batches: Sequence[pa.RecordBatch]) -> pa.Table:
    """One table of several batches, in their order.

    It keeps the batches as chunks, because one array of text holds 2 GiB at most.
    """
    return pa.Table.from_batches([batch for batch in batches if batch.num_rows], CANONICAL).unify_dictionaries()
