"""Everything that the lake knows of one window: its manifest, the tries that made it, and what could not be read."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pyarrow.compute as pc

from airflow_provider_interactions.coverage.ledger import read_ledger
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.encryption import decrypt_rows
from airflow_provider_interactions.lake.manifest import File, Manifest
from airflow_provider_interactions.lake.paths import WindowPaths
from airflow_provider_interactions.lake.reader import read_rows
from airflow_provider_interactions.lake.storage import Lake

#: Days of the ledger around a window's extraction and publication in which its tries are looked for.
AROUND = timedelta(days=1)

#: Rejected records to show at once.
SHOWN = 20


class Rejected(msgspec.Struct, frozen=True):
    """A record that cannot be read: the contact that was asked for and the vendor's bytes. It is personal data."""

    reason: str
    contact_id: str
    payload: bytes


def find_manifest(lake: Lake, place: WindowPaths) -> tuple[str, Manifest] | None:
    """The manifest of a window with its path: the normalized one, else the raw one. None if it has neither.

    Raises ConfigError if it refers to files outside of the lake.
    """
    for path in (place.manifest, place.raw_manifest):
        manifest = lake.read(path, Manifest)
        if manifest is not None:
            _refuse_outside(manifest)
            return path, manifest
    return None


def count_reasons(lake: Lake, manifest: Manifest) -> dict[str, int]:
    """Why records of a window could not be read, the most frequent reason first. Raises FileNotFoundError."""
    found = Counter[str]()
    for rows in read_rows(lake, _rejects(manifest)):
        found.update(rows.column("reason").to_pylist())
    return dict(found.most_common())


def read_rejected(lake: Lake, manifest: Manifest, reason: str, most: int = SHOWN) -> list[Rejected]:
    """The first records that were rejected for a reason, with their bytes. Raises FileNotFoundError.

    Those of the extraction are as the vendor sent them. If the window follows a policy for personal data, only their
    reason is shown.
    """
    found = list[Rejected]()
    for files, is_hidden in ((manifest.rejects, False), (manifest.undated, bool(manifest.policy))):
        for rows in read_rows(lake, files):
            mine = rows.filter(pc.equal(rows.column("reason"), reason)).slice(0, most - len(found))
            mine = decrypt_rows(lake, mine).rows
            columns = (mine.column(name).to_pylist() for name in ("reason", "contact_id", "payload"))
            some = [Rejected(*row) for row in zip(*columns, strict=True)]
            found += [Rejected(one.reason, "", b"") for one in some] if is_hidden else some
            if len(found) == most:
                return found
    return found


def find_tries(lake: Lake, place: WindowPaths, manifest: Manifest | None, now: datetime) -> list[dict[str, Any]]:
    """The tries of a window's steps, as rows of the ledger, in the order in which they ended.

    Looks at the days around the extraction of its manifest and at the last two days. A run over many windows counts
    for each of them.
    """
    asked = manifest.extracted_at if manifest else now
    days = {moment.astimezone(UTC).date() for moment in (asked - AROUND, asked, asked + AROUND, now - AROUND, now)}
    tables = [read_ledger(lake, day, day) for day in sorted(days)]
    rows = [row for table in tables for row in table.to_pylist()]
    return [row for row in rows if _is_about(row, place)]


def _is_about(row: dict[str, Any], place: WindowPaths) -> bool:
    if (row["vendor"], row["account"]) != (place.vendor, place.account) or row["window_start"] is None:
        return False
    return bool(row["window_start"] <= place.window.start and place.window.end <= row["window_end"])


def _rejects(manifest: Manifest) -> tuple[File, ...]:
    return (*manifest.rejects, *manifest.undated)


def _refuse_outside(manifest: Manifest) -> None:
    if any(path.startswith("/") or ".." in path.split("/") for path in manifest.paths):
        msg = f"The manifest of window {manifest.window} refers to files outside of the lake. It was not written here."
        raise ConfigError(msg)
