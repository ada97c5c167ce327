"""The two storage accounts as trees of folders and files: OneLake's and the managed lake's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from airflow_provider_interactions.sandbox.dynamics_journeys.options import Options
from airflow_provider_interactions.sandbox.dynamics_journeys.store import MANIFEST, Store

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class Folder(NamedTuple):
    """A folder; its children are made when they are asked for."""

    list_children: Callable[[], Mapping[str, Folder | Path]]


class Entry(NamedTuple):
    """What a listing shows: the name from the container on, and the file, None for a folder."""

    name: str
    file: Path | None


def open_disk(path: Path) -> Folder:
    """A folder of the disk."""

    def list_children() -> Mapping[str, Folder | Path]:
        return {child.name: open_disk(child) if child.is_dir() else child for child in path.iterdir()}

    return Folder(list_children)


def find(root: Folder, parts: Sequence[str]) -> Folder | Path | None:
    """The folder or file at a path."""
    node: Folder | Path | None = root
    for part in parts:
        node = node.list_children().get(part) if isinstance(node, Folder) else None
    return node


def list_entries(root: Folder, folder: str, *, recursive: bool) -> Iterator[Entry]:
    """The entries below a folder (``a/b`` or ""), by name; a recursive listing shows folders, too."""
    found = _walk(root, [part for part in folder.split("/") if part], recursive=recursive)
    return iter(sorted(found))


def _walk(root: Folder, parts: list[str], *, recursive: bool) -> Iterator[Entry]:
    node = find(root, parts)
    if not isinstance(node, Folder):
        return
    for name, child in node.list_children().items():
        path = "/".join([*parts, name])
        yield Entry(path, None if isinstance(child, Folder) else child)
        if recursive and isinstance(child, Folder):
            yield from _walk(root, [*parts, name], recursive=True)


def open_managed_lake(store: Store, options: Options) -> Folder:
    """The container of the managed lake."""

    def open_table(table: str) -> Folder:
        def list_children() -> Mapping[str, Folder | Path]:
            path = store.open_delta(table) if options.format == "delta" else store.open_flat(table)
            inner = open_disk(path)
            return {"deltalake": inner} if options.location == "deltalake" else inner.list_children()

        return Folder(list_children)

    def list_tables() -> Mapping[str, Folder | Path]:
        tables = {store.get_folder_name(table): open_table(table) for table in store.list_tables()}
        return {MANIFEST: store.write_manifest(), **tables}

    return Folder(lambda: {store.folder_id: Folder(list_tables)})


def open_workspace(store: Store, options: Options, *, by_id: bool) -> Folder:
    """The container of a workspace, whose lakehouse goes by its id or by its name."""

    def list_tables() -> Mapping[str, Folder | Path]:
        names = store.list_tables() if options.shortcut else []
        return {store.get_folder_name(name): _open_late(store, name) for name in names}

    def list_lakehouse() -> Mapping[str, Folder | Path]:
        tables = Folder(list_tables)
        return {"Files": Folder(dict), "Tables": Folder(lambda: {"dbo": tables}) if options.schemas else tables}

    name = options.lakehouse_id if by_id else f"{options.lakehouse}.Lakehouse"
    return Folder(lambda: {name: Folder(list_lakehouse)})


def _open_late(store: Store, table: str) -> Folder:
    return Folder(lambda: open_disk(store.open_delta(table)).list_children())


def is_guid(text: str) -> bool:
    """Whether a text is a GUID with dashes."""
    return _GUID.fullmatch(text) is not None
