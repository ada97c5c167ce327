"""What may be wrong with a Delta table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from airflow_provider_interactions.sandbox.dynamics_journeys.delta import DeltaTable, build_schema
from airflow_provider_interactions.sandbox.dynamics_journeys.options import Damage


def damage(table: DeltaTable, kind: Damage, at_ms: int) -> None:
    """Damage a table; "other_type" is done when the table is made, Version being text."""
    _KINDS[kind](table, at_ms)


def _find_file(table: DeltaTable) -> Path:
    return table.folder / next(reversed(table.files))


def truncate(path: Path) -> None:
    """Cut off the second half of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _truncate(table: DeltaTable, _: int) -> None:
    truncate(_find_file(table))


def _remove_file(table: DeltaTable, _: int) -> None:
    _find_file(table).unlink()


def _demand_feature(table: DeltaTable, at_ms: int) -> None:
    known = [*table.protocol.get("readerFeatures", []), "sandboxFeature"]
    versions = {"minReaderVersion": 3, "minWriterVersion": 7}
    table.protocol = {**versions, "readerFeatures": known, "writerFeatures": known}
    table.commit("UPGRADE PROTOCOL", [{"protocol": table.protocol}], at_ms)


def _put_unknown_columns(table: DeltaTable, at_ms: int) -> None:
    """Replace the table by one that shares no column with what is published."""
    import pyarrow as pa

    removed = [{"remove": {"path": path, "deletionTimestamp": at_ms, "dataChange": True}} for path in table.files]
    table.commit("DELETE", removed, at_ms)
    columns = {"SandboxName": "s", "SandboxNumber": "i"}
    table.columns, table.layout = {}, table.layout._replace(partition=None)
    table.add_columns(columns, at_ms)
    table.append(pa.Table.from_pylist([{"SandboxName": "x", "SandboxNumber": 1}], schema=build_schema(columns)), at_ms)


def _break_log(table: DeltaTable, _: int) -> None:
    path = table.folder / "_delta_log" / f"{table.version:020}.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: len(text) // 2], encoding="utf-8")


def _do_nothing(_: DeltaTable, __: int) -> None:
    """The table was made that way."""


_KINDS: dict[str, Callable[[DeltaTable, int], None]] = {
    "truncated_parquet": _truncate,
    "missing_file": _remove_file,
    "unknown_reader_feature": _demand_feature,
    "unknown_columns": _put_unknown_columns,
    "broken_log": _break_log,
    "other_type": _do_nothing,
}
