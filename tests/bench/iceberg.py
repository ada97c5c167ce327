"""What loads into Iceberg cost: many windows in one commit, or one each; a window replaced; a contact erased."""

import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from msgspec.structs import replace

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.lake.manifest import Counts, Manifest, count_rows
from airflow_provider_interactions.lake.parquet import Writer
from airflow_provider_interactions.lake.paths import WindowPaths, timestamp
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load.iceberg import IcebergTable
from airflow_provider_interactions.load.iceberg_catalog import build_local
from airflow_provider_interactions.schema import CANONICAL
from airflow_provider_interactions.window import Window

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
WINDOWS, ROWS, CONTACTS = 180, 5_556, 1_000


def iceberg(share):
    """A million rows of half a year, daily windows."""
    number = max(20, int(WINDOWS * share))
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.at(f"{folder}/lake")
        manifests = [write_window(lake, FIRST + n * DAY, n) for n in range(number)]
        long = join(manifests)
        rows = long.counts.canonical
        together, each = (IcebergTable(build_local(f"{folder}/{name}.iceberg")) for name in ("one", "each"))
        name = f"{number} windows, {rows:,} rows, into Iceberg"
        yield f"{name}, in one commit", f"{measure(lambda: together.load(lake, long)):.2f} s", "-"
        yield "the same again, nothing changed", f"{measure(lambda: together.load(lake, long)):.2f} s", "-"
        seconds = [measure(lambda one=one: each.load(lake, one)) for one in manifests]
        measured = f"{sum(seconds):.1f} s; {min(seconds):.2f} to {max(seconds):.2f} s each"
        yield f"{name}, one commit each", measured, "-"
        size = sum(file.stat().st_size for file in Path(folder, "each.iceberg").rglob("*") if file.is_file())
        yield "metadata after these commits", f"{size / 1e6:.1f} MB", "-"
        for table, text in ((together, "written in one commit"), (each, "written in many")):
            newer = write_window(lake, FIRST + number // 2 * DAY, 0, run=1)
            measured = f"{measure(lambda table=table, newer=newer: table.load(lake, newer)):.2f} s"
            yield f"a window replaced in a table {text}", measured, "-"
        gone = measure(lambda: together.erase("which50", "acme", [Contact("c7")]))
        yield f"a contact erased who is in all {number} files", f"{gone:.1f} s", "-"


def write_window(lake, start, seed, run=0):
    """A published window of rows with ids of their own."""
    window = Window(start, start + DAY)
    place = WindowPaths("which50", "acme", window)
    same = {
        "vendor": "which50",
        "account": "acme",
        "contact_id_kind": "contact_id",
        "channel": "email",
        "action": "opened",
        "native_type": "OPEN",
        "extracted_at": FIRST + 365 * DAY + run * DAY,
        "window_start": window.start,
        "window_end": window.end,
    }
    columns = {name: [value] * ROWS for name, value in same.items()}
    columns |= {
        "interaction_id": [f"{seed:08x}-{n:04x}-4000-8000-{n * 7919:012x}" for n in range(ROWS)],
        "contact_id": [f"c{n % CONTACTS}" for n in range(ROWS)],
        "occurred_at": [start + n * timedelta(seconds=15) for n in range(ROWS)],
        "attributes": [f'{{"Mailing":"{n % 50}","Link":"https://example.org/{n}"}}' for n in range(ROWS)],
    }
    arrays = [
        pa.array(columns[one.name], one.type) if one.name in columns else pa.nulls(ROWS, one.type) for one in CANONICAL
    ]
    path = f"{place.day_folder(start.date().isoformat())}/{window.slug}-{timestamp(same['extracted_at'])}.parquet"
    writer = Writer(lake, path, CANONICAL)
    writer.write(pa.Table.from_arrays(arrays, schema=CANONICAL))
    files, counts = (writer.close(),), Counts(landed=ROWS, canonical=ROWS)
    known = {"vendor": "which50", "account": "acme", "extracted_at": same["extracted_at"]}
    made = Manifest(window_start=window.start, window_end=window.end, files=files, counts=counts, **known)
    lake.publish(place.manifest, made)
    return made


def join(manifests):
    """The manifest of a run over all windows."""
    files = tuple(file for one in manifests for file in one.files)
    counts = Counts(canonical=count_rows(files))
    return replace(manifests[0], window_end=manifests[-1].window_end, files=files, counts=counts).to_split(DAY)


def measure(work):
    """Seconds of wall time."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
