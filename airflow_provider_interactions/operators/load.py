"""The canonical table into a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from airflow_provider_interactions.errors import ConfigError, LoadError
from airflow_provider_interactions.extract.superseded import refuse_other
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.operators.base import LakeOperator
from airflow_provider_interactions.runtime.failures import raise_for_airflow
from airflow_provider_interactions.runtime.lake_url import open_lake
from airflow_provider_interactions.runtime.xcom import handed_over
from airflow_provider_interactions.window import zulu

if TYPE_CHECKING:
    from airflow_provider_interactions.lake.manifest import Manifest

#: The file's name in a local lake, where no other is given.
DATABASE = "interactions.duckdb"

HOMELESS = "The lake is on no local disk, so a DuckDB file has no default place."


class LoadInteractionsOperator(LakeOperator):
    """Merge a normalized window into a table, newest wins; returns the window, its counts, and what the load did.

    What is loaded is the window as it is published then, should another run have replaced it meanwhile.

    :param manifest: what NormalizeInteractionsOperator returned; default: the published one of the asset event that
        triggered the run
    :param database: path of a DuckDB file, made if absent; default: ``interactions.duckdb`` in a lake on local disk
    :param table: its name, with a schema if need be
    """

    stage = "load"

    template_fields: Sequence[str] = (*LakeOperator.template_fields, "manifest", "database", "table")

    def __init__(
        self,
        *,
        manifest: Mapping[str, Any] | None = None,
        database: str | None = None,
        table: str = "interactions",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.manifest = manifest
        self.database = database
        self.table = table

    def execute(self, context: Context) -> dict[str, Any]:
        """Load in one transaction; a database that refuses the rows is left as it was, and the task retries."""
        from airflow_provider_interactions.lake.manifest import unpacked

        with raise_for_airflow():
            lake = open_lake(self.lake)
            known = handed_over(context, lake) if self.manifest is None else unpacked(self.manifest)
            manifest = self._current(known, lake)
        with raise_for_airflow(f"vendor {manifest.vendor}", f"window {manifest.window}"):
            return self.finished(context, self._loaded_now(manifest, lake))

    @property
    def target(self) -> tuple[str, str] | None:
        """The DuckDB file, and the table in it."""
        return f"duckdb://{self.database or _beside(open_lake(self.lake))}", self.table

    def _current(self, manifest: Manifest, lake: Lake) -> Manifest:
        """The window as it is published now: another run may have replaced it since, and its files with it."""
        from airflow_provider_interactions.lake.manifest import Manifest

        if manifest.windows > 1:
            return self._current_pieces(manifest, lake)
        found = lake.read(manifest.place.manifest, Manifest)
        if found is None or found.paths == manifest.paths:
            return manifest
        self._accept(manifest, found)
        return found

    def _current_pieces(self, manifest: Manifest, lake: Lake) -> Manifest:
        """The same for each window of a run about several."""
        from airflow_provider_interactions.extract import split_window

        if manifest.width is None:  # made by an older version
            return manifest
        pieces = split_window.current(lake, manifest)
        for piece in pieces:
            if not manifest.paths.issuperset(file.path for file in (*piece.files, *piece.rejects)):
                self._accept(manifest, piece)
        return split_window.join_again(manifest, pieces)

    def _accept(self, mine: Manifest, found: Manifest) -> None:
        refuse_other(mine, found)
        self.log.warning("%s, window %s was replaced by another run; its rows are loaded", found.vendor, found.window)

    def _loaded_now(self, manifest: Manifest, lake: Lake) -> dict[str, Any]:
        """Load; should another run replace a window meanwhile, and remove its files, load what it has published."""
        while True:
            try:
                return self._loaded(manifest, lake)
            except LoadError:
                newer = self._current(manifest, lake)
                if newer.paths == manifest.paths:
                    raise
                manifest = newer

    def _loaded(self, manifest: Manifest, lake: Lake) -> dict[str, Any]:
        import msgspec

        done = _duckdb().load(lake, manifest, self.database or _beside(lake), self.table)
        self.log.info(
            "%s, window %s: %d rows loaded, %d inserted, %d updated, %d unchanged, %d merged",
            *(manifest.vendor, manifest.window, done.rows, done.inserted, done.updated, done.unchanged, done.merged),
        )
        return {
            "vendor": manifest.vendor,
            "account": manifest.account,
            "window_start": zulu(manifest.window_start),
            "window_end": zulu(manifest.window_end),
            "windows": manifest.windows,
            "table": self.table,
            "counts": msgspec.to_builtins(manifest.counts),
            "loaded": msgspec.to_builtins(done),
        }


def _duckdb() -> Any:
    try:
        from airflow_provider_interactions.load import duckdb
    except ModuleNotFoundError as missing:
        msg = "DuckDB is not installed. Install it with: pip install 'airflow-provider-interactions[duckdb]'."
        raise ConfigError(msg) from missing
    return duckdb


def _beside(lake: Lake) -> str:
    if not lake.local:
        raise ConfigError(f"{HOMELESS} Give the operator a database.")
    return lake.full(DATABASE)
