"""Read the rows of a manifest's files, in bounded memory.

A newer version of a window removes the files of the former one, so a missing file does not mean a broken lake.
``read_rows`` raises FileNotFoundError. ``read_window`` raises WindowSuperseded. ``read_published`` reads the newer
version.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from airflow_provider_interactions.errors import Unreconciled, WindowSuperseded
from airflow_provider_interactions.lake.manifest import File, Manifest, count_rows
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.schema import CANONICAL, fit_columns, refuse_newer
from airflow_provider_interactions.window import Window

#: Default rows of a batch: pyarrow's own default.
BATCH_ROWS = 65_536


def read_rows(
    lake: Lake, files: Iterable[File], rows: int = BATCH_ROWS, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows of some Parquet files in order, at most ``rows`` in a batch. Raises FileNotFoundError.

    ``columns`` are those to read; None reads all.
    """
    for file in files:
        with lake.open(file.path) as stream:
            parquet = pq.ParquetFile(stream)
            # By row group: otherwise pyarrow fetches the whole file before the first batch.
            for group in range(parquet.num_row_groups):
                yield from parquet.iter_batches(rows, row_groups=[group], columns=columns)


def read_canonical(lake: Lake, manifest: Manifest, columns: pa.Schema | None = None) -> Iterator[pa.RecordBatch]:
    """The canonical rows of a manifest, also of one that an older version of the code wrote. Raises FileNotFoundError.

    Columns added since are null. Raises ConfigError if a newer version of the code wrote the files.
    """
    columns = CANONICAL if columns is None else columns
    refuse_newer(manifest.schema_version, columns, f"Window {manifest.window}")
    for rows in read_rows(lake, manifest.files):
        yield fit_columns(rows, columns)


def read_window(
    lake: Lake, raw: Manifest, files: Iterable[File], rows: int = BATCH_ROWS, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """The same for files of a raw window. Raises WindowSuperseded if another extraction has replaced them."""
    try:
        yield from read_rows(lake, files, rows, columns)
    except FileNotFoundError as gone:
        raise WindowSuperseded(describe_superseded(raw)) from gone


def read_published(lake: Lake, path: str) -> tuple[Manifest, pa.Table] | None:
    """The manifest at a path of the lake (``WindowPaths.manifest``, ``raw_manifest``) and all rows of its files.

    Reads one version of the window, never a mixture, even while others publish. Returns None if nothing is published
    there. Canonical rows of an older version of the code have nulls in the columns added since. Raises Unreconciled if
    files of the current manifest are missing, or hold another number of rows, and ConfigError for a newer schema.
    """
    manifest = lake.read(path, Manifest)
    while manifest is not None:
        canonical = path == manifest.place.manifest
        try:
            rows = read_canonical(lake, manifest) if canonical else read_rows(lake, manifest.files)
            return manifest, _build_table(manifest, list(rows))
        except FileNotFoundError:
            former, manifest = manifest, lake.read(path, Manifest)
            if former == manifest:
                msg = (
                    f"A file of window {former.window} is missing, but its manifest refers to it. Run the window again."
                )
                raise Unreconciled(msg) from None
    return None


def _build_table(manifest: Manifest, batches: list[pa.RecordBatch]) -> pa.Table:
    found, expected = sum(batch.num_rows for batch in batches), count_rows(manifest.files)
    if found != expected:
        msg = f"The files of window {manifest.window} hold {found} rows, the manifest says {expected}. Run it again."
        raise Unreconciled(msg)
    return pa.Table.from_batches(batches) if batches else pa.table({})


def filter_window(rows: pa.RecordBatch, window: Window, *, undated: bool) -> pa.RecordBatch:
    """The rows that occurred in a window. ``undated`` says whether to keep rows without a time."""
    at = rows.column("occurred_at")
    inside = pc.and_(pc.greater_equal(at, window.start), pc.less(at, window.end))
    return rows.filter(pc.fill_null(inside, fill_value=undated))


def describe_superseded(raw: Manifest) -> str:
    """The error message for a raw window whose files are gone."""
    return (
        f"Files of window {raw.window} are gone: another extraction of the same window has replaced them. Run the "
        "extraction again, or keep the newer one."
    )
