"""What is measured of an erasure: each in a process of its own, without its start-up."""

import hashlib
import json
import os
import sys
import tempfile
import time
import uuid
from dataclasses import replace
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.extract.raw_table import digest_payloads
from airflow_provider_interactions.lake.keys import HashKey
from airflow_provider_interactions.lake.manifest import Counts, Manifest
from airflow_provider_interactions.lake.parquet import Writer
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.person.erasure import erase_people
from airflow_provider_interactions.schema import CANONICAL, RAW
from tests.bench.rows import PLACE, build_rows, fit_rows

#: Rows of a row group. A raw file has one, as extraction writes it, a canonical file has up to 16.
GROUP_ROWS, FILE_GROUPS = 65_536, 16

#: People from this number on, of 50,000, are in the last row group, too, though it is a small one.
FIRST_PERSON = 45_000

_RAW = """
SELECT vendor, account, contact_id, contact_id_kind, native_type AS asked_type, '' AS context, occurred_at,
    ('{"InteractionId":"' || interaction_id || '","InteractionType":"' || native_type || '","Timestamp":"'
        || strftime(occurred_at, '%Y-%m-%dT%H:%M:%SZ') || '","ContactId":"' || contact_id || '","MessageId":"'
        || message_id || '",' || attributes[2:])::BLOB AS payload,
    extracted_at, window_start, window_end
FROM canonical
"""


def write_lake(folder, rows):
    """A published window of that many rows, raw and canonical, whose 50,000 people are in every row group."""
    lake = Lake.at(folder)
    with duckdb.connect() as connection:
        canonical = build_rows(connection, 1, rows)  # the name that the query below knows
        raw = connection.sql(_RAW)
        files, digests = _write_files(lake, raw, RAW, PLACE.folder("raw"), 1)
        digest = hashlib.sha256("".join(digests).encode()).hexdigest()
        manifest = Manifest(
            vendor=PLACE.vendor,
            account=PLACE.account,
            window_start=PLACE.window.start,
            window_end=PLACE.window.end,
            extracted_at=PLACE.window.end,
            files=files,
            counts=Counts(received=rows, fetched=rows, landed=rows),
            digest=digest,
        )
        lake.publish(PLACE.raw_manifest, manifest)
        files, _ = _write_files(lake, canonical, CANONICAL, PLACE.folder("interactions"), FILE_GROUPS)
    counts = msgspec.structs.replace(manifest.counts, canonical=rows)
    lake.publish(PLACE.manifest, msgspec.structs.replace(manifest, files=files, counts=counts))


def _write_files(lake, relation, schema, folder, groups):
    files, digests, writer = [], [], None
    for n, batch in enumerate(relation.to_arrow_reader(GROUP_ROWS)):
        if n % groups == 0:
            writer = Writer(lake, f"{folder}/{n:05d}.parquet", schema)
        rows = fit_rows(batch, schema)
        writer.write(rows)
        if "payload" in schema.names:
            digests.append(digest_payloads(pa.chunked_array([rows.column("payload")])))
        if n % groups == groups - 1:
            files.append(writer.close())
            writer = None
    return (*files, *([writer.close()] if writer else [])), digests


def copy():
    """Read every row group of the lake and write it again, as the lake's files are written."""
    lake = Lake.at(os.environ["BENCH_LAKE"])
    with tempfile.TemporaryDirectory(dir=Path(lake.root).parent) as folder:
        to = Lake.at(folder)
        return measure(lambda: [_copy_file(lake, to, path) for path in _list_files(lake)])


def erase():
    """Erase one person from everything, with the search for their identifier."""
    lake = replace(Lake.at(os.environ["BENCH_LAKE"]), keys=lambda: [HashKey(b"k" * 32)])
    number = FIRST_PERSON + int(os.environ["BENCH_TURN"])
    person = Contact(str(uuid.UUID(hashlib.md5(f"{number}c".encode()).hexdigest())), "contact_id")
    files = len(_list_files(lake))
    receipts = []
    measured = measure(lambda: receipts.append(erase_people(lake, {PLACE.vendor: [person]}, approved_by="a test")))
    [receipt] = receipts
    assert receipt.state == "complete"
    assert receipt.files == files, receipt
    return {**measured, "files": files}


def _list_files(lake):
    return [path for path in lake.list_files("") if path.endswith(".parquet")]


def _copy_file(lake, to, path):
    with lake.open(path) as stream:
        parquet = pq.ParquetFile(stream)
        writer = Writer(to, path, parquet.schema_arrow)
        for group in range(parquet.num_row_groups):
            writer.write(parquet.read_row_group(group))
        writer.close()
    to.remove([path])


def measure(work):
    """The seconds of some work."""
    cpu, wall = time.process_time(), time.monotonic()
    work()
    return {"cpu": time.process_time() - cpu, "wall": time.monotonic() - wall}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()))
