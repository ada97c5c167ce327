"""Normalization: raw records into the canonical table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from airflow_provider_interactions.observability.summary import summarize_normalized
from airflow_provider_interactions.operators.base import LakeOperator
from airflow_provider_interactions.runtime.failures import raise_for_airflow
from airflow_provider_interactions.runtime.lake_url import open_lake
from airflow_provider_interactions.runtime.xcom import describe_window, triggering_manifest, unpack_batches

if TYPE_CHECKING:
    from airflow_provider_interactions.lake.manifest import Manifest


class NormalizeInteractionsOperator(LakeOperator):
    """Commit a window's batches, then write its canonical rows and its rejects; returns the window's manifest.

    If the run covers several windows, each is written as a scheduled run would write it, and the manifest names the
    files of all of them. If another run has committed the same window meanwhile, that version is normalized.

    :param manifests: the output of ExtractInteractionsOperator: one manifest, or those of all mapped tasks; default:
        the manifest that the triggering asset event names
    :param width: length of the windows that a longer one is split into; default: as the run's first task decided
    :param rejects_share: the share of records that may be unreadable before the task fails; default: 0.05, or ten
        records if that is more. If no record can be read, the task fails, too, unless this is 1
    """

    stage = "normalize"

    template_fields: Sequence[str] = (*LakeOperator.template_fields, "manifests")

    def __init__(
        self,
        *,
        manifests: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        width: timedelta | None = None,
        rejects_share: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.manifests = manifests
        self.width = width
        self.rejects_share = rejects_share

    def execute(self, context: Context) -> dict[str, Any]:
        """Publish the raw window, normalize it, publish the result."""
        from airflow_provider_interactions.lake.manifest import pack
        from airflow_provider_interactions.normalize.window import normalize_run

        with raise_for_airflow():
            batches = self._batches(context)
        with raise_for_airflow(*describe_window(batches)):
            done = normalize_run(open_lake(self.lake), batches, self.rejects_share, self.width)
        return self.finish(context, summarize_normalized(self.stage, done), pack(done))

    def _batches(self, context: Context) -> list[Manifest]:
        if self.manifests is None:
            return [triggering_manifest(context, open_lake(self.lake))]
        return unpack_batches(self.manifests)
