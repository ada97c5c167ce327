"""Delta tables, written from the protocol without a library, so that they have features that few writers use.

Source: delta-io/delta, PROTOCOL.md (read 2026-11). Actions are plain dictionaries as the log has them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from airflow_provider_interactions.sandbox.dynamics_journeys.checkpoints import write_checkpoint
from airflow_provider_interactions.sandbox.dynamics_journeys.deletion_vectors import build_descriptor, build_file
from airflow_provider_interactions.sandbox.dynamics_journeys.file_statistics import add_statistics, show_value

#: by the letter of a column: Delta's type and Arrow's
_TYPES: dict[str, tuple[str, pa.DataType]] = {
    "s": ("string", pa.string()),
    "g": ("string", pa.string()),
    "i": ("integer", pa.int32()),
    "l": ("long", pa.int64()),
    "t": ("timestamp", pa.timestamp("us", "UTC")),
    "b": ("boolean", pa.bool_()),
    "d": ("double", pa.float64()),
}
#: columns that a file's statistics tell of
_STATISTICS = ("Timestamp", "IdempotencyId", "Version")
_ROW_GROUP = 131_072


class Layout(NamedTuple):
    """Which features of Delta a table uses."""

    deletion_vectors: bool = False
    column_mapping: bool = False
    #: a column without nulls
    partition: str | None = None


def build_schema(columns: Mapping[str, str]) -> pa.Schema:
    """The Arrow schema of columns by the letters of their types."""
    return pa.schema([(name, _TYPES[kind][1]) for name, kind in columns.items()])


class DeltaTable:
    """A table in a folder; times are milliseconds since 1970, UTC, of the commit and of the files' modification."""

    def __init__(self, folder: Path, columns: Mapping[str, str], layout: Layout, at_ms: int) -> None:
        self.folder, self.layout = folder, layout
        self.version = -1
        self.columns = dict(columns)
        #: the add actions in force, by path
        self.files: dict[str, dict[str, Any]] = {}
        self._deleted: dict[str, set[int]] = {}
        self._ids: dict[str, int] = {}
        self._log.mkdir(parents=True)
        self.protocol = self._build_protocol()
        self.commit("CREATE TABLE", [{"protocol": self.protocol}, {"metaData": self._describe()}], at_ms)

    @property
    def _log(self) -> Path:
        return self.folder / "_delta_log"

    def add_columns(self, columns: Mapping[str, str], at_ms: int) -> None:
        """Change the schema: columns that are there stay, in their order."""
        self.columns |= columns
        self.commit("ADD COLUMNS", [{"metaData": self._describe()}], at_ms)

    def append(self, rows: pa.Table, at_ms: int, *, statistics: bool = True) -> list[str]:
        """Add rows as a file, or a file a partition; returns the files' paths."""
        added = [self._write(part, values, at_ms, statistics=statistics) for values, part in self._divide(rows)]
        self.commit("WRITE", [{"add": action} for action in added], at_ms)
        return [action["path"] for action in added]

    def append_parts(self, parts: Iterable[pa.Table], at_ms: int) -> None:
        """Add rows as one file, a part at a time; the table has no partitions."""
        self.commit("WRITE", [{"add": self._write(parts, {}, at_ms)}], at_ms)

    def delete(self, path: str, positions: Iterable[int], at_ms: int) -> None:
        """Remove rows of a file, by a deletion vector or by writing the other rows again."""
        old, places = self.files[path], self._deleted.get(path, set()) | set(positions)
        if self.layout.deletion_vectors:
            # An add action with a vector must say how many rows its file has; its bounds are no longer tight.
            known = json.loads(old.get("stats", "{}"))
            known |= {"numRecords": pq.read_metadata(self.folder / path).num_rows, "tightBounds": False}
            vector = self._write_vector(path, places, at_ms)
            new = {**old, "stats": json.dumps(known), "deletionVector": vector}
            self._deleted[path] = places
        else:
            rows = self._read(path, places)
            new = self._write(rows, old["partitionValues"], at_ms)
        self.commit("DELETE", [{"remove": _build_remove(old, at_ms)}, {"add": new}], at_ms)

    def read_column(self, path: str, name: str) -> list[Any]:
        """The values of a column of a file, deleted rows included; nulls where the file lacks the column."""
        file = pq.ParquetFile(self.folder / path)
        known = self._name_column(name) in file.schema_arrow.names
        rows = file.read([self._name_column(name)] if known else [])
        return rows[self._name_column(name)].to_pylist() if known else [None] * file.metadata.num_rows

    def compact(self, paths: Sequence[str], at_ms: int) -> None:
        """Put files of one partition together, without a change of data."""
        rows = pa.concat_tables(
            [self._read(path, self._deleted.get(path, set())) for path in paths], promote_options="default"
        )
        new = self._write(rows, self.files[paths[0]]["partitionValues"], at_ms) | {"dataChange": False}
        removed = [{"remove": _build_remove(self.files[path], at_ms) | {"dataChange": False}} for path in paths]
        self.commit("OPTIMIZE", [*removed, {"add": new}], at_ms)

    def checkpoint(self, *, clean: bool) -> None:
        """Write a checkpoint; ``clean``: remove the log before it and the files that are in force no more."""
        write_checkpoint(self._log, self.version, [self.protocol], [self._describe()], list(self.files.values()))
        if clean:
            for version in range(self.version):
                (self._log / f"{version:020}.json").unlink()
            for path in self.folder.rglob("part-*.parquet"):
                if quote(str(path.relative_to(self.folder)), safe="/=") not in self.files:
                    path.unlink()

    def commit(self, operation: str, actions: Sequence[Mapping[str, Any]], at_ms: int) -> None:
        """Write the next version of the log."""
        for action in actions:
            if "remove" in action:
                self.files.pop(action["remove"]["path"])
            if "add" in action:
                self.files[action["add"]["path"]] = action["add"]
        self.version += 1
        information = {"timestamp": at_ms, "operation": operation, "operationParameters": {}}
        lines = [json.dumps(action, separators=(",", ":")) for action in ({"commitInfo": information}, *actions)]
        self._write_bytes(
            self._log / f"{self.version:020}.json", "".join(f"{line}\n" for line in lines).encode(), at_ms
        )

    def _divide(self, rows: pa.Table) -> list[tuple[dict[str, str | None], pa.Table]]:
        name = self.layout.partition
        if name is None:
            return [({}, rows)]
        values = sorted(pc.unique(rows[name]).drop_null().to_pylist())
        return [({self._name_column(name): str(value)}, rows.filter(pc.equal(rows[name], value))) for value in values]

    def _write(
        self,
        rows: pa.Table | Iterable[pa.Table],
        partition: Mapping[str, str | None],
        at_ms: int,
        *,
        statistics: bool = True,
    ) -> dict[str, Any]:
        folder = "".join(f"{self.layout.partition}={value}/" for value in partition.values())
        name = f"{folder}part-00000-{self._draw_uuid(len(self.files))}.c000.snappy.parquet"
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        measured = self._write_parquet(path, [rows] if isinstance(rows, pa.Table) else rows)
        os.utime(path, (at_ms / 1000, at_ms / 1000))
        action = {
            "path": quote(name, safe="/="),
            "partitionValues": dict(partition),
            "size": path.stat().st_size,
            "modificationTime": at_ms,
            "dataChange": True,
        }
        return action | ({"stats": json.dumps(measured)} if statistics else {})

    def _write_parquet(self, path: Path, parts: Iterable[pa.Table]) -> dict[str, Any]:
        """Write the parts of a file; returns its statistics."""
        writer, measured = None, None
        for rows in parts:
            part = rows.drop_columns([self.layout.partition]) if self.layout.partition in rows.column_names else rows
            renamed = self._rename(part)
            writer = writer or pq.ParquetWriter(path, renamed.schema)
            writer.write_table(renamed, row_group_size=_ROW_GROUP)
            found = self._measure(part)
            measured = found if measured is None else add_statistics(measured, found)
        assert writer is not None  # noqa: S101  a file has at least one part
        assert measured is not None  # noqa: S101  likewise
        writer.close()
        return measured

    def _measure(self, rows: pa.Table) -> dict[str, Any]:
        low, high, nulls = {}, {}, {}
        for name in _STATISTICS:
            if name in rows.column_names:
                found = pc.min_max(rows[name]).as_py()
                nulls[self._name_column(name)] = rows[name].null_count
                if found["min"] is not None:
                    low[self._name_column(name)], high[self._name_column(name)] = map(
                        show_value, (found["min"], found["max"])
                    )
        return {"numRecords": rows.num_rows, "minValues": low, "maxValues": high, "nullCount": nulls}

    def _write_vector(self, path: str, places: set[int], at_ms: int) -> dict[str, Any]:
        name = self._draw_uuid("vector", path)
        self._write_bytes(self.folder / f"deletion_vector_{name}.bin", build_file(places), at_ms)
        return build_descriptor(name, places)

    def _read(self, path: str, deleted: set[int]) -> pa.Table:
        rows = pq.ParquetFile(self.folder / path).read()
        logical = {self._name_column(name): name for name in self.columns}
        rows = rows.rename_columns([logical[name] for name in rows.column_names])
        kept = [place for place in range(rows.num_rows) if place not in deleted]
        return rows.take(pa.array(kept, pa.int64()))

    def _rename(self, rows: pa.Table) -> pa.Table:
        """Rows under their physical names and with the ids of their columns."""
        if not self.layout.column_mapping:
            return rows
        fields = [
            field.with_name(self._name_column(field.name)).with_metadata(
                {"PARQUET:field_id": str(self._ids[field.name])}
            )
            for field in rows.schema
        ]
        return pa.Table.from_arrays(rows.columns, schema=pa.schema(fields))

    def _name_column(self, name: str) -> str:
        return f"col-{self._draw_uuid('column', name)}" if self.layout.column_mapping else name

    def _draw_uuid(self, *parts: object) -> UUID:
        text = "\x1f".join(map(str, (self.folder.name, self.version, *parts)))
        if parts[0] == "column":  # a column keeps its name through all versions
            text = "\x1f".join(map(str, (self.folder.name, *parts)))
        return UUID(blake2b(text.encode(), digest_size=16).hexdigest())

    def _build_protocol(self) -> dict[str, Any]:
        if self.layout.deletion_vectors:
            features = ["deletionVectors", *(["columnMapping"] if self.layout.column_mapping else [])]
            versions = {"minReaderVersion": 3, "minWriterVersion": 7}
            return {**versions, "readerFeatures": features, "writerFeatures": features}
        mapped = self.layout.column_mapping
        return {"minReaderVersion": 2 if mapped else 1, "minWriterVersion": 5 if mapped else 2}

    def _describe(self) -> dict[str, Any]:
        configuration = {"delta.enableDeletionVectors": "true"} if self.layout.deletion_vectors else {}
        fields = [self._describe_column(name, kind) for name, kind in self.columns.items()]
        if self.layout.column_mapping:
            configuration |= {"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": str(len(fields))}
        return {
            "id": str(self._draw_uuid("column", "table")),
            "format": {"provider": "parquet", "options": {}},
            "schemaString": json.dumps({"type": "struct", "fields": fields}),
            "partitionColumns": [self.layout.partition] if self.layout.partition else [],
            "configuration": configuration,
            "createdTime": 0,
        }

    def _describe_column(self, name: str, kind: str) -> dict[str, Any]:
        number = self._ids.setdefault(name, len(self._ids) + 1)
        metadata: dict[str, Any] = {}
        if self.layout.column_mapping:
            metadata = {"delta.columnMapping.id": number, "delta.columnMapping.physicalName": self._name_column(name)}
        return {"name": name, "type": _TYPES[kind][0], "nullable": True, "metadata": metadata}

    @staticmethod
    def _write_bytes(path: Path, content: bytes, at_ms: int) -> None:
        path.write_bytes(content)
        os.utime(path, (at_ms / 1000, at_ms / 1000))


def _build_remove(action: Mapping[str, Any], at_ms: int) -> dict[str, Any]:
    kept = {name: action[name] for name in ("path", "partitionValues", "size", "deletionVector") if name in action}
    return {**kept, "deletionTimestamp": at_ms, "dataChange": True, "extendedFileMetadata": True}
