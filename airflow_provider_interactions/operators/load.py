"""Load: merge normalized rows into a database table."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from airflow_provider_interactions.errors import InteractionsError
from airflow_provider_interactions.observability.summary import summarize_loaded
from airflow_provider_interactions.operators.base import LakeOperator
from airflow_provider_interactions.runtime.failures import raise_for_airflow
from airflow_provider_interactions.runtime.targets import open_targets
from airflow_provider_interactions.runtime.xcom import describe_window, find_triggering_manifest, unpack_batches
from airflow_provider_interactions.targets import Targets
from airflow_provider_interactions.window import zulu

if TYPE_CHECKING:
    from airflow_provider_interactions.lake.manifest import Manifest
    from airflow_provider_interactions.lake.storage import Lake
    from airflow_provider_interactions.load import Loaded, Target

log = logging.getLogger(__name__)


class LoadInteractionsOperator(LakeOperator):
    """Merge a normalized window into a table; the newest version of a row wins. Returns the window and its counts.

    If another run has replaced the window in the meantime, the operator loads the new version.

    :param manifest: the output of NormalizeInteractionsOperator; default: the manifest that the triggering asset event
        names
    :param target: where the table is: the id of an Airflow connection, or the path of a DuckDB file, which is created
        if it does not exist; a list of them; or a dict of them with the name of the table in each. Default:
        ``interactions.duckdb`` in the lake, if the lake is on a local disk
    :param table: name of the table, with a schema if needed
    :param database: the path of a DuckDB file; the same as ``target``
    :param ledger: whether a target also has the lake's ledger as a table, ``<table>_ledger``. This task's own row comes
        with the next load
    """

    stage = "load"

    template_fields: Sequence[str] = (*LakeOperator.template_fields, "manifest", "target", "table", "database")

    def __init__(
        self,
        *,
        manifest: Mapping[str, Any] | None = None,
        target: Targets = None,
        table: str = "interactions",
        database: str | None = None,
        ledger: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if target and database:
            msg = f"{type(self).__name__} {self.task_id}: give target or database, not both."
            raise ValueError(msg)
        self.manifest = manifest
        self.target = target
        self.table = table
        self.database = database
        self.ledger = ledger

    def perform(self, context: Context) -> dict[str, Any]:
        """Load in one transaction a target. If a database refuses the rows, it stays unchanged, and the task retries.

        Targets are loaded one after the other. A retry finds what is loaded already, and changes nothing there.
        """
        from airflow_provider_interactions.load import load_run

        with raise_for_airflow():
            lake, manifest, targets = self.open_lake(), self._read_manifest(context), self._open_targets()
            self.attempt.note_window(manifest.place)
        loaded = []
        with raise_for_airflow(*describe_window([manifest])):
            for target in targets:
                manifest, *results = load_run(lake, manifest, target)
                loaded.append(results)
        if self.ledger:
            _copy_ledger(lake, targets)
        return self.finish(
            context,
            summarize_loaded(self.stage, manifest, *loaded[0]),
            _build_result(manifest, [target.describe() for target in targets], loaded),
        )

    def describe_tables(self) -> list[tuple[str, str]]:
        """The tables that the task writes."""
        return [target.describe() for target in self._open_targets()]

    def _open_targets(self) -> list[Target]:
        return open_targets(self.target or self.database, self.table, self.open_lake())

    def _read_manifest(self, context: Context) -> Manifest:
        if self.manifest is None:
            return find_triggering_manifest(context, self.open_lake())
        return unpack_batches(self.manifest)[0]


def _copy_ledger(lake: Lake, targets: Sequence[Target]) -> None:
    """Bring the ledger's table of each target up to date. If one refuses, that is logged, and the load stays."""
    from airflow_provider_interactions.coverage.ledger import read_new_steps

    for target in targets:
        try:
            target.add_steps(partial(read_new_steps, lake))
        except InteractionsError as refused:
            log.warning("The ledger's table was not brought up to date. Set ledger=False to do without it. %s", refused)


def _build_result(
    manifest: Manifest, tables: Sequence[tuple[str, str]], loaded: Sequence[Sequence[Loaded]]
) -> dict[str, Any]:
    """The window, its counts, and what was done in each table. ``table`` and ``loaded`` are those of the first.

    ``late`` counts the rows of windows before the run's own; ``loaded`` includes them.
    """
    import msgspec

    done = [
        {"address": address, "table": table, "loaded": msgspec.to_builtins(all_rows), "late": msgspec.to_builtins(late)}
        for (address, table), (all_rows, late) in zip(tables, loaded, strict=True)
    ]
    return {
        "vendor": manifest.vendor,
        "account": manifest.account,
        "window_start": zulu(manifest.window_start),
        "window_end": zulu(manifest.window_end),
        "windows": manifest.windows,
        "counts": msgspec.to_builtins(manifest.counts),
        "table": done[0]["table"],
        "loaded": done[0]["loaded"],
        "late": done[0]["late"],
        "targets": done,
    }
