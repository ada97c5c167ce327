"""Looks at the coverage of many accounts over years: the first one, and those after it, on a disk and on S3."""

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from unittest import mock

from airflow_provider_interactions.coverage.read import read_coverage
from airflow_provider_interactions.lake.changes import GRACE
from airflow_provider_interactions.lake.manifest import Counts, File, Manifest
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.window import Window
from tests import servers

ACCOUNTS, DAYS = 20, 3 * 365
LAST = datetime(2026, 1, 1, tzinfo=UTC)


def coverage(share):
    """Manifests of 20 accounts and three years."""
    days = int(DAYS * share)
    for name, open_lake in (("disk", on_disk), ("SeaweedFS", on_s3)):
        with open_lake() as lake:
            fill(lake, days)
            whole = ACCOUNTS * days
            looks = {"first look": [look(lake, whole)], "looks within a minute": [look(lake, whole) for _ in range(3)]}
            if not lake.local:
                time.sleep(GRACE.total_seconds())
                look(lake, whole)
            looks["later looks, nothing has changed"] = [look(lake, whole) for _ in range(3)]
            publish(lake, 0, rows=8)
            looks["later look, one window has changed"] = [look(lake, whole)]
        for what, found in looks.items():
            seconds, calls = min(found)
            measured = f"{seconds:.2f} s" if calls is None else f"{seconds:.2f} s, {calls:,} calls"
            goal = "< 1 s" if what.startswith("later") else "-"
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
    """Publish all manifests, as large as real ones, long before the first look."""
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(partial(publish, lake), range(ACCOUNTS * days)))
    time.sleep(3)  # a disk's clock ticks: manifests younger than that are read again with each look


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
    """Seconds and calls to the store of one look; no number of calls on a disk."""
    with count_calls(lake) as calls:
        start = time.perf_counter()
        cells = read_coverage(lake, within=Window(LAST - timedelta(days=DAYS), LAST))
        seconds = time.perf_counter() - start
    assert sum(bool(cell.manifest) for cell in cells) == expected
    return seconds, None if lake.local else len(calls)


@contextmanager
def count_calls(lake):
    """The calls to S3 that are made meanwhile."""
    if lake.local:
        yield []
        return
    calls, send = [], lake.fs._call_s3
    with mock.patch.object(lake.fs, "_call_s3", lambda *a, **k: calls.append(a) or send(*a, **k)):
        yield calls
