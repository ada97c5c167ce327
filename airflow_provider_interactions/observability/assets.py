"""Assets: what a step has made, told to whoever waits for it, and found again by the steps of another DAG.

Declare one as an outlet, and its event carries vendor, account, window, rows, bytes, rejected rows and the path of the
manifest. A DAG that such an event triggers leaves out ``manifests`` or ``manifest``, and gets the event's own window.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from airflow.sdk import Asset

from airflow_provider_interactions.observability.summary import Summary

Stage = Literal["raw", "normalized", "loaded"]


def asset(name: str, stage: Stage) -> Asset:
    """The asset of a vendor's (or a connection's) stage: ``interactions_<name>_<stage>``.

    ``x-`` says that the scheme is our own, so that no provider of Airflow reads a meaning into it.
    """
    return Asset(name=f"interactions_{name}_{stage}", uri=f"x-interactions://{name}/{stage}")


def emit_events(context: Mapping[str, Any], outlets: Iterable[Any], found: Summary) -> None:
    """Put a step's facts into the events of its outlets; what the DAG's author has put there stays."""
    events = context.get("outlet_events")
    if events is None:
        return
    for outlet in outlets:
        if isinstance(outlet, Asset):
            event = events[outlet]
            event.extra = {**found.extra, **event.extra}
