"""Normalize: turn raw records into rows of the canonical table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from airflow_provider_interactions.observability.summary import summarize_normalized
from airflow_provider_interactions.operators.base import LakeOperator
from airflow_provider_interactions.runtime.context import DAY
from airflow_provider_interactions.runtime.failures import raise_for_airflow
from airflow_provider_interactions.runtime.lake_url import open_lake
from airflow_provider_interactions.runtime.targets import Targets, is_made_of_files, list_names
from airflow_provider_interactions.runtime.xcom import describe_window, find_triggering_manifest, unpack_batches

if TYPE_CHECKING:
    from airflow_provider_interactions.lake.manifest import Manifest


class NormalizeInteractionsOperator(LakeOperator):
    """Commit a window's batches, then write its canonical rows and its rejects; returns the window's manifest.

    If the run covers several windows, the operator writes each as a scheduled run would write it. The manifest then
    names the files of all windows. If another run has committed the same window in the meantime, the operator
    normalizes that version.

    :param manifests: the output of ExtractInteractionsOperator: one manifest, or those of all mapped tasks; default:
        the manifest that the triggering asset event names
    :param split: the output of SplitWindowOperator, if several tasks have normalized the window
    :param parts: the output of NormalizePartOperator, mapped over ``split``; this operator then only publishes them
    :param width: length of the windows that a longer window is split into; default: the length that the run's first
        task chose
    :param rejects_share: the share of records that may be unreadable before the task fails; default: 0.05, or ten
        records if that is more. The task also fails if no record can be read, unless this is 1
    :param target: where the rows will be loaded, as for LoadInteractionsOperator; it decides the default of
        ``keep_former``
    :param keep_former: how long the Parquet files of a replaced window stay, for tables that consist of these files
        (Iceberg) and for their readers: at most a day, as ``timedelta``. Default: a day if a target is in Iceberg,
        else they go at once
    """

    stage = "normalize"

    template_fields: Sequence[str] = (*LakeOperator.template_fields, "manifests", "split", "parts", "target")

    def __init__(
        self,
        *,
        manifests: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        split: Sequence[Mapping[str, Any]] | None = None,
        parts: Sequence[Mapping[str, Any]] | None = None,
        width: timedelta | None = None,
        rejects_share: float | None = None,
        target: Targets = None,
        keep_former: timedelta | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.manifests = manifests
        self.split = split
        self.parts = parts
        self.width = width
        self.rejects_share = rejects_share
        self.target = target
        self.keep_former = keep_former

    def perform(self, context: Context) -> dict[str, Any]:
        """Commit the raw window, normalize it and commit the result."""
        from airflow_provider_interactions.lake.manifest import pack

        with raise_for_airflow():
            batches, keep = self._read_batches(context), self._find_keep_former()
            self.attempt.note_batches(batches)
        with raise_for_airflow(*describe_window(batches)):
            manifest = self._normalize(batches, keep)
        return self.finish(context, summarize_normalized(self.stage, manifest), pack(manifest))

    def _find_keep_former(self) -> timedelta:
        if self.keep_former is not None:
            return self.keep_former
        return DAY if any(map(is_made_of_files, list_names(self.target))) else timedelta(0)

    def _normalize(self, batches: Sequence[Manifest], keep: timedelta) -> Manifest:
        from airflow_provider_interactions.lake.manifest import unpack
        from airflow_provider_interactions.normalize.parts import publish_parts
        from airflow_provider_interactions.normalize.window import normalize_run

        lake = open_lake(self.lake)
        if not self.split or batches[0].width is not None:
            return normalize_run(lake, batches, self.rejects_share, self.width, keep)
        split = [unpack(one["part"]) for one in self.split]
        now = datetime.fromisoformat(self.split[0]["now"])
        parts = unpack_batches(self.parts or ())
        return publish_parts(lake, split, parts, self.rejects_share, keep, now)

    def _read_batches(self, context: Context) -> list[Manifest]:
        if self.manifests is None:
            return [find_triggering_manifest(context, open_lake(self.lake))]
        return unpack_batches(self.manifests)
