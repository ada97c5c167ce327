"""Read interactions directly from the vendor, without a lake: for a few contacts, in a script or a notebook."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace

import pyarrow as pa

from airflow_provider_interactions.contract import Interaction
from airflow_provider_interactions.errors import RecordRejected
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.pipeline import fetch_pages
from airflow_provider_interactions.extract.tables import land_tables
from airflow_provider_interactions.lake.memory import open_memory_lake
from airflow_provider_interactions.lake.reader import read_rows
from airflow_provider_interactions.mapping import build_batch, list_interactions
from airflow_provider_interactions.normalize.repeats import Deduplicator
from airflow_provider_interactions.normalize.rows import slice_batch, to_rows

OnReject = Callable[[bytes, RecordRejected], None]


def stream_interactions(job: Job, on_reject: OnReject) -> Iterator[Interaction]:
    """Yield every interaction of the job's window once, in the vendor's order. Do not call it inside an event loop.

    Calls ``on_reject`` for each record that cannot be read, or has the id of another record. Raises VendorError.
    """
    for payload, found in stream_records(job):
        if isinstance(found, Interaction):
            yield found
        else:
            on_reject(payload, found)


def stream_records(job: Job) -> Generator[tuple[bytes, Interaction | RecordRejected]]:
    """The same, each interaction with the vendor's own bytes; for a record that cannot be read, the reason."""
    seen = Deduplicator()
    for raw in _read_tables(job) if job.vendor.bulk else _ask_pages(job):
        for batch in slice_batch(raw):
            found = to_rows(batch, job.vendor, seen)
            rows = dict(zip(found.places.to_pylist(), list_interactions(found.rows), strict=True))
            for place, payload in enumerate(batch.column("payload")):
                if place in rows:
                    yield payload.as_py(), rows[place]
                elif place in found.rejected:
                    yield payload.as_py(), RecordRejected(found.rejected[place])


def _ask_pages(job: Job) -> Iterator[pa.RecordBatch]:
    for query, page in fetch_pages(job):
        records = [
            record for record, at in zip(page.records, page.occurred, strict=True) if at is None or at in job.window
        ]
        yield build_batch(records, query.contact, query.native_type or "", page.context)


def _read_tables(job: Job) -> Iterator[pa.RecordBatch]:
    """The rows of a bulk vendor, all read before the first one is yielded."""
    with open_memory_lake() as memory:
        manifest = land_tables(replace(job, lake=memory, keeps="undated"), "raw")
        yield from read_rows(memory, manifest.files)
