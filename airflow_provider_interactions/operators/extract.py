"""The vendor's records into the lake, as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import Context

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.hooks.base import InteractionsHook
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.operators.base import VendorOperator
from airflow_provider_interactions.runtime.context import Run, given, history_age, pieces, run_of
from airflow_provider_interactions.runtime.failures import raise_for_airflow
from airflow_provider_interactions.runtime.lake_url import open_lake
from airflow_provider_interactions.runtime.progress import reporter
from airflow_provider_interactions.runtime.sources import from_list
from airflow_provider_interactions.window import Window

if TYPE_CHECKING:
    from airflow_provider_interactions.runtime.batching import Reference


class ExtractInteractionsOperator(VendorOperator):
    """Land every interaction of a batch of contacts in the run's window; returns the batch's manifest.

    Where the run is about more than ``width``, the manifest says into how many windows it will be divided.

    Map it over what ListContactsOperator returns: ``.partial(…).expand(batch=contacts.output)``. The vendor's account
    takes only so many requests at once and one task uses them all, so give it ``max_active_tis_per_dag=1`` or a pool.

    :param batch: a reference made by ListContactsOperator; it also says which window
    :param contacts: identifiers instead of a batch, for a run of one task
    :param kind: what these identifiers are; default: the vendor's first kind
    :param concurrency: requests in flight; default: what the vendor documents
    :param history_age: of vendors that cannot filter by date: how old (timedelta, or seconds) a contact's history in
        the lake may be to be cut into windows instead of asked for again; default: the DAG run's param of this name,
        else one day
    :param refresh: ask anew whatever is in the lake; default: the DAG run's param of this name, else no
    :param rejects_share: share of the records that came whose time may be unreadable before the task fails; default:
        0.05, or ten records where that is more. When none has a time, the task fails, too, unless this is 1
    :param on_missing: what a contact that the vendor does not know means: ``record`` it, and fail when none of the
        contacts is known, or less than half of 20 or more; ``allow`` any number of them; ``fail`` at the first. A
        contact that gets no answer at any try, while others do, is recorded as failed, unless this is ``fail``; of
        more than three, and more than a twentieth, the task fails and is tried again
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
        """Ask, guard, land; fails at once where a retry cannot help.

        A retry goes on where the last try ended, and so does a failed task that is cleared; one that had succeeded
        starts afresh.
        """
        with raise_for_airflow(self.subject):
            reference = self._reference()
            window = reference.window if reference else self.window(context)
            age = history_age(context, self.history_age, self.refresh)
            many = pieces(context, window, self.width)
        if reference:
            _label(context, reference.label, self.map_index_template or "{{ interactions_batch }}")
        with raise_for_airflow(self.subject, f"window {window}"):
            landed = self._extracted(window, reference, age, run_of(context, self.retries or 0))
        return self.finished(context, {**landed, "windows": many})

    def _extracted(
        self, window: Window, reference: Reference | None, age: timedelta | None, run: Run
    ) -> dict[str, Any]:
        from airflow_provider_interactions import rejects
        from airflow_provider_interactions.extract import job
        from airflow_provider_interactions.extract import run as extract_run
        from airflow_provider_interactions.lake import manifest

        hook, lake = self.hook(), open_lake(self.lake)
        batch, batches = (reference.batch, reference.batches) if reference else (0, 1)
        name = f"{hook.vendor.name}, window {window}, batch {batch + 1} of {batches}"
        landed = extract_run.extract(
            job.Job(
                vendor=hook.vendor,
                credentials=hook.credentials,
                lake=lake,
                window=window,
                contacts=self._asked(hook, lake, reference),
                options=self.chosen(hook),
                batch=batch,
                batches=batches,
                concurrency=self.concurrency,
                history_age=job.HISTORY_AGE if age is None else age,
                on_missing=self.on_missing,
                rejects_share=rejects.SHARE if self.rejects_share is None else self.rejects_share,
                progress=reporter(self.log.info, name),
                resume=run.name,
                generation=run.generation,
                source=reference.source if reference else "",
                first=reference.first if reference else 0,
            )
        )
        counts = landed.counts
        self.log.info(
            "%s: landed %d records of %d contacts by %d requests", name, counts.landed, counts.contacts, counts.requests
        )
        return manifest.packed(landed)

    def _reference(self) -> Reference | None:
        from airflow_provider_interactions.runtime.batching import dereference

        if (self.batch is None) == (self.contacts is None):
            msg = "Give either batch (by .expand(batch=…) over ListContactsOperator's output) or contacts."
            raise ConfigError(msg)
        return None if self.batch is None else dereference(self.batch)

    def _asked(self, hook: InteractionsHook, lake: Lake, reference: Reference | None) -> list[Contact]:
        from airflow_provider_interactions import contacts as lists

        if reference is not None:
            return lists.read(lake, reference)
        return lists.checked(hook.vendor, from_list(self.contacts or ()), given(self.kind))


def _label(context: Context, label: str, template: str) -> None:
    # Airflow renders a mapped task's label from the context after it ran; the template gets there by itself only if
    # the DAG's author wrote one into ``partial``.
    context["interactions_batch"] = label  # type: ignore[typeddict-unknown-key]
    context["map_index_template"] = template
