"""List the contacts: the first task of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from airflow_provider_interactions.contract import Contact, Options
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.hooks.base import InteractionsHook
from airflow_provider_interactions.lake.paths import WindowPaths
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.observability.summary import summarize_list
from airflow_provider_interactions.operators.base import VendorOperator
from airflow_provider_interactions.runtime import sources
from airflow_provider_interactions.runtime.context import Span, is_aligned, pick_given
from airflow_provider_interactions.runtime.deferral import choose_limits
from airflow_provider_interactions.runtime.failures import raise_for_airflow
from airflow_provider_interactions.runtime.planning import wants_plan
from airflow_provider_interactions.runtime.shared_limit import choose_sharing


class ListContactsOperator(VendorOperator):
    """Store the list of contacts in the lake and return references to batches of it, for ``.expand(batch=…)``.

    The references hold the run's window, so all later tasks of the run use the same window. XCom never holds
    identifiers. Identifiers given as ``contacts`` are visible in the task's rendered templates.

    Give one of ``contacts``, ``contacts_file`` and ``contacts_sql``, or none of them for the vendor's own list. Files
    and queries are read as streams, so they may be of any size.

    If the run's param ``plan`` is true, the task logs what the run would take, stores nothing and skips the run.

    :param contacts: identifiers
    :param contacts_file: address of a file of identifiers, in any object storage that Airflow supports. The ending
        gives the format: Parquet, CSV, or text with one identifier on each line
    :param column: column of the file; default: the first one. If you leave it out, a CSV file with an identifier
        in its first line is rejected
    :param contacts_sql: a query, or a template file ``….sql`` with a query. Its first column holds the identifiers
    :param contacts_conn_id: connection for the query, of any type with a hook for DB-API
    :param kind: kind of the identifiers, for example ``email``; default: the vendor's first kind
    :param batch_size: contacts in each mapped task; default: as many as take about five minutes at the vendor's
        documented rate, in at most 200 tasks
    :param on_empty: what to do if the list is empty: ``fail``, or ``record`` a window without interactions
    """

    stage = "list"

    template_fields: Sequence[str] = (
        *VendorOperator.template_fields,
        *("contacts", "contacts_file", "column", "contacts_sql", "contacts_conn_id", "kind"),
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"contacts_sql": "sql"}

    def __init__(
        self,
        *,
        contacts: Sequence[str] | None = None,
        contacts_file: str | None = None,
        column: str | None = None,
        contacts_sql: str | None = None,
        contacts_conn_id: str | None = None,
        kind: str | None = None,
        batch_size: int | None = None,
        on_empty: Literal["fail", "record"] = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.contacts = contacts
        self.contacts_file = contacts_file
        self.column = column
        self.contacts_sql = contacts_sql
        self.contacts_conn_id = contacts_conn_id
        self.kind = kind
        self.batch_size = batch_size
        self.on_empty = on_empty

    def perform(self, context: Context) -> list[dict[str, Any]]:
        """List the contacts, store the list and cut it into batches; fails at once if a retry cannot help."""
        with raise_for_airflow(self.subject):
            span = self.find_span(context)
        window, width, _ = span
        if width and not is_aligned(window, width):
            self.log.warning(
                "Window %s does not start and end at a boundary of %s in UTC. Its parts differ from the windows of "
                "scheduled runs, so the lake will hold windows that overlap. Choose a start and an end at boundaries.",
                *(window, width),
            )
        with self.defer_long_pause(), raise_for_airflow(self.subject, f"window {window}"):
            if wants_plan(context):
                self._show_plan(span)
            return self._store_list(context, span)

    def _show_plan(self, span: Span) -> None:
        """Log the plan of the run and skip the task, and with it the run. Stores nothing."""
        from airflow_provider_interactions.plan.text import describe_plan
        from airflow_provider_interactions.runtime.planning import plan_task

        hook, lake = self.hook(), self.open_lake()
        options = self.read_options(hook)
        contacts = len({contact for page in self._list_pages(hook, options, lake) for contact in page})
        chosen = {"kind": pick_given(self.kind), "batch_size": self.batch_size}
        text = describe_plan(plan_task(hook, lake, options, contacts, span.window, span.width, **chosen))
        self.log.info("The plan of this run:\n%s", text)
        raise AirflowSkipException("This run has the param plan, so it ends here. Run it without to extract.")

    def _store_list(self, context: Context, span: Span) -> list[dict[str, Any]]:
        from airflow_provider_interactions import contacts
        from airflow_provider_interactions.runtime.batching import make_reference

        hook, lake = self.hook(), self.open_lake()
        options = self.read_options(hook)
        place = WindowPaths(hook.vendor.name, hook.credentials.account, span.window)
        self.attempt.note_window(place)
        path, count = contacts.write_list(lake, place, self._list_pages(hook, options, lake), datetime.now(UTC))
        size = self._choose_batch_size(
            hook, options, contacts.read_batch(lake, contacts.Batch(path, 0, 1, 0, 1)), count
        )
        if not count and self.on_empty == "fail":
            msg = (
                "The list of contacts is empty, so an empty window would replace the data of this window in the lake. "
                "Check the source of the contacts, or allow an empty list with on_empty='record'."
            )
            raise ConfigError(msg)
        batches = contacts.cut_batches(path, count, size)
        self.log.info("%s, window %s: %d contacts in %d batches", hook.vendor.name, span.window, count, len(batches))
        references = [make_reference(batch, *span, source=self._hash_source()) for batch in batches]
        return self.finish(context, summarize_list(self.stage, place, path, count), references)

    def _choose_batch_size(
        self, hook: InteractionsHook, options: Options, sample: Sequence[Contact], contacts: int
    ) -> int:
        from airflow_provider_interactions.runtime import batching

        if self.batch_size is None:
            return batching.choose_batch_size(hook.vendor, hook.credentials.settings, options, contacts, sample)
        return batching.check_size(self.batch_size, contacts)

    def _list_pages(self, hook: InteractionsHook, options: Options, lake: Lake) -> Iterable[Sequence[Contact]]:
        from airflow_provider_interactions import contacts as lists
        from airflow_provider_interactions.contact_files import make_accepter

        ids = self._read_identifiers(make_accepter(hook.vendor, pick_given(self.kind)))
        if ids is None:
            limits, sharing = choose_limits(deferrable=self.deferrable), choose_sharing(lake, hook)
            return lists.list_from_vendor(hook.vendor, hook.credentials, options, limits, sharing)
        return lists.check_identifiers(hook.vendor, ids, pick_given(self.kind))

    def _hash_source(self) -> str:
        """A short hash of where the contacts come from, for ``Job.source``."""
        from airflow_provider_interactions.contacts import hash_source

        arguments = (self.contacts_file, self.column, self.contacts_sql, self.contacts_conn_id, self.kind)
        return hash_source(*map(pick_given, arguments), listed=self.contacts is not None)

    def _read_identifiers(self, accepts: Callable[[str], bool]) -> Iterable[object] | None:
        match sources.choose_source(
            contacts=self.contacts, contacts_file=self.contacts_file, contacts_sql=self.contacts_sql
        ):
            case "contacts":
                return sources.read_list(self.contacts or ())
            case "contacts_file":
                return sources.read_file(str(self.contacts_file), pick_given(self.column), accepts)
            case "contacts_sql":
                return sources.read_sql(str(self.contacts_sql), pick_given(self.contacts_conn_id))
        return None
