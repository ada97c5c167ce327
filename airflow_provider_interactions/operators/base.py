"""The base classes of the operators: they hold the lake, the vendor and the run's window."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from airflow.sdk import BaseOperator, BaseOperatorLink, Context
from airflow.sdk.definitions.mappedoperator import OperatorPartial

from airflow_provider_interactions.connection import build_options
from airflow_provider_interactions.contract import Options
from airflow_provider_interactions.errors import VendorError
from airflow_provider_interactions.hooks.base import InteractionsHook
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.observability.assets import emit_events
from airflow_provider_interactions.observability.ledger import Attempt, record_attempt
from airflow_provider_interactions.observability.links import ManifestLink
from airflow_provider_interactions.observability.summary import Summary
from airflow_provider_interactions.runtime.context import DAY, Span, choose_split_width, look_back, resolve_window
from airflow_provider_interactions.runtime.deferral import DEFERRABLE, find_resume_time
from airflow_provider_interactions.runtime.identities import open_persons
from airflow_provider_interactions.runtime.lake_url import open_lake
from airflow_provider_interactions.runtime.policies import find_policy
from airflow_provider_interactions.runtime.retry import POLICY, RETRIES, keep_defaults
from airflow_provider_interactions.runtime.timetables import require_intervals
from airflow_provider_interactions.window import Instant, zulu

if TYPE_CHECKING:
    from airflow_provider_interactions.normalize.persons import PersonIndex
    from airflow_provider_interactions.normalize.policy import Policy
    from airflow_provider_interactions.normalize.policy_rules import GivenPolicy

Result = TypeVar("Result")


class LakeOperator(BaseOperator):
    """An operator that works in the lake.

    :param lake: root of the lake: an object-storage URL or a local path; default: ``[interactions] lake`` in the
        configuration
    :param encrypt_raw: address of a folder outside of the lake, for the keys that encrypt raw records, one for each
        contact; default: ``[interactions] encrypt_raw`` in the configuration. All tasks of a lake need the same one
    :param retries: number of retries after a failure; default: ``[core] default_task_retries``, or 3
    :param retry_policy: decides when to retry (Airflow 3.3); default: after the delay that the vendor asked for, else
        after the task's ``retry_delay``
    """

    #: The step's name in metrics, assets and lineage.
    stage: ClassVar[str] = ""

    #: What the step did. Set when it has finished.
    summary: Summary | None = None

    operator_extra_links: Collection[BaseOperatorLink] = (ManifestLink(),)

    template_fields: Sequence[str] = ("lake", "encrypt_raw")

    def __init__(
        self,
        *,
        lake: str | None = None,
        encrypt_raw: str | None = None,
        retries: int | None = RETRIES,
        retry_policy: Any = POLICY,
        **kwargs: Any,
    ) -> None:
        # Airflow 3.2 has no retry policies and rejects the argument.
        policy = {} if POLICY is None else {"retry_policy": retry_policy}
        super().__init__(retries=retries, **policy, **kwargs)
        self.lake = lake
        self.encrypt_raw = encrypt_raw
        self.attempt = Attempt(self.stage, lake)

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """Make a mapped operator, with this package's default retries and retry policy."""
        return keep_defaults(super().partial(**kwargs), kwargs)

    def execute(self, context: Context) -> Any:
        """Perform the step, and record the try in the ledger and in metrics, however it ends."""
        self.attempt = Attempt(self.stage, self.lake)
        with record_attempt(self.attempt, context):
            return self.perform(context)

    def open_lake(self) -> Lake:
        """The lake, with its key store if there is one. Raises ConfigError."""
        return open_lake(self.lake, self.encrypt_raw)

    def perform(self, context: Context) -> Any:
        """Do the work of the step. Each operator has its own."""
        raise NotImplementedError

    def finish(self, context: Any, summary: Summary, result: Result) -> Result:
        """Hand the step's summary to the ledger, metrics, links, assets and lineage, then return its result."""
        self.summary = self.attempt.summary = summary
        emit_events(context, self.outlets, summary)
        return result

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002 - as OpenLineage calls it
        """Datasets, schema, rows and bytes. OpenLineage calls this when the task has succeeded."""
        from airflow_provider_interactions.observability import lineage

        if self.summary is None:
            return None
        return lineage.build_lineage(self.summary, self.open_lake(), self.describe_tables())

    def describe_tables(self) -> list[tuple[str, str]]:
        """OpenLineage's namespace and name of each table that the step writes; empty if it writes no table."""
        return []


