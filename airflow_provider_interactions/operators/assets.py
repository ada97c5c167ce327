"""Assets: what a step has made, told to whoever waits for it, and found again by the steps of another DAG.

Declare one as an outlet, and its event carries vendor, account, window, rows, bytes, rejected rows and the path of the
manifest. A DAG that such an event triggers leaves out ``manifests`` or ``manifest``, and gets the event's own window.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import Asset

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.operators.facts import Facts

if TYPE_CHECKING:
    from airflow_provider_interactions.lake import Lake
    from airflow_provider_interactions.manifest import Manifest

Stage = Literal["raw", "normalized", "loaded"]

WHAT_TO_DO = (
    "Schedule the DAG on an asset of this package, best with PartitionedAssetTimetable, so that every window gets a "
    'run of its own; or give the operator the manifest, or the run the parameter {"manifest": "raw/…/manifest.json"}.'
)


def asset(name: str, stage: Stage) -> Asset:
    """The asset of a vendor's (or a connection's) stage: ``interactions_<name>_<stage>``.

    ``x-`` says that the scheme is our own, so that no provider of Airflow reads a meaning into it.
    """
    return Asset(name=f"interactions_{name}_{stage}", uri=f"x-interactions://{name}/{stage}")


def tell(context: Mapping[str, Any], outlets: Iterable[Any], found: Facts) -> None:
    """Put a step's facts into the events of its outlets; what the DAG's author has put there stays."""
    events = context.get("outlet_events")
    if events is None:
        return
    for outlet in outlets:
        if isinstance(outlet, Asset):
            event = events[outlet]
            event.extra = {**found.extra, **event.extra}


def handed_over(context: Mapping[str, Any], lake: Lake) -> Manifest:
    """The manifest of the window that triggered the run, as the lake has it now.

    Found by the triggering event, else by the run's parameter ``manifest``, a path in the lake. Raises ConfigError that
    says what to do when there is none, more than one, or nothing in the lake.
    """
    from airflow_provider_interactions.manifest import Manifest  # noqa: PLC0415 - fsspec is heavy

    path = _one(_triggers(context) or _param(context))
    found = lake.read(path, Manifest)
    if found is None:
        msg = f"There is no manifest {path} in the lake. Is it the same lake? Else run the step before this one again."
        raise ConfigError(msg)
    return found


def _triggers(context: Mapping[str, Any]) -> set[str]:
    events = context.get("triggering_asset_events") or {}
    found = (event.extra.get("manifest") for events_of_one in events.values() for event in events_of_one)
    return {path for path in found if isinstance(path, str)}


def _param(context: Mapping[str, Any]) -> set[str]:
    path = (context.get("params") or {}).get("manifest")
    return {path} if path else set()


def _one(paths: set[str]) -> str:
    if not paths:
        msg = f"No manifest is given, and this run was triggered by no event that names one. {WHAT_TO_DO}"
        raise ConfigError(msg)
    if len(paths) > 1:
        msg = f"This run was triggered by {len(paths)} windows at once. {WHAT_TO_DO}"
        raise ConfigError(msg)
    return paths.pop()
