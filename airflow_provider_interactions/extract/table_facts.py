"""What a bulk vendor's table held of each window: the number of rows, and a digest of their keys and versions.

An extraction keeps these facts in the lake. Where a table changes later, the facts of a window show whether its own
rows have changed::

    tables/vendor=…/account=…/window=<start>-<end>-<instant of the extraction>.json

The digest is the sum, modulo 2^64, of a half of the MD5 of each row's key and version, so no order matters.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, Self

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.contract.bulk import Bulk
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.extract.checkpoint import Fact
from airflow_provider_interactions.lake.paths import AccountPaths, WindowPaths, read_timestamp, read_window, timestamp
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.schema import INSTANT
from airflow_provider_interactions.tables.columns import read_instants, read_keys, read_versions
from airflow_provider_interactions.window import Window

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: Memory for keys. DuckDB puts the rest into a temporary file.
MEMORY = "64MB"

#: The layer of the lake with the facts.
LAYER = "tables"

_NARROW = pa.schema([("key", pa.string()), ("version", pa.int64()), ("at", INSTANT), ("place", pa.int64())])

_FACTS = """
SELECT (epoch_us("at") - $1) // $2 AS piece, count(*),
       (sum(md5_number_lower(concat_ws('|', "key", "version"))::HUGEINT) % 18446744073709551616)::VARCHAR
