"""All tasks of one connection in one call: list contacts, extract, normalize, load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, NamedTuple, TypedDict, Unpack

from airflow.sdk import conf
from airflow.sdk.definitions.mappedoperator import MappedOperator

from airflow_provider_interactions.observability.assets import Stage, asset
from airflow_provider_interactions.operators.contacts import ListContactsOperator
from airflow_provider_interactions.operators.extract import ExtractInteractionsOperator
from airflow_provider_interactions.operators.load import NO_DATABASE, LoadInteractionsOperator
from airflow_provider_interactions.operators.normalize import NormalizeInteractionsOperator
from airflow_provider_interactions.window import Instant

#: The stages whose assets are told of.
MADE: tuple[Stage, ...] = ("normalized", "loaded")

ONE_AT_A_TIME = {"max_active_tis_per_dag": 1}

#: How addresses on a local disk begin.
LOCAL = ("file://", "local://")

#: Arguments that say whom to ask without asking the vendor.
SOURCES = ("contacts", "contacts_file", "contacts_sql")


class Anywhere(TypedDict, total=False):
    """Arguments of every task."""

    lake: str | None


class Asking(Anywhere, total=False):
    """Arguments of the tasks that ask the vendor."""

    conn_id: str | None
    start: Instant | None
    end: Instant | None
    width: timedelta
    options: Mapping[str, Any] | None
    pool: str | None


class Listing(Asking, total=False):
    """Arguments of ``list_contacts``."""

    contacts: Sequence[str] | None
    contacts_file: str | None
    column: str | None
    contacts_sql: str | None
    contacts_conn_id: str | None
    kind: str | None
    batch_size: int | None
    on_empty: Literal["fail", "record"]


class Extracting(Asking, total=False):
    """Arguments of ``extract``."""

    concurrency: int | None
    history_age: timedelta | float | str | None
    refresh: bool | str | None
    on_missing: Literal["record", "allow", "fail"]
    rejects_share: float | None
    max_active_tis_per_dag: int | None


class Normalizing(Anywhere, total=False):
    """Arguments of ``normalize``."""

    width: timedelta
    rejects_share: float | None


class Loading(Anywhere, total=False):
    """Arguments of ``load``."""

    database: str | None
    table: str


class Arguments(Listing, Extracting, Normalizing, Loading, total=False):
    """Everything ``interactions_pipeline`` takes; each operator's documentation says what its arguments mean."""


class Pipeline(NamedTuple):
    """The tasks of one connection, to put others before and after them. ``load`` is None if it was left out."""

    list_contacts: ListContactsOperator
    extract: MappedOperator
    normalize: NormalizeInteractionsOperator
    load: LoadInteractionsOperator | None


def interactions_pipeline(vendor: str | None = None, *, load: bool = True, **arguments: Unpack[Arguments]) -> Pipeline:
    """Put ``list_contacts``, ``extract`` (mapped over batches), ``normalize`` and ``load`` into the current DAG.

    Give ``vendor``, ``conn_id``, or both. Each argument goes to the operators that have it.

    ``extract`` runs one task at a time, whatever the number of runs, because one task sends as much as the vendor
    takes. With ``pool``, the tasks that ask the vendor take a slot of that pool instead, which counts other DAGs, too.
    ``[interactions] pools`` in the configuration chooses the pool named like the connection. Make the pool first:
    Airflow does not run a task whose pool is missing.

    If ``start`` and ``end`` cover more than ``width`` (default: one day), the run writes windows of that length. For
    several connections in one DAG, call this within one ``TaskGroup`` for each. Other DAGs can wait for the assets
    ``interactions_<conn_id, else vendor>_normalized`` and ``…_loaded``. With ``load=False``, the table stays in the
    lake, for a warehouse that reads Parquet.

    Raises TypeError for an unknown argument, and ValueError if the table has no place.
    """
    _refuse_unknown(arguments)
    chosen: dict[str, Any] = {**_limit_tasks(vendor, arguments), **arguments}
    listing = _select(Listing, chosen)
    if any(arguments.get(source) is not None for source in SOURCES):
        listing.pop("pool", None)
    contacts = ListContactsOperator(task_id="list_contacts", vendor=vendor, **listing)
    extracted = ExtractInteractionsOperator.partial(task_id="extract", vendor=vendor, **_select(Extracting, chosen))
    mapped = extracted.expand(batch=contacts.output)
    made = {stage: [asset(arguments.get("conn_id") or str(vendor), stage)] for stage in MADE}
    normalized = NormalizeInteractionsOperator(
        task_id="normalize", outlets=made["normalized"], **_select(Normalizing, chosen, manifests=mapped.output)
    )
    if not load:
        return Pipeline(contacts, mapped, normalized, None)
    _require_database(arguments)
    loaded = LoadInteractionsOperator(
        task_id="load", outlets=made["loaded"], **_select(Loading, chosen, manifest=normalized.output)
    )
    return Pipeline(contacts, mapped, normalized, loaded)


def _require_database(chosen: Mapping[str, Any]) -> None:
    """A DuckDB file lies on a disk: said while the DAG is read, not when all else is done."""
    lake = chosen.get("lake") or conf.get("interactions", "lake", fallback="")
    far = "://" in lake and "{{" not in lake and not lake.startswith(LOCAL)
    if far and chosen.get("database") is None:
        msg = f"{NO_DATABASE} Give interactions_pipeline a database, or load=False to leave the table in the lake."
        raise ValueError(msg)


def _limit_tasks(vendor: str | None, chosen: Mapping[str, Any]) -> Mapping[str, Any]:
    """What keeps tasks from asking one vendor all at once, where the DAG's author has not said it."""
    if "pool" in chosen:
        return {}
    if conf.getboolean("interactions", "pools", fallback=False):
        return {"pool": chosen.get("conn_id") or f"{vendor}_default"}
    return ONE_AT_A_TIME


def _select(kind: Any, chosen: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {name: chosen[name] for name in kind.__annotations__.keys() & chosen.keys()} | more


def _refuse_unknown(chosen: Mapping[str, Any]) -> None:
    known = Arguments.__annotations__
    unknown = sorted(chosen.keys() - known.keys())
    if unknown:
        every = ", ".join(("vendor", "load", *known))
        msg = f"interactions_pipeline knows no argument {', '.join(unknown)}. Known are: {every}."
        raise TypeError(msg)
