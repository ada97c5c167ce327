"""Load canonical Parquet into a database: merge by key, newest wins, one transaction. One module per target."""

from __future__ import annotations

import logging
from types import ModuleType

import msgspec

from airflow_provider_interactions.errors import ConfigError, LoadError
from airflow_provider_interactions.extract.commit import refuse_other
from airflow_provider_interactions.extract.split_window import join_again, read_current
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.storage import Lake

log = logging.getLogger(__name__)


class Loaded(msgspec.Struct, frozen=True):
    """Row counts of a load. ``rows`` are all rows of the window. ``merged`` are duplicates among them.

    ``unchanged`` rows were already in the table, equal or newer.
    ``inserted`` + ``updated`` + ``unchanged`` + ``merged`` = ``rows``.
    """

    rows: int
    inserted: int
    updated: int
    unchanged: int
    merged: int


def load_window(lake: Lake, manifest: Manifest, database: str, table: str) -> tuple[Manifest, Loaded]:
    """Load the currently published version of a normalized window. Start again if another run replaces it meanwhile.

    Returns the manifest of the loaded version. Raises LoadError (the table is unchanged), Unreconciled if an extraction
    with other options or contacts has replaced the window, and ConfigError if DuckDB is not installed.
    """
    duckdb, manifest = _import_duckdb(), find_current(lake, manifest)
    while True:
        try:
            done = duckdb.load(lake, manifest, database, table)
        except LoadError:
            newer = find_current(lake, manifest)
            if newer.paths == manifest.paths:
                raise
            manifest = newer
        else:
            _log_counts(manifest, done)
            return manifest, done


def find_current(lake: Lake, manifest: Manifest) -> Manifest:
    """The currently published version of the window. Another run may have replaced it and removed its files."""
    if manifest.width is not None:
        pieces = read_current(lake, manifest, manifest.width)
        for piece in pieces:
            if not manifest.paths.issuperset(file.path for file in (*piece.files, *piece.rejects)):
                _accept(manifest, piece)
        return join_again(manifest, pieces)
    found = lake.read(manifest.place.manifest, Manifest)
    if found is None or found.paths == manifest.paths:
        return manifest
    _accept(manifest, found)
    return found


def _accept(mine: Manifest, found: Manifest) -> None:
    refuse_other(mine, found)
    log.warning(
        "%s, window %s: another run replaced the window; loading the rows of that run", found.vendor, found.window
    )


def _import_duckdb() -> ModuleType:
    try:
        from airflow_provider_interactions.load import duckdb
    except ModuleNotFoundError as missing:
        msg = "DuckDB is not installed. Install it with: pip install 'airflow-provider-interactions[duckdb]'."
        raise ConfigError(msg) from missing
    return duckdb


def _log_counts(manifest: Manifest, done: Loaded) -> None:
    log.info(
        "%s, window %s: %d rows loaded, %d inserted, %d updated, %d unchanged, %d merged",
        *(manifest.vendor, manifest.window, done.rows, done.inserted, done.updated, done.unchanged, done.merged),
    )
