"""Parquet files that appear under their names only when they are complete, on any file system."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from airflow_provider_interactions.errors import Unreconciled
from airflow_provider_interactions.lake.manifest import File
from airflow_provider_interactions.lake.storage import Lake, NewFile, write_error

COMPRESSION = "zstd"

#: Columns of JSON, of which nobody wants to know the first and the last.
LONG = frozenset(("payload", "attributes"))


class Writer:
    """One Parquet file that appears under its name only when it is complete."""

    def __init__(self, lake: Lake, path: str, schema: pa.Schema) -> None:
        self.path, self.rows = path, 0
        self._file = NewFile(lake, path)
        # Payloads and the like hardly repeat: a dictionary of them is work for nothing.
        words = [column.name for column in schema if pa.types.is_dictionary(column.type)]
        ordered = [name for name in schema.names if name not in LONG]
        try:
            self._parquet = pq.ParquetWriter(
                self._file.stream, schema, compression=COMPRESSION, use_dictionary=words, write_statistics=ordered
            )
        except OSError as fault:
            self._file.discard()
            raise write_error(fault) from fault

    def write(self, rows: pa.RecordBatch | pa.Table) -> None:
        """Append one row group; where it cannot be written, leaves nothing, raises as ``storage.unwritable`` says."""
        with self._whole_or_nothing():
            self._parquet.write(rows)
        self.rows += rows.num_rows

    def close(self) -> File:
        """Finish the file and give it its name; raises as ``write`` does.

        The returned rows are those of the file's own footer; raises Unreconciled when these are not all that came.
        """
        with self._whole_or_nothing():
            self._parquet.close()
            self._check()
            self._file.close()
        return File(self.path, self.rows, self._file.size)

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
        self._file.discard()

    @contextlib.contextmanager
    def _whole_or_nothing(self) -> Iterator[None]:
        try:
            yield
        except BaseException as fault:
            self.discard()
            if isinstance(fault, OSError):
                raise write_error(fault) from fault
            raise
