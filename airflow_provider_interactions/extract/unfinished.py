"""All checkpoints of a window or an account: list them, and remove those that nobody goes on with."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from airflow_provider_interactions.extract.checkpoint import AGE, Checkpoint, read_state, remove_folder
from airflow_provider_interactions.lake.manifest import Manifest, list_referenced
from airflow_provider_interactions.lake.paths import WindowPaths, read_timestamp, read_window
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.window import Window


def clear_checkpoints(lake: Lake, manifest: Manifest) -> None:
    """Remove the checkpoints of extractions that a published window consists of."""
    for folder, state in _read_checkpoints(lake, manifest.place.folder("unfinished")):
        if state is not None and state.paths and manifest.paths.issuperset(state.paths):  # without files: under way
            remove_folder(lake, folder)


def expire_checkpoints(lake: Lake, place: WindowPaths, now: datetime, age: timedelta = AGE) -> None:
    """Remove what extractions of the account left long ago, with the data files that nothing published refers to."""
    windows = [f"{place.checkpoints}/{name}" for name in lake.list_names(place.checkpoints)]
    for folder, state in (found for window in windows for found in _read_checkpoints(lake, window)):
        if state is None and (not lake.list_names(folder) or now - _find_last_timestamp(lake.list_names(folder)) < age):
            continue  # just begun, too
        if state is not None and not state.is_old(now, age):
            continue
        # Rejects stay to be looked at, as long as others do.
        paths = [file.path for file in (*state.parts, *state.others)] if state else []
        published = frozenset[str]().union(
            *(list_referenced(lake, home) for home in {posixpath.dirname(path) for path in paths})
        )
        lake.remove(path for path in paths if path not in published)
        remove_folder(lake, folder)


def list_landed_files(lake: Lake, place: WindowPaths) -> frozenset[str]:
    """The data files that checkpoints of a window refer to."""
    found = _read_checkpoints(lake, place.folder("unfinished"))
    return frozenset(path for _, state in found if state for path in state.paths)


def list_open_instants(lake: Lake, place: WindowPaths) -> frozenset[datetime]:
    """The instants of a window's extractions that have a checkpoint."""
    found = _read_checkpoints(lake, place.folder("unfinished"))
    return frozenset(state.extracted_at for _, state in found if state)


def list_unfinished(lake: Lake, paths: Iterable[str]) -> Iterator[tuple[str, Window, datetime]]:
    """The checkpoints that some files belong to: the folder, its window, and when it last saved its progress."""
    folders: dict[str, list[str]] = {}
    for path in paths:
        folders.setdefault(posixpath.dirname(path), []).append(path)
    for folder, files in folders.items():
        window = read_window(posixpath.basename(posixpath.dirname(folder)))
        if window:
            state = read_state(lake, folder) if f"{folder}/state.json" in files else None
            yield folder, window, (state.saved_at or state.extracted_at) if state else _find_last_timestamp(files)


def _read_checkpoints(lake: Lake, window: str) -> Iterator[tuple[str, Checkpoint | None]]:
    """Every checkpoint in a window's folder, with its state where that can be read."""
    for folder in (f"{window}/{name}" for name in lake.list_names(window)):
        yield folder, read_state(lake, folder)


def _find_last_timestamp(names: Iterable[str]) -> datetime:
    return max(filter(None, map(read_timestamp, names)), default=datetime.min.replace(tzinfo=UTC))
