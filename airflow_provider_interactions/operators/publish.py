"""Commit a window where extraction and normalization are tasks of different DAGs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import Context

from airflow_provider_interactions.observability.summary import summarize_raw
from airflow_provider_interactions.operators.base import LakeOperator
from airflow_provider_interactions.runtime.failures import raise_for_airflow
from airflow_provider_interactions.runtime.lake_url import open_lake
from airflow_provider_interactions.runtime.xcom import describe_window, unpack_batches


class PublishInteractionsOperator(LakeOperator):
    """Commit the raw files of all batches as one window; returns its manifest.

    Give it the asset that other DAGs wait for as an outlet. The event then stands for a whole window, not for a batch.
    If another run has committed the same window meanwhile, its manifest is returned. You do not need this operator if
    NormalizeInteractionsOperator follows in the same DAG: it commits by itself.

    :param manifests: the output of ExtractInteractionsOperator: one manifest, or those of all mapped tasks
    """

    stage = "publish"

    template_fields: Sequence[str] = (*LakeOperator.template_fields, "manifests")

    def __init__(self, *, manifests: Mapping[str, Any] | Sequence[Mapping[str, Any]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.manifests = manifests

    def execute(self, context: Context) -> dict[str, Any]:
        """Join and publish; raises what ``commit_or_follow`` does, as an error that is not retried."""
        from airflow_provider_interactions.extract.commit import commit_or_follow
        from airflow_provider_interactions.lake.manifest import pack

        batches = unpack_batches(self.manifests)
        with raise_for_airflow(*describe_window(batches)):
            whole = commit_or_follow(open_lake(self.lake), batches)
        self.log.info("%s, window %s: %d records published", whole.vendor, whole.window, whole.counts.landed)
        return self.finish(context, summarize_raw(self.stage, whole), pack(whole))
