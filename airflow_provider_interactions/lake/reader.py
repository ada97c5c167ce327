"""Reading what is published, while others may publish: the former version of a window or the new one, never a mixture.

The files of a former version are removed as soon as the new one is there. So whoever finds a file gone reads the
manifest again, and starts over if it is another one.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from airflow_provider_interactions.errors import Unreconciled
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.storage import Lake


def read(lake: Lake, path: str) -> tuple[Manifest, pa.Table] | None:
    """The manifest at a path of the lake (``Place.manifest``, ``Place.raw_manifest``) and all rows of its files.

    None when nothing is published there. Raises Unreconciled when files are gone though their manifest is still the
    same, or hold another number of rows than it says.
    """
    manifest = lake.read(path, Manifest)
    while manifest is not None:
        try:
            return manifest, _rows(lake, manifest)
        except FileNotFoundError:
            former, manifest = manifest, lake.read(path, Manifest)
            if former == manifest:
                msg = f"A file of window {former.window} is gone, though its manifest refers to it: run it again."
                raise Unreconciled(msg) from None
    return None


def _rows(lake: Lake, manifest: Manifest) -> pa.Table:
    tables = [_table(lake, file.path) for file in manifest.files]
    for file, table in zip(manifest.files, tables, strict=True):
        if table.num_rows != file.rows:
            msg = f"{file.path} holds {table.num_rows} rows where its manifest says {file.rows}: run the window again."
            raise Unreconciled(msg)
    return pa.concat_tables(tables) if tables else pa.table({})


def _table(lake: Lake, path: str) -> pa.Table:
    with lake.fs.open(lake.full(path), "rb") as stream:
        return pq.ParquetFile(stream).read()
