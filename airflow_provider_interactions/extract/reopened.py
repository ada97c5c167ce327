"""Windows of a bulk vendor that must be read again: rows of theirs have come, gone or changed since.

Each call compares the files of the tables with those that the former call saw. A Delta table without a new commit has
the same files, so it is not opened. A new or changed file points at the windows between its first and last instants.
For these, the facts of the tables (`table_facts`) decide: a file that was only rewritten changes none. What was found
is kept until the window has been extracted again::

    tables/vendor=…/account=….json
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import pyarrow.compute as pc

from airflow_provider_interactions.contract.bulk import TableAddress
from airflow_provider_interactions.extract.checkpoint import Fact
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.table_facts import (
    LAYER,
    Extracted,
    list_extracted,
    load_facts,
    name_facts,
    narrow_rows,
)
from airflow_provider_interactions.extract.table_source import TableSource
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.paths import AccountPaths, WindowPaths, read_window
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.tables.columns import name_narrow_columns, read_instants
from airflow_provider_interactions.tables.table import DataFile, Table
from airflow_provider_interactions.window import ALWAYS, Window


class SeenFile(msgspec.Struct, frozen=True, array_like=True):
    """A data file as it was when it was last seen; see ``DataFile``."""

    tag: str
    first: datetime | None = None
    last: datetime | None = None

    def may_hold(self, window: Window) -> bool:
        """Whether the file may hold a row of the window."""
        return DataFile("", self.tag, self.first, self.last).may_hold(window)


class State(msgspec.Struct, kw_only=True):
    """What the last call saw, at ``checked_at``: the files of each table, and the extractions whose facts it compared.

    ``versions`` has the newest commit of each table, found before its files. ``reopened`` has the windows to be read
    again, each with the instant at which that was found.
    """

    checked_at: datetime | None = None
    files: dict[str, dict[str, SeenFile]] = msgspec.field(default_factory=dict)
    versions: dict[str, str] = msgspec.field(default_factory=dict)
    compared: list[tuple[str, datetime]] = msgspec.field(default_factory=list)
    reopened: dict[str, datetime] = msgspec.field(default_factory=dict)


def find_reopened(job: Job) -> list[Window]:
    """The windows that must be read again, in order; the job's own window and contacts do not matter.

    Each call returns them until they have been extracted again. Raises VendorError.
    """
    assert job.vendor.bulk is not None  # noqa: S101 - only bulk vendors come here
    account = AccountPaths(job.vendor.name, job.credentials.account)
    state = job.lake.read(_name_state(account), State) or State()
    checked_at, extracted = datetime.now(UTC), list(list_extracted(job.lake, account))
    missed = _find_missed(state, extracted)
    windows = sorted({one.window for one in extracted}, key=lambda window: (window.start, window.end))
    with TableSource(job, job.vendor.bulk) as source:
        finder = _Finder(source, account, state, windows, missed)
        for address in source.find_tables():
            finder.compare(address)
    for window in finder.changed:
        state.reopened[window.slug] = checked_at
    state.checked_at = checked_at
    state.compared = [(one.window.slug, one.extracted_at) for one in extracted]
    state.reopened = _drop_extracted(job.lake, account, state.reopened)
    job.lake.publish(_name_state(account), state)
    _remove_former_facts(job.lake, account, extracted)
    return sorted(filter(None, map(read_window, state.reopened)), key=lambda window: window.start)


def list_reopened(lake: Lake, account: AccountPaths) -> frozenset[Window]:
    """The windows that the last call found and that have not been extracted since, as far as the lake knows."""
    state = lake.read(_name_state(account), State) or State()
    return frozenset(filter(None, map(read_window, state.reopened)))


def _name_state(account: AccountPaths) -> str:
    return f"{account.folder(LAYER)}.json"


def _find_missed(state: State, extracted: Iterable[Extracted]) -> frozenset[Window]:
    """Windows whose extraction began before the last call, but was not known to it: it may have read an older table."""
    compared = set(state.compared)
    return frozenset(
        one.window
        for one in extracted
        if state.checked_at is None
        or (one.extracted_at < state.checked_at and (one.window.slug, one.extracted_at) not in compared)
    )


def _read_extracted_at(lake: Lake, account: AccountPaths, window: Window) -> datetime | None:
    """When the raw window that is published was extracted."""
    raw = lake.read(WindowPaths(account.vendor, account.account, window).raw_manifest, Manifest)
    return None if raw is None else raw.extracted_at


def _drop_extracted(lake: Lake, account: AccountPaths, reopened: Mapping[str, datetime]) -> dict[str, datetime]:
    """The windows that have not been extracted since they were found. One that is not published needs no other look."""
    left = {}
    for slug, found_at in reopened.items():
        window = read_window(slug)
        extracted_at = window and _read_extracted_at(lake, account, window)
        if extracted_at and extracted_at < found_at:
            left[slug] = found_at
    return left


def _remove_former_facts(lake: Lake, account: AccountPaths, extracted: Iterable[Extracted]) -> None:
    """Remove facts of extractions that a later one has replaced."""
    times = dict[Window, list[datetime]]()
    for window, extracted_at in extracted:
        times.setdefault(window, []).append(extracted_at)
    for window, found in times.items():
        current = _read_extracted_at(lake, account, window) if len(found) > 1 else None
        place = WindowPaths(account.vendor, account.account, window)
        lake.remove(name_facts(place, at) for at in found if current and at < current)


@dataclass(slots=True)
class _Finder:
    """Compares tables with the facts of ``windows``. ``missed`` are compared whatever the files say."""

    source: TableSource
    account: AccountPaths
    state: State
    windows: Sequence[Window]
    missed: frozenset[Window]
    changed: set[Window] = field(default_factory=set)
    _facts: dict[Window, dict[str, Fact] | None] = field(default_factory=dict)

    def compare(self, address: TableAddress) -> None:
        """Find the windows of a table whose rows have changed, and note its files."""
        name, version = address.native_type, self.source.find_version(address)
        if version and version == self.state.versions.get(name) and not self.missed:
            return

        def read(table: Table) -> tuple[dict[str, SeenFile], set[Window]]:
            files = self._measure(table, self.state.files.get(name, {}))
            return files, self._find_changed(table, name, self._choose(files, self.state.files.get(name, {})))

        files, changed = self.source.read_table(address, read, lambda: None)
        self.state.files[name], self.state.versions[name] = files, version
        self.changed |= changed

    def _measure(self, table: Table, former: Mapping[str, SeenFile]) -> dict[str, SeenFile]:
        """The table's files, with the first and the last instant of each that is new."""
        found = {}
        for file in table.list_files():
            known = former.get(file.path)
            found[file.path] = known if known and known.tag == file.tag else self._measure_file(table, file)
        return found

    def _measure_file(self, table: Table, file: DataFile) -> SeenFile:
        if file.first is not None and file.last is not None:
            return SeenFile(file.tag, file.first, file.last)
        part = table.select_files([file.path])
        if part is table:  # nothing shows which rows are this file's, so it may hold any window's
            return SeenFile(file.tag, file.first, file.last)
        bulk, times = self.source.bulk, list[datetime]()
        for rows in part.scan(ALWAYS, [bulk.time]):
            found = pc.min_max(read_instants(rows, bulk)).as_py()
            times += [moment for moment in found.values() if moment]
        # Without any instant, it holds rows of no window: it begins after all of them.
        return SeenFile(file.tag, min(times, default=ALWAYS.end), max(times, default=ALWAYS.end))

    def _choose(self, files: Mapping[str, SeenFile], former: Mapping[str, SeenFile]) -> list[Window]:
        """The windows that a file which has come, gone or changed may hold rows of."""
        changed = [file for path, file in files.items() if former.get(path) != file]
        changed += [file for path, file in former.items() if files.get(path) != file]
        return [
            window for window in self.windows if window in self.missed or any(file.may_hold(window) for file in changed)
        ]

    def _find_changed(self, table: Table, name: str, candidates: Sequence[Window]) -> set[Window]:
        changed = set[Window]()
        for group in _group_windows(candidates):
            span, width = Window(group[0].start, group[-1].end), group[0].end - group[0].start
            narrow = table.scan(span, name_narrow_columns(self.source.bulk))
            pieces = self.source.facts.read(narrow_rows(narrow, self.source.bulk, span), span, width).pieces
            for window in group:
                now = pieces.get((window.start - span.start) // width)
                if self._load(window).get(name) != now:
                    changed.add(window)
        return changed

    def _load(self, window: Window) -> Mapping[str, Fact]:
        """The facts of the published extraction of a window. Without facts, all of its tables count as changed."""
        if window not in self._facts:
            lake, place = self.source.job.lake, WindowPaths(self.account.vendor, self.account.account, window)
            extracted_at = _read_extracted_at(lake, self.account, window)
            self._facts[window] = load_facts(lake, place, extracted_at) if extracted_at else None
        return self._facts[window] or {}


def _group_windows(windows: Iterable[Window]) -> list[list[Window]]:
    """Windows of one width at one rhythm, so that one scan is enough for each group."""
    groups = dict[tuple[timedelta, timedelta], list[Window]]()
    for window in windows:
        width = window.end - window.start
        groups.setdefault((width, (window.start - ALWAYS.start) % width), []).append(window)
    return list(groups.values())
