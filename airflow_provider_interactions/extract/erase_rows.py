"""Remove the rows of some people from manifests.

A new manifest replaces the former one if nobody else has replaced it meanwhile. ``commit_window`` counts the rows of an
extraction that is under way once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from msgspec.structs import replace

from airflow_provider_interactions.errors import Unreconciled, WindowSuperseded
from airflow_provider_interactions.extract.erased_counts import GROUPS, choose_digest, count_rest
from airflow_provider_interactions.extract.people import SuppressedPeople
from airflow_provider_interactions.extract.rewriter import Rewriter
from airflow_provider_interactions.lake.manifest import File, Manifest
from airflow_provider_interactions.lake.reader import describe_superseded
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.suppression import Suppression, read_suppression
from airflow_provider_interactions.lake.swap import replace_if_unchanged


def erase_from_manifest(
    manifest: Manifest, rewriter: Rewriter, raw: Manifest | None = None, *, normalized: bool = False
) -> Manifest:
    """The manifest without the rows of these people, and with the counts of what is left. Publishes nothing.

    ``raw`` is the raw manifest of a ``normalized`` one. Returns the same manifest if no row is theirs. Raises
    FileNotFoundError if one of its own layer's files is gone.
    """
    groups = {name: _replace_files(rewriter, getattr(manifest, name), normalized=normalized) for name in GROUPS}
    if all(groups[name] == getattr(manifest, name) for name in GROUPS):
        return manifest
    counts = count_rest(rewriter.lake, manifest, groups, raw, normalized=normalized)
    digest = choose_digest(rewriter, manifest, groups["files"], raw, normalized=normalized)
    # The digest of the map's rows was theirs, too. Without it, the window is normalized again under the next map.
    return replace(manifest, **groups, counts=counts, digest=digest, identities="")


def _replace_files(rewriter: Rewriter, files: Sequence[File], *, normalized: bool) -> tuple[File, ...]:
    """The files without the people's rows.

    Between a new extraction's commit and its normalization, a ``normalized`` manifest still names files of the raw
    window that was replaced. They are gone, and stay as they are named.
    """
    found = list[File | None]()
    for file in files:
        try:
            found.append(rewriter.replace(file))
        except FileNotFoundError:
            if not (normalized and file.path.startswith("raw/")):
                raise
            found.append(file)
    return tuple(file for file in found if file is not None)


def erase_published(lake: Lake, path: str, rewriter: Rewriter, raw: Manifest | None = None) -> Change:
    """Remove the people's rows from a published manifest, also if another task replaces it meanwhile.

    The files of the former version stay: the caller removes them once no manifest refers to them. Raises Unreconciled
    if a file of the current manifest is missing.
    """
    normalized = path.startswith("manifests/")
    while True:
        try:
            data = lake.read_bytes(path)
        except FileNotFoundError:
            return Change(None, None)
        manifest = msgspec.json.decode(data, type=Manifest)
        try:
            found = erase_from_manifest(manifest, rewriter, raw, normalized=normalized)
        except FileNotFoundError:
            if _read_or_nothing(lake, path) == data:
                msg = f"A file of window {manifest.window} is missing, but its manifest refers to it. Run it again."
                raise Unreconciled(msg) from None
            continue
        if found == manifest or replace_if_unchanged(lake, path, msgspec.json.encode(found), data):
            return Change(manifest, found)


def _read_or_nothing(lake: Lake, path: str) -> bytes:
    try:
        return lake.read_bytes(path)
    except FileNotFoundError:
        return b""


@dataclass(frozen=True, slots=True)
class Change:
    """A published manifest before and after an erasure. Both are None if there is none."""

    before: Manifest | None
    after: Manifest | None

    @property
    def former_files(self) -> frozenset[str]:
        """The files that only the former version had."""
        return self.before.paths - self.after.paths if self.before and self.after else frozenset()


def leave_out_suppressed(lake: Lake, manifest: Manifest, suppression: Suppression, now: datetime) -> Manifest:
    """A manifest that is not published yet, without the people on the suppression list.

    Raises WindowSuperseded if one of its files is gone.
    """
    if not suppression:
        return manifest
    try:
        return erase_from_manifest(manifest, Rewriter(lake, manifest.vendor, SuppressedPeople(suppression, lake), now))
    except FileNotFoundError as gone:
        raise WindowSuperseded(describe_superseded(manifest)) from gone


def leave_out_later(lake: Lake, manifest: Manifest, known: Suppression, now: datetime) -> Manifest:
    """A raw window that was just published, without people who were put on the list after ``known`` was read.

    Their erasure may have looked at the window before it was published.
    """
    suppression = read_suppression(lake, manifest.vendor)
    if suppression.entries == known.entries:
        return manifest
    rewriter = Rewriter(lake, manifest.vendor, SuppressedPeople(suppression, lake), now)
    change = erase_published(lake, manifest.place.raw_manifest, rewriter)
    lake.remove(sorted(change.former_files))
    return change.after or manifest
