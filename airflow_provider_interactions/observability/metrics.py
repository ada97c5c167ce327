"""Metrics through Airflow's own statistics: StatsD or OpenTelemetry, whatever the deployment sends them to.

Counters ``interactions.requests``, ``.rows``, ``.throttles``, ``.retries`` and ``.rejects``, and the timer
``interactions.duration``; each tagged with ``vendor`` and ``stage`` (list, extract, publish, normalize, load, request).
Plain StatsD drops tags and would add the stages up. For it each is sent once more with a name of its own,
``interactions.rows.<vendor>.<stage>``, unless Airflow's ``[metrics] legacy_names_on`` is off; so does Airflow with its
own.

They are sent when a task has succeeded. Airflow itself counts failures (``ti_failures``).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from airflow.sdk import conf
from airflow.sdk.observability.stats import Stats

from airflow_provider_interactions.observability.summary import Summary


def send_metrics(found: Summary, seconds: float | None) -> None:
    """Send a step's counts, zeros left out, and how long it took where that is known."""
    for name, count in found.counters.items():
        if count:
            for stat, more in _list_names(name, found):
                Stats.incr(stat, count, **more)
    if seconds is not None:
        for stat, more in _list_names("duration", found):
            Stats.timing(stat, timedelta(seconds=seconds), **more)


def _list_names(name: str, found: Summary) -> Iterator[tuple[str, dict[str, Any]]]:
    yield f"interactions.{name}", {"tags": {"vendor": found.vendor, "stage": found.stage}}
    if conf.getboolean("metrics", "legacy_names_on", fallback=True):
        yield f"interactions.{name}.{found.vendor}.{found.stage}", {}
