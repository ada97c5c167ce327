"""Backfills through Airflow's REST API: made, watched, and their results read."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

import msgspec

from airflow_provider_interactions.demo import tasklog
from airflow_provider_interactions.demo.errors import Trouble
from airflow_provider_interactions.demo.rest import Api, NotYet
from airflow_provider_interactions.demo.supervisor import Company
from airflow_provider_interactions.demo.tasklog import Attempt
from airflow_provider_interactions.demo.vendors import Source
from airflow_provider_interactions.lake.manifest import Counts
from airflow_provider_interactions.window import Window, zulu

#: seconds in which something has to change
PATIENCE = 600.0

_DONE = frozenset({"success", "skipped"})
_LOST = frozenset({"failed", "upstream_failed"})


class Step(NamedTuple):
    """One task of a DAG over all its windows: instances done, and known so far."""

    name: str
    done: int
    known: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a vendor's backfill is."""

    vendor: str
    done: int
    windows: int
    steps: tuple[Step, ...] = ()


class Outcome(NamedTuple):
    """What Airflow says about one window: the counts of its manifest, and the rows that are in the table."""

    window: Window
    counts: Counts
    loaded: int


class Display(Protocol):
    """Where progress is shown."""

    def show(self, standings: Sequence[Standing]) -> None:
        """Replace what was shown before."""

    def note(self, text: str) -> None:
        """Say something that stays."""


def create(company: Company, api: Api, source: Source, windows: Sequence[Window]) -> None:
    """Ask for one run per window, as soon as Airflow knows the DAG; raises Trouble if it cannot read it."""
    company.until(lambda: _parsed(api, source.dag_id), f"Airflow did not find the DAG {source.dag_id}", patience=60)
    span = {"from_date": zulu(windows[0].start), "to_date": zulu(windows[-1].start)}  # both are included
    body = {"dag_id": source.dag_id, "max_active_runs": len(windows), **span}
    # SQLite has one writer: while runs of another backfill are under way, Airflow often answers that it is locked.
    company.until(lambda: accepted(api, body), f"Airflow took no backfill of {source.dag_id}", patience=120)
    made = len(list(_runs(api, source)))
    if made != len(windows):
        raise Trouble(f"Airflow made {made} runs of {source.dag_id} for {len(windows)} windows.")


def release(api: Api, source: Source) -> None:
    """Let a DAG run, as the switch beside its name does: its backfill has been waiting for that."""
    api.patch(f"dags/{source.dag_id}", {"is_paused": False})


def watch(company: Company, api: Api, sources: Sequence[Source], display: Display, logs: Path) -> None:
    """Return when all runs have succeeded; raises Trouble once a task has failed for good, or nothing moves.

    ``logs`` is where Airflow keeps those of tasks.
    """
    tell = _teller(display, logs)
    now: list[Standing] = []
    moved = time.monotonic()
    while not now or any(standing.done < standing.windows for standing in now):
        company.pause(1.0)
        before = now
        with suppress(NotYet):  # one answer that does not come is no news
            now = [_looked(api, source, tell) for source in sources]
        display.show(now)
        moved = time.monotonic() if now != before else moved
        if time.monotonic() - moved > PATIENCE:
            raise Trouble(f"Nothing has moved for {PATIENCE:.0f} s. The scheduler's log may tell why.")


def outcomes(api: Api, source: Source) -> list[Outcome]:
    """What the load task of each run returned, by window."""
    return sorted(_outcome(api, source, run) for run in _runs(api, source))


def _parsed(api: Api, dag_id: str) -> bool:
    try:
        broken = list(api.listed("importErrors", "import_errors"))
        if not broken:
            return bool(api.get(f"dags/{dag_id}/details"))
    except NotYet:
        return False
    reasons = "\n".join(f"{error['filename']}\n{error['stack_trace']}" for error in broken)
    raise Trouble(f"Airflow cannot read these DAGs:\n\n{reasons}")


def accepted(api: Api, body: Mapping[str, Any]) -> bool:
    """Ask for a backfill; False when the database was locked, and it is to be asked for once more.

    Airflow 3.3 may then leave one without any run behind, which would be in the way: that is cancelled first.
    """
    try:
        for found in api.get("backfills", dag_id=body["dag_id"])["backfills"]:
            if found["completed_at"] is None:
                api.put(f"backfills/{found['id']}/cancel")
        api.post("backfills", body)
    except NotYet:
        return False
    return True


def _runs(api: Api, source: Source) -> Iterable[Any]:
    return api.listed(f"dags/{source.dag_id}/dagRuns", "dag_runs", run_type="backfill", order_by="run_after")


def _instances(api: Api, source: Source) -> Iterable[Any]:
    return api.listed(f"dags/{source.dag_id}/dagRuns/~/taskInstances", "task_instances", order_by="id")


def _looked(api: Api, source: Source, tell: Callable[[Sequence[Any]], None]) -> Standing:
    runs, instances = list(_runs(api, source)), list(_instances(api, source))
    tell(instances)
    states = Counter(run["state"] for run in runs)
    if states["failed"]:
        raise Trouble(f"{states['failed']} runs of {source.dag_id} failed, and none of their tasks says why.")
    return Standing(source.vendor, states["success"], len(runs), tuple(_steps(instances)))


def _steps(instances: Sequence[Any]) -> Iterable[Step]:
    # Only those that have begun, ordered by when: the API does not say which comes first in the DAG.
    begun: dict[str, str] = {}
    for instance in filter(itemgetter("start_date"), instances):
        name, start = instance["task_id"], instance["start_date"]
        begun[name] = min(begun.get(name, start), start)
    known = Counter(instance["task_id"] for instance in instances)
    done = Counter(instance["task_id"] for instance in instances if instance["state"] in _DONE)
    return (Step(name, done[name], known[name]) for name in sorted(begun, key=lambda name: (begun[name], name)))


def _teller(display: Display, logs: Path) -> Callable[[Sequence[Any]], None]:
    """Raises Trouble for a task that is lost; notes each try that will be repeated, once."""
    noted: set[Attempt] = set()

    def tell(instances: Sequence[Any]) -> None:
        lost = [instance for instance in instances if instance["state"] in _LOST]
        if lost:
            # What failed says more than what could not start because of it.
            raise tasklog.trouble(logs, _attempt(min(lost, key=lambda instance: instance["state"] != "failed")))
        again = {_attempt(instance) for instance in instances if instance["state"] == "up_for_retry"}
        for attempt in sorted(again - noted):
            display.note(f"A try of a task failed and Airflow will repeat it. {tasklog.trouble(logs, attempt)}")
        noted.update(again)

    return tell


def _attempt(instance: Any) -> Attempt:
    names = ("dag_id", "dag_run_id", "task_id", "map_index", "try_number")
    return Attempt(*(instance[name] for name in names))


def _outcome(api: Api, source: Source, run: Any) -> Outcome:
    path = (
        f"dags/{source.dag_id}/dagRuns/{quote(run['dag_run_id'], safe='')}/taskInstances/load/xcomEntries/return_value"
    )
    value = api.get(path, deserialize=True)["value"]
    loaded = value["loaded"]
    window = Window(datetime.fromisoformat(value["window_start"]), datetime.fromisoformat(value["window_end"]))
    there = loaded["inserted"] + loaded["updated"] + loaded["unchanged"]
    return Outcome(window, msgspec.convert(value["counts"], Counts), there)
