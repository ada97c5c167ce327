"""Read interactions directly from the vendor, without a lake: for a few contacts, in a script or a notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from airflow_provider_interactions.contract import Asked, Interaction
from airflow_provider_interactions.errors import RecordRejected
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.pipeline import fetch_pages
from airflow_provider_interactions.normalize.repeats import Deduplicator, read_first

OnReject = Callable[[bytes, RecordRejected], None]


def stream_interactions(job: Job, on_reject: OnReject) -> Iterator[Interaction]:
    """Yield every interaction of the job's window once, in the vendor's order. Do not call it inside an event loop.

    Calls ``on_reject`` for each record that cannot be read, or has the id of another record. Raises VendorError.
    """
    seen = Deduplicator()
    for query, page in fetch_pages(job):
        asked = Asked(query.contact, query.native_type or "", page.context)
        for payload, at in zip(page.records, page.occurred, strict=True):
            if at is not None and at not in job.window:
                continue
            try:
                row = read_first(job.vendor, payload, asked, seen)
            except RecordRejected as rejection:
                on_reject(payload, rejection)
                continue
            if row is not None:
                yield row
