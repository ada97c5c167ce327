"""Who reads through the manifests sees the former version of a window or the new one, whatever happens to a writer."""

import shutil
import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import rig

from airflow_provider_interactions.errors import InteractionsError, Unreconciled
from airflow_provider_interactions.extract import commit
from airflow_provider_interactions.lake import reader as lake_reader
from airflow_provider_interactions.lake.manifest import pack, unpack
from airflow_provider_interactions.normalize import pipeline

VENDOR = "dynamics_marketing"
PART = {"part_rows": 100}
LATER = rig.FIRST + timedelta(days=1)


@pytest.fixture(scope="module")
def prepared(worlds, processes, tmp_path_factory):
    """Lakes in which a window is published, and its next version is landed; what to publish, and in how many steps."""
    found = {}
    for disk in ("local", "bucket"):
        folder = tmp_path_factory.mktemp(disk)
        before, after = (
            rig.spec(world, VENDOR, folder, disk=disk, extracted_at=at.isoformat())
            for world, at in zip(worlds, (rig.FIRST, LATER), strict=True)
        )
        processes[0].run(before, "extract", "publish", "normalize", **PART)
        told = processes[0].run(after, "extract", **PART)
        steps = processes[0].run(
            {**after, "lake": copy_lake(folder, tmp_path_factory.mktemp("dry") / "lake")},
            "publish",
            "normalize",
            manifests=[told["manifest"]],
        )["steps"]
        found[disk] = (folder, told["manifest"], after, steps)
    return found


def copy_lake(folder, to):
    shutil.copytree(folder, to)
    return str(to)


def versions(worlds):
    return [rig.ask_oracle(world, VENDOR) for world in worlds]


def payloads(spec):
    return sorted(rig.seen(spec, "raw")[1]["payload"].to_pylist())


def list_data_files(root) -> set[str]:
    """Every file of the lake but the manifests."""
    found = {str(path.relative_to(root)) for path in Path(root).rglob("*") if path.is_file()}
    return {name for name in found if not name.endswith(".json")}


