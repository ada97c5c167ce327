"""What is measured of encrypted raw records: each step in a process of its own, without its start-up."""

import json
import os
import sys
from pathlib import Path

import msgspec

from airflow_provider_interactions.extract.checkpoint import Checkpoint
from airflow_provider_interactions.extract.held_pages import HELD_ENCRYPTED
from airflow_provider_interactions.extract.raw_writer import RawWriter
from airflow_provider_interactions.lake.key_ring import add_key_ring
from airflow_provider_interactions.lake.keys import HashKey
from airflow_provider_interactions.lake.manifest import Counts, Manifest
from airflow_provider_interactions.lake.reader import read_rows
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.normalize.pipeline import normalize as normalize_window
from tests.bench.erasing import measure
from tests.bench.rows import PLACE


def land():
    """Write the raw rows of a lake to another one, which is encrypted or not."""
    source, to = Lake.at(os.environ["BENCH_LAKE"]), _open_lake()
    manifest = source.read(PLACE.raw_manifest, Manifest)
    counts = Counts(received=manifest.counts.landed, fetched=manifest.counts.landed)
    found = []

    def write():
        with RawWriter(to, PLACE, Checkpoint(extracted_at=manifest.extracted_at)) as writer:
            for rows in read_rows(source, manifest.files, HELD_ENCRYPTED):  # as many as an extraction holds
                writer.copy(rows)
            found.append(writer.finish(counts))

    measured = measure(write)
    to.publish(PLACE.raw_manifest, found[0])
    return {**measured, "bytes": sum(file.bytes for file in found[0].files)}


def normalize():
    """Turn them into canonical rows."""
    lake = _open_lake()
    raw = lake.read(PLACE.raw_manifest, Manifest)
    done = []
    measured = measure(lambda: done.append(normalize_window(lake, raw)))
    assert done[0].counts.canonical == raw.counts.landed, msgspec.json.encode(done[0].counts)
    return measured


def _open_lake():
    folder = Path(os.environ["BENCH_TO"])
    lake = Lake.at(str(folder / "lake"))
    if os.environ["BENCH_ENCRYPTED"] != "yes":
        return lake
    return add_key_ring(lake, Lake.at(str(folder / "keys")), lambda: [HashKey(b"k" * 32)])


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()))
