"""What the largest windows cost in memory: one window, loaded first and again with changes, by a process each."""

import re
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import psycopg

from airflow_provider_interactions.lake.storage import Lake
from tests import servers
from tests.bench.peak import load
from tests.bench.rows import write_rows

SIZES = (1_000_000, 10_000_000)

PIDS = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"

#: Seconds between two looks at the server's processes.
PAUSE = 0.2


def large(share):
    """Windows of a million rows and of ten million, into each target that needs no service."""
    before = {}
    for rows in (int(size * share) for size in SIZES):
        with tempfile.TemporaryDirectory() as folder, servers.postgres() as url:
            lakes = [Lake.at(f"{folder}/{version}") for version in (1, 2)]
            for version, lake in enumerate(lakes, 1):
                write_rows(lake, version, rows)
            places = {"DuckDB": f"{folder}/x.duckdb", "Iceberg": f"{folder}/x.iceberg", "Postgres": url}
            for case, place in places.items():
                for lake, how in zip(lakes, ("first", "again, a tenth changed"), strict=True):
                    with _watching(url) as server:
                        done = load(case, place, lake)
                    assert done["loaded"]["rows"] == rows
                    before.setdefault((case, how), done["peak"])
                    yield f"load {rows:,} rows into {case}, {how}", _describe(done, before[case, how], server), "-"


def _describe(done, before, server):
    more = f"; the server's process {max(server):,.0f} MB" if server else ""
    return f"{done['peak']:,.0f} MB, {done['peak'] / before:.2f} × the smaller window's{more}; {done['wall']:,.0f} s"


@contextmanager
def _watching(url):
    """The memory (MB) that processes of the server had for themselves, without what all of them share."""
    found, ended = [], threading.Event()

    def watch():
        with psycopg.connect(url, autocommit=True) as connection:
            while not ended.wait(PAUSE):
                found.extend(_read_own(pid) for (pid,) in connection.execute(PIDS))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def _read_own(pid):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:  # it has ended
        return 0
    own = re.search(r"RssAnon:\s+(\d+)", status)
    return int(own[1]) / 1024 if own else 0
