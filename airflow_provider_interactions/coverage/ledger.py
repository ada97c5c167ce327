"""The ledger: one row for every try of every step, also of failed ones. It is only added to.

::

    ledger/date=…/<stamp>-<state>-<key>-<token>.parquet     one row; the date is the UTC day on which the try ended

``key`` is the same for all tries of one step of one window, so that a listing shows which step's last try failed. Each
try writes a file of its own, so tries never wait for each other, and running a window again keeps what the ledger knows
of earlier runs. It holds counts, kinds of errors and names of tasks, but no personal data. Read it as one table, for
example with DuckDB: ``SELECT * FROM read_parquet('<lake>/ledger/*/*.parquet')``.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from airflow_provider_interactions import __version__
from airflow_provider_interactions.lake.parquet import Writer
from airflow_provider_interactions.lake.paths import timestamp
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.schema import LEDGER, STEPS, find_plain_type

#: Ids of runs that Airflow makes: a kind, instants, and eight random letters. People may put names into theirs.
_MADE_BY_AIRFLOW = re.compile(r"[a-z_]+(__[-0-9T:.+Z]*\d{4}-\d\d-\d\d[-0-9T:.+Z]*)+(__?[A-Za-z0-9]{8})?")

#: Rows that a table in a database gets at once. Further ones come with the next load.
AT_ONCE = 2_000

#: Days that are listed side by side.
THREADS = 16

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
    name = f"{timestamp(step.ended_at)}-{step.state}-{_digest_step(step)}-{uuid.uuid4().hex[:12]}.parquet"
    writer = Writer(lake, f"{_folder(step.ended_at.date())}/{name}", LEDGER)
    writer.write(_build_table([step]))
    return writer.close().path


def read_ledger(lake: Lake, first: date | None = None, last: date | None = None) -> pa.Table:
    """The rows of some UTC days, both ends included, in the order in which the tries ended."""
    return read_rows(lake, list_recent(lake, first, last))


def list_recent(lake: Lake, first: date | None = None, last: date | None = None) -> list[str]:
    """The paths of the rows of some UTC days, in the order in which the tries ended."""
    chosen = [name for name in lake.list_names("ledger") if _folder_between(name, first, last)]
    with ThreadPoolExecutor(1 if lake.local else THREADS) as threads:  # only waiting for a network can be shared
        found = threads.map(lambda day: (day, lake.list_names(f"ledger/{day}")), chosen)
        return [f"ledger/{day}/{name}" for day, names in found for name in names if name.endswith(".parquet")]


def read_rows(lake: Lake, paths: Sequence[str]) -> pa.Table:
    """The rows at some paths, in the order in which the tries ended."""
    files = lake.read_files(paths)
    return _join(LEDGER, [_read(data) for _, data in files]).sort_by("ended_at")


def read_new_steps(lake: Lake, since: datetime | None, known: Collection[str]) -> pa.Table:
    """The rows of tries that ended at an instant or later, but for those in some files; for a table in a database.

    The first column, ``file``, identifies a row. All texts are plain. The oldest come first, ``AT_ONCE`` at most.
    """
    first = None if since is None else since.astimezone(UTC)
    paths = list_recent(lake, first and first.date())
    names = [path.removeprefix("ledger/") for path in paths]
    start = "" if first is None else f"date={first.date()}/{timestamp(first)}"
    chosen = [name for name in names if name >= start and name not in known][:AT_ONCE]
    files = lake.read_files([f"ledger/{name}" for name in chosen])
    return _join(STEPS, [_add_file(path.removeprefix("ledger/"), _read(data)) for path, data in files])


def _read(data: bytes) -> pa.Table:
    """The rows of a file, with plain texts. Threads would take longer to start than the one row to read."""
    rows = pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
    return rows.cast(pa.schema([field.with_type(find_plain_type(field)) for field in rows.schema]))


def _add_file(name: str, rows: pa.Table) -> pa.Table:
    return rows.add_column(0, STEPS.field(0), [pa.array([name] * rows.num_rows, pa.string())])


def _join(columns: pa.Schema, tables: Iterable[pa.Table]) -> pa.Table:
    """One table. Older files lack columns that were added since: nulls."""
    plain = pa.schema([field.with_type(find_plain_type(field)) for field in columns])
    return pa.concat_tables([plain.empty_table(), *tables], promote_options="default").cast(columns)


class RowName(NamedTuple):
    """What the name of a row's file says: how the try ended, and of which step of which window it was."""

    state: str
    key: str


def parse_name(path: str) -> RowName | None:
    """What a path says; None for a name that ``write_step`` has not made."""
    parts = path.rpartition("/")[2].split("-")
    return RowName(*parts[1:3]) if len(parts) == len(("stamp", "state", "key", "token")) else None


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


def _folder(day: date) -> str:
    return f"ledger/date={day}"


def _folder_between(name: str, first: date | None, last: date | None) -> bool:
    day = name.removeprefix("date=")
    return (first is None or day >= f"{first}") and (last is None or day <= f"{last}")


def _build_table(steps: Iterable[Step]) -> pa.Table:
    rows = [msgspec.structs.asdict(step) for step in steps]
    return pa.Table.from_pylist(rows, schema=LEDGER)
