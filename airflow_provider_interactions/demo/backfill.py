"""Create and watch backfills through Airflow's REST API, and read their results."""

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
from airflow_provider_interactions.demo.errors import DemoError
from airflow_provider_interactions.demo.rest import Api, NotReady
from airflow_provider_interactions.demo.supervisor import Supervisor
from airflow_provider_interactions.demo.tasklog import Attempt
from airflow_provider_interactions.demo.vendors import Source
from airflow_provider_interactions.lake.manifest import Counts
from airflow_provider_interactions.window import Window, zulu

#: seconds in which something has to change
PATIENCE = 600.0

# Airflow 3.4.0b2 removes mapped tasks from a run that it clears to run on the latest version.
_AGAIN = {"reprocess_behavior": "failed", "run_on_latest_version": False}
_DONE = frozenset({"success", "skipped"})
_LOST = frozenset({"failed", "upstream_failed"})


class Step(NamedTuple):
    """One task of a DAG over all its windows: instances done, and known so far."""

    name: str
    done: int
    known: int


@dataclass(frozen=True, slots=True)
class Status:
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

    def show(self, statuses: Sequence[Status]) -> None:
        """Show the present state instead of the last one."""

    def note(self, text: str) -> None:
        """Print a text that stays."""


def create(supervisor: Supervisor, api: Api, source: Source, windows: Sequence[Window]) -> None:
    """Ask for one run per window, as soon as Airflow knows the DAG; raises DemoError if it cannot read it."""
    supervisor.wait_until(
        lambda: _is_parsed(api, source.dag_id), f"Airflow did not find the DAG {source.dag_id}", patience=60
    )
    span = {"from_date": zulu(windows[0].start), "to_date": zulu(windows[-1].start)}  # both are included
    body = {"dag_id": source.dag_id, "max_active_runs": len(windows), **span}
    # SQLite has one writer: while runs of another backfill are under way, Airflow often answers that it is locked.
    supervisor.wait_until(
        lambda: request_backfill(api, body), f"Airflow accepted no backfill of {source.dag_id}", patience=120
    )
    made = len(list(_list_runs(api, source)))
    if made != len(windows):
        raise DemoError(f"Airflow created {made} runs of {source.dag_id} for {len(windows)} windows.")


def release(api: Api, source: Source) -> None:
    """Unpause a DAG: its backfill waits for that."""
    api.patch(f"dags/{source.dag_id}", {"is_paused": False})


def watch(supervisor: Supervisor, api: Api, sources: Sequence[Source], display: Display, logs: Path) -> None:
    """Return when all runs have succeeded; raises DemoError once a task has failed for good, or nothing changes.

    ``logs`` is where Airflow keeps those of tasks.
    """
    check = _build_reporter(display, logs)
    now: list[Status] = []
    changed = time.monotonic()
    while not now or any(status.done < status.windows for status in now):
        supervisor.pause(1.0)
        before = now
        with suppress(NotReady):  # one missing response changes nothing
            now = [_measure(api, source, check) for source in sources]
        display.show(now)
        changed = time.monotonic() if now != before else changed
        if time.monotonic() - changed > PATIENCE:
            raise DemoError(f"There was no progress for {PATIENCE:.0f} s. See the scheduler's log.")


def read_outcomes(api: Api, source: Source) -> list[Outcome]:
    """What the load task of each run returned, by window."""
    return sorted(_read_outcome(api, source, run) for run in _list_runs(api, source))


def _is_parsed(api: Api, dag_id: str) -> bool:
    try:
        broken = list(api.list_all("importErrors", "import_errors"))
        if not broken:
            return bool(api.get(f"dags/{dag_id}/details"))
    except NotReady:
        return False
    reasons = "\n".join(f"{error['filename']}\n{error['stack_trace']}" for error in broken)
    raise DemoError(f"Airflow cannot read these DAGs:\n\n{reasons}")


def request_backfill(api: Api, body: Mapping[str, Any]) -> bool:
    """Ask for a backfill; False when the database was locked, and it is to be asked for once more.

    Airflow may then leave one behind that has made some of its runs, or none, which would be in the way: that is
    cancelled first. Its runs then count as failed, so failed runs are run again.
    """
    try:
        for found in api.get("backfills", dag_id=body["dag_id"])["backfills"]:
            if found["completed_at"] is None:
                api.put(f"backfills/{found['id']}/cancel")
        api.post("backfills", {**_AGAIN, **body})
    except NotReady:
        return False
    return True


def _list_runs(api: Api, source: Source) -> Iterable[Any]:
    return api.list_all(f"dags/{source.dag_id}/dagRuns", "dag_runs", run_type="backfill", order_by="run_after")


def _list_instances(api: Api, source: Source) -> Iterable[Any]:
    return api.list_all(f"dags/{source.dag_id}/dagRuns/~/taskInstances", "task_instances", order_by="id")


def _measure(api: Api, source: Source, check: Callable[[Sequence[Any]], None]) -> Status:
    runs, instances = list(_list_runs(api, source)), list(_list_instances(api, source))
    check(instances)
    states = Counter(run["state"] for run in runs)
    if states["failed"]:
        raise DemoError(f"{states['failed']} runs of {source.dag_id} failed, although none of their tasks failed.")
    return Status(source.vendor, states["success"], len(runs), tuple(_count_steps(instances)))


def _count_steps(instances: Sequence[Any]) -> Iterable[Step]:
    # Only those that have begun, ordered by when: the API does not say which comes first in the DAG.
    begun: dict[str, str] = {}
    for instance in filter(itemgetter("start_date"), instances):
        name, start = instance["task_id"], instance["start_date"]
        begun[name] = min(begun.get(name, start), start)
    known = Counter(instance["task_id"] for instance in instances)
    done = Counter(instance["task_id"] for instance in instances if instance["state"] in _DONE)
    return (Step(name, done[name], known[name]) for name in sorted(begun, key=lambda name: (begun[name], name)))


def _build_reporter(display: Display, logs: Path) -> Callable[[Sequence[Any]], None]:
    """A check that raises DemoError for a failed task, and notes each try that Airflow will repeat, once."""
    noted: set[Attempt] = set()

    def check(instances: Sequence[Any]) -> None:
        lost = [instance for instance in instances if instance["state"] in _LOST]
        if lost:
            # What failed says more than what could not start because of it.
            raise tasklog.build_error(
                logs, _identify_attempt(min(lost, key=lambda instance: instance["state"] != "failed"))
            )
        again = {_identify_attempt(instance) for instance in instances if instance["state"] == "up_for_retry"}
        for attempt in sorted(again - noted):
            display.note(f"A task failed and Airflow will retry it. {tasklog.build_error(logs, attempt)}")
        noted.update(again)

    return check


def _identify_attempt(instance: Any) -> Attempt:
    names = ("dag_id", "dag_run_id", "task_id", "map_index", "try_number")
    return Attempt(*(instance[name] for name in names))


def _read_outcome(api: Api, source: Source, run: Any) -> Outcome:
    path = (
        f"dags/{source.dag_id}/dagRuns/{quote(run['dag_run_id'], safe='')}/taskInstances/load/xcomEntries/return_value"
    )
    value = api.get(path, deserialize=True)["value"]
    loaded = value["loaded"]
    window = Window(datetime.fromisoformat(value["window_start"]), datetime.fromisoformat(value["window_end"]))
    there = loaded["inserted"] + loaded["updated"] + loaded["unchanged"]
    return Outcome(window, msgspec.convert(value["counts"], Counts), there)
