"""Metrics through Airflow's own statistics: StatsD or OpenTelemetry, as the deployment is configured.

The counters are ``interactions.requests``, ``.rows``, ``.throttles``, ``.retries``, ``.rejects``, ``.failures``,
``.alerts`` (see ``coverage/alerts.py``) and ``.late`` (rows that a load changed in windows before the run's own). The
timer is ``interactions.duration``. Each has the tags ``vendor`` and ``stage`` (``schema.STEP_WORDS``). Plain StatsD
drops tags and would sum the stages. So each metric is also sent under a name of its own,
``interactions.rows.<vendor>.<stage>``, unless Airflow's ``[metrics] legacy_names_on`` is off. Airflow does the same
with its own metrics.

Each try of a task sends what it did itself, also a failed one, so nothing is counted twice. Rows, rejects and the
duration come from tries that succeeded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import conf
from airflow.sdk.observability.stats import Stats


def send_metrics(stage: str, vendor: str, counters: Mapping[str, int], seconds: float | None) -> None:
    """Send the counts of one try of a step without zeros, and its duration if that is given."""
    for name, count in counters.items():
        if count:
            for stat, more in _list_names(name, stage, vendor):
                Stats.incr(stat, count, **more)
    if seconds is not None:
        for stat, more in _list_names("duration", stage, vendor):
            Stats.timing(stat, timedelta(seconds=seconds), **more)


def _list_names(name: str, stage: str, vendor: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield f"interactions.{name}", {"tags": {"vendor": vendor, "stage": stage}}
    if conf.getboolean("metrics", "legacy_names_on", fallback=True):
        yield f"interactions.{name}.{vendor}.{stage}", {}
