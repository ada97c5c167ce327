"""A lake in an object store: real clients against two S3 servers and Azurite, with the rows and promises of a disk.

The reader is this process, whose client has listed and read everything before; the writers are others, and are killed.
"""

import signal
import threading
from datetime import UTC, datetime, timedelta

import duckdb
import fsspec
import pytest
import rig

from airflow_provider_interactions import contacts, contract
from airflow_provider_interactions.errors import Unavailable, Unreconciled
from airflow_provider_interactions.extract import commit, raw_table, run, unfinished
from airflow_provider_interactions.lake import reader as lake_reader
from airflow_provider_interactions.lake.file_systems import UNCACHED
from airflow_provider_interactions.lake.manifest import unpack
from airflow_provider_interactions.lake.parquet import Writer
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load.duckdb import DuckDBTable
from airflow_provider_interactions.normalize import pipeline as normalize_pipeline
from airflow_provider_interactions.schema import RAW

VENDOR = "dynamics_marketing"
PART = {"part_rows": 100}
OFTEN = {**PART, "every": 0.0}
LATER = rig.FIRST + timedelta(days=1)


@pytest.fixture
def place(store, request):
    """A folder for each test."""
    return store.folder(request.node.name)


def copy_keys(store, url, to):
    fs, root = fsspec.url_to_fs(url, **UNCACHED)
    target = fs._strip_protocol(to)
    for key in store.keys(url):
        fs.pipe_file(f"{target}/{key}", fs.cat_file(f"{root}/{key}"))
    return to


