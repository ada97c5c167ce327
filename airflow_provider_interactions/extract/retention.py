"""Retention: how long each layer of the lake is kept. The account's next run removes what is older.

Age counts from the extraction; that of canonical files and rejects from the normalization, if that came later. A
manifest is replaced first, if nobody else has replaced it meanwhile: it keeps its counts, so the window stays complete,
and names the files that are to be removed (``leaving``). Then they are removed, and the list is emptied. After a crash,
the next run goes on with the list. Windows that are not normalized yet, and files of unfinished extractions, stay.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.extract.unfinished import list_landed_files
from airflow_provider_interactions.lake.manifest import File, Manifest
from airflow_provider_interactions.lake.paths import AccountPaths, WindowPaths, read_timestamp, read_window
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.swap import replace_if_unchanged
from airflow_provider_interactions.window import ALWAYS, zulu

log = logging.getLogger(__name__)

#: The account in the paths of answers about several systems.
_EVERY = AccountPaths("all", "all")


class Retention(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Days after which each layer is removed, 1 or more; None keeps it. Raises ConfigError.

    ``requests`` are answers to requests for a person. ``contacts`` are lists of contacts, which nothing keeps longer
    than 30 days. ``canonical`` are files below ``interactions/``; tables keep their rows.
    """

    raw: int | None = None
    canonical: int | None = None
    history: int | None = None
    rejects: int | None = None
    requests: int | None = 30
    contacts: int | None = 30

    def __post_init__(self) -> None:
        wrong = [name for name in self.__struct_fields__ if (days := getattr(self, name)) is not None and days < 1]
        if wrong:
            msg = f"retention of {', '.join(wrong)} is less than a day. Give days, 1 or more, or None to keep it."
            raise ConfigError(msg)


def read_retention(given: Mapping[str, int | None] | None) -> Retention:
    """A retention as people write it: days by layer. Raises ConfigError that names what is wrong."""
    try:
        return msgspec.convert(dict(given or {}), Retention)
    except msgspec.ValidationError as wrong:
        msg = f"retention cannot be used: {wrong}. Its layers are: {', '.join(Retention.__struct_fields__)}."
        raise ConfigError(msg) from None


def sweep(lake: Lake, account: AccountPaths, retention: Retention, now: datetime) -> dict[str, int]:
    """Remove what an account has kept for long enough; the number of removed files by layer. ``now`` is aware.

    Raises as the lake does. Can be interrupted at any instant: another call goes on.
    """
    gone = Counter[str]()
    _sweep_windows(lake, account, retention, now, gone)
    _sweep_histories(lake, account, retention.history, now, gone)
    for layer, one in (("contacts", account), ("requests", account), ("requests", _EVERY)):
        _sweep_old_names(lake, one.folder(layer), getattr(retention, layer), now, gone, layer)
    if gone:
        log.info("Retention removed files: %s", ", ".join(f"{n} from {name}" for name, n in gone.items()))
    return dict(gone)


def refuse_swept(manifest: Manifest, layer: str) -> None:
    """Raise ConfigError if a layer of a window was removed by retention."""
    if layer not in manifest.swept:
        return
    what, way = (
        ("raw records", "it cannot be normalized again. Its rows stay in interactions/ and in tables")
        if layer == "raw"
        else ("canonical files", "it cannot be loaded. Tables keep its rows. If raw/ has it, normalize it again")
    )
    msg = (
        f"The {what} of window {manifest.window} (extracted at {zulu(manifest.extracted_at)}) were removed by "
        f"retention, so {way}. Else extract it again, if the vendor still has it."
    )
    raise ConfigError(msg)


def _is_due(days: int | None, since: datetime, now: datetime) -> bool:
    return days is not None and now - since >= timedelta(days=days)


