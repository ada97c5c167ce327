"""Three people of four vendors are erased from all layers and targets, while backfills run, and whatever is killed."""

import hashlib
import json
import os
import random
import re
import signal
import time
import zlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rig

from airflow_provider_interactions.extract.raw_table import unpack_rows
from airflow_provider_interactions.lake import reader
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.reconcile import reconcile, reconcile_normalized
from airflow_provider_interactions.person import request as person_request
from airflow_provider_interactions.person.receipt import Receipt
from tests.targets import cases, windows
from tests.targets.conftest import database, postgres  # noqa: F401 - fixtures

KEY = "k" * 32
PART = {"part_rows": 40}

#: How many times something is killed, and the seed of when.
KILLS, SEED = 10, 15

#: How often to try an erasure: a target refuses it if a file is gone that a backfill, killed meanwhile, has just added.
TRIES = 5

#: The first three people are erased. The last of them is unknown to two of the vendors.
GONE = {name: 2 if name in ("which50", "capillary") else 3 for name in rig.CASES}

#: Where they are before.
LAYERS = ("contacts", "history", "interactions", "raw", "requests", "unfinished")

#: What differs between two extractions of the same records.
CHANGING = {"extracted_at"}


@pytest.fixture
def world(worlds, processes, tmp_path, database):  # noqa: F811 - fixture
    """Specs by vendor, whom to erase, and the targets; all of them filled."""
    known = {"key": KEY, "extracted_at": datetime.now(UTC).isoformat()}
    specs = {name: rig.spec(worlds[0], name, tmp_path / "lake", **known) for name in rig.CASES}
    gone = {name: spec["contacts"][: GONE[name]] for name, spec in specs.items()}
    targets = {"DuckDB": f"{tmp_path}/all.duckdb", "Postgres": database, "Iceberg": f"{tmp_path}/x.iceberg"}
    for spec in specs.values():
        processes[0].run(spec, "list")
    filled = processes[0].run(specs["which50"], "fill", fill=list(specs.values()), targets=targets, **PART)
    assert filled["windows"] == len(specs)
    for spec in specs.values():
        answer(spec, spec["contacts"][:1])
        answer(spec, [spec["contacts"][0], spec["contacts"][-1]])
        unfinished = {**spec, "resume": "a run", "window": WINDOW}
        processes[0].run(unfinished, "extract", every=0, die={"at": 25, "on": "request"}, **PART)
    return specs, gone, targets


#: A window of its own, whose extraction is killed: its checkpoint stays.
WINDOW = ["2026-01-01", "2026-01-03"]


def answer(spec, people):
    job = rig.job_of(spec)
    request = person_request.check_request(job.vendor, people)
    person_request.answer_request(job.lake, request, job.credentials, limits=job.limits)


def test_nothing_of_them_is_left_and_nothing_else_has_changed(world, processes, tmp_path):
    specs, gone, targets = world
    lake = rig.lake_of(specs["which50"])
    words = build_pattern(specs, gone)
    before = describe_others(specs, gone, targets)
    assert set(find(words, lake, targets)) >= {*LAYERS, *targets}

    command = {"spec": specs["which50"], "steps": ["erase"], "erase": gone, "targets": targets, **PART}
    stop = tmp_path / "stop"
    backfill = {"steps": ["fill"], "spec": specs["which50"], "fill": list(specs.values()), "targets": targets, **PART}
    kill_on_the_way(processes, command, {**backfill, "stop": str(stop)}, stop)
    assert lake.read("receipts/mine.json", Receipt).state == "complete"

    later = datetime.now(UTC) + timedelta(days=2)  # what the killed processes left is old by then
    done = processes[0].run(backfill.pop("spec"), *backfill.pop("steps"), now=later.isoformat(), **backfill)
    assert done["windows"] == len(specs)
    assert done["suppressed"] == sum(map(len, gone.values()))
    [again] = run_all(processes[0], {**command, "now": later.isoformat(), "name": "again"})
    assert not again.get("error"), again
    assert find(words, lake, targets) == {}
    assert not list(Path(lake.root).rglob("*.tmp"))  # half a file, in which nothing can be found
    assert describe_others(specs, gone, targets) == before
    for spec in specs.values():
        check_counts(spec)


