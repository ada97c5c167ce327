"""Record every try of a step, also a failed one: a row in the lake's ledger, and metrics of what this try did."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import TaskDeferred

from airflow_provider_interactions.errors import InteractionsError
from airflow_provider_interactions.observability.metrics import send_metrics
from airflow_provider_interactions.observability.summary import Summary
from airflow_provider_interactions.runtime.lake_url import open_lake

if TYPE_CHECKING:
    from airflow_provider_interactions.http.usage import Usage
    from airflow_provider_interactions.lake.manifest import Manifest
    from airflow_provider_interactions.lake.paths import WindowPaths

log = logging.getLogger(__name__)

#: What a task instance says about a try, by the ledger's columns.
TASK_FACTS = {"dag_id": "dag_id", "task_id": "task_id", "map_index": "map_index", "attempt": "try_number"}


@dataclass(slots=True)
class Attempt:
    """What is known of the running try of a step. ``facts`` are columns of the ledger."""

    step: str
    lake: str | None
    facts: dict[str, Any] = field(default_factory=dict)
    summary: Summary | None = None

    def note_account(self, vendor: str, account: str) -> None:
        """Whose data the step is about."""
        self.facts |= {"vendor": vendor, "account": account}

    def note_window(self, place: WindowPaths, batch: int | None = None, batches: int | None = None) -> None:
        """Which window the step is about, and which batch of its contacts."""
        self.note_account(place.vendor, place.account)
        window = {"window_start": place.window.start, "window_end": place.window.end}
        self.facts |= {**window, "batch": batch, "batches": batches}

    def note_alerts(self, number: int) -> None:
        """How many unusual things the step found. They count also if it then fails because of them."""
        self.facts["alerts"] = number

    def note_batches(self, batches: Sequence[Manifest]) -> None:
        """The same for the manifests of a window's batches."""
        if batches:
            self.note_window(batches[0].place)


@contextmanager
def record_attempt(attempt: Attempt, context: Mapping[str, Any]) -> Iterator[None]:
    """Record the try that happens inside, however it ends. A ledger that cannot be written is logged, not raised."""
    from airflow_provider_interactions.http.usage import measure_usage

    started_at, start = datetime.now(UTC), time.monotonic()
    with measure_usage() as usage:
        error: BaseException | None = None
        try:
            yield
        except BaseException as fault:
            error = fault
            raise
        finally:
            _finish(attempt, context, usage, started_at, time.monotonic() - start, error)


def _finish(
    attempt: Attempt,
    context: Mapping[str, Any],
    usage: Usage,
    started_at: datetime,
    seconds: float,
    error: BaseException | None,
) -> None:
    vendor = attempt.facts.get("vendor") or (attempt.summary.vendor if attempt.summary else None)
    if vendor:
        send_metrics(attempt.step, vendor, _count(attempt, usage, error), None if error else seconds)
    facts = {
        "step": attempt.step,
        "state": _name_state(error),
        "error": _name_error(error),
        "started_at": started_at,
        "ended_at": datetime.now(UTC),
        "seconds": seconds,
        "requests": usage.requests,
        "retries": usage.retries,
        "throttled": usage.throttled,
        "throttled_seconds": usage.throttled_seconds,
        "received_bytes": usage.received,
        **attempt.facts,
        **(_describe_result(attempt.summary) if attempt.summary and error is None else {}),
        **_describe_task(context),
    }
    _write(attempt.lake, facts)


def _count(attempt: Attempt, usage: Usage, error: BaseException | None) -> dict[str, int]:
    """What this try did, for metrics: calls from the connections themselves, the rest from a result if it has one."""
    calls = {"requests": usage.requests, "retries": usage.retries, "throttles": usage.throttled}
    calls["alerts"] = attempt.facts.get("alerts", 0)
    if error is not None:
        return {**calls, "failures": int(_name_state(error) == "failed")}
    return {**calls, **(attempt.summary.counters if attempt.summary else {})}


def _name_state(error: BaseException | None) -> str:
    if error is None:
        return "success"
    return "deferred" if isinstance(error, TaskDeferred) else "failed"


def _name_error(error: BaseException | None) -> str | None:
    """The kind of an error: the core's own where Airflow's was raised because of it. Never its message."""
    behind = error.__cause__ or error.__context__ if error else None
    kind = type(behind if isinstance(behind, InteractionsError) else error)
    return None if error is None or isinstance(error, TaskDeferred) else kind.__name__


def _describe_result(summary: Summary) -> dict[str, Any]:
    facts = {"rows": summary.rows, "bytes": summary.bytes, "rejects": summary.rejected, "windows": summary.windows}
    return {**facts, **summary.outcomes}


def _describe_task(context: Mapping[str, Any]) -> dict[str, Any]:
    from airflow_provider_interactions.coverage.ledger import name_run

    ti = context.get("ti") or context.get("task_instance")
    if ti is None or not hasattr(ti, "run_id"):
        return {}
    found = {column: getattr(ti, name, None) for column, name in TASK_FACTS.items()}
    return {**found, "run_id": name_run(ti.run_id)}


def _write(lake: str | None, facts: dict[str, Any]) -> None:
    from airflow_provider_interactions.coverage.ledger import Step, write_step
    from airflow_provider_interactions.coverage.ledger_files import merge_closed_days

    try:
        write_step(open_lake(lake), Step(**facts))
    except InteractionsError as refused:
        log.warning("This try of the step is not in the ledger. %s", refused)
        return
    if facts["step"] == "normalize" and facts["state"] == "success":
        _refresh_index(lake, facts)
    if facts["step"] == "list":  # once a run is enough
        try:
            merge_closed_days(open_lake(lake), facts["ended_at"].date())
        except InteractionsError as refused:
            log.info("The ledger's files of past days were not merged. A later run does that. %s", refused)


def _refresh_index(lake: str | None, facts: dict[str, Any]) -> None:
    from airflow_provider_interactions.coverage.index import refresh_index
    from airflow_provider_interactions.lake.paths import AccountPaths

    try:
        refresh_index(open_lake(lake), AccountPaths(facts["vendor"], facts["account"]), facts["ended_at"])
    except InteractionsError as refused:
        log.info("The index for the coverage page was not renewed. The page does that. %s", refused)