class PolicyOperator(LakeOperator):
    """An operator that writes rows of the table, under a policy for personal data.

    :param identities: address of the map of identities that fills ``person_id``: a Parquet or CSV file, or a folder of
        Parquet files. Default: none, and ``person_id`` is null
    :param identities_sql: a query that returns the map, instead of ``identities``
    :param identities_conn_id: Airflow connection of the query's database
    :param policy: what becomes of personal data: an action for all known fields (``"mask"``), or a mapping with
        ``preset``, ``fields`` and ``key``. Default: that of the connection, else only one-time passwords are masked
    :param conn_id: the vendor's connection, whose extra may hold a policy
    """

    template_fields: Sequence[str] = (
        *LakeOperator.template_fields,
        *("conn_id", "identities", "identities_sql", "identities_conn_id"),
    )

    def __init__(
        self,
        *,
        policy: GivenPolicy = None,
        conn_id: str | None = None,
        identities: str | None = None,
        identities_sql: str | None = None,
        identities_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.policy = policy
        self.conn_id = conn_id
        self.identities = identities
        self.identities_sql = identities_sql
        self.identities_conn_id = identities_conn_id

    def find_policy(self, vendor: str) -> Policy:
        """The policy of a vendor's rows; raises ConfigError that names what is wrong."""
        return find_policy(vendor, self.policy, self.conn_id)

    def open_persons(self) -> PersonIndex | None:
        """The persons of the map of identities; None if no map is given. Raises ConfigError."""
        return open_persons(self.identities, self.identities_sql, self.identities_conn_id)


class VendorOperator(LakeOperator):
    """An operator that calls a vendor. Give ``vendor``, ``conn_id``, or both.

    :param vendor: name of the vendor, for example ``which50``; default: the connection's type
    :param conn_id: Airflow connection; default: ``<vendor>_default``
    :param start: start of the window, as an aware datetime, or as ISO 8601 text with a zone; a date means midnight
        UTC. Default: the run's own window
    :param end: end of the window, exclusive
    :param width: length of a partition. A longer window is split into windows of this length. Default: one day
    :param lookback: number of windows before its own that a scheduled run reads again, because vendors add and change
        interactions later. They are counted separately. Backfills and manual runs do not look back. Default: 0
    :param options: options of the vendor; the vendor's page in the documentation lists them
    :param deferrable: whether the task gives up its slot if the vendor asks for a pause of more than a minute. The
        triggerer waits, and the task continues after the pause. Default: ``[operators] default_deferrable``
    """

    template_fields: Sequence[str] = (*LakeOperator.template_fields, "vendor", "conn_id", "start", "end", "options")

    def __init__(
        self,
        *,
        vendor: str | None = None,
        conn_id: str | None = None,
        start: Instant | None = None,
        end: Instant | None = None,
        width: timedelta = DAY,
        lookback: int = 0,
        options: Mapping[str, Any] | None = None,
        deferrable: bool = DEFERRABLE,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not vendor and not conn_id:
            msg = f"{type(self).__name__} {self.task_id}: give vendor, conn_id, or both."
            raise ValueError(msg)
        if start is None:
            require_intervals(self.get_dag())
        self.vendor = vendor
        self.conn_id = conn_id or f"{vendor}_default"
        self.start = start
        self.end = end
        self.width = width
        self.lookback = lookback
        self.options = options
        self.deferrable = deferrable

    def hook(self) -> InteractionsHook:
        """The connection's hook. It reads the connection when one of its properties is first used."""
        return InteractionsHook(self.conn_id, vendor=self.vendor)

    def find_span(self, context: Mapping[str, Any]) -> Span:
        """What the run reads; raises ConfigError if the run has no window, or too many."""
        own = resolve_window(context, self.start, self.end, self.width)
        window = look_back(context, own, self.lookback, self.width)
        late = window.count(self.width) - 1 if window != own else 0
        return Span(window, choose_split_width(context, self.start, window, self.width, late), late)

    def read_options(self, hook: InteractionsHook) -> Options:
        """The vendor's options, checked; raises ConfigError that names a wrong option."""
        options: Options = build_options(hook.vendor, self.options)
        return options

    @contextmanager
    def defer_long_pause(self) -> Iterator[None]:
        """Defer the task if the vendor asks for a long pause; this uses up no retry. Other errors are raised."""
        try:
            yield
        except VendorError as error:
            moment = find_resume_time(error) if self.deferrable else None
            if moment is None:
                raise
            self._defer_until(moment)

    def resume(self, context: Context, event: Any = None) -> Any:  # noqa: ARG002 - as Airflow calls it
        """Continue after the pause. The extraction finds its checkpoint."""
        return self.execute(context)

    def _defer_until(self, moment: datetime) -> None:
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        self.log.warning("rate limited: the task gives up its slot and continues after %s", zulu(moment))
        self.defer(trigger=DateTimeTrigger(moment=moment), method_name="resume")

    @property
    def subject(self) -> str:
        """The connection, as error messages name it."""
        return f"connection {self.conn_id}"
