"""What is under way in the lake: raw windows that are not normalized yet, and extractions that have not ended.

Each layer is listed once for all accounts, because on an object store each listing is a request, however little it
finds.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from dataclasses import dataclass, field

from airflow_provider_interactions.coverage.cells import Unfinished
from airflow_provider_interactions.extract.unfinished import list_unfinished
from airflow_provider_interactions.lake.paths import AccountPaths, escape_segment, read_account
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.window import ALWAYS


@dataclass(slots=True)
class OpenWork:
    """The open work of one account. ``pending`` are names of raw windows: ``window=…``."""

    pending: set[str] = field(default_factory=set)
    unfinished: list[Unfinished] = field(default_factory=list)


def find_open_work(lake: Lake, vendor: str | None, account: str | None) -> dict[AccountPaths, OpenWork]:
    """The open work of the accounts that have some, of one vendor or account if given. Raises as the lake does."""
    found: dict[AccountPaths, OpenWork] = defaultdict(OpenWork)
    for path in lake.list_files(_choose_folder("pending", vendor, account)):
        place = read_account(path)
        if place:
            found[place].pending.add(posixpath.basename(path).rpartition("-")[0])
    unfinished = lake.list_files(_choose_folder("unfinished", vendor, account))
    for folder, window, saved_at in list_unfinished(lake, unfinished):
        place = read_account(folder)
        if place:
            found[place].unfinished += [Unfinished(window, saved_at)] if window != ALWAYS else []
    return dict(found)


def _choose_folder(layer: str, vendor: str | None, account: str | None) -> str:
    if vendor is None:
        return layer
    return (
        f"{layer}/vendor={escape_segment(vendor)}" if account is None else AccountPaths(vendor, account).folder(layer)
    )
