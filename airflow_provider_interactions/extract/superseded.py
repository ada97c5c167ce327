"""What a task goes on with when another run has published the same window meanwhile."""

from __future__ import annotations

from typing import Any

from airflow_provider_interactions.errors import Unreconciled
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.window import zulu


def newer(lake: Lake, raw: Any, gone: Exception, log: Any) -> Any:
    """The raw window as it is published now; raises ``gone`` when it is the same, Unreconciled as `refuse_other`."""
    from airflow_provider_interactions.lake.manifest import Manifest

    found = lake.read(raw.place.raw_manifest, Manifest)
    if found is None or found.paths == raw.paths:
        raise gone
    refuse_other(raw, found)
    log.warning(
        "%s, window %s was extracted by another run at %s meanwhile; that is what this run goes on with",
        *(raw.vendor, raw.window, zulu(found.extracted_at)),
    )
    return found


def refuse_other(mine: Any, found: Any) -> None:
    """Raise Unreconciled when the window was replaced by an extraction that asked for something else."""
    from airflow_provider_interactions.extract.commit import APART, asked_differently

    if asked_differently(mine, found):
        msg = (
            f"Window {mine.window} was replaced at {zulu(found.extracted_at)} by an extraction with other options or "
            f"from another source of contacts, so what this run has extracted is gone. {APART}"
        )
        raise Unreconciled(msg)
