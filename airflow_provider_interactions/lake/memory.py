"""A lake in memory, for records that must not reach a disk."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import fsspec

from airflow_provider_interactions.lake.storage import Lake


@contextmanager
def open_memory_lake() -> Iterator[Lake]:
    """A lake in memory. It ends with the process, so a failure cannot leave a part of a person's data on a disk."""
    memory = Lake(fsspec.filesystem("memory"), f"/{uuid.uuid4().hex}")
    try:
        yield memory
    finally:
        with suppress(FileNotFoundError):
            memory.fs.rm(memory.root, recursive=True)
