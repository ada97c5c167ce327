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

#: Rows of a day, over all published types: a large sender's, and ten times as many.
ROWS, MANY_ROWS = 1_000_000, 10_000_000

#: Days of the history: once and ten times.
DAYS = (1, 10)

#: Of each measurement by turns, the best counts: the machine is somebody else's, too.
TURNS, MANY_TURNS = 3, 2


def tables(share):
    """Read a day of a million rows from a store of one day and of ten."""
    yield from _read_day(int(ROWS * share), max(1, int(TURNS * share)))


def large_tables(share):
    """The same with ten million rows a day."""
    yield from _read_day(int(MANY_ROWS * share), max(1, int(MANY_TURNS * share)))


def _read_day(rows, turns):
    """Read the same day from both stores by turns, each time in a process of its own."""
    settings = {"scale_rows": rows, "scale_types": TYPES}
    sets = [part for name, value in settings.items() for part in ("--set", f"{NAME}.{name}={json.dumps(value)}")]
    found = {days: [] for days in DAYS}
    with ExitStack() as stack:
        urls = {days: stack.enter_context(sandbox("--contacts", 1, "--days", days, *sets)) for days in DAYS}
        for turn in range(-1, turns):
            for days, url in urls.items():
                with tempfile.TemporaryDirectory() as folder:
                    done = run("read", environment(url, Path(folder, "lake"), contacts=[], name=NAME), "tables")
                if turn >= 0:  # the first time, the sandbox makes its files
                    found[days].append(done)
    best = {days: min(one.said["wall"] for one in runs) for days, runs in found.items()}
    cpu = {days: min(one.cpu for one in runs) for days, runs in found.items()}
    landed, peak = found[DAYS[-1]][0].said["rows"], max(one.peak for runs in found.values() for one in runs)
    name = f"a day of {landed:,} rows in {len(TYPES)} tables"
    more = f"{best[DAYS[-1]] / best[DAYS[0]]:.2f} × (CPU: {cpu[DAYS[-1]] / cpu[DAYS[0]]:.2f} ×)"
    yield f"{name}, ten times the history: time", more, "≤ 1.2 ×"
    rates = " and ".join(f"{landed / cpu[days]:,.0f}" for days in DAYS)
    yield f"{name}, to raw, start-up included: rows a CPU second, history once and ten times", rates, "≥ 150,000"
    yield f"{name}: peak memory", f"{peak:.0f} MB", "< 400 MB"


def read():
    """Extract the first day; prints its rows and the seconds by the clock, without start-up."""
    connection = json.loads(os.environ["BENCH_CONNECTION"])
    fields = [connection[name] for name in ("host", "login", "password", "extra")]
    job = Job(
        VENDOR,
        build_credentials(VENDOR, *fields),
        Lake.at(os.environ["BENCH_LAKE"]),
        Window.of("2026-01-01", "2026-01-02"),
        [EVERYONE],
        Options(types=TYPES),
    )
    began = time.monotonic()
    landed = extract(job).counts.landed
    return {"rows": landed, "wall": time.monotonic() - began}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()))
