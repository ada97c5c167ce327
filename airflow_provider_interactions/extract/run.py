"""One extraction: page by page if the vendor filters by date, else cut from whole histories."""

from __future__ import annotations

import asyncio
import dataclasses
import logging

from msgspec.structs import replace

from airflow_provider_interactions.errors import WindowSuperseded
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.pipeline import land_pages
from airflow_provider_interactions.extract.tables import land_tables
from airflow_provider_interactions.lake.manifest import Counts, Manifest
from airflow_provider_interactions.lake.suppression import read_suppression

log = logging.getLogger(__name__)

#: Erasures that may come between while an extraction reads histories.
MOST_ERASURES = 5


def extract(job: Job) -> Manifest:
    """Land every interaction of the job's contacts in its window; raises what the vendor's answers mean.

    The manifest names the files, which nothing refers to until ``commit_window``. On any error no file is left, but
    what a later try of the same run goes on from (``Job.resume``). Warns of contacts that are noted as ``failed``.
    People on the suppression list are not asked for; raises ConfigError if the lake has no key for the list.
    """
    job, suppressed = _leave_out_suppressed(job)
    if job.vendor.bulk is not None:
        manifest = land_tables(job)
    elif job.vendor.filters_by_date:
        manifest = asyncio.run(land_pages(job))
    else:
        job, suppressed, manifest = _extract_from_history(job, suppressed)
    if suppressed:
        log.info("%s, window %s: %d contacts are on the suppression list", job.vendor.name, job.window, suppressed)
        manifest = replace(manifest, counts=manifest.counts + Counts(suppressed=suppressed))
    if manifest.counts.failed:
        log.warning(
            "%d of %d contacts of %s, window %s, failed. Their records are missing from the lake, all or some of them. "
            "The outcomes file says which contacts, and why: %s. Run the extraction again to fetch them.",
            *(manifest.counts.failed, manifest.counts.contacts, job.vendor.name, job.window),
            ", ".join(file.path for file in manifest.outcomes),
        )
    return manifest


def _leave_out_suppressed(job: Job) -> tuple[Job, int]:
    """The job without people on the suppression list, and their number."""
    suppression = read_suppression(job.lake, job.vendor.name)
    if not suppression:
        return job, 0
    kept = [one for one in job.contacts if not suppression.covers(one.kind, one.id)]
    return dataclasses.replace(job, contacts=kept, listed=job.whole_list), len(job.contacts) - len(kept)


def _extract_from_history(job: Job, suppressed: int) -> tuple[Job, int, Manifest]:
    """Extract from histories, again if an erasure replaces them meanwhile, without the people who were erased."""
    from airflow_provider_interactions.extract.full_history import extract_from_history

    for _ in range(MOST_ERASURES):
        try:
            return job, suppressed, extract_from_history(job)
        except WindowSuperseded as replaced:
            log.info("%s", replaced)
            job, more = _leave_out_suppressed(job)
            suppressed += more
    return job, suppressed, extract_from_history(job)
