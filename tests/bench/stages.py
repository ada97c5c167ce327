"""What is measured of a window in the lake: each in a process of its own, without its start-up where that says so."""

import json
import os
import sys
import time
from collections import Counter
from pathlib import Path

from tests.bench.jobs import LAKE, bulk, job


def plain_window():
    """A raw window of short ASCII values, published."""
    from tests.bench import plain

    return plain.land(job(), os.environ["BENCH_FORMAT"], int(os.environ["BENCH_ROWS"])).counts.landed


def normalize():
    """The published window three times; the fewest seconds of CPU, and what reading and writing alone take of them."""
    lake, raw = _raw()
    least, seconds = [], []
    for _ in range(3):
        began = time.process_time()
        done = _normalized()
        seconds.append(time.process_time() - began)
        least.append(_reading(lake, raw.files) + _writing(lake, done.files))
    counts = done.counts
    return {"rows": counts.landed, "rejected": counts.rejected, "cpu": min(seconds), "least": min(least)}


def _raw():
    from airflow_provider_interactions.lake.manifest import Manifest

    asked = job()
    return asked.lake, asked.lake.read(asked.place.raw_manifest, Manifest)


def _normalized():
    from airflow_provider_interactions.normalize import pipeline as normalize_pipeline

    return normalize_pipeline.normalize(*_raw())


def canonical():
    """The published window, normalized."""
    return _normalized().counts.canonical


def profile():
    """Where the time of extraction's event loop goes, and normalize's: the largest shares by function, in percent."""
    return {"extraction": _shares(bulk), "normalize": _shares(_normalized)}


def _shares(work):
    import cProfile
    import pstats

    with cProfile.Profile() as seen:
        work()
    spent = Counter()
    for (file, _, name), (_, _, own, _, _) in pstats.Stats(seen).stats.items():
        if "poll" not in name:
            spent[f"{Path(file).name} {name}" if file != "~" else name.strip("<>")] += own
    return [(name, 100 * own / spent.total()) for name, own in spent.most_common(8)]


def _batches(lake, files):
    import pyarrow.parquet as pq

    for file in files:
        with lake.fs.open(lake.full(file.path), "rb") as stream:
            yield from pq.ParquetFile(stream).iter_batches()


def _reading(lake, files):
    began = time.process_time()
    for _ in _batches(lake, files):
        pass
    return time.process_time() - began


def _writing(lake, files):
    from airflow_provider_interactions.lake.parquet import Writer
    from airflow_provider_interactions.schema import CANONICAL

    writer, seconds = Writer(lake, "least.parquet", CANONICAL), 0
    for batch in _batches(lake, files):
        began = time.process_time()
        writer.write(batch)
        seconds += time.process_time() - began
    writer.discard()
    return seconds


def load():
    """The normalized window into DuckDB twice; seconds of each, without start-up, and of DuckDB's own statement."""
    from airflow_provider_interactions.lake.manifest import Manifest
    from airflow_provider_interactions.load.duckdb import DuckDBTable

    asked = job()
    manifest = asked.lake.read(asked.place.manifest, Manifest)
    seconds = []
    for _ in range(2):
        began = time.monotonic()
        rows = DuckDBTable(f"{LAKE}/table.duckdb").load(asked.lake, manifest).rows
        seconds.append(time.monotonic() - began)
    files = [asked.lake.full(file.path) for file in manifest.files]
    return {"rows": rows, "first": seconds[0], "again": seconds[1], "alone": _created(files)}


def _created(files):
    import duckdb

    began = time.monotonic()
    with duckdb.connect(f"{LAKE}/alone.duckdb") as connection:
        connection.execute("SET preserve_insertion_order = false")
        source = "read_parquet(?, hive_partitioning = false)"
        connection.execute(f"CREATE TABLE interactions AS SELECT * FROM {source}", [files])
    return time.monotonic() - began


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()))
