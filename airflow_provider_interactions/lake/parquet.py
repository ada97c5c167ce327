"""Parquet files that appear under their names only when they are complete, on any file system."""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from airflow_provider_interactions.errors import Unreconciled
from airflow_provider_interactions.lake.manifest import File
from airflow_provider_interactions.lake.storage import Lake, unwritable

COMPRESSION = "zstd"

#: Columns of JSON, of which nobody wants to know the first and the last.
LONG = frozenset(("payload", "attributes"))


class Writer:
    """One Parquet file that appears under its name only when it is complete."""

    def __init__(self, lake: Lake, path: str, schema: pa.Schema) -> None:
        self.lake, self.path, self.rows = lake, path, 0
        lake.prepare(path)
        self._target = lake.full(path)
        self._temporary = lake.full(lake.temporary(path)) if lake.local else self._target
        # Payloads and the like hardly repeat: a dictionary of them is work for nothing.
        words = [column.name for column in schema if pa.types.is_dictionary(column.type)]
        ordered = [name for name in schema.names if name not in LONG]
        try:
            self._stream = lake.fs.open(self._temporary, "wb")
            self._parquet = pq.ParquetWriter(
                self._stream, schema, compression=COMPRESSION, use_dictionary=words, write_statistics=ordered
            )
        except OSError as wrong:
            self._remove()
            raise unwritable(wrong) from wrong

    def write(self, rows: pa.RecordBatch | pa.Table) -> None:
        """Append one row group; where it cannot be written, leaves nothing, raises as ``storage.unwritable`` says."""
        with self._whole_or_nothing():
            self._parquet.write(rows)
        self.rows += rows.num_rows

    def close(self) -> File:
        """Finish the file and give it its name; raises as ``write`` does.

        The rows it tells are those of the file's own footer; raises Unreconciled when these are not all that came.
        """
        with self._whole_or_nothing():
            self._parquet.close()
            self._stream.close()
            self._check()
            if self._temporary != self._target:
                self.lake.fs.mv(self._temporary, self._target)
        return File(self.path, self.rows, int(self.lake.fs.size(self._target)))

    def _check(self) -> None:
        written = self._parquet.writer.metadata.num_rows
        if written != self.rows:
            msg = f"A file holds {written} rows of {self.rows}, so it is not kept. Please report this as a defect."
            raise Unreconciled(msg)

    def discard(self) -> None:
        """Leave nothing behind."""
        with contextlib.suppress(OSError, ValueError):  # a full disk, a stream that is closed
            self._parquet.close()
        self._parquet.is_open = False  # else it tries once more when it is collected
        self.lake.abandon(self._stream)
        self._remove()

    def _remove(self) -> None:
        # Where nothing can be renamed, nothing is there before it is whole; a file of that name is an earlier try's.
        if self._temporary != self._target:
            self.lake.remove([posixpath.relpath(self._temporary, self.lake.root)])

    @contextlib.contextmanager
    def _whole_or_nothing(self) -> Iterator[None]:
        try:
            yield
        except BaseException as fault:
            self.discard()
            if isinstance(fault, OSError):
                raise unwritable(fault) from fault
            raise
