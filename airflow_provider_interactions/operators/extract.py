"""Extraction: the vendor's records into the lake, as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import Context

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.hooks.base import InteractionsHook
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.observability.summary import summarize_extracted
from airflow_provider_interactions.operators.base import VendorOperator
from airflow_provider_interactions.runtime.context import (
    Run,
    choose_split_width,
    first_given,
    identify_run,
    read_history_age,
)
from airflow_provider_interactions.runtime.failures import raise_for_airflow
from airflow_provider_interactions.runtime.lake_url import open_lake
from airflow_provider_interactions.runtime.progress import make_reporter
from airflow_provider_interactions.runtime.sources import read_list

if TYPE_CHECKING:
    from airflow_provider_interactions.extract.job import Job
    from airflow_provider_interactions.runtime.batching import Reference


class ExtractInteractionsOperator(VendorOperator):
    """Store every interaction of a batch of contacts in the run's window as raw files; returns the batch's manifest.

    If the chosen window is longer than ``width``, the manifest says into how many windows it will be split.

    Map it over the output of ListContactsOperator: ``.partial(…).expand(batch=contacts.output)``. One task sends as
    many requests as the vendor takes, so give it ``max_active_tis_per_dag=1`` or a pool.

    :param batch: a reference made by ListContactsOperator; it also holds the window
    :param contacts: identifiers instead of a batch, for a run of one task
    :param kind: the kind of these identifiers; default: the vendor's first kind
    :param concurrency: requests in flight; default: what the vendor documents
    :param history_age: for vendors that cannot filter by date: the greatest age (timedelta, or seconds) of a history in
        the lake from which windows are cut. Older ones are fetched again. Default: the run's param of this name, else
        one day
    :param refresh: fetch histories again, whatever their age; default: the run's param of this name, else no
    :param rejects_share: the share of records whose time may be unreadable before the task fails; default: 0.05, or ten
        records if that is more. If no record has a readable time, the task fails, too, unless this is 1
    :param on_missing: what to do about contacts that the vendor does not know. ``record`` notes them, and fails if none
        is known, or less than half of 20 or more. ``allow`` notes any number of them. ``fail`` fails at the first one.
        Unless this is ``fail``, a contact without a response at any try, while others have one, is noted as failed; if
        these are more than three, and more than a twentieth, the task fails and is retried
    """

    stage = "extract"

    template_fields: Sequence[str] = (
        *VendorOperator.template_fields,
        *("batch", "contacts", "kind", "history_age", "refresh"),
    )

    def __init__(
        self,
        *,
        batch: Mapping[str, Any] | None = None,
        contacts: Sequence[str] | None = None,
        kind: str | None = None,
        concurrency: int | None = None,
        history_age: timedelta | float | str | None = None,
        refresh: bool | str | None = None,
        on_missing: Literal["record", "allow", "fail"] = "record",
        rejects_share: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.batch = batch
        self.contacts = contacts
        self.kind = kind
        self.concurrency = concurrency
        self.history_age = history_age
        self.refresh = refresh
        self.on_missing = on_missing
        self.rejects_share = rejects_share

    def execute(self, context: Context) -> dict[str, Any]:
        """Extract the batch; fails at once if a retry cannot help.

        A retry goes on where the last try ended. So does a failed task that is cleared. A task that had succeeded
        starts afresh.
        """
        from airflow_provider_interactions.extract.run import extract
        from airflow_provider_interactions.lake.manifest import pack

        with raise_for_airflow(self.subject):
            reference = self._reference(context)
            age = read_history_age(context, self.history_age, self.refresh)
        if self.batch is not None:
            _set_label(context, reference.label, self.map_index_template or "{{ interactions_batch }}")
        with raise_for_airflow(self.subject, f"window {reference.window}"):
            job = self._job(reference, age, identify_run(context, self.retries or 0))
            landed = extract(job).to_split(reference.width)
        counts = landed.counts
        self.log.info(
            "%s: landed %d records of %d contacts by %d requests",
            *(describe_job(job), counts.landed, counts.contacts, counts.requests),
        )
        return self.finish(context, summarize_extracted(self.stage, landed), pack(landed))

    def _job(self, reference: Reference, age: timedelta | None, run: Run) -> Job:
        from airflow_provider_interactions import rejects
        from airflow_provider_interactions.extract.job import HISTORY_AGE, Job

        hook, lake = self.hook(), open_lake(self.lake)
        job = Job(
            vendor=hook.vendor,
            credentials=hook.credentials,
            lake=lake,
            window=reference.window,
            contacts=self._contacts(hook, lake, reference),
            options=self.checked_options(hook),
            batch=reference.batch,
            batches=reference.batches,
            concurrency=self.concurrency,
            history_age=HISTORY_AGE if age is None else age,
            on_missing=self.on_missing,
            rejects_share=rejects.SHARE if self.rejects_share is None else self.rejects_share,
            resume=run.name,
            generation=run.generation,
            source=reference.source,
            first=reference.first,
        )
        return replace(job, progress=make_reporter(self.log.info, describe_job(job)))

    def _reference(self, context: Context) -> Reference:
        """The batch to ask for; without one, a batch of all ``contacts`` in the run's own window."""
        from airflow_provider_interactions.runtime.batching import Reference, read_reference

        if (self.batch is None) == (self.contacts is None):
            msg = "Give either batch (by .expand(batch=…) over ListContactsOperator's output) or contacts."
            raise ConfigError(msg)
        if self.batch is not None:
            return read_reference(self.batch)
        window = self.window(context)
        width = choose_split_width(context, self.start, window, self.width)
        return Reference("", 0, 0, 0, 1, window_start=window.start, window_end=window.end, width=width)

    def _contacts(self, hook: InteractionsHook, lake: Lake, reference: Reference) -> list[Contact]:
        from airflow_provider_interactions import contacts

        if self.batch is not None:
            return contacts.read_batch(lake, reference)
        return contacts.check_contacts(hook.vendor, read_list(self.contacts or ()), first_given(self.kind))


def describe_job(job: Job) -> str:
    """Vendor, window and batch, for the log."""
    return f"{job.vendor.name}, window {job.window}, batch {job.batch + 1} of {job.batches}"


def _set_label(context: Context, label: str, template: str) -> None:
    # Airflow renders a mapped task's label from the context after it ran; the template gets there by itself only if
    # the DAG's author wrote one into ``partial``.
    context["interactions_batch"] = label  # type: ignore[typeddict-unknown-key]
    context["map_index_template"] = template
