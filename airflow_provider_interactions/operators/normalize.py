"""What landed into the canonical table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import Context

from airflow_provider_interactions.extract.superseded import newer
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.operators.base import LakeOperator
from airflow_provider_interactions.runtime.context import DAY, pieces
from airflow_provider_interactions.runtime.failures import raise_for_airflow
from airflow_provider_interactions.runtime.lake_url import open_lake
from airflow_provider_interactions.runtime.xcom import batches_of, handed_over, named


class NormalizeInteractionsOperator(LakeOperator):
    """Join a window's batches, then write its canonical rows and its rejects; returns the window's manifest.

    A run whose params ``start`` and ``end`` choose more than ``width`` writes windows of that length, as that many
    scheduled runs would; what it returns names the files of all of them. Where another run has extracted and published
    the same window meanwhile, that is what is normalized.

    :param manifests: what ExtractInteractionsOperator returned: one manifest, or those of all mapped tasks; default:
        the published one of the asset event that triggered the run
    :param width: how long the windows of other runs of the DAG are; default: one day
    :param rejects_share: share of the records that may be unreadable before the task fails; default: 0.05, or ten
        records where that is more. When no record at all can be read, the task fails, too, unless this is 1
    """

    stage = "normalize"

    template_fields: Sequence[str] = (*LakeOperator.template_fields, "manifests")

    def __init__(
        self,
        *,
        manifests: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        width: timedelta = DAY,
        rejects_share: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.manifests = manifests
        self.width = width
        self.rejects_share = rejects_share

    def execute(self, context: Context) -> dict[str, Any]:
        """Publish the raw window, normalize it, publish the result."""
        from airflow_provider_interactions.lake import manifest

        with raise_for_airflow():
            batches = self._batches(context)
            many = batches and self.manifests is not None and pieces(context, batches[0].window, self.width) > 1
        with raise_for_airflow(*named(batches)):
            done = self._divided(batches) if many else self._whole(batches)
        return self.finished(context, manifest.packed(done))

    def _batches(self, context: Context) -> list[Any]:
        if self.manifests is None:
            return [handed_over(context, open_lake(self.lake))]
        return batches_of(self.manifests)

    def _whole(self, batches: list[Any]) -> Any:
        from airflow_provider_interactions import errors
        from airflow_provider_interactions.extract import commit
        from airflow_provider_interactions.lake import manifest

        lake = open_lake(self.lake)
        try:
            raw = commit.commit_window(lake, batches)
        except errors.WindowSuperseded as gone:
            raw = newer(lake, manifest.whole(batches), gone, self.log)
        return self._normalized(lake, raw)

    def _divided(self, batches: list[Any]) -> Any:
        from airflow_provider_interactions import errors
        from airflow_provider_interactions.extract import split_window

        lake = open_lake(self.lake)
        try:
            done = [self._normalized(lake, raw) for raw in split_window.split_run(lake, batches, self.width)]
        except errors.WindowSuperseded as gone:  # an earlier try, before this task was cleared, has divided it
            pieces = split_window.divided(lake, batches, self.width)
            if pieces is None:
                raise
            self.log.info("Only the windows it was divided into are left; they are normalized again (%s)", gone)
            done = [self._normalized(lake, raw) for raw in pieces]
        split_window.drop_source(lake, batches)
        return split_window.merge_for_xcom(batches, done, self.width)

    def _normalized(self, lake: Lake, raw: Any) -> Any:
        from airflow_provider_interactions import (
            errors,
            rejects,
        )
        from airflow_provider_interactions.normalize import pipeline

        share = rejects.SHARE if self.rejects_share is None else self.rejects_share
        try:
            done = pipeline.normalize(lake, raw, rejects_share=share)
        except errors.WindowSuperseded as gone:
            return self._normalized(lake, newer(lake, raw, gone, self.log))
        counts = done.counts
        self.log.info(
            "%s, window %s: %d landed = %d canonical + %d rejected + %d repeated",
            *(done.vendor, done.window, counts.landed, counts.canonical, counts.rejected, counts.repeated),
        )
        return done
