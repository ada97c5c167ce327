"""The arguments of ``interactions_pipeline``, by the task that takes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from airflow_provider_interactions.alerts import Kind
from airflow_provider_interactions.targets import Targets
from airflow_provider_interactions.window import Instant

if TYPE_CHECKING:
    from airflow_provider_interactions.normalize.policy_rules import GivenPolicy


class CommonArguments(TypedDict, total=False):
    """Arguments of every task."""

    lake: str | None
    encrypt_raw: str | None


class VendorArguments(CommonArguments, total=False):
    """Arguments of the tasks that call the vendor."""

    conn_id: str | None
    start: Instant | None
    end: Instant | None
    width: timedelta
    lookback: int
    options: Mapping[str, Any] | None
    deferrable: bool
    pool: str | None


class ListArguments(VendorArguments, total=False):
    """Arguments of ``list_contacts``."""

    contacts: Sequence[str] | None
    contacts_file: str | None
    column: str | None
    contacts_sql: str | None
    contacts_conn_id: str | None
    kind: str | None
    batch_size: int | None
    on_empty: Literal["fail", "record"]


class ExtractArguments(VendorArguments, total=False):
    """Arguments of ``extract``."""

    concurrency: int | None
    history_age: timedelta | float | str | None
    refresh: bool | str | None
    on_missing: Literal["record", "allow", "fail"]
    rejects_share: float | None
    max_active_tis_per_dag: int | None


class RowArguments(CommonArguments, total=False):
    """Arguments of the tasks that write rows of the table."""

    policy: GivenPolicy
    conn_id: str | None
    identities: str | None
    identities_sql: str | None
    identities_conn_id: str | None


class NormalizeArguments(RowArguments, total=False):
    """Arguments of ``normalize``."""

    width: timedelta
    rejects_share: float | None
    target: Targets
    keep_former: timedelta | None
    alerts: Collection[Kind] | None
    fail_on: Collection[Kind] | None
    retention: Mapping[str, int | None] | None


class SplitArguments(CommonArguments, total=False):
    """Arguments of ``split``, which exists only with ``normalize_files``."""

    normalize_files: int | None


class LoadArguments(CommonArguments, total=False):
    """Arguments of ``load``."""

    target: Targets
    table: str
    database: str | None
    ledger: bool


class ApproveArguments(CommonArguments, total=False):
    """Arguments of ``approve``."""

    conn_id: str | None
    max_requests: int | str


class ReopenArguments(VendorArguments, total=False):
    """Arguments of ``find_reopened``, which exists only with ``reopen``."""


class Arguments(
    ReopenArguments,
    ListArguments,
    ApproveArguments,
    ExtractArguments,
    NormalizeArguments,
    SplitArguments,
    LoadArguments,
    total=False,
):
    """All arguments of ``interactions_pipeline``; the documentation of each operator explains its own."""
