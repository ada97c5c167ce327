"""Read windows again whose rows the vendor has changed since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.operators.base import VendorOperator
from airflow_provider_interactions.runtime.context import MOST_WINDOWS, is_scheduled
from airflow_provider_interactions.runtime.deferral import choose_limits
from airflow_provider_interactions.runtime.failures import raise_for_airflow
from airflow_provider_interactions.runtime.shared_limit import choose_sharing
from airflow_provider_interactions.window import Window, join_windows, zulu


class FindReopenedOperator(VendorOperator):
    """Find windows in the lake with rows that were added, removed or changed at the vendor since the extraction.

    Only for vendors that keep everybody's interactions in tables. Returns one configuration for each stretch of
    neighbouring windows, with ``start`` and ``end``, for runs of the same DAG. A window is found again until it has
    been extracted. Manual runs and backfills skip the task, so the runs that it starts do not start others.
    """

    stage = "reopen"

    def perform(self, context: Context) -> list[dict[str, str]]:
        """Compare the vendor's tables with what was extracted."""
        if not is_scheduled(context):
            raise AirflowSkipException("Only scheduled runs look for changed windows.")
        with raise_for_airflow(self.subject):
            hook = self.hook()
            if hook.vendor.bulk is None:
                msg = f"{hook.vendor.name} has no tables, so changed windows cannot be found. Use lookback instead."
                raise ConfigError(msg)
        self.attempt.note_account(hook.vendor.name, hook.credentials.account)
        with self.defer_long_pause(), raise_for_airflow(self.subject):
            windows = self._find(context)
        stretches = join_windows(windows, MOST_WINDOWS)
        for stretch in stretches:
            self.log.info(
                "%s: rows of %s have changed since the extraction. A new run reads them again.",
                hook.vendor.name,
                stretch,
            )
        return [{"start": zulu(one.start), "end": zulu(one.end)} for one in stretches]

    def _find(self, context: Mapping[str, Any]) -> Sequence[Window]:
        from airflow_provider_interactions.extract.job import Job
        from airflow_provider_interactions.extract.reopened import find_reopened

        hook, lake = self.hook(), self.open_lake()
        return find_reopened(
            Job(
                vendor=hook.vendor,
                credentials=hook.credentials,
                lake=lake,
                window=self.find_span(context).window,
                contacts=[],
                options=self.read_options(hook),
                limits=choose_limits(deferrable=self.deferrable),
                sharing=choose_sharing(lake, hook),
            )
        )
