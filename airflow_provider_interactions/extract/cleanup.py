"""Remove what dead runs left behind: files that nothing refers to, and too old to be in use. Names contain their age.

A run that was killed may leave data files in its window's folders, or files that never got their name. Every run leaves
its list of contacts, and one that had too many rejects leaves these, to be looked at.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from airflow_provider_interactions.extract.unfinished import list_landed_files, list_open_instants
from airflow_provider_interactions.lake.manifest import Manifest, list_instants, list_referenced
from airflow_provider_interactions.lake.paths import UNDATED, WindowPaths, read_timestamp
from airflow_provider_interactions.lake.storage import Lake

#: No run is under way for longer without a checkpoint that refers to its files.
AGE = timedelta(days=1)

#: Lists of contacts, and rejects that no manifest refers to, are kept for so long: a run may be cleared and go on with
#: its list, and people may want to look at what could not be read.
KEPT = timedelta(days=30)


def remove_orphan_files(lake: Lake, place: WindowPaths, now: datetime) -> None:
    """Remove what is left of a window's dead runs, and what its account has kept for long enough."""
    _remove_expired(lake, place, now)
    for layer in ("raw", "interactions", "history"):
        lake.abort_uploads(place.of_account(layer), now - AGE)
    old = [path for folder, prefix in _list_folders(place) for path in list_expired_files(lake, folder, now, prefix)]
    old = leave_out_busy(lake, place, old, place.folder("raw"))
    manifest = lake.read(place.manifest, Manifest)
    old += list_expired_versions(lake, place, now, AGE, manifest.extracted_at if manifest else now)
    if old:
        # Checkpoints before manifests: a checkpoint goes after its files were published.
        keep = list_landed_files(lake, place) | list_referenced(lake, place.folder("raw"))
        manifest = lake.read(place.manifest, Manifest)
        lake.remove(path for path in old if path not in keep and not (manifest and path in manifest.paths))


def leave_out_busy(lake: Lake, place: WindowPaths, paths: Sequence[str], folder: str) -> list[str]:
    """The files without those of extractions of which a try may still be at work.

    The instant in a name is that of the extraction. A try that goes on with an old extraction writes files that look
    old at once, and nothing refers to them for a while. So files stay that have the instant of an open extraction of
    the window, or of a manifest in ``folder``: two tries of one run may be at work at the same time.
    """
    if not paths:
        return []
    busy = list_open_instants(lake, place) | list_instants(lake, folder)
    return [path for path in paths if read_timestamp(path) not in busy]


def remove_half_written(lake: Lake, folders: Iterable[str], now: datetime) -> None:
    """Remove files that have no name yet because a process died while it wrote them, a day ago or longer."""
    paths = (path for folder in folders for path in lake.list_files(folder) if path.endswith(".tmp"))
    lake.remove([path for path in paths if (at := read_timestamp(path)) and now - at >= AGE])


def _remove_expired(lake: Lake, place: WindowPaths, now: datetime) -> None:
    """Old lists of contacts, and old rejects that their windows' manifests do not refer to, of all windows."""
    lake.remove(_find_older(lake, place.of_account("contacts"), now))
    for folder, paths in groupby(sorted(_find_older(lake, place.of_account("rejects"), now)), posixpath.dirname):
        window = posixpath.basename(folder)
        manifest = lake.read(f"{place.of_account('manifests')}/{window}.json", Manifest)
        keep = list_referenced(lake, f"{place.of_account('raw')}/{window}") | (
            manifest.paths if manifest else frozenset()
        )
        lake.remove(path for path in paths if path not in keep)


def _find_older(lake: Lake, folder: str, now: datetime) -> list[str]:
    return [path for path in lake.list_files(folder) if (at := read_timestamp(path)) and now - at >= KEPT]


def list_expired_files(lake: Lake, folder: str, now: datetime, prefix: str = "") -> list[str]:
    """The data files of a folder that begin with ``prefix`` and were made too long ago; no manifests."""
    names = [name for name in lake.list_names(folder) if name.startswith(prefix) and not name.endswith(".json")]
    return [f"{folder}/{name}" for name in names if (at := read_timestamp(name)) and now - at >= _find_age(name)]


def _find_age(name: str) -> timedelta:
    return KEPT if f"-{UNDATED}-" in name else AGE


def list_expired_versions(
    lake: Lake, place: WindowPaths, now: datetime, age: timedelta, current: datetime
) -> list[str]:
    """Canonical files of a window whose successor was made ``age`` or longer ago: no reader needs them any more.

    The instants in the names give the order of the versions. ``current`` is an instant of the published version, which
    has no files if the window is empty. The last version counts from its own instant. The manifest's files may be
    among the result.
    """
    versions: dict[datetime, list[str]] = {current: []}
    for day in place.window.list_days():
        folder = place.day_folder(f"{day}")
        for name in lake.list_names(folder):
            if name.startswith(f"{place.window.slug}-") and (at := read_timestamp(name)):
                versions.setdefault(at, []).append(f"{folder}/{name}")
    instants = sorted(versions)
    followers = zip(instants, [*instants[1:], instants[-1]], strict=True)
    return [path for at, later in followers if now - later >= age for path in versions[at]]


def _list_folders(place: WindowPaths) -> Iterator[tuple[str, str]]:
    yield place.folder("raw"), ""
    yield place.folder("rejects"), ""
    folder, _, name = place.manifest.rpartition("/")
    yield folder, f"{name}-"
