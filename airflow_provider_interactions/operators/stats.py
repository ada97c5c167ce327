"""Metrics through Airflow's own statistics: StatsD or OpenTelemetry, whatever the deployment sends them to.

Counters ``interactions.requests``, ``.rows``, ``.throttles``, ``.retries`` and ``.rejects``, and the timer
``interactions.duration``; each tagged with ``vendor`` and ``stage`` (list, extract, publish, normalize, load, request).
They are told when a task has succeeded; failures are counted by Airflow itself (``ti_failures``).
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk.observability import stats

from airflow_provider_interactions.operators.facts import Facts


def report(found: Facts, seconds: float | None) -> None:
    """Send a step's counts, zeros left out, and how long it took where that is known."""
    tags = {"vendor": found.vendor, "stage": found.stage}
    for name, count in found.counters.items():
        if count:
            stats.incr(f"interactions.{name}", count, tags=tags)
    if seconds is not None:
        stats.timing("interactions.duration", timedelta(seconds=seconds), tags=tags)
