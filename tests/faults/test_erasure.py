"""An erasure that is killed at any operation, and run again, leaves what it leaves when nothing happens to it."""

import shutil
import signal
from datetime import timedelta
from pathlib import Path

import pytest
import rig

from airflow_provider_interactions.lake import reader
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.reconcile import reconcile, reconcile_normalized
from airflow_provider_interactions.person.receipt import Receipt
from airflow_provider_interactions.person.search import search_lake
from airflow_provider_interactions.vendors import VENDORS

VENDOR = "which50"  # it has histories, too
PART = {"part_rows": 40}
KEY = "k" * 32
LATER = rig.FIRST + timedelta(days=1)


@pytest.fixture(scope="module")
def prepared(worlds, processes, tmp_path_factory):
    """Lakes with a window, an extraction that is not committed, a checkpoint and a list; whom to erase, and how."""
    found = {}
    for disk in ("local", "bucket"):
        folder = tmp_path_factory.mktemp(disk)
        spec = rig.spec(worlds[0], VENDOR, folder, disk=disk, key=KEY)
        processes[0].run(spec, "list", "extract", "publish", "normalize", **PART)
        later = {**spec, "extracted_at": LATER.isoformat(), "resume": "a run"}
        under_way = processes[0].run(later, "extract", **PART)["manifest"]
        gone = spec["contacts"][:3]
        dry = {**spec, "lake": copy_lake(folder, tmp_path_factory.mktemp("dry") / "lake")}
        steps = processes[0].run(dry, "erase", erase=gone)["steps"]
        found[disk] = spec, gone, under_way, steps, describe(dry)
    return found


def copy_lake(folder, to):
    shutil.copytree(folder, to)
    return str(to)


def describe(spec):
    """What a lake says: counts and rows of each published window and history, whatever the names of its files."""
    lake = rig.lake_of(spec)
    found = {}
    for path in lake.list_files(""):
        if path.endswith(".json") and path.split("/")[0] in ("raw", "manifests", "history"):
            manifest, table = reader.read_published(lake, path)
            rows = sorted(map(repr, table.to_pylist()))
            found[path] = manifest.counts, manifest.digest, rows
    return found


def contacts_of(gone):
    return [VENDORS[VENDOR].contact(text) for text in gone]


def left(spec, gone):
    """Rows with an identifier of theirs in any file, and files that cannot be read."""
    found = search_lake(rig.lake_of(spec), VENDOR, [one.id for one in contacts_of(gone)])
    return dict(found.rows), found.unread


def check_counts(spec):
    where, lake = rig.place(spec), rig.lake_of(spec)
    raw = lake.read(where.raw_manifest, Manifest)
    reconcile(raw)
    reconcile_normalized(raw, lake.read(where.manifest, Manifest))


def points(steps, number):
    return sorted({1 + n * (steps - 1) // (number - 1) for n in range(number)})


@pytest.mark.parametrize(("disk", "number"), [("local", 15), ("bucket", 7)])
def test_killed_at_any_operation_and_run_again(prepared, process, tmp_path, disk, number):
    spec, gone, under_way, steps, expected = prepared[disk]
    before = describe(spec)
    seen = set()
    for at in points(steps, number):
        mine = {**spec, "lake": copy_lake(spec["lake"], tmp_path / f"{at}")}
        assert process.run(mine, "erase", erase=gone, die={"at": at}) == -signal.SIGKILL
        between = describe(mine)
        assert between.keys() == before.keys()
        assert all(between[path] in (before[path], expected[path]) for path in before), "a reader saw half"
        seen.update(between[path] == before[path] for path in before)
        process.run(mine, "erase", erase=gone)
        assert describe(mine) == expected
        assert left(mine, gone)[0] == {}
        assert rig.lake_of(mine).read("receipts/mine.json", Receipt).state == "complete"
        check_counts(mine)
        process.run(mine, "publish", "normalize", manifests=[under_way])
        assert left(mine, gone)[0] == {}
        check_counts(mine)
        shutil.rmtree(mine["lake"])
    assert seen == {True, False}


def test_killed_ten_times_on_the_way(prepared, process, tmp_path):
    spec, gone, _, steps, expected = prepared["local"]
    mine = {**spec, "lake": copy_lake(spec["lake"], tmp_path / "lake")}
    for at in points(steps, 11)[1:]:
        process.run(mine, "erase", erase=gone, die={"at": at})
    process.run(mine, "erase", erase=gone)
    assert describe(mine) == expected
    assert left(mine, gone)[0] == {}


def test_two_erasures_and_an_extraction_side_by_side(prepared, processes, tmp_path):
    """One stops once, at a point that differs from round to round, while the others go on."""
    spec, gone, _, steps, _ = prepared["local"]
    for at in points(steps, 4):
        run_side_by_side(processes, {**spec, "lake": copy_lake(spec["lake"], tmp_path / f"{at}")}, gone, at)


@pytest.mark.one_of_each
def test_two_erasures_and_an_extraction_side_by_side_on_s3(prepared, beside, beside_too, s3, tmp_path):
    """The same where the store itself compares before it replaces a manifest."""
    spec, gone, _, steps, _ = prepared["local"]
    for at in points(steps, 4)[1:3]:  # the first and the last operation are for the disk
        url = s3.folder(f"{tmp_path.name}-{at}")
        upload(s3, spec["lake"], url)
        run_side_by_side((beside, beside_too), {**spec, "lake": url, "disk": "s3"}, gone, at)


def upload(s3, folder, url):
    """Copy a lake to a bucket."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    for path in Path(folder).rglob("*"):
        if path.is_file():
            s3.client.put_object(Bucket=bucket, Key=f"{prefix}/{path.relative_to(folder)}", Body=path.read_bytes())


def run_side_by_side(processes, spec, gone, at):
    others, known = spec["contacts"][3:5], list_known(spec)
    anew = {**spec, "extracted_at": (LATER + timedelta(hours=1)).isoformat(), "history_age": 0}
    commands = [
        {"spec": spec, "steps": ["erase"], "erase": gone, "die": {"at": at, "how": "STOP"}},
        {"spec": spec, "steps": ["erase"], "erase": others, "name": "other"},
        {"spec": anew, "steps": ["extract", "publish", "normalize"], **PART},
    ]
    stopped, *_ = processes[0].start(*commands)
    processes[1].run(anew, "wake", wake=stopped)
    told = processes[0].wait()
    assert not [one for one in told if one.get("error") == "unforeseen"], told
    for people, name in ((gone, "mine"), (others, "other")):
        told = processes[1].run(spec, "erase", erase=people, name=name)
        assert not told.get("error"), told
    processes[1].run(
        spec, "normalize"
    )  # where an erasure came between commit and normalization, the task is tried again
    assert left(spec, [*gone, *others])[0] == {}
    check_counts(spec)
    assert list_known(spec) == known - {contact.id for contact in contacts_of([*gone, *others])}


def list_known(spec):
    """The contacts that have a row."""
    return set(rig.seen(spec)[1]["contact_id"].to_pylist())
