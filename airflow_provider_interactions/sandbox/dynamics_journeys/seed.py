"""The life of a Delta table: appended day by day, with deletes, a change of schema, a compaction and a checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa

from airflow_provider_interactions.sandbox.dynamics_journeys.delta import DeltaTable, Layout, build_schema
from airflow_provider_interactions.sandbox.dynamics_journeys.options import NAME, Options
from airflow_provider_interactions.sandbox.dynamics_journeys.records import KEYS, UNKNOWN, Row, list_ids
from airflow_provider_interactions.sandbox.dynamics_journeys.scale import build_scale_parts
from airflow_provider_interactions.sandbox.dynamics_journeys.tables import list_columns
from airflow_provider_interactions.sandbox.world import DAY, World, draw, draw_chance

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
#: more rows of a day than this are written as two files
_MANY = 6


def choose_layout(world: World, options: Options, name: str) -> Layout:
    """The features of Delta a table uses."""
    if options.delta != "mixed":
        every = options.delta == "all"
        return Layout(every, every, "SourceSystem" if every else None)
    drawn = draw(world, NAME, "layout", name)
    return Layout(bool(drawn & 1), bool(drawn & 2), "SourceSystem" if drawn & 12 == 12 else None)


def get_arrival_ms(world: World, arrival: int) -> int:
    """When the rows of an arrival day are written: an hour after the day, in milliseconds since 1970."""
    return (world.start_us + (arrival + 1) * DAY) // 1000 + _HOUR_MS


def build_arrow(rows: Iterable[Row], columns: dict[str, str]) -> pa.Table:
    """Rows as an Arrow table of these columns."""
    return pa.Table.from_pylist([_fit(row.fields, columns) for row in rows], schema=build_schema(columns))


def _fit(fields: dict[str, Any], columns: dict[str, str]) -> dict[str, Any]:
    # A column may have another type than published: its numbers are texts then.
    return {
        name: str(fields[name]) if kind == "s" else fields[name] for name, kind in columns.items() if name in fields
    }


class TableSeed:
    """Writes the rows of one table as a Delta table."""

    def __init__(self, folder: Path, world: World, options: Options, name: str, rows: Sequence[Row]) -> None:
        self._world, self._options, self._name = world, options, name
        self._rows = rows
        layout = choose_layout(world, options, name)
        if name in self._scaled_types:
            layout = layout._replace(partition=None)
        older = any(row.older for row in rows)
        self.table = DeltaTable(folder, self._list_columns(older=older), layout, get_arrival_ms(world, -1) - _DAY_MS)

    def write(self) -> DeltaTable:
        """Write every day's rows, and what is done to a table that is kept for long."""
        arrivals = {row.arrival for row in self._rows}
        days = range(self._world.days) if self._name in self._scaled_types else ()
        for arrival in sorted(arrivals.union(days)):
            self.write_rows([row for row in self._rows if row.arrival == arrival], get_arrival_ms(self._world, arrival))
            if arrival in days:
                self._write_scale(arrival)
            if arrival == self._world.days // 2:
                self._maintain(get_arrival_ms(self._world, arrival) + 2 * _HOUR_MS)
        return self.table

    def write_rows(self, rows: Sequence[Row], at_ms: int) -> None:
        """Append rows, those of the older schema first, and delete those that are to be deleted."""
        for older in (True, False):
            chosen = [row for row in rows if row.older == older]
            if chosen:
                self._change_schema(chosen, at_ms, older=older)
                for part in self._divide(chosen):
                    self._write_file(part, at_ms, older=older)

    @property
    def _scaled_types(self) -> tuple[str, ...]:
        return self._options.scale_types if self._options.scale_rows else ()

    def _list_columns(self, *, older: bool = False) -> dict[str, str]:
        columns = list_columns(self._name, older=older)
        return columns | ({"Version": "s"} if (self._name, "other_type") in self._options.damage else {})

    def _change_schema(self, rows: Sequence[Row], at_ms: int, *, older: bool) -> None:
        wanted = self._list_columns(older=older)
        if any(UNKNOWN in row.fields for row in rows):
            wanted |= {UNKNOWN: "s"}
        if not wanted.keys() <= self.table.columns.keys():
            self.table.add_columns(wanted, at_ms)

    def _divide(self, rows: Sequence[Row]) -> Iterator[list[Row]]:
        """Rows by file: one partition each, and two files of many rows."""
        name = self.table.layout.partition
        ordered = sorted(rows, key=lambda row: row.fields[name]) if name else rows
        for _, group in groupby(ordered, key=lambda row: row.fields[name] if name else None):
            part = list(group)
            cut = len(part) // 2 if len(part) > _MANY else 0
            yield from filter(None, (part[:cut], part[cut:]))

    def _write_file(self, rows: list[Row], at_ms: int, *, older: bool) -> None:
        columns = self._list_columns(older=older) if older else self.table.columns
        measured = not draw_chance(self._world, 5, NAME, "statistics", self._name, self.table.version)
        (path,) = self.table.append(build_arrow(rows, columns), at_ms, statistics=measured)
        places = [place for place, row in enumerate(rows) if row.deleted]
        if places:
            self.table.delete(path, places, at_ms + _HOUR_MS)

    def _write_scale(self, day: int) -> None:
        self._change_schema([], get_arrival_ms(self._world, day), older=False)
        parts = build_scale_parts(self._world, self._options, self._name, day)
        self.table.append_parts(parts, get_arrival_ms(self._world, day))

    def delete_rows(self, rows: Sequence[Row], at_ms: int) -> None:
        """Delete rows, which their ids find in the files."""
        gone = set(map(list_ids, rows))
        for path in list(self.table.files):
            found = zip(*(self.table.read_column(path, name) for name in KEYS), strict=True)
            places = [place for place, key in enumerate(found) if key in gone]
            if places:
                self.table.delete(path, places, at_ms)

    def _maintain(self, at_ms: int) -> None:
        if not self._options.scale_rows and draw_chance(self._world, 2, NAME, "compact", self._name):
            self.compact(at_ms)
        clean = draw_chance(self._world, 3, NAME, "clean", self._name)
        self.table.checkpoint(clean=clean)

    def compact(self, at_ms: int) -> None:
        """Put the files of each partition together, without a change of data."""

        def partition(path: str) -> str:
            return str(self.table.files[path]["partitionValues"])

        for _, group in groupby(sorted(self.table.files, key=partition), key=partition):
            paths = list(group)
            if len(paths) > 1:
                self.table.compact(paths, at_ms)
