"""The plan of a gap: what it takes to fill, judged by the account's last windows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from airflow_provider_interactions.coverage.pace import measure_pace
from airflow_provider_interactions.lake.manifest import read_last_manifests
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.plan.past import compare_requests, learn_figures
from airflow_provider_interactions.plan.run import Way, plan_run
from airflow_provider_interactions.plan.text import spell_time
from airflow_provider_interactions.vendors import find_vendor
from airflow_provider_interactions.window import Window

#: So many windows of the account say how many contacts, rows and requests there are.
PAST_WINDOWS = 7


def plan_gap(lake: Lake, vendor: str, account: str, gap: Window, windows: int) -> dict[str, Any] | None:
    """A plan for ``windows`` missing windows of about one length; None if no window shows how many contacts there are.

    For as many contacts as in the last window, at the pace of the last extractions, else at the documented one. The
    DAG's options are unknown here, so the requests are scaled to those that past windows took. Raises ConfigError for
    an unknown vendor.
    """
    found, past = find_vendor(vendor), read_last_manifests(lake, vendor, account, PAST_WINDOWS)
    contacts = past[-1].counts.contacts if past else 0
    if not contacts:
        return None
    known = learn_figures(past, measure_pace(lake, vendor, account, datetime.now(UTC).date()))
    figures = replace(known, requests=compare_requests(found, past, known))
    width = -((gap.start - gap.end) // windows)
    plan = plan_run(found, contacts, gap, width=width, figures=figures)
    return {
        "contacts": contacts,
        "pace": f"{plan.requests_per_second:,.3g} requests a second ({plan.pace})",
        "past": len(past),
        "daily": _describe(plan.daily),
        "wide": _describe(plan.wide),
        "cheapest": "wide" if plan.cheapest is plan.wide and windows > 1 else "daily",
    }


def _describe(way: Way) -> dict[str, Any]:
    return {"runs": way.runs, "requests": way.requests, "time": spell_time(way.duration), "rows": way.rows}
