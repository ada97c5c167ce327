"""Assets: other DAGs can wait for the result of a step.

Declare an asset as an outlet. Its event then holds vendor, account, window, rows, bytes, rejected rows and the path of
the manifest. In a DAG that such an event triggers, leave out ``manifests`` or ``manifest``. The operators then process
the event's window.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from airflow.sdk import Asset

from airflow_provider_interactions.observability.summary import Summary

Stage = Literal["raw", "normalized", "loaded"]


def asset(name: str, stage: Stage) -> Asset:
    """The asset ``interactions_<name>_<stage>``; ``name`` is the connection's id if one is given, else the vendor.

    Its address begins with ``x-interactions://``. The ``x-`` marks a private scheme, so no provider interprets it.
    """
    return Asset(name=f"interactions_{name}_{stage}", uri=f"x-interactions://{name}/{stage}")


def emit_events(context: Mapping[str, Any], outlets: Iterable[Any], summary: Summary) -> None:
    """Add a step's summary to the events of its outlets. Values that the DAG's author added take precedence."""
    events = context.get("outlet_events")
    if events is None:
        return
    for outlet in outlets:
        if isinstance(outlet, Asset):
            event = events[outlet]
            event.extra = {**summary.extra, **event.extra}
