"""Publish a normalized window: join its parts, check the counts, replace its manifest, remove what it replaces."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from airflow_provider_interactions.errors import ConfigError, TooManyRejects, Unreconciled, WindowSuperseded
from airflow_provider_interactions.extract.cleanup import AGE, list_expired_versions
from airflow_provider_interactions.extract.commit import clear_pending
from airflow_provider_interactions.lake.manifest import Counts, Manifest, join_identities, list_referenced
from airflow_provider_interactions.lake.names import join_names
from airflow_provider_interactions.lake.reader import describe_superseded, read_rows
from airflow_provider_interactions.lake.reconcile import reconcile_normalized
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.swap import hold_folder
from airflow_provider_interactions.rejects import SHARE, are_too_many, explain_way_on, list_reasons
from airflow_provider_interactions.schema import CANONICAL, find_version

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Publication:
    """How a window is published. ``now`` (aware) is the instant of the version. Raises ConfigError.

    ``rejects_share`` is the share of records that may be unreadable. ``keep_former`` is how long former canonical files
    stay, a day at most.
    """

    rejects_share: float = SHARE
    keep_former: timedelta = timedelta(0)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        if self.keep_former > AGE:
            msg = (
                f"keep_former is {self.keep_former}, but former files are kept for {AGE} at most. Give a shorter time."
            )
            raise ConfigError(msg)


def publish(lake: Lake, raw: Manifest, parts: Sequence[Manifest], chosen: Publication) -> Manifest:
    """Make a window of its parts. The new manifest replaces the former one; then the former files are removed.

    Raises TooManyRejects, Unreconciled if a part is missing or counts do not add up, and WindowSuperseded if another
    extraction of the window was published meanwhile: all of them before anything is published. The last one also after
    that, if the raw window was replaced in the same moment: normalize it again.
    """
    manifest = _join_parts(raw, parts)
    _refuse_superseded(lake, raw)
    _refuse_too_many(lake, raw, manifest, chosen.rejects_share)
    _warn_of_ambiguous(manifest)
    reconcile_normalized(raw, manifest)
    _refuse_superseded(lake, raw)
    former = lake.read(manifest.place.manifest, Manifest)
    with hold_folder(lake, manifest.place.manifest):  # an erasure compares before it writes
        lake.publish(manifest.place.manifest, manifest)
    _refuse_superseded(lake, raw)  # an erasure may have come between: then the window is normalized again
    clear_pending(lake, raw)
    if former is not None:
        kept = manifest.paths | raw.paths | list_referenced(lake, manifest.place.folder("raw"))
        lake.remove(sorted(_find_old(lake, former, chosen).union(former.leaving) - kept))
    return manifest


def _join_parts(raw: Manifest, parts: Sequence[Manifest]) -> Manifest:
    numbers = sorted(part.batch for part in parts)
    if len(parts) > 1 and numbers != list(range(parts[0].batches)):
        msg = (
            f"Window {raw.window} has {parts[0].batches} parts, but parts {numbers} were normalized. Clear these tasks."
        )
        raise Unreconciled(msg)
    policies = {part.policy for part in parts}
    if len(policies) > 1 or len({bool(part.identities) for part in parts}) > 1:
        msg = (
            f"The parts of window {raw.window} were normalized under different policies, or some of them without a "
            "map of identities. Clear these tasks."
        )
        raise Unreconciled(msg)
    counts = sum((part.counts for part in parts), Counts())
    gone = -counts.erased  # rows whose keys were destroyed: all other counts are without them
    return replace(
        raw,
        files=tuple(sorted((file for part in parts for file in part.files), key=lambda file: file.path)),
        rejects=tuple(file for part in parts for file in part.rejects),
        counts=raw.counts + replace(counts, received=gone, fetched=gone, landed=gone),
        types=join_names(part.types for part in parts),
        fields=join_names(part.fields for part in parts),
        schema_version=find_version(CANONICAL),
        policy=policies.pop() if policies else "",
        identities=join_identities(part.identities for part in parts),
        ambiguous=sum(part.ambiguous for part in parts),
    )


def _warn_of_ambiguous(manifest: Manifest) -> None:
    if manifest.ambiguous:
        log.warning(
            "%s, window %s: the map of identities gives %d contacts to more than one person, so their person_id is "
            "null. Correct the map, and normalize the window again",
            *(manifest.vendor, manifest.window, manifest.ambiguous),
        )


def _refuse_superseded(lake: Lake, raw: Manifest) -> None:
    """Raise WindowSuperseded unless this raw window is published: a slow run must not replace a newer one."""
    current = lake.read(raw.place.raw_manifest, Manifest)
    if current is None or current.paths != raw.paths:
        raise WindowSuperseded(describe_superseded(raw))


def _refuse_too_many(lake: Lake, raw: Manifest, manifest: Manifest, share: float) -> None:
    counts, rejects = manifest.counts, manifest.rejects
    if not counts.rejected:
        return
    reasons = Counter(reason for rows in read_rows(lake, rejects) for reason in rows.column("reason").to_pylist())
    summary = (
        f"{counts.rejected} of {counts.landed} records of {raw.vendor} in window {raw.window} cannot be "
        f"read: {list_reasons(reasons)}. {_say_where(manifest)}"
    )
    none_left = not counts.canonical
    if are_too_many(counts.rejected, counts.landed, share, none_left=none_left):
        reason = f"{summary}; {explain_way_on(none_left=none_left)}."
        raise TooManyRejects(reason)
    log.warning("%s.", summary)


def _say_where(manifest: Manifest) -> str:
    if manifest.policy:
        return f"They are in {manifest.rejects[0].path}; by the policy, their bytes are in raw/ only"
    return f"Their bytes are in {manifest.rejects[0].path}"


def _find_old(lake: Lake, former: Manifest, chosen: Publication) -> frozenset[str]:
    """The former version's files. With ``keep_former``, canonical files only once it has passed, of any version."""
    if not chosen.keep_former:
        return former.paths
    canonical = frozenset(file.path for file in former.files)
    expired = list_expired_versions(lake, former.place, chosen.now, chosen.keep_former, chosen.now)
    return (former.paths - canonical).union(expired)
