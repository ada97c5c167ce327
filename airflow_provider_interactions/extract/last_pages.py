"""Make sure that short pages which were believed to be the last ones were: see ``page_cap`` for what is believed."""

from __future__ import annotations

import asyncio
from datetime import datetime

from airflow_provider_interactions.contract import Fetch
from airflow_provider_interactions.errors import ContactError, VendorError
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.page_cap import TRUSTING_FROM, Doubt, Evidence, PageCap


class PagesCut(Exception):
    """Pages that were believed to be the last ones of their lists may have been cut."""


def open_page_cap(job: Job, evidence: Evidence) -> PageCap:
    """What the queries of a run share, which goes on from the evidence of a checkpoint."""
    return PageCap(evidence, trusting=len(job.contacts) >= TRUSTING_FROM)


def refuse_cut_pages(page_cap: PageCap) -> None:
    """Raise PagesCut when something that was believed may be wrong."""
    if page_cap.evidence.is_refuted:
        raise PagesCut


async def confirm_last_pages(page_cap: PageCap, fetch: Fetch, job: Job) -> None:
    """Confirm the pages with most doubt; raises PagesCut when one was cut.

    Rows that happened after the run began do not count: they may not have been there before.
    """
    doubts = page_cap.list_doubts()
    try:
        found = await asyncio.gather(*(_has_rest(doubt, fetch, job.extracted_at) for doubt in doubts))
    except VendorError as error:
        error.window = str(job.window)
        raise
    for doubt, was_cut in zip(doubts, found, strict=True):
        if was_cut:
            page_cap.note_cut(doubt.rows)
    refuse_cut_pages(page_cap)


async def _has_rest(doubt: Doubt, fetch: Fetch, began: datetime) -> bool:
    assert doubt.rest is not None  # noqa: S101 - set with the first page
    try:
        return any(at is None or at < began for at in await doubt.rest(fetch))
    except ContactError:  # the contact is gone meanwhile
        return False
