"""A day of a bulk vendor's tables: with ten times the history behind it, and with all of its types."""

import json
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from airflow_provider_interactions.connection import build_credentials
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.vendors.dynamics_journeys.vendor import EVERYONE, VENDOR, Options
from airflow_provider_interactions.vendors.dynamics_journeys.vocabulary import TYPES
from airflow_provider_interactions.window import Window
from tests.bench.processes import environment, run, sandbox

NAME = "dynamics_journeys"

#: What docs/speed.md says to set for workers that read tables.
GLIBC = {"ARROW_DEFAULT_MEMORY_POOL": "system"}

#: Rows of a day, over all published types: a large sender's, and ten times as many.
ROWS, MANY_ROWS = 1_000_000, 10_000_000

#: Days of the history: once and ten times.
DAYS = (1, 10)

#: Of each measurement by turns, the best counts: the machine is somebody else's, too.
TURNS = 3


def tables(share):
    """Read a day of a million rows from a store of one day and of ten."""
    yield from _read_day(int(ROWS * share), DAYS, max(1, int(TURNS * share)))


def large_tables(share):
    """Read a day of ten million rows, once: the store has only this day."""
    yield from _read_day(int(MANY_ROWS * share), DAYS[:1], 1)


def _read_day(rows, histories, turns):
    """Read the same day from a store of each number of days by turns, each time in a process of its own."""
    settings = {"scale_rows": rows, "scale_types": TYPES}
    sets = [part for name, value in settings.items() for part in ("--set", f"{NAME}.{name}={json.dumps(value)}")]
    found = {days: [] for days in histories}
    with ExitStack() as stack:
        urls = {days: stack.enter_context(sandbox("--contacts", 1, "--days", days, *sets)) for days in histories}
        for url in urls.values():
            _run("read_nothing", url)  # the sandbox makes its files once
        for _ in range(turns):
            for days, url in urls.items():
                found[days].append(_run("read", url))
    yield from _describe(found)


def _run(job, url):
    with tempfile.TemporaryDirectory() as folder:
        env = environment(url, Path(folder, "lake"), contacts=[], name=NAME)
        return run(job, {**env, **GLIBC}, "tables")


def _describe(found):
    best = {days: min(one.said["wall"] for one in runs) for days, runs in found.items()}
    cpu = {days: min(one.cpu for one in runs) for days, runs in found.items()}
    landed, peak = found[1][0].said["rows"], max(one.peak for runs in found.values() for one in runs)
    name, last = f"a day of {landed:,} rows in {len(TYPES)} tables", max(found)
    if last > 1:
        measured = f"{best[last] / best[1]:.2f} × (CPU: {cpu[last] / cpu[1]:.2f} ×)"
        yield f"{name}, {last} times the history: time", measured, "≤ 1.2 ×"
    rate = landed / cpu[last]
    yield f"{name}, to raw, start-up included, {last} × the history", f"{rate:,.0f} rows per CPU second", "≥ 150,000"
    yield f"{name}: peak memory", f"{peak:.0f} MB", "< 400 MB"


def read():
    """Extract the first day; prints its rows and the seconds by the clock, without start-up."""
    return _extract(Window.of("2026-01-01", "2026-01-02"))


def read_nothing():
    """Open every table, for a day that has no rows."""
    return _extract(Window.of("2025-01-01", "2025-01-02"))


def _extract(window):
    connection = json.loads(os.environ["BENCH_CONNECTION"])
    fields = [connection[name] for name in ("host", "login", "password", "extra")]
    job = Job(
        VENDOR,
        build_credentials(VENDOR, *fields),
        Lake.at(os.environ["BENCH_LAKE"]),
        window,
        [EVERYONE],
        Options(types=TYPES),
    )
    began = time.monotonic()
    landed = extract(job).counts.landed
    return {"rows": landed, "wall": time.monotonic() - began}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()))