FROM narrow WHERE "at" IS NOT NULL GROUP BY piece
"""

# Keys with one row, which are most, are left out first. Of rows with the same key and version, the first one counts.
# Versions in several pieces do not supersede each other: a piece has the same rows if it is read by itself.
_SUPERSEDED = """
SELECT "place", "key" FROM narrow
SEMI JOIN (SELECT "key" FROM narrow WHERE "key" IS NOT NULL GROUP BY "key" HAVING count(*) > 1) USING ("key")
WINDOW newest AS (PARTITION BY (epoch_us("at") - $1) // $2, "key" ORDER BY "version" DESC, "place")
QUALIFY row_number() OVER newest > 1 ORDER BY "place"
"""

#: Superseded rows that are fetched from DuckDB at once.
_FETCHED = 1_024


class WindowFacts(msgspec.Struct, frozen=True):
    """The facts of one window, by interaction type.

    ``types`` are all that were asked for, with a table or without. ``present`` had a table, with rows or without.
    """

    tables: dict[str, Fact]
    types: list[str] = msgspec.field(default_factory=list)
    present: list[str] = msgspec.field(default_factory=list)


class NarrowFacts(NamedTuple):
    """The facts of each piece of a window by its number.

    ``superseded`` are the places and keys of rows that are not the newest of their key and piece, by place; to be read
    before the facts of the next table. ``undated`` is the number of rows without an instant.
    """

    pieces: dict[int, Fact]
    superseded: Iterator[tuple[int, str]]
    undated: int = 0

    @property
    def rows(self) -> int:
        """The rows of all pieces."""
        return sum(rows for rows, _ in self.pieces.values())


def narrow_rows(batches: Iterable[pa.RecordBatch], bulk: Bulk, window: Window) -> Iterator[pa.RecordBatch]:
    """Key, version, instant and place among all of the rows of a window, and of those without an instant."""
    passed = 0
    for rows in batches:
        places = pa.array(range(passed, passed := passed + rows.num_rows), pa.int64())
        values = read_keys(rows, bulk), read_versions(rows, bulk), read_instants(rows, bulk), places
        yield select_window(pa.record_batch(list(values), _NARROW), window)


def select_window(rows: pa.RecordBatch, window: Window) -> pa.RecordBatch:
    """The rows whose ``at`` is in the window, or null."""
    at = rows.column("at")
    outside = pc.fill_null(pc.or_(pc.less(at, window.start), pc.greater_equal(at, window.end)), False)
    return rows.filter(pc.invert(outside)) if pc.any(outside).as_py() else rows


class FactReader:
    """Reads facts by DuckDB, which is opened with the first table. Use it as a context manager."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._database: DuckDBPyConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read(self, narrow: Iterator[pa.RecordBatch], window: Window, width: timedelta | None = None) -> NarrowFacts:
        """The facts of the pieces of a window, of the rows of ``narrow_rows``; one piece without ``width``."""
        batches = (rows for rows in narrow if rows.num_rows)
        first = next(batches, None)
        if first is None:  # five milliseconds less for a table without rows in the window
            return NarrowFacts({}, iter(()))
        database = self._database or self._open()
        undated = _copy_rows(database, chain([first], batches))
        length = (width or (window.end - window.start)) // timedelta(microseconds=1)
        bounds = _count_microseconds(window.start), length
        pieces = database.execute(_FACTS, bounds).fetchall()
        facts = {piece: (rows, digest) for piece, rows, digest in pieces}
        return NarrowFacts(facts, _find_superseded(database, bounds), undated)

    def _open(self) -> DuckDBPyConnection:
        try:
            import duckdb
        except ImportError:
            msg = "Reading a vendor's tables needs more libraries. Install airflow-provider-interactions[journeys]."
            raise ConfigError(msg) from None
        folder = self._stack.enter_context(tempfile.TemporaryDirectory())
        settings: dict[str, str] = {"memory_limit": MEMORY, "temp_directory": folder, "threads": "1"}
        self._database = self._stack.enter_context(duckdb.connect(":memory:", config=settings))
        return self._database


def _copy_rows(database: DuckDBPyConnection, narrow: Iterator[pa.RecordBatch]) -> int:
    """Copy rows into a table; returns how many have no instant.

    DuckDB hides the error of a stream in one of its own, so that is kept here.
    """
    failed, undated = list[Exception](), [0]

    def read() -> Iterator[pa.RecordBatch]:
        try:
            for rows in narrow:
                undated[0] += rows.column("at").null_count
                yield rows
        except Exception as error:
            failed.append(error)
            raise

    database.register("rows", pa.RecordBatchReader.from_batches(_NARROW, read()))
    try:
        database.execute("CREATE OR REPLACE TEMP TABLE narrow AS SELECT * FROM rows")
    except Exception:
        if failed:
            raise failed[0] from None
        raise
    finally:
        database.unregister("rows")
    return undated[0]


def _find_superseded(database: DuckDBPyConnection, bounds: tuple[int, int]) -> Iterator[tuple[int, str]]:
    found = database.execute(_SUPERSEDED, bounds)
    while some := found.fetchmany(_FETCHED):
        yield from some


def _count_microseconds(moment: datetime) -> int:
    return (moment - datetime.fromisoformat("1970-01-01T00:00:00+00:00")) // timedelta(microseconds=1)


def write_facts(
    lake: Lake,
    place: WindowPaths,
    extracted_at: datetime,
    width: timedelta | None,
    tables: Mapping[str, Mapping[int, Fact]],
    types: Iterable[str] = (),
) -> None:
    """Keep the facts of an extraction, for each window that it will be split into. ``types`` were asked for."""
    asked = sorted({*types, *tables})
    windows = [place.window] if width is None else place.window.split(width)
    for number, window in enumerate(windows):
        facts = {name: pieces[number] for name, pieces in tables.items() if number in pieces}
        lake.publish(
            name_facts(WindowPaths(place.vendor, place.account, window), extracted_at),
            WindowFacts(facts, asked, sorted(tables)),
        )


def name_facts(place: WindowPaths, extracted_at: datetime) -> str:
    """Where the facts of a window lie."""
    return f"{place.of_account(LAYER)}/window={place.window.slug}-{timestamp(extracted_at)}.json"


class Extracted(NamedTuple):
    """A window, and when it was extracted."""

    window: Window
    extracted_at: datetime


def list_extracted(lake: Lake, account: AccountPaths) -> Iterator[Extracted]:
    """The extractions of an account whose facts are kept."""
    for name in lake.list_names(account.folder(LAYER)):
        slug, _, _ = name.removesuffix(".json").rpartition("-")
        window, extracted_at = read_window(slug), read_timestamp(name)
        if window and extracted_at:
            yield Extracted(window, extracted_at)


def load_facts(lake: Lake, place: WindowPaths, extracted_at: datetime) -> dict[str, Fact] | None:
    """The facts of an extraction of a window, None if they are gone."""
    found = lake.read(name_facts(place, extracted_at), WindowFacts)
    return None if found is None else found.tables


def read_former(lake: Lake, account: AccountPaths) -> Iterator[tuple[datetime, WindowFacts]]:
    """The extractions of an account, the last one first, each with the facts of one of its windows."""
    found = {one.extracted_at: one.window for one in list_extracted(lake, account)}
    for extracted_at in sorted(found, reverse=True):
        place = WindowPaths(account.vendor, account.account, found[extracted_at])
        facts = lake.read(name_facts(place, extracted_at), WindowFacts)
        if facts is not None:
            yield extracted_at, facts


def load_types(lake: Lake, place: WindowPaths, extracted_at: datetime) -> frozenset[str] | None:
    """The interaction types that an extraction of a window asked for, None if that is not known."""
    found = lake.read(name_facts(place, extracted_at), WindowFacts)
    return None if found is None else frozenset(found.types)
