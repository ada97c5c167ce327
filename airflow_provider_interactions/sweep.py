"""What dead runs left behind in a window's folders: files that nothing refers to and that are too old to be under way.

The names tell when they were made. A run that was killed may leave data files, or files that never got their name.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from airflow_provider_interactions.journal import landed
from airflow_provider_interactions.lake import Lake, Place, stamped
from airflow_provider_interactions.manifest import Manifest, referred

#: No run is under way for longer without a journal that refers to its files.
AGE = timedelta(days=1)


def sweep(lake: Lake, place: Place, now: datetime) -> None:
    """Remove what is left of a window's dead runs, from every folder in which the window has files."""
    old = [path for folder, prefix in _folders(place) for path in old_files(lake, folder, now, prefix)]
    if old:
        # Journals before manifests: a journal goes after its files were published.
        keep = landed(lake, place) | referred(lake, place.folder("raw"))
        manifest = lake.read(place.manifest, Manifest)
        lake.remove(path for path in old if path not in keep and not (manifest and path in manifest.paths))


def old_files(lake: Lake, folder: str, now: datetime, prefix: str = "") -> list[str]:
    """The data files of a folder that begin with ``prefix`` and were made too long ago; no manifests."""
    names = [name for name in lake.names(folder) if name.startswith(prefix) and not name.endswith(".json")]
    return [f"{folder}/{name}" for name in names if (at := stamped(name)) and now - at >= AGE]


def _folders(place: Place) -> Iterator[tuple[str, str]]:
    yield place.folder("raw"), ""
    yield place.folder("rejects"), ""
    folder, _, name = place.manifest.rpartition("/")
    yield folder, f"{name}-"
    for day in place.window.days():
        yield place.dated(f"{day}"), f"{place.window.slug}-"