#: One person's address in several spellings, and somebody else's.
SPELLINGS, OTHER = ("Ann.Bell@Example.org", "ann.bell@example.org", "ANN.BELL@EXAMPLE.ORG"), "bob@example.org"


def test_no_spelling_of_an_address_is_left_if_erasures_are_killed(worlds, process, tmp_path, database):  # noqa: F811 - fixture
    """The first erasures do not know two of the tables: those have rows that the lake has lost."""
    more = {"key": KEY, "kind": "email", "contacts": [OTHER]}
    spec = rig.spec(worlds[0], "capillary", tmp_path / "lake", **more)
    lake, people = rig.lake_of(spec), [*SPELLINGS, OTHER]
    targets = {"DuckDB": f"{tmp_path}/all.duckdb", "Postgres": database, "Iceberg": f"{tmp_path}/x.iceberg"}
    rows = [windows.row(n, contact_id=one, contact_id_kind="email") for n, one in enumerate(people)]
    manifest = windows.write(lake, rows, vendor="capillary")
    lines = [json.dumps({"vendor": "capillary", "contact_id": one, "contact_id_kind": "email"}) for one in people]
    lake.write("requests/vendor=capillary/account=acme/1.jsonl", "\n".join(lines).encode())
    for case, place in targets.items():
        getattr(cases, case).open(place).load(lake, manifest)
    words = re.compile(re.escape(SPELLINGS[0].encode()), re.IGNORECASE)
    assert set(find(words, lake, targets)) == {"interactions", "requests", *targets}

    command = {"erase": {"capillary": [SPELLINGS[0].swapcase()]}, "targets": {"Iceberg": targets["Iceberg"]}}
    assert kill_until_complete(process, spec, command) > 3
    assert set(find(words, lake, targets)) == {"DuckDB", "Postgres"}
    assert kill_until_complete(process, spec, {**command, "targets": targets}) > 3
    assert find(words, lake, targets) == {}
    for case, place in targets.items():
        assert [row["contact_id"] for row in getattr(cases, case).read(place)] == [OTHER]


def kill_until_complete(process, spec, command):
    """Kill an erasure at a later operation each time, until one ends; how many were killed."""
    for killed, at in enumerate(range(1, 1000, 4)):
        told = process.run(spec, "erase", die={"at": at}, **command)
        if told != -signal.SIGKILL:
            assert not told.get("error"), told
            return killed
    raise AssertionError


def kill_on_the_way(processes, command, backfill, stop):
    """Start the erasure again each time it is killed, beside backfills, of which some are killed, too."""
    processes[1].start(backfill)
    try:
        for killed in kill_erasures(processes[0], command):
            if killed in (4, 7):
                os.kill(processes[1].pids[0], signal.SIGKILL)
                assert processes[1].wait() == [-signal.SIGKILL]
                processes[1].start(backfill)
        for _ in range(TRIES):
            [told] = run_all(processes[0], command)
            if not told.get("error"):
                break
        assert not told.get("error"), told
    finally:
        stop.touch()
        [filled] = processes[1].wait()
    assert filled["windows"] > 0, filled


def kill_erasures(process, command):
    """Kill erasures until so many have died, at an operation or at a moment; gives the number after each."""
    chance, seconds, killed = random.Random(SEED), 8.0, 0
    while killed < KILLS:
        die = {"die": {"at": chance.randrange(1, 400)}} if killed % 2 else {}
        [erasure] = process.start({**command, **die})
        if not die:
            time.sleep(chance.uniform(0.1, seconds))
            with suppress(ProcessLookupError):
                os.kill(erasure, signal.SIGKILL)
        [told] = process.wait()
        if told == -signal.SIGKILL:
            killed += 1
            yield killed
        else:
            assert told.get("error") in (None, "LoadError"), told
            seconds /= 2


def run_all(process, *commands):
    process.start(*commands)
    return process.wait()


