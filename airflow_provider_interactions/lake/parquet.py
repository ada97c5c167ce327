"""Parquet files on any file system. A file appears under its name only when it is complete."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from airflow_provider_interactions.errors import Unreconciled
from airflow_provider_interactions.lake.faults import is_storage_fault, translate_faults
from airflow_provider_interactions.lake.manifest import File
from airflow_provider_interactions.lake.new_file import NewFile
from airflow_provider_interactions.lake.storage import Lake

COMPRESSION = "zstd"

#: JSON columns: their minimum and maximum are useless as statistics.
LONG = frozenset(("payload", "attributes"))


class Writer:
    """One Parquet file. It appears under its name only when it is complete."""

    def __init__(self, lake: Lake, path: str, schema: pa.Schema) -> None:
        self.path, self.rows = path, 0
        self._file = NewFile(lake, path)
        # Payloads and the like hardly repeat, so a dictionary of them does not pay.
        words = [column.name for column in schema if pa.types.is_dictionary(column.type)]
        ordered = [name for name in schema.names if name not in LONG]
        try:
            with translate_faults():
                self._parquet = pq.ParquetWriter(
                    self._file.stream, schema, compression=COMPRESSION, use_dictionary=words, write_statistics=ordered
                )
        except BaseException:  # also of a task that is asked to stop, which is an exception at any instant
            self._file.discard()
            raise

    def write(self, rows: pa.RecordBatch | pa.Table) -> None:
        """Append one row group. If that fails, remove the file and raise as ``faults.describe_fault`` says."""
        with self._whole_or_nothing():
            self._parquet.write(rows)
        self.rows += rows.num_rows

    def close(self) -> File:
        """Finish the file and give it its name. Raises as ``write`` does.

        The returned row count is the one in the file's footer. Raises Unreconciled if it differs from the rows written.
        """
        with self._whole_or_nothing():
            self._parquet.close()
            self._check()
            self._file.close()
        return File(self.path, self.rows, self._file.size)

    def _check(self) -> None:
        written = self._parquet.writer.metadata.num_rows
        if written != self.rows:
            msg = f"A file holds {written} of {self.rows} rows, so it was removed. Please report this as a defect."
            raise Unreconciled(msg)

    def discard(self) -> None:
        """Remove the unfinished file."""
        try:
            self._parquet.close()
        except Exception as fault:  # a full disk, a closed stream, a store that cannot be reached
            if not isinstance(fault, ValueError) and not is_storage_fault(fault):
                raise
        self._parquet.is_open = False  # otherwise pyarrow closes it again on garbage collection
        self._file.discard()

    @contextlib.contextmanager
    def _whole_or_nothing(self) -> Iterator[None]:
        with translate_faults():
            try:
                yield
            except BaseException:
                self.discard()
                raise
