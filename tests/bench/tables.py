"""A day of a bulk vendor's tables: with ten times the history behind it, and with all of its types."""

import json
import os
import sys
import tempfile
import time
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

#: Rows of a day, over all published types.
ROWS = 1_000_000

#: Days of the history: once and ten times.
DAYS = (1, 10)

#: Of each measurement by turns, the best counts: the machine is somebody else's, too.
TURNS = 3


def tables(share):
    """Read the same day from a store of one day and of ten, each time in a process of its own."""
    rows = int(ROWS * share)
    settings = {"scale_rows": rows, "scale_types": TYPES}
    sets = [part for name, value in settings.items() for part in ("--set", f"{NAME}.{name}={json.dumps(value)}")]
    found, turns = {}, max(1, int(TURNS * share))
    for days in DAYS:
        with sandbox("--contacts", 1, "--days", days, *sets) as url, tempfile.TemporaryDirectory() as folder:
            run("read", _environment(url, folder, "first"), "tables")  # the sandbox makes its files once
            found[days] = [run("read", _environment(url, folder, str(n)), "tables") for n in range(turns)]
    best = {days: min(one.said["wall"] for one in runs) for days, runs in found.items()}
    cpu = min(one.cpu for one in found[DAYS[-1]])
    landed, peak = found[DAYS[-1]][0].said["rows"], max(one.peak for one in found[DAYS[-1]])
    name = f"a day of {landed:,} rows in {len(TYPES)} tables"
    yield f"{name}, ten times the history: time", f"{best[DAYS[-1]] / best[DAYS[0]]:.2f} ×", "≤ 1.2 ×"
    yield f"{name}, to raw, start-up included", f"{landed / cpu:,.0f} rows per CPU second", "≥ 150,000"
    yield f"{name}: peak memory", f"{peak:.0f} MB", "< 400 MB"


def _environment(url, folder, name):
    return environment(url, Path(folder, name), contacts=[], name=NAME)


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
