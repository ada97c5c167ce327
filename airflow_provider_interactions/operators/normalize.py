"""What landed into the canonical table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import Context

from airflow_provider_interactions.lake import Lake
from airflow_provider_interactions.operators.assets import handed_over
from airflow_provider_interactions.operators.base import LakeOperator
from airflow_provider_interactions.operators.errors import judged
from airflow_provider_interactions.operators.handed import batches_of, named
from airflow_provider_interactions.operators.lake import open_lake
from airflow_provider_interactions.operators.replaced import newer
from airflow_provider_interactions.operators.wide import pieces
from airflow_provider_interactions.operators.window import DAY


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
        from airflow_provider_interactions import manifest  # noqa: PLC0415 - as light as the others below are heavy

        with judged():
            batches = self._batches(context)
            many = batches and self.manifests is not None and pieces(context, batches[0].window, self.width) > 1
        with judged(*named(batches)):
            done = self._divided(batches) if many else self._whole(batches)
        return self.finished(context, manifest.packed(done))

    def _batches(self, context: Context) -> list[Any]:
        if self.manifests is None:
            return [handed_over(context, open_lake(self.lake))]
        return batches_of(self.manifests)

    def _whole(self, batches: list[Any]) -> Any:
        from airflow_provider_interactions import land, manifest  # noqa: PLC0415 - pyarrow is heavy

        lake = open_lake(self.lake)
        try:
            raw = land.publish(lake, batches)
        except land.Replaced as gone:
            raw = newer(lake, manifest.whole(batches), gone, self.log)
        return self._normalized(lake, raw)

    def _divided(self, batches: list[Any]) -> Any:
        from airflow_provider_interactions import divide, land  # noqa: PLC0415 - as above

        lake = open_lake(self.lake)
        try:
            done = [self._normalized(lake, raw) for raw in divide.divide(lake, batches, self.width)]
        except land.Replaced as gone:  # an earlier try, before this task was cleared, has divided it
            pieces = divide.divided(lake, batches, self.width)
            if pieces is None:
                raise
            self.log.info("Only the windows it was divided into are left; they are normalized again (%s)", gone)
            done = [self._normalized(lake, raw) for raw in pieces]
        divide.discard(lake, batches)
        return divide.joined(batches, done, self.width)

    def _normalized(self, lake: Lake, raw: Any) -> Any:
        from airflow_provider_interactions import land, normalize, rejects  # noqa: PLC0415 - as above

        share = rejects.SHARE if self.rejects_share is None else self.rejects_share
        try:
            done = normalize.normalize(lake, raw, rejects_share=share)
        except land.Replaced as gone:
            return self._normalized(lake, newer(lake, raw, gone, self.log))
        counts = done.counts
        self.log.info(
            "%s, window %s: %d landed = %d canonical + %d rejected + %d repeated",
            *(done.vendor, done.window, counts.landed, counts.canonical, counts.rejected, counts.repeated),
        )
        return done
