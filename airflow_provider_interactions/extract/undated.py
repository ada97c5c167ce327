"""Records whose time cannot be read: warn of them, or refuse too many."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from airflow_provider_interactions.errors import TooManyRejects
from airflow_provider_interactions.extract.checkpoint import Tally
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.lake.manifest import File
from airflow_provider_interactions.rejects import are_too_many, explain_way_on, list_reasons

log = logging.getLogger(__name__)


def check_undated(job: Job, tally: Tally, files: Sequence[File]) -> None:
    """Warn of records whose time cannot be read; raises TooManyRejects for too large a share of all that came."""
    count, came = tally.undated, tally.received
    if not count:
        return
    summary = (
        f"{count} of {came} records of {job.vendor.name}, asked for window {job.window}, have no time that can be "
        f"read: {list_reasons(tally.reasons)}. Their bytes are in {files[0].path}"
    )
    if are_too_many(count, came, job.rejects_share, none_left=count == came):
        reason = f"{summary}; {explain_way_on(none_left=count == came)}."
        raise TooManyRejects(reason)
    log.warning("%s.", summary)
