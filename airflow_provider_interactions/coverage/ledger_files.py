"""The ledger's files: read as one table, and merged into one file a day once the day is over.

::

    ledger/date=…/<stamp>-<state>-<key>-<token>.parquet     the row of one try; the date is the UTC day of its end
    ledger/date=…/merged-<token>.parquet                    the rows of several files of that day

The column ``file`` of a row is the name of the file that its try wrote. It stays the row's key. A merge writes the new
file first, and then removes the files that it has read. So a row may be in two files for a while, but always is in one.
Readers take each key once, and begin again if a merge ended meanwhile. Merges may run side by side, and may die at any
point: the next one completes the work.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date, timedelta
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.parquet import Writer
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.schema import LEDGER, STEPS

#: Days that are listed side by side.
THREADS = 16

#: How many times to list days whose files are being merged.
LISTINGS = 10

#: A day's files are merged so many days later at the earliest. Then no try of that day can still be writing its row.
CLOSED = timedelta(days=2)

#: How many such days one call looks at. Each costs a listing.
DAYS = timedelta(days=7)

#: How the names of files with several rows begin.
MERGED = "merged-"

#: Chooses among the keys of rows, which are sorted by the instants at which the tries ended.
Choice = Callable[[list[str]], Iterable[str]]


class RowName(NamedTuple):
    """What the name of a row's file says: how the try ended, and of which step of which window it was."""

    state: str
    key: str


def parse_name(path: str) -> RowName | None:
    """What a path says; None for a name that ``ledger.write_step`` has not made."""
    parts = path.rpartition("/")[2].split("-")
    return RowName(*parts[1:3]) if len(parts) == len(("stamp", "state", "key", "token")) else None


def read_chosen(lake: Lake, first: date | None, last: date | None, choose: Choice = list) -> pa.Table:
    """The rows of some UTC days (both included) that are chosen by their keys, each once, by ``ended_at``.

    The columns are those of ``schema.STEPS``. Of files with one row, only those that are chosen are read. Raises as the
    lake does.
    """
    for _ in range(LISTINGS):
        files = _list_files(lake, first, last)
        found = _read_chosen(lake, files, choose)
        # Object stores list names in their order, and merged files come last. A disk may leave out both a new file and
        # one that it replaces.
        if found is not None and (not lake.local or _have_same_merged(files, _list_files(lake, first, last))):
            return found.sort_by([("ended_at", "ascending"), ("file", "ascending")])
    msg = (
        "The ledger changes too fast to be read. Check whether many tasks merge the files of one day at the same time."
    )
    raise ConfigError(msg)


def merge_closed_days(lake: Lake, today: date) -> None:
    """Merge the files of each day that is over, of the last week; ``today`` is a UTC day. Raises as the lake does."""
    for folder in _list_days(lake, today - CLOSED - DAYS, today - CLOSED):
        files = [name for name in _list_day(lake, folder) if _is_merged(name) or parse_name(name)]
        if len(files) > 1:
            _merge(lake, folder, files)


def _merge(lake: Lake, folder: str, files: Sequence[str]) -> None:
    tables = dict(_read_files(lake, files))  # without those that another merge has removed by now
    writer = Writer(lake, f"ledger/{folder}/{MERGED}{uuid.uuid4().hex}.parquet", LEDGER)
    writer.write(_join(tables.values()).sort_by([("ended_at", "ascending"), ("file", "ascending")]).cast(LEDGER))
    with suppress(FileNotFoundError):  # another merge has replaced the new file already: it removes the old ones
        writer.close()
        lake.remove(f"ledger/{name}" for name in tables)


def _read_chosen(lake: Lake, files: Sequence[str], choose: Choice) -> pa.Table | None:
    """The same of some files; None if one is gone."""
    merged = [name for name in files if _is_merged(name)]
    tables = dict(_read_files(lake, merged))
    if len(tables) < len(merged):
        return None
    rows = _join(tables.values())
    keys = set(rows.column("file").to_pylist())
    single = {name for name in files if not _is_merged(name)} - keys
    chosen = set(choose(sorted(keys | single)))
    found = dict(_read_files(lake, sorted(single & chosen)))
    if len(found) < len(single & chosen):
        return None
    return _join([rows.filter(pc.is_in(rows.column("file"), pa.array(chosen, pa.string()))), *found.values()])


def _list_files(lake: Lake, first: date | None, last: date | None) -> list[str]:
    days = _list_days(lake, first, last)
    with ThreadPoolExecutor(1 if lake.local else THREADS) as threads:  # only waiting for a network can be shared
        return [name for names in threads.map(lambda day: _list_day(lake, day), days) for name in names]


def _list_days(lake: Lake, first: date | None, last: date | None) -> list[str]:
    return [
        name
        for name in lake.list_names("ledger")
        if (first is None or name >= f"date={first}") and (last is None or name <= f"date={last}")
    ]


def _list_day(lake: Lake, folder: str) -> list[str]:
    return [f"{folder}/{name}" for name in lake.list_names(f"ledger/{folder}") if name.endswith(".parquet")]


def _have_same_merged(before: Iterable[str], after: Iterable[str]) -> bool:
    return set(filter(_is_merged, before)) == set(filter(_is_merged, after))


def _is_merged(name: str) -> bool:
    return name.rpartition("/")[2].startswith(MERGED)


def _read_files(lake: Lake, names: Sequence[str]) -> Iterable[tuple[str, pa.Table]]:
    for path, data in lake.read_files([f"ledger/{name}" for name in names]):
        name = path.removeprefix("ledger/")
        # Threads would take longer to start than the few rows to read.
        rows = pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
        if "file" not in rows.column_names:
            rows = rows.add_column(0, STEPS.field("file"), [pa.array([name] * rows.num_rows, pa.string())])
        yield name, rows.cast(pa.schema([STEPS.field(column) for column in rows.column_names]))


def _join(tables: Iterable[pa.Table]) -> pa.Table:
    """One table, with each key once. Older files lack columns that were added since: nulls."""
    rows = pa.concat_tables([STEPS.empty_table(), *tables], promote_options="default").cast(STEPS)
    first = {key: number for number, key in reversed(list(enumerate(rows.column("file").to_pylist())))}
    return rows if len(first) == rows.num_rows else rows.take(sorted(first.values()))
