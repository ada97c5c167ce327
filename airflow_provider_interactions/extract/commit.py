"""Commit a window: check its counts, replace its manifest, remove the files it replaces."""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from airflow_provider_interactions.errors import Unreconciled, WindowSuperseded
from airflow_provider_interactions.extract.cleanup import remove_orphan_files
from airflow_provider_interactions.extract.erase_rows import leave_out_later, leave_out_suppressed
from airflow_provider_interactions.extract.unfinished import clear_checkpoints
from airflow_provider_interactions.lake.manifest import Manifest, join_batches, list_referenced
from airflow_provider_interactions.lake.paths import name_pending, read_timestamp
from airflow_provider_interactions.lake.reader import describe_superseded
from airflow_provider_interactions.lake.reconcile import reconcile
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.suppression import read_suppression
from airflow_provider_interactions.lake.swap import hold_folder
from airflow_provider_interactions.window import zulu

#: What keeps two pipelines from replacing each other's windows.
APART = "If that is another pipeline, give its connection an account of its own, by the extra field account."


log = logging.getLogger(__name__)


def commit_window(lake: Lake, manifests: Iterable[Manifest], now: datetime | None = None) -> Manifest:
    """Make a raw window out of its batches: the new manifest replaces the former one, whose files are then removed.

    Raises Unreconciled, and changes nothing, when a batch is missing or counts do not add up, and WindowSuperseded when
    files are gone because another extraction of the same window was published since. What dead runs left of the
    window long before ``now`` (aware) goes too. People on the suppression list are left out, also those who were put on
    it after the extraction began; raises ConfigError if the list has entries but the lake has no key for them.
    """
    landed, now = join_batches(manifests), now or datetime.now(UTC)
    reconcile(landed)
    _refuse_superseded(lake, landed)
    suppression = read_suppression(lake, landed.vendor)
    manifest = leave_out_suppressed(lake, landed, suppression, now)
    reconcile(manifest)
    former = lake.read(manifest.place.raw_manifest, Manifest)
    if former is not None and is_asked_differently(former, manifest):
        log.warning(
            "%s, window %s: the replaced extraction had other options or another source of contacts. %s",
            *(manifest.vendor, manifest.window, APART),
        )
    # The mark comes first: a reader that finds it looks at the raw manifest.
    lake.publish(name_pending(manifest.place, manifest.extracted_at), {"raw": manifest.place.raw_manifest})
    with hold_folder(lake, manifest.place.raw_manifest):  # an erasure compares before it writes
        lake.publish(manifest.place.raw_manifest, manifest)
    lake.remove(sorted(landed.paths - manifest.paths))
    if former is not None:
        if former.extracted_at != manifest.extracted_at:
            lake.remove([name_pending(former.place, former.extracted_at)])
        # Read once more: if another task has published since, its files must stay.
        lake.remove(sorted(former.paths - manifest.paths - list_referenced(lake, manifest.place.folder("raw"))))
    clear_checkpoints(lake, landed)
    remove_orphan_files(lake, manifest.place, now)
    return leave_out_later(lake, manifest, suppression, now)


def clear_pending(lake: Lake, raw: Manifest) -> None:
    """Remove the marks of a raw window that has been normalized, and those of its former versions."""
    folder, prefix = raw.place.of_account("pending"), f"window={raw.window.slug}-"
    marks = [name for name in lake.list_names(folder) if name.startswith(prefix)]
    lake.remove(f"{folder}/{name}" for name in marks if (at := read_timestamp(name)) and at <= raw.extracted_at)


def commit_or_follow(lake: Lake, batches: Sequence[Manifest]) -> Manifest:
    """Commit a window; where another run has committed the same window meanwhile, return that one's raw manifest.

    Raises as ``commit_window`` and ``read_newer`` do.
    """
    try:
        return commit_window(lake, batches)
    except WindowSuperseded as superseded:
        return read_newer(lake, join_batches(batches), superseded)


def read_newer(lake: Lake, raw: Manifest, superseded: WindowSuperseded) -> Manifest:
    """The raw window as another run has committed it; raises ``superseded`` if no other version exists.

    Raises Unreconciled when the other run asked for something else.
    """
    found = lake.read(raw.place.raw_manifest, Manifest)
    if found is None or found.paths == raw.paths:
        raise superseded
    refuse_other(raw, found)
    log.warning(
        "%s, window %s: another run extracted it at %s; this run continues with that version",
        *(raw.vendor, raw.window, zulu(found.extracted_at)),
    )
    return found


def refuse_other(mine: Manifest, found: Manifest) -> None:
    """Raise Unreconciled when the window was replaced by an extraction that asked for something else."""
    if is_asked_differently(mine, found):
        msg = (
            f"Window {mine.window} was replaced at {zulu(found.extracted_at)} by an extraction with other options or "
            f"from another source of contacts, so what this run has extracted is gone. {APART}"
        )
        raise Unreconciled(msg)


def is_asked_differently(one: Manifest, other: Manifest) -> bool:
    """Whether two extractions of a window are known to have asked for different things."""
    return bool(one.asked and other.asked) and one.asked != other.asked


def _refuse_superseded(lake: Lake, manifest: Manifest) -> None:
    # Else an old task that is run again would point the window at nothing and remove the newer extraction's files.
    folders = {posixpath.dirname(path) for path in manifest.paths}
    gone = manifest.paths - {f"{folder}/{name}" for folder in folders for name in lake.list_names(folder)}
    if gone:
        raise WindowSuperseded(describe_superseded(manifest))
