"""Extract: write the vendor's records to the lake, unchanged."""

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
    identify_run,
    pick_given,
    read_history_age,
)
from airflow_provider_interactions.runtime.deferral import choose_limits
from airflow_provider_interactions.runtime.failures import raise_for_airflow
from airflow_provider_interactions.runtime.shared_limit import choose_sharing
from airflow_provider_interactions.runtime.sources import read_list

if TYPE_CHECKING:
    from airflow_provider_interactions.extract.job import Job
    from airflow_provider_interactions.runtime.batching import Reference


class ExtractInteractionsOperator(VendorOperator):
    """Store every interaction of a batch of contacts in the run's window as raw files; returns the batch's manifest.

    If the chosen window is longer than ``width``, the manifest says into how many windows it will be split.

    Map the operator over the output of ListContactsOperator: ``.partial(…).expand(batch=contacts.output)``. One task
    sends as many requests as the vendor allows. Tasks of one account share its limit if the lake is on a local disk or
    on S3 (``[interactions] shared_limit``). Otherwise set ``max_active_tis_per_dag=1`` or use a pool.

    :param batch: a reference made by ListContactsOperator; it also holds the window
    :param contacts: identifiers instead of a batch, for a run of one task
    :param kind: kind of these identifiers, for example ``email``; default: the vendor's first kind
    :param concurrency: number of requests in flight; default: what the vendor documents
    :param history_age: only for vendors that cannot filter by date: the greatest age (timedelta, or seconds) of a
        history in the lake that may be used again. An older history is fetched again. Default: the run's param
        ``history_age``, else one day
    :param refresh: fetch all histories again, also new ones; default: the run's param ``refresh``, else no
    :param rejects_share: the share of records whose time may be unreadable before the task fails; default: 0.05, or ten
        records if that is more. The task also fails if no record has a readable time, unless this is 1
    :param on_missing: what to do about contacts that the vendor does not know. ``record`` records them as not found.
        The task fails if the vendor knows none of the contacts, or less than half of 20 or more. ``allow`` records any
        number of them. ``fail`` fails at the first one. With ``record`` and ``allow``, a contact that never gets a
        response while others do is recorded as failed. If these are more than three, and more than one in twenty, the
        task fails and is retried
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

    def perform(self, context: Context) -> dict[str, Any]:
        """Extract the batch; fails at once if a retry cannot help.

        A retry continues where the last try ended. So does a failed task that is cleared. A successful task that is
        cleared starts from the beginning.
        """
        from airflow_provider_interactions.extract.run import extract
        from airflow_provider_interactions.lake.manifest import pack

        with raise_for_airflow(self.subject):
            reference = self._read_reference(context)
            age = read_history_age(context, self.history_age, self.refresh)
        if self.batch is not None:
            _set_label(context, reference.label, self.map_index_template or "{{ interactions_batch }}")
        with self.defer_long_pause(), raise_for_airflow(self.subject, f"window {reference.window}"):
            job = self._build_job(reference, age, identify_run(context, self.retries or 0))
            self.attempt.note_window(job.place, job.batch, job.batches)
            manifest = extract(job).to_split(reference.width, reference.late)
        counts = manifest.counts
        self.log.info(
            "%s: landed %d records of %d contacts, with %d requests",
            *(describe_job(job), counts.landed, counts.contacts, counts.requests),
        )
        return self.finish(context, summarize_extracted(self.stage, manifest), pack(manifest))

    def _build_job(self, reference: Reference, age: timedelta | None, run: Run) -> Job:
        from airflow_provider_interactions import rejects
        from airflow_provider_interactions.extract.job import HISTORY_AGE, Job
        from airflow_provider_interactions.extract.progress import make_reporter

        hook, lake = self.hook(), self.open_lake()
        job = Job(
            vendor=hook.vendor,
            credentials=hook.credentials,
            lake=lake,
            window=reference.window,
            contacts=self._read_contacts(hook, lake, reference),
            options=self.read_options(hook),
            batch=reference.batch,
            batches=reference.batches,
            concurrency=self.concurrency,
            limits=choose_limits(deferrable=self.deferrable),
            sharing=choose_sharing(lake, hook),
            history_age=HISTORY_AGE if age is None else age,
            on_missing=self.on_missing,
            rejects_share=rejects.SHARE if self.rejects_share is None else self.rejects_share,
            resume=run.name,
            generation=run.generation,
            source=reference.source,
            first=reference.first,
            width=reference.width,
        )
        return replace(job, progress=make_reporter(self.log.info, describe_job(job)))

    def _read_reference(self, context: Context) -> Reference:
        """The operator's batch; without one, a batch of all ``contacts`` in the run's own window."""
        from airflow_provider_interactions.runtime.batching import Reference, read_reference

        if (self.batch is None) == (self.contacts is None):
            msg = "Give either batch (with .expand(batch=…) over the output of ListContactsOperator) or contacts."
            raise ConfigError(msg)
        if self.batch is not None:
            return read_reference(self.batch)
        window, width, late = self.find_span(context)
        return Reference("", 0, 0, 0, 1, window_start=window.start, window_end=window.end, width=width, late=late)

    def _read_contacts(self, hook: InteractionsHook, lake: Lake, reference: Reference) -> list[Contact]:
        from airflow_provider_interactions import contacts

        if self.batch is not None:
            return contacts.read_batch(lake, reference)
        return contacts.check_contacts(hook.vendor, read_list(self.contacts or ()), pick_given(self.kind))


def describe_job(job: Job) -> str:
    """Vendor, window and batch, for the log."""
    return f"{job.vendor.name}, window {job.window}, batch {job.batch + 1} of {job.batches}"


def _set_label(context: Context, label: str, template: str) -> None:
    # Airflow renders a mapped task's label from the context after the task ran. Airflow itself puts a template into the
    # context only if the DAG's author gave one to ``partial``.
    context["interactions_batch"] = label  # type: ignore[typeddict-unknown-key]
    context["map_index_template"] = template