def points(steps, number):
    return sorted({1 + n * (steps - 1) // (number - 1) for n in range(number)})


@pytest.mark.parametrize(("disk", "number"), [("local", 24), ("bucket", 16)])
def test_killed_at_any_operation_of_publishing(prepared, process, worlds, tmp_path, disk, number):
    folder, manifest, after, steps = prepared[disk]
    old, new = versions(worlds)
    raw_old = payloads({**after, "lake": str(folder)})
    seen = set()
    for at in points(steps, number):
        spec = {**after, "lake": copy_lake(folder, tmp_path / f"{at}")}
        told = process.run(spec, "publish", "normalize", manifests=[manifest], die={"at": at})
        assert told == -signal.SIGKILL
        raw, canonical = payloads(spec) == raw_old, rig.describe_rows(rig.seen(spec)[1])
        assert rig.seen(spec, "raw")[0].counts.landed == len(payloads(spec))
        assert canonical in (old, new)
        seen.add((raw, canonical == old))
        process.run(spec, "publish", "normalize", manifests=[manifest])
        assert rig.describe_rows(rig.seen(spec)[1]) == new
        commit.commit_window(rig.lake_of(spec), [unpack(manifest)], now=datetime.now(UTC) + timedelta(days=1))
        assert list_data_files(spec["lake"]) == rig.seen(spec)[0].paths | rig.seen(spec, "raw")[0].paths
    # Points before, between and after the two manifests: else this test would prove little.
    assert seen == {(True, True), (False, True), (False, False)}


@pytest.mark.parametrize(("disk", "number"), [("local", 24), ("bucket", 12)])
def test_asked_to_stop_at_any_operation(prepared, process, worlds, tmp_path, disk, number):
    """As Airflow does it: an exception at any instant, also between a manifest's publication and what comes next."""
    folder, manifest, after, steps = prepared[disk]
    for at in points(steps, number):
        spec = {**after, "lake": copy_lake(folder, tmp_path / f"{at}")}
        told = process.run(spec, "publish", "normalize", manifests=[manifest], die={"at": at, "how": "TERM"})
        assert told == {"error": "SystemExit"}
        assert rig.describe_rows(rig.seen(spec)[1]) in versions(worlds)
        assert rig.seen(spec, "raw")[0].counts.landed == len(payloads(spec))
        assert not [name for name in list_data_files(spec["lake"]) if name.endswith(".tmp")]


@pytest.mark.parametrize("disk", ["local", "bucket"])
def test_a_first_version_is_there_whole_or_not_at_all(process, sandbox, tmp_path, disk):
    whole = rig.spec(sandbox, VENDOR, tmp_path / "whole", disk=disk)
    steps = process.run(whole, "extract", "publish", "normalize", **PART)["steps"]
    for at in range(1, steps, steps // 16):
        spec = {**whole, "lake": str(tmp_path / f"{at}")}
        assert process.run(spec, "extract", "publish", "normalize", **PART, die={"at": at}) == -signal.SIGKILL
        found = rig.seen(spec)
        assert found is None or rig.describe_rows(found[1]) == rig.ask_oracle(sandbox, VENDOR)
        raw = rig.seen(spec, "raw")
        assert raw is None or raw[1].num_rows == raw[0].counts.landed > 0


@pytest.mark.parametrize("disk", ["local", "bucket"])
def test_readers_beside_writers_never_see_a_mixture(process, worlds, tmp_path, disk):
    specs = [rig.spec(world, VENDOR, tmp_path, disk=disk) for world in worlds]
    rig.run(specs[0])
    seen, wrong, stop = set(), [], threading.Event()

    def read():
        while not stop.is_set():
            try:
                seen.add(rig.describe_rows(rig.seen(specs[0])[1]))
                found, rows = rig.seen(specs[0], "raw")
                assert rows.num_rows == found.counts.landed
            except Exception as error:
                wrong.append(error)
                return

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(8):
        at = (rig.FIRST + timedelta(hours=n + 1)).isoformat()
        told = process.run({**specs[n % 2], "extracted_at": at}, "extract", "publish", "normalize", **PART)
        assert "manifest" in told
    stop.set()
    reader.join()
    assert not wrong
    assert seen == set(versions(worlds))


def test_two_tasks_that_write_the_same_window_at_once(process, worlds, tmp_path):
    """One wins whole; the other one may be told that its files were replaced, never anything worse."""
    for n in range(6):
        both = []
        for world in worlds:
            spec = rig.spec(world, VENDOR, tmp_path / f"{n}", resume=world.url)
            at = (rig.FIRST + timedelta(hours=len(both))).isoformat()
            both.append({"spec": {**spec, "extracted_at": at}, "steps": ["extract", "publish", "normalize"], **PART})
        process.start(*both)
        told = process.wait()
        assert {one.get("error") for one in told} <= {None, "WindowSuperseded"}, told
        assert rig.describe_rows(rig.seen(both[0]["spec"])[1]) in versions(worlds)
        raw, rows = rig.seen(both[0]["spec"], "raw")
        assert rows.num_rows == raw.counts.landed


@pytest.mark.parametrize("vendor", rig.CASES)
def test_two_batches_of_other_runs_do_not_mix(worlds, tmp_path, vendor):
    """Half of the contacts by one run, half by another: no window, but an error, as long as one of them is missing."""
    specs = [rig.spec(world, vendor, tmp_path / "lake", history_age=0) for world in worlds]
    first = rig.run(specs[0])[0]
    second = rig.run({**specs[1], "extracted_at": LATER.isoformat()})[0]
    with pytest.raises(Unreconciled, match="another extraction of the same window"):
        commit.commit_window(rig.lake_of(specs[0]), [first])
    assert rig.seen(specs[0], "raw")[0] == second


def test_a_reader_is_told_when_files_are_gone_for_good(sandbox, tmp_path):
    spec = rig.spec(sandbox, VENDOR, tmp_path)
    _, manifest = rig.run(spec)
    assert lake_reader.read_published(rig.lake_of(spec), "manifests/none.json") is None
    Path(tmp_path, manifest.files[0].path).unlink()
    with pytest.raises(Unreconciled, match="Run the window again"):
        rig.seen(spec)


def test_a_window_whose_raw_files_were_replaced_is_not_normalized(sandbox, tmp_path):
    spec = rig.spec(sandbox, VENDOR, tmp_path)
    raw, _ = rig.run(spec)
    newer, before = rig.run({**spec, "extracted_at": LATER.isoformat()})
    with pytest.raises(InteractionsError, match="another extraction of the same window"):
        pipeline.normalize(rig.lake_of(spec), raw)
    assert rig.seen(spec)[0] == before
    assert pack(rig.seen(spec, "raw")[0]) == pack(newer)


def test_what_dead_runs_left_is_swept_up_and_nothing_else(process, sandbox, tmp_path):
    """A day later, by the next publication of the same window; never what belongs to a run that is waiting."""
    spec = rig.spec(sandbox, VENDOR, tmp_path, extracted_at=datetime.now(UTC).isoformat())
    steps = process.run({**spec, "lake": str(tmp_path / "dry")}, "extract", "publish", "normalize", **PART)["steps"]
    shutil.rmtree(tmp_path / "dry")
    for at in range(5, steps, steps // 12):
        now = (datetime.now(UTC) + timedelta(seconds=at)).isoformat()
        dying = {**spec, "extracted_at": now, "window": ["2026-01-01", "2026-01-04"]}
        assert process.run(dying, "extract", "publish", "normalize", **PART, die={"at": at}) == -signal.SIGKILL
    waiting = unpack(process.run({**spec, "resume": "waiting"}, **PART)["manifest"])
    raw, canonical = rig.run({**spec, "extracted_at": datetime.now(UTC).isoformat()})
    lake, mine = rig.lake_of(spec), raw.paths | canonical.paths | waiting.paths
    orphans = {name for name in list_data_files(tmp_path) if not name.startswith("unfinished/")} - mine
    assert {name.split("/")[0] for name in orphans} == {"raw", "interactions"}
    assert any(name.endswith(".tmp") for name in orphans)
    foreign = tmp_path / Path(canonical.files[0].path).parent / "somebody-elses.parquet"
    foreign.write_bytes(b"")
    commit.commit_window(lake, [raw], now=datetime.now(UTC) + timedelta(hours=20))
    assert list_data_files(tmp_path) >= orphans
    commit.commit_window(lake, [raw], now=datetime.now(UTC) + timedelta(hours=25))
    left = {name for name in list_data_files(tmp_path) if not name.startswith("unfinished/")}
    assert left == mine | {str(foreign.relative_to(tmp_path))}
    time.sleep(0.001)
    assert commit.commit_window(lake, [waiting]) == waiting
