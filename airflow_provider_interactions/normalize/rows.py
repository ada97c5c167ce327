"""Raw rows to canonical rows: well-formed records all at once, the rest one by one, in the order of the raw rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.contract import Asked, Contact, Interaction, Vendor
from airflow_provider_interactions.errors import RecordRejected
from airflow_provider_interactions.normalize.repeats import SHARED_ID, Deduplicator
from airflow_provider_interactions.rejects import read_record
from airflow_provider_interactions.schema import ACTIONS, CANONICAL, CHANNELS, REJECTS

#: Bytes of payload in one step: the intermediate results can be many times as large.
BATCH_BYTES = 16 * 1024 * 1024


def to_rows(batch: pa.RecordBatch, vendor: Vendor, seen: Deduplicator) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Canonical rows and rejects of a raw batch, in its order. Reads well-formed records at once, others one by one."""
    sure, rows = read_batch(batch, vendor)
    rejects = build_rejects(batch.slice(0, 0), ())
    contacts = batch.column("contact_id")
    numbers = None
    if rows.num_rows < batch.num_rows:
        left = pc.indices_nonzero(pc.invert(sure))
        good, kept, rejects = _read_one_by_one(batch.take(left), vendor)
        numbers = pa.concat_arrays([pc.indices_nonzero(sure), left.take(kept)])
        order = pc.array_sort_indices(numbers)
        rows = join_two(rows, good).take(order)
        numbers = numbers.take(order)
        contacts = contacts.take(numbers)
    found = seen.compare(contacts, rows)
    if found is None:
        return rows, rejects
    firsts, others = found
    if len(others):
        places = others if numbers is None else numbers.take(others)
        rejects = join_two(rejects, build_rejects(batch.take(places), [SHARED_ID] * len(places)))
    return rows.filter(firsts), rejects


def _read_one_by_one(batch: pa.RecordBatch, vendor: Vendor) -> tuple[pa.RecordBatch, pa.Array, pa.RecordBatch]:
    """Canonical rows, the indices of their records, and the rejects."""
    good: list[Interaction] = []
    kept: list[int] = []
    bad: list[int] = []
    reasons: list[str] = []
    columns = [batch.column(name).to_pylist() for name in _READ]
    for n, (payload, contact_id, kind, native_type, context) in enumerate(zip(*columns, strict=True)):
        try:
            row = read_record(vendor, payload, Asked(Contact(contact_id, kind), native_type, context))
        except RecordRejected as rejection:
            bad.append(n)
            reasons.append(rejection.reason)
            continue
        row.contact_id = row.contact_id or contact_id
        good.append(row)
        kept.append(n)
    numbers, rejected = pa.array(kept, pa.uint64()), pa.array(bad, pa.uint64())
    return build_rows(batch.take(numbers), good), numbers, build_rejects(batch.take(rejected), reasons)


def read_batch(batch: pa.RecordBatch, vendor: Vendor) -> tuple[pa.BooleanArray, pa.RecordBatch]:
    """Which records the vendor's module can read all at once, and their canonical rows."""
    if vendor.columns is None or not batch.num_rows or batch.column("payload").nbytes > 2 * BATCH_BYTES:
        return pa.repeat(False, batch.num_rows), pa.RecordBatch.from_pylist([], CANONICAL)
    sure, found = vendor.columns(batch)
    if not (_are_known(found["channel"], CHANNELS) and _are_known(found["action"], ACTIONS)):
        sure = pa.repeat(False, batch.num_rows)
    return sure, _fill_columns(batch, found, sure)


def _are_known(words: pa.Array, vocabulary: frozenset[str]) -> bool:
    return vocabulary.issuperset(pc.unique(words).to_pylist())


def _fill_columns(raw: pa.RecordBatch, found: Mapping[str, pa.Array], sure: pa.BooleanArray) -> pa.RecordBatch:
    keep = None if pc.all(sure).as_py() else sure
    columns = []
    for column in CANONICAL:
        if column.name in found:
            values = found[column.name]
        elif column.name in raw.schema.names:
            values = raw.column(column.name)
        else:
            values = pa.nulls(raw.num_rows, column.type)
        values = values if keep is None else values.filter(keep)
        columns.append(values if values.type == column.type else values.cast(column.type))
    return pa.record_batch(columns, schema=CANONICAL)


_READ = ("payload", "contact_id", "contact_id_kind", "asked_type", "context")

_CARRIED = frozenset(("vendor", "account", "contact_id_kind", "extracted_at", "window_start", "window_end"))


def build_rows(raw: pa.RecordBatch, rows: Sequence[Interaction]) -> pa.RecordBatch:
    """Canonical rows of raw rows that were read one by one."""
    columns: list[Any] = []
    for column in CANONICAL:
        if column.name in _CARRIED:
            columns.append(raw.column(column.name))
        elif pa.types.is_dictionary(column.type):
            columns.append(pa.array([getattr(row, column.name) for row in rows], pa.string()).dictionary_encode())
        else:
            columns.append(pa.array([getattr(row, column.name) for row in rows], column.type))
    return pa.record_batch(columns, schema=CANONICAL)


def build_rejects(raw: pa.RecordBatch, reasons: Sequence[str]) -> pa.RecordBatch:
    """Raw rows with the reasons why they were rejected."""
    return pa.record_batch([pa.array(reasons, pa.string()), *raw.columns], schema=REJECTS)


def join_two(first: pa.RecordBatch, second: pa.RecordBatch) -> pa.RecordBatch:
    """Two small batches of one schema as one batch. pyarrow 18 has no function for this."""
    some = [batch for batch in (first, second) if batch.num_rows]
    if len(some) < 2:
        return some[0] if some else first
    return pa.Table.from_batches(some).combine_chunks().to_batches()[0]


def join_rows(batches: Sequence[pa.RecordBatch]) -> pa.Table:
    """One table of several batches, in their order.

    It keeps the batches as chunks, because one array of text holds 2 GiB at most.
    """
    return pa.Table.from_batches([batch for batch in batches if batch.num_rows], CANONICAL).unify_dictionaries()
