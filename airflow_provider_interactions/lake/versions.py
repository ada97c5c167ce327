"""Versions of files: they show in a listing whether a file has changed, without reading it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

#: Seconds after which a file's time on a disk surely differs from that of its next version.
TICK = 2.0

#: What stores call a version, and the instant at which it was written, in the order of preference.
_VERSIONS = ("ETag", "etag", "generation", "created")
_TIMES = ("LastModified", "last_modified", "mtime", "updated", "modified", "created")


@dataclass(frozen=True, slots=True)
class Version:
    """The version of a file's content. ``id`` is empty if the store cannot distinguish versions at the moment.

    ``modified_at`` is when the file was written, in UTC, None if the store does not say.
    """

    id: str = ""
    modified_at: datetime | None = None


def scan_versions(folder: str) -> dict[str, Version]:
    """The files of a folder on a disk. A disk has no better clock than its kernel's tick. Raises OSError."""
    recent, found = time.time() - TICK, {}
    with os.scandir(folder) as files:
        for file in files:
            with contextlib.suppress(FileNotFoundError):
                facts = file.stat()
                version = f"{facts.st_ino}-{facts.st_mtime_ns}-{facts.st_size}" if facts.st_mtime < recent else ""
                found[file.name] = Version(version, datetime.fromtimestamp(facts.st_mtime, UTC))
    return found


def read_version(info: Mapping[str, Any]) -> Version:
    """The version of a file in its store, by the names that the drivers of S3, Google and Azure use."""
    version = next((info[name] for name in _VERSIONS if info.get(name)), "")
    moment = next((info[name] for name in _TIMES if info.get(name)), None)
    return Version(str(version), _read_instant(moment))


def _read_instant(moment: Any) -> datetime | None:
    found = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return found.astimezone(UTC) if isinstance(found, datetime) else None
