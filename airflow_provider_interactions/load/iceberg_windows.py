"""Which windows of an Iceberg table differ from the lake, and the filter that finds exactly their rows.

A window's files are known by metadata alone: each has the bounds of ``window_start`` and ``window_end``.
"""

from __future__ import annotations

import posixpath
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any, cast

import pyarrow as pa
import pyiceberg.expressions
from pyiceberg.conversions import from_bytes
from pyiceberg.expressions import BooleanExpression
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table, Transaction
from pyiceberg.types import TimestamptzType

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.identifiers import EMAIL
from airflow_provider_interactions.lake.manifest import File, Manifest, count_rows
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.window import Window

#: pyiceberg's predicates. Their declared types do not know the arguments that its documentation shows.
_p: Any = pyiceberg.expressions

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Replacement:
    """What a load changes: the windows' filter, the files to add, and the number of rows that stay as they are."""

    where: BooleanExpression
    added: tuple[File, ...]
    unchanged: int


def plan_replacement(table: Table, lake: Lake, manifest: Manifest) -> Replacement | None:
    """Compare the table's current files with the lake's, window by window; None if they are the same."""
    wanted = _group_files(manifest)
    whole = select_account(manifest.vendor, manifest.account, _build_range(manifest.window))
    found: dict[Window | None, set[str]] = {}
    for task in table.scan(row_filter=whole).plan_files():
        found.setdefault(_read_window(table, task.file), set()).add(task.file.file_path)
    changed = [
        window
        for window, files in wanted.items()
        if None in found or found.get(window, set()) != {lake.url(file.path) for file in files}
    ]
    if not changed:
        return None
    added = tuple(file for window in changed for file in wanted[window])
    where = select_account(manifest.vendor, manifest.account, _build_filter(changed, found.keys()))
    return Replacement(where, added, count_rows(manifest.files) - count_rows(added))


def delete_rows(change: Transaction, where: BooleanExpression) -> None:
    """Delete rows of a table.

    pyiceberg also notes the filter, and refuses the commit if another one adds files that match it. So delete even
    where nothing is.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Delete operation did not match")
        change.delete(where)


def read_addresses(table: Table, vendor: str, account: str) -> Iterator[pa.Array]:
    """The addresses of e-mail of an account's rows."""
    where = select_account(vendor, account, _p.EqualTo("contact_id_kind", EMAIL))
    for batch in table.scan(row_filter=where, selected_fields=("contact_id",)).to_arrow_batch_reader():
        yield batch.column(0)


def select_contacts(vendor: str, account: str, contacts: Iterable[Contact]) -> BooleanExpression:
    """The filter for all rows of these contacts, with their identifiers exactly so."""
    kinds: dict[str, set[str]] = {}
    for contact in contacts:
        kinds.setdefault(contact.kind, set()).add(contact.id)
    theirs = [_p.And(_p.EqualTo("contact_id_kind", kind), _p.In("contact_id", ids)) for kind, ids in kinds.items()]
    return cast("BooleanExpression", select_account(vendor, account, reduce(_p.Or, theirs)))


def select_account(vendor: str, account: str, *where: BooleanExpression) -> Any:
    """The filter for one vendor and account, and further conditions."""
    return _p.And(_p.EqualTo("vendor", vendor), _p.EqualTo("account", account), *where)


def select_ids(ids: Iterable[str]) -> BooleanExpression:
    """The filter for the interactions with these ids."""
    found: BooleanExpression = _p.In("interaction_id", set(ids))
    return found


def _group_files(manifest: Manifest) -> Mapping[Window, Sequence[File]]:
    """The files of each window of the manifest. With several windows, names of files begin with their window's."""
    if manifest.width is None:
        return {manifest.window: manifest.files}
    windows = {window.slug: window for window in manifest.window.split(manifest.width)}
    found: dict[Window, list[File]] = {window: [] for window in windows.values()}
    for file in manifest.files:
        found[windows[posixpath.basename(file.path).rpartition("-")[0]]].append(file)
    return found


def _read_window(table: Table, file: DataFile) -> Window | None:
    """The window of a file's rows; None if they are of several windows, or if its metadata do not say."""
    ends = []
    for name in ("window_start", "window_end"):
        key = table.schema().find_field(name).field_id
        bounds = {(file.lower_bounds or {}).get(key), (file.upper_bounds or {}).get(key)}
        one = bounds.pop()
        if bounds or one is None:
            return None
        ends.append(_EPOCH + timedelta(microseconds=int(from_bytes(TimestamptzType(), one))))
    return Window(*ends)


def _build_filter(changed: Collection[Window], found: Collection[Window | None]) -> Any:
    """The windows' rows and no others.

    One range is cheap to check. If other windows of the table lie in it, as windows of another length may, the filter
    names each window.
    """
    span = Window(min(one.start for one in changed), max(one.end for one in changed))
    others = set(found) - set(changed)
    if any(one is None or (span.start <= one.start and one.end <= span.end) for one in others):
        exact = [_build_exact(window) for window in changed]
        return _p.Or(*exact) if len(exact) > 1 else exact[0]
    return _build_range(span)


def _build_range(window: Window) -> Any:
    start, end = window.start.isoformat(), window.end.isoformat()
    return _p.And(_p.GreaterThanOrEqual("window_start", start), _p.LessThanOrEqual("window_end", end))


def _build_exact(window: Window) -> Any:
    return _p.And(
        _p.EqualTo("window_start", window.start.isoformat()), _p.EqualTo("window_end", window.end.isoformat())
    )