def _sweep_windows(lake: Lake, account: AccountPaths, retention: Retention, now: datetime, gone: Counter[str]) -> None:
    """Each normalized window: its own manifest first, because that refers to raw files, too."""
    folder = account.folder("manifests")
    windows = [window for name in lake.list_names(folder) if name.endswith(".json") and (window := read_window(name))]
    places = [WindowPaths(account.vendor, account.account, window) for window in windows]
    found = dict(lake.read_files([path for place in places for path in (place.manifest, place.raw_manifest)]))
    pending = {mark.rpartition("-")[0] for mark in lake.list_names(account.folder("pending"))}
    for place in places:
        if f"window={place.window.slug}" in pending or place.manifest not in found:
            continue
        data, raw_data = found[place.manifest], found.get(place.raw_manifest)
        done = msgspec.json.decode(data, type=Manifest)
        raw = msgspec.json.decode(raw_data, type=Manifest) if raw_data else None
        # The same extraction: a newer one is not normalized yet.
        has_raw = raw is not None and raw.extracted_at == done.extracted_at
        changed = _plan(done, retention, now, is_raw_due=has_raw and _is_due(retention.raw, done.extracted_at, now))
        is_current = _remove(lake, place.manifest, data, done, changed, gone)
        if raw and raw_data and has_raw and is_current and "raw" in changed.swept and (raw.paths or raw.leaving):
            leaving = {*raw.leaving, *raw.paths} - list_landed_files(lake, place)
            swept = replace(raw, files=(), outcomes=(), undated=(), swept=("raw",), leaving=tuple(sorted(leaving)))
            _remove(lake, place.raw_manifest, raw_data, raw, swept, gone)


def _plan(done: Manifest, retention: Retention, now: datetime, *, is_raw_due: bool) -> Manifest:
    """The manifest of a window without the files that are due; the same one if none is."""
    swept, leaving, changes = set(done.swept), set(done.leaving), dict[str, tuple[File, ...]]()
    if is_raw_due:
        swept.add("raw")
        changes |= {"outcomes": (), "undated": ()}
    for layer, group in (("canonical", "files"), ("rejects", "rejects")):
        if _is_due(getattr(retention, layer), _find_instant(done), now):
            swept.add(layer)
            leaving |= {file.path for file in getattr(done, group)}
            changes[group] = ()
    return replace(done, **changes, swept=tuple(sorted(swept)), leaving=tuple(sorted(leaving)))


def _find_instant(done: Manifest) -> datetime:
    """When a window was extracted or, later, normalized: that instant is in the names of its files."""
    names = (read_timestamp(file.path) for file in (*done.files, *done.rejects))
    return max([done.extracted_at, *filter(None, names)])


def _remove(lake: Lake, path: str, data: bytes, former: Manifest, changed: Manifest, gone: Counter[str]) -> bool:
    """Replace a manifest and remove what it leaves; whether it is still the current one."""
    if changed != former:
        new = msgspec.json.encode(changed)
        if not replace_if_unchanged(lake, path, new, data):
            return False
        data = new
    if changed.leaving:
        lake.remove(changed.leaving)
        gone.update(name.partition("/")[0] for name in changed.leaving)
        return replace_if_unchanged(lake, path, msgspec.json.encode(replace(changed, leaving=())), data)
    return True


def _sweep_histories(lake: Lake, account: AccountPaths, days: int | None, now: datetime, gone: Counter[str]) -> None:
    folder = account.folder("history")
    names = [f"{folder}/{name}" for name in lake.list_names(folder)] if days is not None else []
    old = [name for name in names if (at := read_timestamp(name)) and _is_due(days, at, now)]
    if not old:
        return
    keep = list_landed_files(lake, WindowPaths(account.vendor, account.account, ALWAYS))
    # Manifests first: a file that none refers to any more is removed by the next sweep, too.
    _remove_all(lake, [path for path in old if path.endswith(".json")], gone, "history")
    _remove_all(lake, [path for path in old if not path.endswith(".json") and path not in keep], gone, "history")


def _sweep_old_names(lake: Lake, folder: str, days: int | None, now: datetime, gone: Counter[str], layer: str) -> None:
    paths = lake.list_files(folder) if days is not None else []
    _remove_all(lake, [path for path, at in _read_ages(paths) if _is_due(days, at, now)], gone, layer)


def _read_ages(paths: Iterable[str]) -> Iterator[tuple[str, datetime]]:
    for path in paths:
        name = path.rpartition("/")[2]
        at = read_timestamp(f"-{name}")  # the name of an answer begins with its instant
        if at is not None:
            yield path, at


def _remove_all(lake: Lake, paths: list[str], gone: Counter[str], layer: str) -> None:
    lake.remove(paths)
    if paths:
        gone[layer] += len(paths)
