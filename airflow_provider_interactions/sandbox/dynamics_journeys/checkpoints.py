"""Checkpoints of a Delta log in their classic form: one Parquet file. Source: delta-io/delta, PROTOCOL.md."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_MAP = pa.map_(pa.string(), pa.string())
_VECTOR = pa.struct(
    [
        ("storageType", pa.string()),
        ("pathOrInlineDv", pa.string()),
        ("offset", pa.int32()),
        ("sizeInBytes", pa.int32()),
        ("cardinality", pa.int64()),
    ]
)
_SCHEMA = pa.schema(
    [
        (
            "protocol",
            pa.struct(
                [
                    ("minReaderVersion", pa.int32()),
                    ("minWriterVersion", pa.int32()),
                    ("readerFeatures", pa.list_(pa.string())),
                    ("writerFeatures", pa.list_(pa.string())),
                ]
            ),
        ),
        (
            "metaData",
            pa.struct(
                [
                    ("id", pa.string()),
                    ("name", pa.string()),
                    ("description", pa.string()),
                    ("format", pa.struct([("provider", pa.string()), ("options", _MAP)])),
                    ("schemaString", pa.string()),
                    ("partitionColumns", pa.list_(pa.string())),
                    ("configuration", _MAP),
                    ("createdTime", pa.int64()),
                ]
            ),
        ),
        (
            "add",
            pa.struct(
                [
                    ("path", pa.string()),
                    ("partitionValues", _MAP),
                    ("size", pa.int64()),
                    ("modificationTime", pa.int64()),
                    ("dataChange", pa.bool_()),
                    ("stats", pa.string()),
                    ("deletionVector", _VECTOR),
                ]
            ),
        ),
    ]
)


def write_checkpoint(log: Path, version: int, *actions: Sequence[Mapping[str, Any]]) -> None:
    """Write a checkpoint of a version: its protocol, its metadata and the add actions in force."""
    rows = [{name: action} for name, group in zip(_SCHEMA.names, actions, strict=True) for action in group]
    table = pa.Table.from_pylist([_list_pairs(row) for row in rows], schema=_SCHEMA)
    pq.write_table(table, log / f"{version:020}.checkpoint.parquet")
    (log / "_last_checkpoint").write_text(json.dumps({"version": version, "size": len(rows)}), encoding="ascii")


def _list_pairs(value: Any) -> Any:
    """Arrow takes the entries of a map as pairs; the log's objects are maps where they are named so."""
    if not isinstance(value, dict):
        return value
    maps = {"partitionValues", "configuration", "options"}
    return {name: list(inner.items()) if name in maps else _list_pairs(inner) for name, inner in value.items()}
