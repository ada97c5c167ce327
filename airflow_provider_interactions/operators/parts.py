"""Split a window of many raw files, so that several tasks normalize it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context

from airflow_provider_interactions.operators.base import LakeOperator, PolicyOperator
from airflow_provider_interactions.runtime.failures import raise_for_airflow
from airflow_provider_interactions.runtime.xcom import describe_window, unpack_batches


class SplitWindowOperator(LakeOperator):
    """Commit a window's batches and split its raw files into parts; returns a reference to each part.

    Map NormalizePartOperator over the output. ``interactions_pipeline(normalize_files=…)`` builds these tasks.

    :param manifests: the output of ExtractInteractionsOperator: one manifest, or those of all mapped tasks
    :param files: number of raw files in a part; the parts have more if there would be more than 1,000 parts
    """

    stage = "split"

    template_fields: Sequence[str] = (*LakeOperator.template_fields, "manifests")

    def __init__(
        self, *, manifests: Mapping[str, Any] | Sequence[Mapping[str, Any]], files: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.manifests = manifests
        self.files = files

    def perform(self, context: Context) -> list[dict[str, Any]]:  # noqa: ARG002 - as all operators have it
        """Commit the raw window and split it. A run over several windows stays one part."""
        from airflow_provider_interactions.lake.manifest import pack
        from airflow_provider_interactions.normalize.parts import commit_and_split

        with raise_for_airflow():
            batches = unpack_batches(self.manifests)
            self.attempt.note_batches(batches)
        with raise_for_airflow(*describe_window(batches)):
            parts = commit_and_split(self.open_lake(), batches, self.files)
        self.log.info("%d raw files in %d parts", sum(len(part.files) for part in parts), len(parts))
        now = datetime.now(UTC).isoformat()
        return [{"part": pack(part), "now": now} for part in parts]


class NormalizePartOperator(PolicyOperator):
    """Write the canonical rows of one part of a window; returns the manifest of the part.

    NormalizeInteractionsOperator publishes all parts at once.

    :param part: a reference made by SplitWindowOperator
    """

    stage = "normalize_part"

    template_fields: Sequence[str] = (*PolicyOperator.template_fields, "part")

    def __init__(self, *, part: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.part = part

    def perform(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - as all operators have it
        """Normalize the part. Nothing is published."""
        from airflow_provider_interactions.lake.manifest import pack, unpack
        from airflow_provider_interactions.normalize.parts import normalize_split

        part = unpack(self.part["part"])
        self.attempt.note_window(part.place, part.batch, part.batches)
        with raise_for_airflow(*describe_window([part])):
            policy, persons = self.find_policy(part.vendor), self.open_persons()
            now = datetime.fromisoformat(self.part["now"])
            return pack(normalize_split(self.open_lake(), part, now, policy, persons))
