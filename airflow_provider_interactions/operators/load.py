"""Load: merge normalized rows into a database table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.observability.summary import summarize_loaded
from airflow_provider_interactions.operators.base import LakeOperator
from airflow_provider_interactions.runtime.failures import raise_for_airflow
from airflow_provider_interactions.runtime.lake_url import open_lake
from airflow_provider_interactions.runtime.xcom import describe_window, find_triggering_manifest, unpack_batches
from airflow_provider_interactions.window import zulu

if TYPE_CHECKING:
    from airflow_provider_interactions.lake.manifest import Manifest
    from airflow_provider_interactions.load import Loaded

#: Default name of the DuckDB file in a local lake.
DATABASE = "interactions.duckdb"

NO_DATABASE = "The lake is not on a local disk, so there is no default path for the DuckDB file."


class LoadInteractionsOperator(LakeOperator):
    """Merge a normalized window into a table; the newest version of a row wins. Returns the window and its counts.

    If another run has replaced the window in the meantime, the operator loads the new version.

    :param manifest: the output of NormalizeInteractionsOperator; default: the manifest that the triggering asset event
        names
    :param database: path of the DuckDB file, which is created if it does not exist; default: ``interactions.duckdb``
        in the lake, if the lake is on a local disk
    :param table: name of the table, with a schema if needed
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
        """Load in one transaction. If the database refuses the rows, it stays unchanged, and the task retries."""
        from airflow_provider_interactions.load import load_window

        with raise_for_airflow():
            lake, manifest = open_lake(self.lake), self._read_manifest(context)
        with raise_for_airflow(*describe_window([manifest])):
            manifest, result = load_window(lake, manifest, self._find_database(), self.table)
        return self.finish(
            context, summarize_loaded(self.stage, manifest, result), self._build_result(manifest, result)
        )

    @property
    def target(self) -> tuple[str, str] | None:
        """The DuckDB file, and the table in it."""
        return f"duckdb://{self._find_database()}", self.table

    def _read_manifest(self, context: Context) -> Manifest:
        if self.manifest is None:
            return find_triggering_manifest(context, open_lake(self.lake))
        return unpack_batches(self.manifest)[0]

    def _find_database(self) -> str:
        if self.database:
            return self.database
        lake = open_lake(self.lake)
        if not lake.local:
            raise ConfigError(f"{NO_DATABASE} Give the operator a database.")
        return lake.full(DATABASE)

    def _build_result(self, manifest: Manifest, result: Loaded) -> dict[str, Any]:
        import msgspec

        return {
            "vendor": manifest.vendor,
            "account": manifest.account,
            "window_start": zulu(manifest.window_start),
            "window_end": zulu(manifest.window_end),
            "windows": manifest.windows,
            "table": self.table,
            "counts": msgspec.to_builtins(manifest.counts),
            "loaded": msgspec.to_builtins(result),
        }
