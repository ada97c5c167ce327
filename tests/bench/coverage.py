"""Looks at the coverage of many accounts over years: the first one, and those after it, on a disk and on S3.

The lake has a ledger of the same years. The first look is measured without an index, and with the one that runs leave.
"""

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from unittest import mock

import msgspec
import pyarrow as pa

from airflow_provider_interactions.coverage.index import AGE, refresh_index
from airflow_provider_interactions.coverage.ledger import Step, write_step
from airflow_provider_interactions.coverage.ledger_files import CLOSED, MERGED
from airflow_provider_interactions.coverage.read import read_coverage
from airflow_provider_interactions.coverage.usage import MOST_DAYS, sum_days
from airflow_provider_interactions.lake.changes import GRACE
from airflow_provider_interactions.lake.manifest import Counts, File, Manifest
from airflow_provider_interactions.lake.parquet import Writer
from airflow_provider_interactions.lake.paths import AccountPaths, begin_step_name
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.schema import LEDGER
from airflow_provider_interactions.window import Window
from tests import servers
from tests.bench.processes import count_turns

ACCOUNTS, DAYS = 20, 3 * 365
LAST = datetime(2026, 1, 1, tzinfo=UTC)
ALL = Window(LAST - timedelta(days=DAYS), LAST)

#: The steps of a window, and the rows of the ledger in a day.
STEPS = ("list", "extract", "publish", "normalize_part", "normalize", "load")
ROWS = len(STEPS) * ACCOUNTS

#: Seconds after which a disk's clock has ticked: younger manifests are read again with each look.
TICK = 3


def coverage(share):
    """Manifests of 20 accounts and three years."""
    days, turns = max(MOST_DAYS, int(DAYS * share)), count_turns(share)
    for name, open_lake in (("disk", on_disk), ("SeaweedFS", on_s3)):
        with open_lake() as lake:
            fill(lake, days)
            whole = ACCOUNTS * days
            looks = {"first look, no run has written an index": [look(lake, whole)]}
            publish_all(lake, range(2 * ACCOUNTS))  # the last two days, after the index that runs have left
            time.sleep(TICK)
            looks["first look, after runs"] = [look(lake, whole)]
            looks["looks within a minute"] = [look(lake, whole) for _ in range(turns)]
            if not lake.local and turns > 1:
                time.sleep(GRACE.total_seconds())
                look(lake, whole)
            looks["later looks, nothing has changed"] = [look(lake, whole) for _ in range(turns)]
            publish(lake, 0, rows=8)
            looks["later look, one window has changed"] = [look(lake, whole)]
            looks["charts of the last 31 days"] = [draw_charts(lake) for _ in range(turns)]
            looks["a run, index older than an hour"] = [refresh(lake, 2 * AGE) for _ in range(turns)]
            looks["a run, younger index"] = [refresh(lake, 0 * AGE) for _ in range(turns)]
        for what, found in looks.items():
            seconds, cpu, calls = min(found)
            measured = f"{seconds:.2f} s, {cpu:.2f} s of CPU" + ("" if calls is None else f", {calls:,} calls")
            goal = "< 1 s" if what.startswith(("later", "charts")) else "-"
            yield f"coverage of {ACCOUNTS} accounts, {days:,} days each, {name}: {what}", measured, goal


@contextmanager
def on_disk():
    """An empty lake in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        yield Lake.at(folder)


@contextmanager
def on_s3():
    """An empty lake on an S3 server of its own."""
    with servers.seaweedfs() as server, servers.bucket(server) as bucket:
        options = {"key": server.key, "secret": server.secret, "endpoint_url": server.endpoint}
        yield Lake.at(f"s3://{bucket}/lake", **options)


def fill(lake, days):
    """Publish all manifests, as large as real ones, and write the ledger, long before the first look."""
    publish_all(lake, range(ACCOUNTS * days))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(partial(write_day, lake), range(days)))
    time.sleep(TICK)


def publish_all(lake, numbers):
    """Many manifests."""
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(partial(publish, lake), numbers))


def write_day(lake, ago):
    """The ledger of a day: one file if it is over for long, as runs leave it, else a file for each try."""
    ended_at = datetime.now(UTC).replace(hour=0, minute=30) - timedelta(days=ago)
    steps = [make_step(number, ended_at) for number in range(ROWS)]
    if ago <= CLOSED.days:
        for step in steps:
            write_step(lake, step)
        return
    names = [f"{begin_step_name(ended_at)}-success-{number:016x}-{number:012x}.parquet" for number in range(ROWS)]
    rows = [{"file": name, **msgspec.structs.asdict(step)} for name, step in zip(names, steps, strict=True)]
    writer = Writer(lake, f"ledger/date={ended_at.date()}/{MERGED}{ago}.parquet", LEDGER)
    writer.write(pa.Table.from_pylist(rows, LEDGER))
    writer.close()


def make_step(number, ended_at):
    """A try of a step of some account."""
    account, step = f"account-{number % ACCOUNTS}", STEPS[number // ACCOUNTS]
    window = {"window_start": ended_at - timedelta(days=1), "window_end": ended_at}
    facts = {"vendor": "which50", "account": account, "started_at": ended_at, "seconds": 9.0, **window}
    return Step(step=step, state="success", ended_at=ended_at, dag_id="crm", rows=9, **facts)


def publish(lake, number, rows=9):
    """One manifest."""
    account, start = f"account-{number % ACCOUNTS}", LAST - timedelta(days=number // ACCOUNTS + 1)
    counts = Counts(received=rows, fetched=rows, landed=rows, canonical=rows, contacts=9, ok=9, requests=9)
    files = tuple(File(f"interactions/vendor=which50/{'x' * 100}-{n}.parquet", 9, 9) for n in range(3))
    window = {"window_start": start, "window_end": start + timedelta(days=1)}
    facts = {"vendor": "which50", "account": account, "extracted_at": LAST, **window}
    manifest = Manifest(**facts, counts=counts, files=files)
    lake.publish(manifest.place.manifest, manifest)


def look(lake, expected):
    """Seconds, those of CPU, and calls to the store of one look at the coverage; no number of calls on a disk."""
    return measure(lake, lambda: sum(bool(cell.manifest) for cell in read_coverage(lake, within=ALL)), expected)


def draw_charts(lake):
    """The same of one look at the charts."""
    today = datetime.now(UTC).date()
    return measure(lake, lambda: sum(day.rows for day in sum_days(lake, today, MOST_DAYS)), MOST_DAYS * ACCOUNTS * 9)


def refresh(lake, later):
    """The same of what a run does for the index, so much later than now."""
    account = AccountPaths("which50", "account-0")
    return measure(lake, lambda: refresh_index(lake, account, datetime.now(UTC) + later), None)


def measure(lake, work, expected):
    """The same of some work, which returns what is expected."""
    with count_calls(lake) as calls:
        start, cpu = time.perf_counter(), time.process_time()
        found = work()
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    assert found == expected
    return seconds, cpu, None if lake.local else len(calls)


@contextmanager
def count_calls(lake):
    """The calls to S3 that are made meanwhile."""
    if lake.local:
        yield []
        return
    calls, send = [], lake.fs._call_s3
    with mock.patch.object(lake.fs, "_call_s3", lambda *a, **k: calls.append(a) or send(*a, **k)):
        yield calls
