"""The ledger: one row for every try of every step, also of failed ones. It is only added to.

Each try writes a file of its own, so tries never wait for each other, and running a window again keeps what the ledger
knows of earlier runs. The ``key`` in a file's name is the same for all tries of one step of one window, so that a
listing shows which step's last try failed. It holds counts, kinds of errors and names of tasks, but no personal data.
The files of a day that is over are merged (see ``ledger_files``). Read all as one table, for example with DuckDB:
``SELECT DISTINCT ON (file) * FROM read_parquet('<lake>/ledger/*/*.parquet', union_by_name = true)``.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pyarrow as pa

from airflow_provider_interactions import __version__
from airflow_provider_interactions.coverage.ledger_files import read_chosen
from airflow_provider_interactions.lake.parquet import Writer
from airflow_provider_interactions.lake.paths import begin_step_name
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.schema import LEDGER

#: Ids of runs that Airflow makes: a kind, instants, and eight random letters. People may put names into theirs.
_MADE_BY_AIRFLOW = re.compile(r"[a-z_]+(__[-0-9T:.+Z]*\d{4}-\d\d-\d\d[-0-9T:.+Z]*)+(__?[A-Za-z0-9]{8})?")

#: Rows that a table in a database gets at once. Further ones come with the next load.
AT_ONCE = 2_000

#: How far back DAGs and their accounts are looked for.
RECENT = timedelta(days=31)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One try of one step: a row of the ledger. ``schema.LEDGER`` says what the fields mean."""

    step: str
    state: str
    started_at: datetime
    ended_at: datetime
    seconds: float
    error: str | None = None
    vendor: str | None = None
    account: str | None = None
    window_start: datetime | None = None
    window_end: datetime | None = None
    windows: int = 1
    batch: int | None = None
    batches: int | None = None
    requests: int = 0
    retries: int = 0
    throttled: int = 0
    throttled_seconds: float = 0.0
    received_bytes: int = 0
    rows: int | None = None
    bytes: int | None = None
    rejects: int | None = None
    alerts: int | None = None
    contacts: int | None = None
    ok: int | None = None
    empty: int | None = None
    not_found: int | None = None
    deleted: int | None = None
    failed: int | None = None
    dag_id: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    map_index: int | None = None
    attempt: int | None = None
    version: str = __version__


def write_step(lake: Lake, step: Step) -> str:
    """Add a row to the ledger; returns the path of its file. Raises as the lake does if that cannot be written."""
    file = f"{begin_step_name(step.ended_at)}-{step.state}-{_digest_step(step)}-{uuid.uuid4().hex[:12]}.parquet"
    writer = Writer(lake, f"ledger/{file}", LEDGER)
    writer.write(pa.Table.from_pylist([{"file": file, **msgspec.structs.asdict(step)}], schema=LEDGER))
    return writer.close().path


def read_ledger(lake: Lake, first: date | None = None, last: date | None = None) -> pa.Table:
    """The rows of some UTC days, both ends included, in the order in which the tries ended."""
    return read_chosen(lake, first, last).cast(LEDGER)


def read_new_steps(lake: Lake, since: datetime | None, known: Collection[str]) -> pa.Table:
    """The rows of tries that ended at an instant or later, but for those of some files; for a table in a database.

    All texts are plain. The oldest come first, ``AT_ONCE`` at most.
    """
    first = None if since is None else since.astimezone(UTC)
    start = "" if first is None else begin_step_name(first)

    def choose(names: list[str]) -> list[str]:
        return [name for name in names if name >= start and name not in known][:AT_ONCE]

    return read_chosen(lake, first and first.date(), None, choose)


def _digest_step(step: Step) -> str:
    about = (step.step, step.vendor, step.account, step.window_start, step.window_end, step.batch, step.map_index)
    return hashlib.sha256(repr((*about, step.dag_id, step.task_id)).encode()).hexdigest()[:16]


def find_accounts(lake: Lake, dag_id: str, today: date) -> set[tuple[str, str]]:
    """The vendors and accounts that a DAG has worked on in the last ``RECENT`` days."""
    rows = _read_recent(lake, today)
    return {(row["vendor"], row["account"]) for row in rows if row["dag_id"] == dag_id and row["vendor"]}


def find_dags(lake: Lake, vendor: str, account: str, today: date) -> list[str]:
    """The DAGs that have extracted windows of an account in the last ``RECENT`` days, sorted."""
    rows = [row for row in _read_recent(lake, today) if (row["vendor"], row["account"]) == (vendor, account)]
    return sorted({row["dag_id"] for row in rows if row["step"] == "extract" and row["dag_id"]})


def _read_recent(lake: Lake, today: date) -> list[dict[str, Any]]:
    columns = ["step", "vendor", "account", "dag_id"]
    found: list[dict[str, Any]] = read_ledger(lake, today - RECENT).select(columns).to_pylist()
    return found


def name_run(run_id: str) -> str:
    """A run's id for the ledger: as it is if Airflow made it, else a digest, because people may write names in it."""
    if _MADE_BY_AIRFLOW.fullmatch(run_id):
        return run_id
    return f"sha256:{hashlib.sha256(run_id.encode()).hexdigest()[:16]}"
