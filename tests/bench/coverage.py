"""Looks at the coverage of many accounts over years: the first one, and those after it, on a disk and on S3."""

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from airflow_provider_interactions.coverage.read import read_coverage
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
            first, *later = [look(lake, ACCOUNTS * days) for _ in range(4)]
        what = f"coverage of {ACCOUNTS} accounts, {days:,} days each, {name}"
        yield f"{what}: first look", f"{first:.2f} s", "-"
        yield f"{what}: later looks, best of {len(later)}", f"{min(later):.2f} s", "< 1 s"


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
    counts = Counts(received=9, fetched=9, landed=9, canonical=9, contacts=9, ok=9, requests=9)
    files = tuple(File(f"interactions/vendor=which50/{'x' * 100}-{n}.parquet", 9, 9) for n in range(3))

    def publish(number):
        account, start = f"account-{number % ACCOUNTS}", LAST - timedelta(days=number // ACCOUNTS + 1)
        window = {"window_start": start, "window_end": start + timedelta(days=1)}
        facts = {"vendor": "which50", "account": account, "extracted_at": LAST, **window}
        manifest = Manifest(**facts, counts=counts, files=files)
        lake.publish(manifest.place.manifest, manifest)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(publish, range(ACCOUNTS * days)))
    time.sleep(3)  # a disk's clock ticks: manifests younger than that are read again with each look


def look(lake, expected):
    """Seconds of one look."""
    start = time.perf_counter()
    cells = read_coverage(lake, within=Window(LAST - timedelta(days=DAYS), LAST))
    seconds = time.perf_counter() - start
    assert sum(bool(cell.manifest) for cell in cells) == expected
    return seconds
