"""Tables as folders of Parquet or CSV files, a file an arrival day: what the managed lake may hold instead of Delta.

That CSV files have a header and US-format times is inferred from Microsoft's Power BI template for the older export.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq

from airflow_provider_interactions.sandbox.dynamics_journeys.records import BAD_TIME, UNKNOWN, Row
from airflow_provider_interactions.sandbox.dynamics_journeys.seed import build_arrow
from airflow_provider_interactions.sandbox.dynamics_journeys.tables import list_columns
from airflow_provider_interactions.sandbox.dynamics_journeys.values import show_as_text


def write_rows(folder: Path, name: str, rows: Sequence[Row], at_ms: int, *, as_csv: bool) -> list[Path]:
    """Write rows as a file of each schema that they have; rows that were deleted are not in it."""
    folder.mkdir(parents=True, exist_ok=True)
    day = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y%m%d%H%M%S%f")
    paths = []
    for older in (True, False):
        chosen = [row for row in rows if row.older == older and not row.deleted]
        if chosen:
            path = folder / f"{name}-{day}{'-0' if older else ''}.{'csv' if as_csv else 'parquet'}"
            _write_file(path, chosen, _choose_columns(name, chosen, older=older))
            os.utime(path, (at_ms / 1000, at_ms / 1000))
            paths.append(path)
    return paths


def _choose_columns(name: str, rows: Sequence[Row], *, older: bool) -> dict[str, str]:
    unknown = {UNKNOWN: "s"} if any(UNKNOWN in row.fields for row in rows) else {}
    return list_columns(name, older=older) | unknown


def _write_file(path: Path, rows: Sequence[Row], columns: dict[str, str]) -> None:
    if path.suffix == ".parquet":
        pq.write_table(build_arrow(rows, columns), path)
        return
    text = io.StringIO(newline="")
    lines = csv.writer(text)
    lines.writerow(columns)
    lines.writerows([_show(row, name) for name in columns] for row in rows)
    path.write_text(text.getvalue(), encoding="utf-8", newline="")


def _show(row: Row, name: str) -> str:
    if name in row.fields:
        return show_as_text(row.fields[name])
    return BAD_TIME if name == "Timestamp" else ""
