"""What a running sandbox keeps: the rows, and their files in a temporary folder. A table is made when it is wanted."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import RLock
from typing import Any

from airflow_provider_interactions.sandbox.dynamics_journeys.facts import choose_newest
from airflow_provider_interactions.sandbox.dynamics_journeys.options import NAME, Damage, Options
from airflow_provider_interactions.sandbox.dynamics_journeys.records import Row, list_ids, list_rows, make_fields
from airflow_provider_interactions.sandbox.dynamics_journeys.tables import TABLES
from airflow_provider_interactions.sandbox.expected import Selection
from airflow_provider_interactions.sandbox.oracle import parse_instant
from airflow_provider_interactions.sandbox.world import DAY, SECOND, World, draw_guid

MANIFEST = "default.manifest.cdm.json"


class Store:
    """The tables of one sandbox. Every method may be called from any thread."""

    def __init__(self, world: World, options: Options) -> None:
        self._world, self._options = world, options
        self._lock = RLock()
        self._rows: dict[str, list[Row]] | None = None
        self._seeds: dict[str, Any] = {}
        self._files: set[str] = set()
        self._folder: TemporaryDirectory[str] | None = None
        self._serial = 0

    @property
    def container(self) -> str:
        """The container of the managed lake."""
        return f"dataverse-sandbox-{draw_guid(self._world, NAME, 'container')[:8]}"

    @property
    def folder_id(self) -> str:
        """The managed lake's folder of the tables: a GUID."""
        return draw_guid(self._world, NAME, "folder")

    def close(self) -> None:
        """Remove the files."""
        with self._lock:
            if self._folder is not None:
                self._folder.cleanup()

    def list_tables(self) -> list[str]:
        """The tables that have rows, in the order of their names."""
        if self._options.empty:
            return []
        scaled = self._options.scale_types if self._options.scale_rows else ()
        return sorted({name for name, rows in self._load().items() if rows}.union(scaled))

    def list_rows(self) -> list[Row]:
        """Every row but those made by the column, deleted and broken ones, too."""
        with self._lock:
            return [] if self._options.empty else [row for rows in self._load().values() for row in rows]

    def get_folder_name(self, table: str) -> str:
        """The name of a table's folder."""
        return table.lower() if self._options.lower_case else table

    def open_delta(self, table: str) -> Path:
        """The folder of a Delta table, made now if it was not asked for before."""
        with self._lock:
            return Path(self._open_seed(table).table.folder)

    def open_flat(self, table: str) -> Path:
        """The folder of a table's Parquet or CSV files."""
        from airflow_provider_interactions.sandbox.dynamics_journeys.seed import get_arrival_ms

        with self._lock:
            folder = self._root / "flat" / table
            if table not in self._files:
                self._files.add(table)
                rows = self._load().get(table, [])
                for arrival in sorted({row.arrival for row in rows}):
                    chosen = [row for row in rows if row.arrival == arrival]
                    self._write_flat(table, chosen, get_arrival_ms(self._world, arrival))
            return folder

    def write_manifest(self) -> Path:
        """Write the manifest as it is now."""
        path = self._root / MANIFEST
        path.write_text(json.dumps(self._build_manifest()), encoding="utf-8")
        return path

    def add_late_rows(self, table: str, days: Iterable[str], rows: int = 1, contact: int = 0) -> int:
        """Add rows with a Timestamp in each of these days, ``YYYY-MM-DD``, that arrive now; returns how many."""
        with self._lock:
            made = [self._make_late_row(table, contact, parse_instant(day)) for day in days for _ in range(rows)]
            self._append(table, made)
            return len(made)

    def add_versions(self, table: str, day: str) -> int:
        """Add a greater Version of each row whose Timestamp is in a day, and is its newest; returns how many."""
        with self._lock:
            start_us = parse_instant(day)
            rows = [row for row in choose_newest(self._load()[table]) if start_us <= row.at_us < start_us + DAY]
            self._append(table, [self._raise_version(row) for row in rows])
            return len(rows)

    def delete_rows(self, table: str, day: str) -> int:
        """Delete what has a Timestamp in a day from a Delta table, all versions of it; returns the number of rows."""
        with self._lock:
            start_us = parse_instant(day)
            seed, rows = self._open_seed(table), self._load()[table]
            ids = {list_ids(row) for row in rows if start_us <= row.at_us < start_us + DAY and not row.deleted}
            gone = [row for row in rows if list_ids(row) in ids and not row.deleted]
            seed.delete_rows(gone, _now_ms())
            self._load()[table] = [row._replace(deleted=row.deleted or row in gone) for row in rows]
            return len(gone)

    def compact(self, table: str) -> None:
        """Compact a Delta table: new files, no change of data."""
        with self._lock:
            self._open_seed(table).compact(_now_ms())

    def damage(self, table: str, kind: Damage) -> None:
        """Damage a Delta table, or cut off a file of a folder of others."""
        from airflow_provider_interactions.sandbox.dynamics_journeys.damage import damage, truncate

        with self._lock:
            if self._options.format != "delta":
                truncate(max(self.open_flat(table).iterdir()))
                return
            damage(self._open_seed(table).table, kind, _now_ms())

    @property
    def _root(self) -> Path:
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="interactions-sandbox-")
        return Path(self._folder.name)

    def _load(self) -> dict[str, list[Row]]:
        with self._lock:
            if self._rows is None:
                self._rows = {}
                for index in range(self._world.contacts):
                    for row in list_rows(self._world, self._options, index):
                        self._rows.setdefault(row.table, []).append(row)
            return self._rows

    def _open_seed(self, table: str) -> Any:
        from airflow_provider_interactions.sandbox.dynamics_journeys.damage import damage
        from airflow_provider_interactions.sandbox.dynamics_journeys.seed import TableSeed

        if table not in self._seeds:
            rows = self._load().get(table, [])
            seed = TableSeed(self._root / "delta" / table, self._world, self._options, table, rows)
            written = seed.write()
            for name, kind in self._options.damage:
                if name == table:
                    damage(written, kind, _now_ms())
            self._seeds[table] = seed
        return self._seeds[table]

    def _append(self, table: str, rows: list[Row]) -> None:
        # What was not asked for yet is made with its old rows first, so that the new ones are late.
        self.open_delta(table)
        if self._options.format != "delta":
            self.open_flat(table)
            self._write_flat(table, rows, _now_ms())
        self._seeds[table].write_rows(rows, _now_ms())
        self._load().setdefault(table, []).extend(rows)

    def _write_flat(self, table: str, rows: list[Row], at_ms: int) -> None:
        from airflow_provider_interactions.sandbox.dynamics_journeys.flat_files import write_rows

        as_csv = self._options.format == "csv"
        write_rows(self._root / "flat" / table, table, rows, at_ms, as_csv=as_csv)

    def _make_late_row(self, table: str, contact: int, start_us: int) -> Row:
        self._serial += 1
        at_us = start_us + self._serial * 7_919 * SECOND % DAY
        fields = make_fields(self._world, table, contact, at_us, NAME, "late row", self._serial)
        return Row(table, contact, at_us, self._world.days, fields)

    @staticmethod
    def _raise_version(row: Row) -> Row:
        return row._replace(fields=row.fields | {"Version": int(row.fields.get("Version") or 0) + 1})

    def _build_manifest(self) -> dict[str, Any]:
        full = set(self.list_tables())
        entities = [self._build_entity(name, is_full=name in full) for name in TABLES]
        return {"manifestName": "default", "entities": entities, "jsonSchemaSemanticVersion": "1.1.0"}

    def _build_entity(self, table: str, *, is_full: bool) -> dict[str, Any]:
        name = self.get_folder_name(table)
        location = {"relative": name, "path": f"{self.folder_id}/{name}", "deltalake": f"{name}/deltalake"}
        partition = {"name": table, "location": location[self._options.location]}
        entity = {"type": "LocalEntity", "entityName": table, "entityPath": f"{table}.cdm.json/{table}"}
        return {**entity, "dataPartitions": [partition] if is_full else []}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def list_rows_of_scale(world: World, options: Options, chosen: Selection) -> Iterator[Row]:
    """The rows made by the column, one by one: those of the selection's tables and days."""
    from airflow_provider_interactions.sandbox.dynamics_journeys.scale import list_scale_rows

    for table in options.scale_types if options.scale_rows else ():
        days = range(world.days) if chosen.type in {None, table} else ()
        for day in days:
            start_us = world.start_us + day * DAY
            if start_us < chosen.end_us and start_us + DAY > chosen.start_us:
                yield from list_scale_rows(world, options, table, day)