def points(steps, number):
    return sorted({1 + n * (steps - 1) // (number - 1) for n in range(number)})


def seen(spec):
    """What a reader sees: the raw payloads, and the canonical rows in the oracle's words."""
    raw, canonical = rig.seen(spec, "raw"), rig.seen(spec)
    if raw:
        assert raw[1].num_rows == raw[0].counts.landed
    return sorted(raw[1]["payload"].to_pylist()) if raw else None, rig.describe_rows(
        canonical[1]
    ) if canonical else None


def test_the_same_rows_as_on_a_disk(store, sandbox, vendor, place, tmp_path):
    """From extraction to DuckDB."""
    found = []
    for disk, lake in (("local", tmp_path / "lake"), (store.disk, place)):
        spec = rig.spec(sandbox, vendor, lake, disk=disk, resume="run", concurrency=2)
        raw, canonical = rig.run(spec)
        assert rig.describe_rows(rig.seen(spec)[1]) == rig.ask_oracle(sandbox, vendor)
        database = str(tmp_path / f"{disk}.duckdb")
        assert DuckDBTable(database).load(rig.lake_of(spec), canonical).inserted == canonical.counts.canonical
        with duckdb.connect(database) as connection:
            rows = connection.execute("SELECT * FROM interactions ORDER BY ALL").fetchall()
        found.append((rows, [(file.rows, file.bytes) for file in raw.files], raw.digest))
    assert found[0] == found[1]
    assert len(rows) == rig.ask_oracle(sandbox, vendor)[0] > 10
    assert {"manifests", "raw", "interactions"} <= {key.split("/")[0] for key in store.keys(place)}


@pytest.fixture(scope="module")
def prepared(worlds, store, beside):
    """A window that is published, and its next version, landed: what to publish, and in how many operations."""
    home = f"{store.url}/prepared"
    before, after = (
        rig.spec(world, VENDOR, home, disk=store.disk, extracted_at=at.isoformat())
        for world, at in zip(worlds, (rig.FIRST, LATER), strict=True)
    )
    beside.run(before, "extract", "publish", "normalize", **PART)
    told = beside.run(after, "extract", **PART)
    dry = {**after, "lake": copy_keys(store, home, f"{store.url}/dry")}
    steps = beside.run(dry, "publish", "normalize", manifests=[told["manifest"]])["steps"]
    return home, told["manifest"], after, steps


@pytest.mark.one_of_each
@pytest.mark.parametrize(("how", "number"), [("KILL", 7), ("TERM", 4)])
def test_ended_at_any_operation_of_publishing(store, prepared, beside, worlds, place, how, number):
    """The former version or the new one, whole; the next try ends it, and leaves nothing behind."""
    home, manifest, after, steps = prepared
    old, new = (rig.ask_oracle(world, VENDOR) for world in worlds)
    raw_old, _ = seen({**after, "lake": home})
    met = set()
    for at in points(steps, number):
        spec = {**after, "lake": copy_keys(store, home, f"{place}/{at}")}
        told = beside.run(spec, "publish", "normalize", manifests=[manifest], die={"at": at, "how": how})
        assert told == (-signal.SIGKILL if how == "KILL" else {"error": "SystemExit"})
        raw, canonical = seen(spec)
        assert canonical in (old, new)
        met.add((raw == raw_old, canonical == old))
        lake = rig.lake_of(spec)
        normalize_pipeline.normalize(lake, commit.commit_window(lake, [unpack(manifest)]))
        assert seen(spec)[1] == new
        commit.commit_window(lake, [unpack(manifest)], now=datetime.now(UTC) + timedelta(days=1))
        data = rig.seen(spec)[0].paths | rig.seen(spec, "raw")[0].paths
        assert {key for key in store.keys(spec["lake"]) if not key.endswith(".json")} == data
    # Points before, between and after the two manifests: else this test would prove little. The first operation writes
    # a manifest; a killed process cannot finish it, but after SIGTERM the client's own thread may.
    between_and_after = {(False, True), (False, False)}
    assert met - {(True, True)} == between_and_after
    assert how == "TERM" or (True, True) in met


@pytest.mark.one_of_each
def test_killed_while_nothing_is_published_yet(store, beside, sandbox, place):
    whole = rig.spec(sandbox, VENDOR, f"{place}/whole", disk=store.disk)
    steps = beside.run(whole, "extract", "publish", "normalize", **PART)["steps"]
    for at in points(steps, 6):
        spec = {**whole, "lake": f"{place}/{at}"}
        told = beside.run(spec, "extract", "publish", "normalize", **PART, die={"at": at})
        assert told == -signal.SIGKILL
        raw, canonical = seen(spec)
        assert raw is None or len(raw) > 0
        assert canonical in (None, rig.ask_oracle(sandbox, VENDOR))


@pytest.mark.one_of_each
@pytest.mark.parametrize(("vendor", "number"), [(VENDOR, 6), ("which50", 4)])
def test_a_killed_extraction_goes_on_where_it_ended(store, beside, sandbox, place, vendor, number, monkeypatch):
    monkeypatch.setattr(raw_table, "PART_ROWS", PART["part_rows"])
    whole = rig.spec(sandbox, vendor, f"{place}/whole", disk=store.disk, resume="run", concurrency=2)
    told = beside.run(whole, "extract", "publish", **OFTEN)
    asked, resumed, died = told["manifest"]["counts"]["requests"], 0, 0
    for at in points(told["steps"], number):
        spec = {**whole, "lake": f"{place}/{at}"}
        sandbox.reset()
        died += beside.run(spec, "extract", "publish", **OFTEN, die={"at": at}) == -signal.SIGKILL
        sandbox.reset()
        commit.commit_window(rig.lake_of(spec), [run.extract(rig.job_of(spec))])
        resumed += sandbox.stats()[vendor]["requests"] < asked
        mine, theirs = (rig.seen(one, "raw")[1].sort_by("contact_id") for one in (spec, whole))  # a stable sort
        assert mine.to_pylist() == theirs.to_pylist()
        assert not [key for key in store.keys(spec["lake"]) if key.startswith("unfinished/")]
    assert resumed > number / 2
    assert died >= number - 1  # with the answers in another order a run may take a step less


@pytest.mark.one_of_each
def test_a_reader_beside_writers_never_sees_a_mixture(store, beside, worlds, place):
    specs = [rig.spec(world, VENDOR, place, disk=store.disk) for world in worlds]
    rig.run(specs[0])
    met, wrong, stop = set(), [], threading.Event()

    def read():
        while not stop.is_set():
            try:
                met.add(seen(specs[0])[1])
            except Exception as error:
                wrong.append(error)
                return

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(5):
        at = (rig.FIRST + timedelta(hours=n + 1)).isoformat()
        told = beside.run({**specs[(n + 1) % 2], "extracted_at": at}, "extract", "publish", "normalize", **PART)
        assert "manifest" in told
    stop.set()
    reader.join()
    assert not wrong
    assert met == {rig.ask_oracle(world, VENDOR) for world in worlds}


@pytest.mark.one_of_each
def test_two_tasks_that_write_the_same_window_at_once(store, beside, worlds, place):
    for n in range(3):
        both = []
        for world in worlds:
            spec = rig.spec(world, VENDOR, f"{place}/{n}", disk=store.disk, resume=world.url)
            at = (rig.FIRST + timedelta(hours=len(both))).isoformat()
            both.append({"spec": {**spec, "extracted_at": at}, "steps": ["extract", "publish", "normalize"], **PART})
        beside.start(*both)
        told = beside.wait()
        assert {one.get("error") for one in told} <= {None, "WindowSuperseded"}, told
        assert seen(both[0]["spec"])[1] in [rig.ask_oracle(world, VENDOR) for world in worlds]


@pytest.mark.one_of_each
def test_nothing_is_remembered_of_what_another_process_changes(store, beside, worlds, place):
    """The client has listed every folder and opened every file before; S3 drivers like to answer from that."""
    specs = [
        rig.spec(world, VENDOR, place, disk=store.disk, extracted_at=at.isoformat(), resume="run")
        for world, at in zip(worlds, (rig.FIRST, LATER), strict=True)
    ]
    lake, where = rig.lake_of(specs[0]), rig.place(specs[0])
    beside.run(specs[0], "extract", "publish", "normalize")
    before = rig.seen(specs[0], "raw")[0]
    every = {"/".join(key.split("/")[:depth]) for key in store.keys(place) for depth in range(9)}
    listed = {folder: lake.list_names(folder) for folder in every}
    assert listed[where.folder("raw")]
    beside.run(specs[1], "extract", "publish", "normalize")
    after = rig.seen(specs[0], "raw")[0]
    assert after.extracted_at == LATER
    assert not before.paths & set(lake.list_files("raw"))
    assert lake.list_names(where.folder("raw")) == sorted(
        path.rpartition("/")[2] for path in after.paths | {where.raw_manifest}
    )
    for path in before.paths:
        assert not lake.fs.exists(lake.full(path))
        with pytest.raises(FileNotFoundError):
            lake.fs.size(lake.full(path))
    assert lake_reader.read_published(lake, where.manifest)[0] == rig.seen(specs[1])[0]
    with pytest.raises(Unreconciled, match="another extraction"):
        commit.commit_window(lake, [before])


@pytest.mark.one_of_each
def test_old_journals_and_lists_and_what_dead_runs_left_go(store, beside, sandbox, place):
    now = datetime.now(UTC)
    spec = rig.spec(sandbox, VENDOR, place, disk=store.disk, extracted_at=now.isoformat(), resume="dead")
    lake, where = rig.lake_of(spec), rig.place(spec)
    steps = beside.run({**spec, "lake": f"{place}/dry"}, "extract", "publish", "normalize", **OFTEN)["steps"]
    assert beside.run(spec, **OFTEN, die={"at": steps // 2}) == -signal.SIGKILL
    listed, _ = contacts.write_list(lake, where, [[contract.Contact("c1")]], now)
    dead = {key for key in store.keys(place) if not key.startswith(f"{place.rpartition('/')[2]}")} - {listed}
    dead = {key for key in dead if key.startswith(("unfinished/", "raw/"))}
    assert {key.split("/")[0] for key in dead} == {"unfinished", "raw"}
    unfinished.expire_checkpoints(lake, where, now + timedelta(hours=23))
    assert dead <= store.keys(place)
    raw = commit.commit_window(lake, [run.extract(rig.job_of({**spec, "resume": "next"}))], now=now)
    assert dead <= store.keys(place)
    unfinished.expire_checkpoints(lake, where, now + timedelta(days=1, hours=1))
    commit.commit_window(lake, [raw], now=now + timedelta(days=31))
    left = {key for key in store.keys(place) if not key.startswith(("dry/", "pending/"))}  # it was not normalized
    assert left == raw.paths | {where.raw_manifest}


def test_a_failure_without_a_name_for_the_run_leaves_no_object(store, beside, sandbox, place):
    spec = rig.spec(sandbox, VENDOR, place, disk=store.disk, limits={**rig.QUICK, "tries": 1}, concurrency=1)
    sandbox.faults([{"kind": "status", "status": 503, "path": "LoadInteractions", "after": 15}])
    told = beside.run(spec, "extract", part_rows=20)
    assert told["error"] == Unavailable.__name__
    assert store.keys(place) == set()


def test_a_file_that_is_begun_again_in_vain_stays_as_it_was(place):
    lake = Lake.at(place)
    lake.fs.pipe_file(lake.full("x.parquet"), b"whole")
    Writer(lake, "x.parquet", RAW).discard()
    assert lake.fs.cat_file(lake.full("x.parquet")) == b"whole"
