"""Encrypted raw records beside death: no key is lost that a record needs, and none is left of who was erased."""

import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import rig

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.key_ring import KeyRing
from airflow_provider_interactions.lake.keys import HashKey
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.reconcile import reconcile_normalized
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.person.receipt import Receipt
from airflow_provider_interactions.vendors import VENDORS

STORES = ("s3", "azure", "gcs")
PART = {"part_rows": 40, "held_rows": 20, "every": 0.0}
KEY = "k" * 32
STEPS = ("extract", "publish", "normalize")


def spec_of(world, vendor, folder, disk="local"):
    return rig.spec(
        world, vendor, folder / "lake", disk=disk, key=KEY, ring=str(folder / "keys"), resume="run", concurrency=1
    )


def points(steps, number):
    return sorted({1 + n * (steps - 1) // (number - 1) for n in range(number)})


def read_everything(folder):
    """All bytes below a folder, columns of Parquet files as they are without compression."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.read_bytes()
        if path.suffix == ".parquet":
            for column in pq.read_table(path).columns:
                yield b"\n".join(one if isinstance(one, bytes) else str(one).encode() for one in column.to_pylist())


def find_people(spec, *layers):
    """Contacts whose identifiers are in a layer."""
    data = [one for layer in layers for one in read_everything(Path(spec["lake"]) / layer)]
    return {one for one in spec["contacts"] if any(one.encode() in some for some in data)}


@pytest.mark.parametrize(("disk", "number"), [("local", 20), ("bucket", 10)])
@pytest.mark.parametrize("vendor", ["dynamics_marketing", "which50"])
def test_killed_at_any_operation_and_run_again(process, sandbox, tmp_path, vendor, disk, number):
    whole = spec_of(sandbox, vendor, tmp_path / "whole", disk)
    steps = process.run(whole, *STEPS, **PART)["steps"]
    died = 0
    for at in points(steps - 1, number):
        spec = spec_of(sandbox, vendor, tmp_path / f"{at}", disk)
        died += process.run(spec, *STEPS, **PART, die={"at": at}) == -signal.SIGKILL
        assert find_people(spec, "raw", "history", "unfinished") == set()
        found = rig.seen(spec)
        assert found is None or rig.describe_rows(found[1]) == rig.ask_oracle(sandbox, vendor)
        process.run(spec, *STEPS, **PART)
        manifest, rows = rig.seen(spec)
        assert rig.describe_rows(rows) == rig.ask_oracle(sandbox, vendor)
        reconcile_normalized(rig.seen(spec, "raw")[0], manifest)
        assert manifest.counts.erased == 0
        assert find_people(spec, "raw", "history", "unfinished") == set()
        shutil.rmtree(tmp_path / f"{at}")
    assert died > number * 3 / 4


def test_an_erasure_that_is_killed_destroys_the_keys_when_it_is_run_again(process, sandbox, tmp_path):
    spec = spec_of(sandbox, "which50", tmp_path / "whole")
    process.run(spec, *STEPS, **PART)
    gone = spec["contacts"][:2]
    shutil.copytree(tmp_path / "whole", tmp_path / "dry")
    dry = spec_of(sandbox, "which50", tmp_path / "dry")
    steps = process.run(dry, "erase", erase=gone)["steps"]
    expected = rig.describe_rows(rig.seen(dry)[1])
    assert rig.lake_of(dry).read("receipts/mine.json", Receipt).keys == 2
    for at in points(steps, 12):
        shutil.copytree(tmp_path / "whole", tmp_path / f"{at}")
        mine = spec_of(sandbox, "which50", tmp_path / f"{at}")
        assert process.run(mine, "erase", erase=gone, die={"at": at}) == -signal.SIGKILL
        process.run(mine, "erase", erase=gone)
        assert rig.lake_of(mine).read("receipts/mine.json", Receipt).state == "complete"
        ring, people = rig.lake_of(mine).ring, [VENDORS["which50"].contact(one) for one in spec["contacts"]]
        hashes = [ring.hash_contact("which50", one.kind, one.id) for one in people]
        assert set(ring.read_keys(hashes)) == set(hashes[2:])
        assert all(map(ring.is_destroyed, hashes[:2]))
        raw = rig.lake_of(mine).read(rig.place(mine).raw_manifest, Manifest)
        reconcile_normalized(raw, rig.lake_of(mine).read(rig.place(mine).manifest, Manifest))
        assert rig.describe_rows(rig.seen(mine)[1]) == expected
        # A copy from before the erasure cannot be read any more.
        shutil.rmtree(mine["lake"])
        shutil.copytree(spec["lake"], mine["lake"])
        process.run(mine, "normalize")
        manifest, rows = rig.seen(mine)
        assert rig.describe_rows(rows) == expected
        assert manifest.counts.erased > 0
        shutil.rmtree(tmp_path / f"{at}")


MASTER = HashKey(b"m" * 32)
CONTACTS = [("email", f"p{n}@example.com") for n in range(40)]


def test_keys_in_a_store_are_the_same_for_tasks_side_by_side(store, request):
    url = store.folder(request.node.name)
    rings = [KeyRing(Lake.at(url), lambda: [MASTER]) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda ring: ring.create_keys("capillary", CONTACTS), rings))
    ids = [{contact: key.id for contact, key in keys.items()} for keys in found]
    assert all(one == ids[0] for one in ids)
    assert rings[0].destroy_keys("capillary", CONTACTS[:3]) == 3
    later = KeyRing(Lake.at(url), lambda: [MASTER])
    assert len(later.read_keys([later.hash_contact("capillary", *one) for one in CONTACTS])) == 37
    later = KeyRing(Lake.at(url), lambda: [HashKey(b"n" * 32), MASTER])
    assert later.rewrap_keys() == 38
    assert later.rewrap_keys() == 0


def test_a_key_store_in_a_bucket_that_is_not_there_is_an_error(store):
    ring = KeyRing(Lake.at(store.url.replace("lakes", "no-such-lake")), lambda: [MASTER])
    with pytest.raises(ConfigError, match="The key store cannot be written"):
        ring.create_keys("capillary", CONTACTS)
