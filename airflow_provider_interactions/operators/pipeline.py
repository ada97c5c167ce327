"""Create all tasks of one connection in one call: list contacts, extract, normalize, load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Unpack

from airflow.sdk import conf
from airflow.sdk.definitions.mappedoperator import MappedOperator

from airflow_provider_interactions.observability.assets import Stage, asset
from airflow_provider_interactions.operators.base import LakeOperator
from airflow_provider_interactions.operators.contacts import ListContactsOperator
from airflow_provider_interactions.operators.extract import ExtractInteractionsOperator
from airflow_provider_interactions.operators.load import LoadInteractionsOperator
from airflow_provider_interactions.operators.normalize import NormalizeInteractionsOperator
from airflow_provider_interactions.operators.parts import NormalizePartOperator, SplitWindowOperator
from airflow_provider_interactions.operators.pipeline_arguments import (
    ApproveArguments,
    Arguments,
    CommonArguments,
    ExtractArguments,
    ListArguments,
    LoadArguments,
    NormalizeArguments,
    ReopenArguments,
    RowArguments,
)
from airflow_provider_interactions.packages import name_extra
from airflow_provider_interactions.targets import DATABASE, NO_TARGET, find_missing, list_names

#: Stages whose tasks have an asset as an outlet.
ASSET_STAGES: tuple[Stage, ...] = ("normalized", "loaded")

ONE_AT_A_TIME = {"max_active_tis_per_dag": 1}

#: Prefixes of addresses on a local disk.
LOCAL_SCHEMES = ("file://", "local://")

#: Sources of contacts that need no request to the vendor.
SOURCES = ("contacts", "contacts_file", "contacts_sql")


class Pipeline(NamedTuple):
    """The tasks of one connection, so that you can put other tasks before and after them.

    ``load`` is None if it was left out. The task ``approve`` of ``max_requests`` is between the first two.
    """

    list_contacts: ListContactsOperator
    extract: MappedOperator
    normalize: NormalizeInteractionsOperator
    load: LoadInteractionsOperator | None


def interactions_pipeline(
    vendor: str | None = None, *, load: bool = True, reopen: bool = False, **arguments: Unpack[Arguments]
) -> Pipeline:
    """Add ``list_contacts``, ``extract`` (mapped over batches), ``normalize`` and ``load`` to the current DAG.

    Give ``vendor``, ``conn_id``, or both. Each argument goes to the operators that have it.

    ``extract`` runs one task at a time, also in several runs, because one task sends as many requests as the
    vendor allows. With ``pool``, the tasks that call the vendor take a slot of that pool instead. A pool also counts
    the tasks of other DAGs. ``[interactions] pools`` in the configuration chooses the pool with the connection's name.
    Create the pool first: Airflow does not run a task whose pool is missing.

    With ``lookback=3``, each scheduled run also reads the three windows before its own again, for late interactions.

    If ``start`` and ``end`` cover more than ``width`` (default: one day), the run writes windows of that length. For
    several connections in one DAG, call this function in a ``TaskGroup`` for each connection. Other DAGs can wait for
    the assets ``interactions_<conn_id, else vendor>_normalized`` and ``…_loaded``. With ``load=False``, the rows stay
    in the lake, for a warehouse that reads Parquet.

    With ``reopen``, for vendors that keep everybody's interactions in tables, each scheduled run ends with two more
    tasks: ``find_reopened`` looks for windows whose rows have changed at the vendor since they were extracted, and
    ``reopen`` starts a run of the DAG for exactly these.

    With ``max_requests``, a task ``approve`` follows ``list_contacts``. If the plan of the run has more requests, it
    waits until a person approves it in Airflow's UI. A rejected run is skipped. Each run of a backfill has a plan of
    its own.

    ``normalize`` is one task, in bounded memory. For windows of many raw files, ``normalize_files`` adds two tasks
    before it: ``split`` cuts the window into parts of that many files, and ``normalize_parts``, mapped over them,
    writes their rows. ``normalize`` then only publishes them, all at once.

    ``normalize`` warns of native types and fields that are new (``alerts=("drift",)``). It can also look at the number
    of rows and at the share of rejects. With ``fail_on``, it fails before the window is loaded.

    A table in Iceberg consists of the lake's files, so those of a replaced window stay for a day if a target is in
    Iceberg.

    ``policy`` says what happens to personal data in the table and in ``rejects/``. ``identities`` is the address of a
    map of identities, which fills the column ``person_id``. To apply a changed policy or map, run ``normalize`` and
    ``load`` again. This does not call the vendor.

    ``retention`` says for how many days the lake keeps each layer. Answers to requests, and lists of contacts, go after
    30 days; everything else stays.

    Raises TypeError for an unknown argument, and ValueError if the rows have no target.
    """
    _reject_unknown(arguments)
    chosen: dict[str, Any] = {**_limit_tasks(vendor, arguments), **arguments}
    listing = _select(ListArguments, chosen)
    if any(arguments.get(source) is not None for source in SOURCES):
        listing.pop("pool", None)
    contacts = ListContactsOperator(task_id="list_contacts", vendor=vendor, **listing)
    partial = ExtractInteractionsOperator.partial(task_id="extract", vendor=vendor, **_select(ExtractArguments, chosen))
    extract = partial.expand(batch=contacts.output)
    _add_approval(contacts, extract, vendor, chosen)
    outlets = {stage: [asset(arguments.get("conn_id") or str(vendor), stage)] for stage in ASSET_STAGES}
    known = {**chosen, "conn_id": arguments.get("conn_id") or f"{vendor}_default"}
    normalize = NormalizeInteractionsOperator(
        task_id="normalize",
        outlets=outlets["normalized"],
        **_select(NormalizeArguments, known, manifests=extract.output, **_split_window(known, extract)),
    )
    if not load:
        if reopen:
            _add_reopening(normalize, vendor, chosen)
        return Pipeline(contacts, extract, normalize, None)
    _require_target(arguments)
    load_task = LoadInteractionsOperator(
        task_id="load", outlets=outlets["loaded"], **_select(LoadArguments, chosen, manifest=normalize.output)
    )
    if reopen:
        _add_reopening(load_task, vendor, chosen)
    return Pipeline(contacts, extract, normalize, load_task)


def _add_approval(
    contacts: ListContactsOperator, extract: MappedOperator, vendor: str | None, chosen: Mapping[str, Any]
) -> None:
    """Add the task that stops a run whose plan is too large, if there is a ``max_requests``."""
    if chosen.get("max_requests") is None:
        return
    # Airflow's approvals take a tenth of a second to import.
    from airflow_provider_interactions.operators.approve import ApprovePlanOperator

    known = _select(ApproveArguments, chosen, batches=contacts.output, vendor_options=chosen.get("options"))
    ApprovePlanOperator(task_id="approve", vendor=vendor, **known).set_downstream(extract)


def _add_reopening(last: LakeOperator, vendor: str | None, chosen: Mapping[str, Any]) -> None:
    """Add the tasks that start runs for windows whose rows have changed, after the last task of the run."""
    from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

    from airflow_provider_interactions.operators.reopen import FindReopenedOperator

    found = FindReopenedOperator(task_id="find_reopened", vendor=vendor, **_select(ReopenArguments, chosen))
    last.set_downstream(found)
    TriggerDagRunOperator.partial(task_id="reopen", trigger_dag_id="{{ dag.dag_id }}").expand(conf=found.output)


def _split_window(chosen: Mapping[str, Any], extract: MappedOperator) -> dict[str, Any]:
    """The tasks that normalize a window part by part, if the DAG's author wants them, as arguments of ``normalize``."""
    files, common = chosen.get("normalize_files"), _select(CommonArguments, chosen)
    if files is None:
        return {}
    options: dict[str, Any] = {"manifests": extract.output, "files": files, **common}
    split = SplitWindowOperator(task_id="split", **options)
    parts = NormalizePartOperator.partial(task_id="normalize_parts", **_select(RowArguments, chosen)).expand(
        part=split.output
    )
    return {"split": split.output, "parts": parts.output}


