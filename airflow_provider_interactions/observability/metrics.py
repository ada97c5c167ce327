"""Metrics through Airflow's own statistics: StatsD or OpenTelemetry, as the deployment is configured.

The counters are ``interactions.requests``, ``.rows``, ``.throttles``, ``.retries``, ``.rejects`` and ``.late`` (rows
that a load changed in windows before the run's own). The timer is ``interactions.duration``. Each has the tags
``vendor`` and ``stage`` (list, extract, publish, normalize, load, request). Plain StatsD drops tags and would sum the
stages. So each metric is also sent under a name of its own, ``interactions.rows.<vendor>.<stage>``, unless Airflow's
``[metrics] legacy_names_on`` is off. Airflow does the same with its own metrics.

Metrics are sent when a task has succeeded. Airflow itself counts failures (``ti_failures``).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from airflow.sdk import conf
from airflow.sdk.observability.stats import Stats

from airflow_provider_interactions.observability.summary import Summary


def send_metrics(summary: Summary, seconds: float | None) -> None:
    """Send a step's counts without zeros, and its duration if it is known."""
    for name, count in summary.counters.items():
        if count:
            for stat, more in _list_names(name, summary):
                Stats.incr(stat, count, **more)
    if seconds is not None:
        for stat, more in _list_names("duration", summary):
            Stats.timing(stat, timedelta(seconds=seconds), **more)


def _list_names(name: str, summary: Summary) -> Iterator[tuple[str, dict[str, Any]]]:
    yield f"interactions.{name}", {"tags": {"vendor": summary.vendor, "stage": summary.stage}}
    if conf.getboolean("metrics", "legacy_names_on", fallback=True):
        yield f"interactions.{name}.{summary.vendor}.{summary.stage}", {}
