"""Read manifests from XCom or from the triggering event, and describe their window for error messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_interactions.errors import ConfigError

if TYPE_CHECKING:
    from airflow_provider_interactions.lake.manifest import Manifest
    from airflow_provider_interactions.lake.storage import Lake


def unpack_batches(manifests: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> list[Manifest]:
    """The batches' manifests, from one manifest or from those of all mapped tasks."""
    from airflow_provider_interactions.lake import manifest

    # A slice fetches all from Airflow in one call. Iterating makes one call for each, and logs an error at the end.
    parts = [manifests] if isinstance(manifests, Mapping) else manifests[:]
    return [manifest.unpack(part) for part in parts]


def describe_window(batches: Sequence[Manifest]) -> Sequence[str]:
    """Vendor and window of the batches, for messages."""
    return (f"vendor {batches[0].vendor}", f"window {batches[0].window}") if batches else ()


WHAT_TO_DO = (
    "Schedule the DAG on an asset of this package, preferably with PartitionedAssetTimetable: then each window has "
    'its own run. Or pass the manifest to the operator, or give the run the param {"manifest": "raw/…/manifest.json"}.'
)


def find_triggering_manifest(context: Mapping[str, Any], lake: Lake) -> Manifest:
    """The manifest of the window that triggered the run, as it is in the lake now.

    Its path comes from the triggering event, else from the run's param ``manifest``, a path in the lake. Raises
    ConfigError without a path, with more than one path, or without a file at that path.
    """
    from airflow_provider_interactions.lake.manifest import Manifest

    path = _require_one(_list_triggers(context) or _read_param(context))
    manifest = lake.read(path, Manifest)
    if manifest is None:
        msg = (
            f"There is no manifest {path} in the lake. Check that both DAGs use the same lake. If they do, run the "
            "previous step again."
        )
        raise ConfigError(msg)
    return manifest


def _list_triggers(context: Mapping[str, Any]) -> set[str]:
    events = context.get("triggering_asset_events") or {}
    paths = (event.extra.get("manifest") for asset_events in events.values() for event in asset_events)
    return {path for path in paths if isinstance(path, str)}


def _read_param(context: Mapping[str, Any]) -> set[str]:
    path = (context.get("params") or {}).get("manifest")
    return {path} if path else set()


def _require_one(paths: set[str]) -> str:
    if not paths:
        msg = f"No manifest is given, and no event with a manifest triggered this run. {WHAT_TO_DO}"
        raise ConfigError(msg)
    if len(paths) > 1:
        msg = f"{len(paths)} windows triggered this run at once, but a run processes one window. {WHAT_TO_DO}"
        raise ConfigError(msg)
    return paths.pop()
