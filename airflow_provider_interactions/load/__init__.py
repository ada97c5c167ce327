"""Canonical Parquet to a database: merged by key, newest wins, in one transaction. One module a target."""

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
    """What a load did. ``rows`` arrived; ``merged`` were the same interaction twice among them.

    ``unchanged`` ones are in the table as they are here, or newer.
    ``inserted`` + ``updated`` + ``unchanged`` + ``merged`` = ``rows``.
    """

    rows: int
    inserted: int
    updated: int
    unchanged: int
    merged: int


def load_window(lake: Lake, manifest: Manifest, database: str, table: str) -> tuple[Manifest, Loaded]:
    """Load a normalized window as it is published now, and again should another run replace it meanwhile.

    Returns the manifest of what was loaded. Raises LoadError (the table is as it was), Unreconciled where the window
    was replaced by an extraction that asked for something else, and ConfigError without DuckDB.
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
    """The window as it is published now: another run may have replaced it, and removed its files."""
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
    log.warning("%s, window %s was replaced by another run; its rows are loaded", found.vendor, found.window)


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
