"""Commit a raw window, for extraction and normalization in different DAGs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import Context

from airflow_provider_interactions.observability.summary import summarize_raw
from airflow_provider_interactions.operators.base import LakeOperator
from airflow_provider_interactions.runtime.failures import raise_for_airflow
from airflow_provider_interactions.runtime.xcom import describe_window, unpack_batches


class PublishInteractionsOperator(LakeOperator):
    """Commit the raw files of all batches as one window; returns its manifest.

    Declare the asset that other DAGs wait for as an outlet of this task. The event then stands for a whole window, not
    for a batch. If another run has committed the same window in the meantime, the operator returns that manifest. You
    do not need this operator if NormalizeInteractionsOperator follows in the same DAG: it commits the window itself.

    :param manifests: the output of ExtractInteractionsOperator: one manifest, or those of all mapped tasks
    """

    stage = "publish"

    template_fields: Sequence[str] = (*LakeOperator.template_fields, "manifests")

    def __init__(self, *, manifests: Mapping[str, Any] | Sequence[Mapping[str, Any]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.manifests = manifests

    def perform(self, context: Context) -> dict[str, Any]:
        """Join the batches and commit them; fails at once if a retry cannot help."""
        from airflow_provider_interactions.extract.commit import commit_or_follow
        from airflow_provider_interactions.lake.manifest import pack

        batches = unpack_batches(self.manifests)
        self.attempt.note_batches(batches)
        with raise_for_airflow(*describe_window(batches)):
            manifest = commit_or_follow(self.open_lake(), batches)
        self.log.info("%s, window %s: committed %d records", manifest.vendor, manifest.window, manifest.counts.landed)
        return self.finish(context, summarize_raw(self.stage, manifest), pack(manifest))