def _require_target(chosen: Mapping[str, Any]) -> None:
    """Raise ValueError while Airflow parses the DAG, not in its last task.

    The default target needs a local disk, and a target by path needs its package.
    """
    lake = chosen.get("lake") or conf.get("interactions", "lake", fallback="")
    remote = "://" in lake and "{{" not in lake and not lake.startswith(LOCAL_SCHEMES)
    if remote and not chosen.get("target") and not chosen.get("database"):
        msg = f"{NO_TARGET} Give interactions_pipeline a target, or load=False to keep the rows in the lake only."
        raise ValueError(msg)
    for name in list_names(chosen.get("target") or chosen.get("database")) or [DATABASE]:
        package = find_missing(name)
        if package:
            msg = (
                f"{package} is not installed, and the target {name} needs it. Install "
                f"{name_extra(package.removeprefix('py'))}, or give load=False to keep the rows in the lake only."
            )
            raise ValueError(msg)


def _limit_tasks(vendor: str | None, chosen: Mapping[str, Any]) -> Mapping[str, Any]:
    """Arguments that keep tasks from calling one vendor all at once; none if the DAG's author chose a pool."""
    if "pool" in chosen:
        return {}
    if conf.getboolean("interactions", "pools", fallback=False):
        return {"pool": chosen.get("conn_id") or f"{vendor}_default"}
    return ONE_AT_A_TIME


def _select(kind: Any, chosen: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {name: chosen[name] for name in kind.__annotations__.keys() & chosen.keys()} | more


def _reject_unknown(chosen: Mapping[str, Any]) -> None:
    names = Arguments.__annotations__
    unknown = sorted(chosen.keys() - names.keys())
    if unknown:
        every = ", ".join(("vendor", "load", *names))
        msg = f"interactions_pipeline has no argument {', '.join(unknown)}. Use only: {every}."
        raise TypeError(msg)
