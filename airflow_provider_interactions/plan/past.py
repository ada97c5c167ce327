"""What past windows say about the next ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_interactions.contract import Vendor
from airflow_provider_interactions.plan.run import DAY, Figures, Way, plan_run

if TYPE_CHECKING:
    from airflow_provider_interactions.lake.manifest import Manifest


def learn_figures(manifests: Sequence[Manifest], requests_per_second: float | None = None) -> Figures:
    """Figures from manifests of normalized windows; the defaults where these say nothing."""
    known = Figures()
    contacts = sum(one.counts.contacts for one in manifests)
    contact_days = sum(one.counts.contacts * ((one.window_end - one.window_start) / DAY) for one in manifests)
    rows = sum(one.counts.canonical for one in manifests)
    canonical = sum(file.bytes for one in manifests for file in one.files)
    outcomes = sum(file.bytes for one in manifests for file in one.outcomes)
    return Figures(
        rows=rows / contact_days if contact_days else known.rows,
        canonical_bytes=canonical / rows if rows else known.canonical_bytes,
        outcome_bytes=outcomes / contacts if contacts else known.outcome_bytes,
        requests_per_second=requests_per_second,
    )


def compare_requests(vendor: Vendor[Any, Any], manifests: Sequence[Manifest], figures: Figures) -> float:
    """The requests that past windows took, for each one that a plan counts. They may have asked for fewer types.

    Windows that were cut from a history took none and do not count. 1 if no window says anything.
    """
    sent = [one for one in manifests if one.counts.requests and one.counts.contacts]
    planned = sum(_plan_window(vendor, one, figures).requests for one in sent)
    return sum(one.counts.requests for one in sent) / planned if planned else 1.0


def _plan_window(vendor: Vendor[Any, Any], manifest: Manifest, figures: Figures) -> Way:
    width = manifest.window_end - manifest.window_start
    return plan_run(vendor, manifest.counts.contacts, manifest.window, width=width, figures=figures).wide
