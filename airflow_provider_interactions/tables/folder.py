"""Tables that are a folder of Parquet or CSV files. The first bytes of each file say which.

Files may differ in their columns. The columns of CSV are text. Its first line must hold the names: that the vendor
writes one is not published, and a file without is an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from copy import copy
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from airflow_provider_interactions.errors import BadResponse
from airflow_provider_interactions.instants import are_unplaced
from airflow_provider_interactions.tables.columns import cut_instants
from airflow_provider_interactions.tables.csv_quotes import QuoteChecker
from airflow_provider_interactions.tables.faults import translate_faults
from airflow_provider_interactions.tables.store import Store, StoredFile
from airflow_provider_interactions.tables.table import DataFile, choose_names, find_name
from airflow_provider_interactions.window import Window

#: A file holds no rows of a time that begins so long after it was written. Clocks differ.
CLOCKS = timedelta(days=1)

#: Rows of a Parquet file that are read at once.
ROWS = 8_192

#: Bytes of a CSV file that are read at once.
BLOCK = 4 * 1024 * 1024

#: Formats that no published page promises, by their first bytes.
_PACKED = {b"\x1f\x8b": "gzip", b"PK": "zip", b"Obj\x01": "Avro", b"ORC": "ORC"}


class FolderReader:
    """One folder of files, as it was when it was opened."""

    def __init__(self, store: Store, path: str, time: str, subject: str) -> None:
        self._store, self._time, self._subject = store, time, subject
        listed = list(store.list_files(path))
        _refuse_unreadable(listed, subject)
        self._files = [file for file in listed if file.size and _is_data(file.path)]
        if not self._files and not any(file.path.lower().endswith(".csv") for file in listed):
            msg = f"{subject} has neither a Delta log nor files with rows. Check that the folder is the right one"
            raise BadResponse(msg)

    @property
    def names(self) -> Sequence[str]:
        """Empty: every file has its own."""
        return ()

    def list_files(self) -> Sequence[DataFile]:
        """The files. Nothing is known about their first instants."""
        return [DataFile(file.path, file.tag, None, file.written_at + CLOCKS) for file in self._files]

    def count_files(self, window: Window) -> int:
        """The files that are not older than the window."""
        return sum(file.may_hold(window) for file in self.list_files())

    def select_files(self, paths: Collection[str]) -> FolderReader:
        """The table with these files only."""
        some = copy(self)
        some._files = [file for file in self._files if file.path in paths]  # noqa: SLF001 - its own class
        return some

    def scan(self, window: Window, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows of files that may hold some of the window."""
        for file in self._files:
            if file.written_at + CLOCKS >= window.start:
                yield from self._read(file, window, columns)

    def _read(self, file: StoredFile, window: Window, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        subject = f"{self._subject} (file {file.path.rpartition('/')[2]})"
        with translate_faults(subject):
            head = self._store.open(file.path).read(4)
            if bytes(head) == b"PAR1":
                yield from self._read_parquet(file, window, columns, subject)
            else:
                yield from self._read_csv(file, columns, bytes(head), subject)

    def _read_parquet(
        self, file: StoredFile, window: Window, columns: Sequence[str] | None, subject: str
    ) -> Iterator[pa.RecordBatch]:
        # The older type INT96 has years beyond those that nanoseconds can count.
        parquet = pq.ParquetFile(self._store.open(file.path), memory_map=False, coerce_int96_timestamp_unit="us")
        schema = parquet.schema_arrow
        _refuse_repeated(schema.names, subject)
        time = find_name(schema.names, self._time)
        groups = list(range(parquet.num_row_groups))
        if time and pa.types.is_timestamp(schema.field(time).type):
            groups = [n for n in groups if _group_may_hold(parquet, n, schema.get_field_index(time), window)]
        chosen = choose_names(schema.names, columns)
        for group in groups:
            yield from parquet.iter_batches(ROWS, [group], chosen, use_threads=False)

    def _read_csv(
        self, file: StoredFile, columns: Sequence[str] | None, head: bytes, subject: str
    ) -> Iterator[pa.RecordBatch]:
        packed = next((name for magic, name in _PACKED.items() if head.startswith(magic)), None)
        if packed:
            msg = f"{subject} is in {packed}, which is not known of this vendor. Please report it"
            raise BadResponse(msg, lasting=True)
        parsing = pa.csv.ParseOptions(newlines_in_values=True)
        reading = pa.csv.ReadOptions(block_size=BLOCK)
        names = pa.csv.open_csv(self._store.open(file.path), reading, parsing).schema.names
        if find_name(names, self._time) is None:
            msg = f"{subject} has no column {self._time} in its first line, so its columns are not known"
            raise BadResponse(msg, lasting=True)
        _refuse_repeated(names, subject)
        converting = pa.csv.ConvertOptions(
            check_utf8=False,  # one odd byte must not hide a table
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
            include_columns=choose_names(names, columns) or [],
        )
        stream = QuoteChecker(self._store.open(file.path))
        yield from pa.csv.open_csv(stream, reading, parsing, converting)
        if not stream.is_whole():
            msg = (
                f"{subject} has a quote that is not closed, or text after a closing quote, so its rows are not certain"
            )
            raise BadResponse(msg)


def _refuse_unreadable(listed: Sequence[StoredFile], subject: str) -> None:
    """Raise BadResponse for a file that cannot be whole, and for a Delta table deeper in the folder.

    Parquet files have bytes at both ends. A CSV file without a byte has no rows yet, as far as anybody knows
    (unverified). A folder may have a mark of its own: no bytes, and no ending.
    """
    names = (file.path.rpartition("/")[2] for file in listed if not file.size and _is_data(file.path))
    broken = next((name for name in names if name.lower().endswith(".parquet")), None)
    if broken:
        msg = f"{subject} (file {broken}) has a file that is damaged or was cut off: it has no bytes"
        raise BadResponse(msg)
    if any("/_delta_log/" in file.path for file in listed):
        msg = f"{subject} has a Delta table in a folder of its own, so its rows are not certain"
        raise BadResponse(msg, lasting=True)


def _is_data(path: str) -> bool:
    """Whether a file holds rows. Marks, checksums and descriptions of a model do not."""
    name = path.rpartition("/")[2]
    return not name.startswith(("_", ".")) and not name.endswith((".crc", ".json"))


def _group_may_hold(parquet: pq.ParquetFile, group: int, column: int, window: Window) -> bool:
    """Whether a row group may hold a row of the window, or one that is in no window, by its statistics."""
    found = parquet.metadata.row_group(group).column(column).statistics
    if found is None or not found.has_min_max or found.null_count != 0:  # None: nobody counted them
        return True
    kind = parquet.schema_arrow.field(column).type
    ends = cut_instants(pa.array([found.min_raw, found.max_raw], pa.int64()).cast(kind))  # Python has no such years
    if pc.any(are_unplaced(ends)).as_py():
        return True
    first, last = ends.to_pylist()
    return bool(first < window.end and last >= window.start)


def _refuse_repeated(names: Sequence[str], subject: str) -> None:
    """Raise BadResponse for two columns of one name in any case: one of them would count for no reason."""
    count = Counter(name.casefold() for name in names)
    repeated = sorted(name for name in set(names) if count[name.casefold()] > 1)
    if repeated:
        msg = f"{subject} has several columns of the name {', '.join(repeated)}"
        raise BadResponse(msg, lasting=True)
