"""What extraction has handed over by XCom: the manifests of a window's batches, and how errors name them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_interactions.errors import ConfigError

if TYPE_CHECKING:
    from airflow_provider_interactions.lake.manifest import Manifest
    from airflow_provider_interactions.lake.storage import Lake


def unpack_batches(manifests: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> list[Manifest]:
    """One manifest, or those of all mapped tasks."""
    from airflow_provider_interactions.lake import manifest

    # A slice asks Airflow once for all; iterating asks once for each, and logs an error at the end of the list.
    parts = [manifests] if isinstance(manifests, Mapping) else manifests[:]
    return [manifest.unpack(part) for part in parts]


def describe_window(batches: Sequence[Manifest]) -> Sequence[str]:
    """Vendor and window, for messages."""
    return (f"vendor {batches[0].vendor}", f"window {batches[0].window}") if batches else ()


WHAT_TO_DO = (
    "Schedule the DAG on an asset of this package, best with PartitionedAssetTimetable, so that every window gets a "
    'run of its own; or give the operator the manifest, or the run the parameter {"manifest": "raw/…/manifest.json"}.'
)


def triggering_manifest(context: Mapping[str, Any], lake: Lake) -> Manifest:
    """The manifest of the window that triggered the run, as the lake has it now.

    Found by the triggering event, else by the run's parameter ``manifest``, a path in the lake. Raises ConfigError that
    says what to do when there is none, more than one, or nothing in the lake.
    """
    from airflow_provider_interactions.lake.manifest import Manifest

    path = _require_one(_list_triggers(context) or _read_param(context))
    found = lake.read(path, Manifest)
    if found is None:
        msg = f"There is no manifest {path} in the lake. Is it the same lake? Else run the step before this one again."
        raise ConfigError(msg)
    return found


def _list_triggers(context: Mapping[str, Any]) -> set[str]:
    events = context.get("triggering_asset_events") or {}
    found = (event.extra.get("manifest") for events_of_one in events.values() for event in events_of_one)
    return {path for path in found if isinstance(path, str)}


def _read_param(context: Mapping[str, Any]) -> set[str]:
    path = (context.get("params") or {}).get("manifest")
    return {path} if path else set()


def _require_one(paths: set[str]) -> str:
    if not paths:
        msg = f"No manifest is given, and this run was triggered by no event that names one. {WHAT_TO_DO}"
        raise ConfigError(msg)
    if len(paths) > 1:
        msg = f"This run was triggered by {len(paths)} windows at once. {WHAT_TO_DO}"
        raise ConfigError(msg)
    return paths.pop()
