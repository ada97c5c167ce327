"""Drift: native types and fields that an account's windows never had before.

::

    seen/vendor=…/account=….json      the names that were seen, and in how many runs

A type is new if the vendor does not document it and no window had it. Fields have no documented vocabulary, and neither
have the types of some vendors, so these are only learned from the first ``LEARNED`` runs. A new name is reported once:
then it has been seen. If two tasks of an account end at the same time, one of them may report it again later.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.names import MOST, show_name
from airflow_provider_interactions.lake.paths import name_seen
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.vendors import read_about

#: Runs with records before a name without documentation can be new.
LEARNED = 3


class Seen(msgspec.Struct, frozen=True):
    """The names that an account's windows had, ``MOST`` of each at most. ``runs`` counts to ``LEARNED``."""

    types: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    runs: int = 0


def find_drift(lake: Lake, manifest: Manifest) -> list[str]:
    """A sentence for the new native types of a run and one for its new fields, and note that they have been seen.

    Raises as the lake does if that cannot be read or written.
    """
    path = name_seen(manifest.vendor, manifest.account)
    seen = _read_seen(lake, path)
    types, fields = _find_new(manifest.types, seen.types), _find_new(manifest.fields, seen.fields)
    runs = min(LEARNED, seen.runs + bool(manifest.types or manifest.fields))
    if types or fields or runs != seen.runs:
        lake.publish(path, Seen((*seen.types, *types), (*seen.fields, *fields), runs))
    documented = {_fold(name) for name in read_about(manifest.vendor).types}
    learned = seen.runs >= LEARNED
    unknown = [name for name in types if _fold(name) not in documented and (documented or learned)]
    found = {"native types": unknown, "fields": fields if learned else []}
    where = f"{manifest.vendor}, window {manifest.window}"
    return [f"{where}: new {what}: {', '.join(names)}" for what, names in found.items() if names]


def _read_seen(lake: Lake, path: str) -> Seen:
    try:
        return lake.read(path, Seen) or Seen()
    except msgspec.MsgspecError:
        return Seen()  # damaged: names are learned again


def _find_new(names: Iterable[str], seen: tuple[str, ...]) -> list[str]:
    """The names that were not seen, as many as there is room for: beyond that, nothing is new."""
    return [name for name in names if name not in seen][: MOST - len(seen)]


def _fold(name: str) -> str:
    """A name without blanks and case, as mappings compare it and ``show_name`` spells it."""
    return "".join(show_name(name).split()).lower()