def check_counts(spec):
    where, lake = rig.place(spec), rig.lake_of(spec)
    raw = lake.read(where.raw_manifest, Manifest)
    reconcile(raw)
    reconcile_normalized(raw, lake.read(where.manifest, Manifest))


def describe_others(specs, gone, targets):
    """A digest of everybody else's rows by vendor: raw, canonical, and in each target."""
    found = {}
    for name, spec in specs.items():
        where, lake = rig.place(spec), rig.lake_of(spec)
        for layer, path in (("raw", where.raw_manifest), ("interactions", where.manifest)):
            _, rows = reader.read_published(lake, path)
            found[name, layer] = digest_rows(rows.to_pylist(), gone[name])
    for case, place in targets.items():
        rows = getattr(cases, case).read(place)
        for name in specs:
            found[name, case] = digest_rows([row for row in rows if row["vendor"] == name], gone[name])
    return found


def digest_rows(rows, gone):
    left = [{key: row[key] for key in sorted(row.keys() - CHANGING)} for row in rows if row["contact_id"] not in gone]
    return len(left), hashlib.sha256("\n".join(sorted(map(repr, left))).encode()).hexdigest()


def build_pattern(specs, gone):
    """Their identifiers, each as a word of its own."""
    ids = {rig.VENDORS[name].contact(text).id for name, texts in gone.items() for text in texts}
    assert len(ids) == sum(map(len, gone.values()))
    words = b"|".join(re.escape(one.encode()) for one in sorted(ids))
    return re.compile(rb"(?<![0-9A-Za-z])(?:" + words + rb")(?![0-9A-Za-z])", re.IGNORECASE)


def find(words, lake, targets):
    """Where there is one of them: all bytes of all files, as they are and decoded, and what the databases show."""
    found = {}
    root = Path(lake.root)
    places = [("lake", path) for path in root.rglob("*")]
    places += [("DuckDB", path) for path in root.parent.rglob("*duckdb*")]
    places += [("Iceberg", path) for path in Path(targets["Iceberg"]).rglob("*")]
    for place, path in places:
        for data in (str(path).encode(), *(read_all(path) if path.is_file() else ())):
            if words.search(data):
                name = path.relative_to(root).parts[0] if place == "lake" else place
                found.setdefault(name, set()).add(path.name)
    for case, where in targets.items():
        rows = getattr(cases, case).read(where)
        if any(words.search(repr(row).encode()) for row in rows):
            found.setdefault(case, set()).add("rows")
    if any(words.search(data) for data in read_postgres(targets["Postgres"])):
        found.setdefault("Postgres", set()).add("files")
    return found


def read_all(path):
    """The bytes of a file, and what is in it without compression."""
    data = path.read_bytes()
    yield data
    if path.suffix == ".parquet":
        yield from read_table(pq.read_table(path))
    elif path.suffix == ".arrow":
        yield from read_table(unpack_rows(data))
    elif path.suffix == ".avro":
        yield from read_avro(data)


def read_table(table):
    for column in table.columns:
        words = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        yield b"\n".join(value if isinstance(value, bytes) else str(value).encode() for value in words.to_pylist())


def read_avro(data):
    """The blocks of an Avro file, which pyiceberg compresses."""
    sync, at = data[-16:], data.index(data[-16:]) + 16
    assert b"deflate" in data[:at] or b"null" in data[:at]
    while at < len(data):
        _, at = read_long(data, at)
        size, at = read_long(data, at)
        block = data[at : at + size]
        yield zlib.decompress(block, -15) if b"deflate" in data[: data.index(sync)] else block
        at += size + 16


def read_long(data, at):
    """Avro's whole number: seven bits a byte, the sign last."""
    value = shift = 0
    while True:
        byte, at = data[at], at + 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at


def read_postgres(url):
    """The files of the database once its tables were written again, as docs/targets.md advises."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM FULL")
        connection.execute("CHECKPOINT")
        query = "SELECT current_setting('data_directory'), oid FROM pg_database WHERE datname = current_database()"
        [(home, number)] = connection.execute(query).fetchall()
    for path in Path(home, "base", str(number)).iterdir():
        yield path.read_bytes()
