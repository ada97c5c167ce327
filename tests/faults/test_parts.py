"""A window that several tasks normalize: the same rows as by one task, whatever is killed, and nothing left behind."""

import shutil
import signal
from datetime import UTC, datetime, timedelta

import pytest
import rig

from airflow_provider_interactions.errors import TooManyRejects
from airflow_provider_interactions.extract import commit
from airflow_provider_interactions.lake.manifest import unpack
from airflow_provider_interactions.normalize import parts, pipeline

#: Rows in a raw file, so that a window of few contacts has several.
PART = {"part_rows": 20, "held_rows": 10}
LATER = rig.FIRST + timedelta(days=1)


class Run:
    """The tasks of one run, as Airflow runs them: each gets what the ones before returned, however often it is tried."""

    def __init__(self, process, spec, manifest):
        self.process, self.spec, self.manifest = process, spec, manifest
        self.now = datetime(2026, 6, 2, 3, tzinfo=UTC).isoformat()
        self.steps = 0

    def go(self, die=None):
        """All tasks. With ``die``, a number counted over all tasks, the task that does this operation is killed first."""
        split = self.task(die, "split", manifests=[self.manifest])
        done = [self.task(die, "part", manifests=[part], now=self.now)[0] for part in split]
        self.task(die, "join", manifests=done, split=split, now=self.now)
        return len(split)

    def task(self, die, step, **command):
        before = self.steps
        if die is not None and before < die:
            told = self.process.run(self.spec, step, die={"at": die - before}, **command)
            if told == -signal.SIGKILL:
                self.check()
            self.steps = die if told == -signal.SIGKILL else before + told["steps"]
            if told != -signal.SIGKILL:
                return told["manifests"]
        told = self.process.run(self.spec, step, **command)
        self.steps += told["steps"]
        return told["manifests"]

    def check(self):
        """Nothing to check, unless a test wants to."""


@pytest.fixture(scope="module")
def prepared(worlds, processes, tmp_path_factory):
    """By vendor and disk: a lake with a published window whose next version is extracted, and that version."""

    def prepare(vendor, disk):
        folder = tmp_path_factory.mktemp(disk)
        before, after = (
            rig.spec(world, vendor, folder, disk=disk, extracted_at=at.isoformat())
            for world, at in zip(worlds, (rig.FIRST, LATER), strict=True)
        )
        processes[0].run(before, "extract", "publish", "normalize", **PART)
        return after, processes[0].run(after, "extract", **PART)["manifest"]

    return prepare


def copy(spec, folder):
    shutil.copytree(spec["lake"], folder)
    return {**spec, "lake": str(folder)}


def list_left(spec):
    """Data files that no manifest refers to, a day later."""
    manifest = rig.seen(spec, "raw")[0]
    commit.commit_window(rig.lake_of(spec), [manifest], now=datetime.now(UTC) + timedelta(days=1))
    lake = rig.lake_of(spec)
    files = {path.removeprefix(f"{spec['lake']}/") for path in lake.fs.find(spec["lake"])}
    known = rig.seen(spec)[0].paths | manifest.paths
    return {file for file in files - known if not file.endswith(".json") and not file.startswith("history/")}


def test_several_tasks_write_the_rows_of_one(prepared, process, worlds, tmp_path, vendor):
    after, manifest = prepared(vendor, "local")
    alone = copy(after, tmp_path / "alone")
    process.run(alone, "publish", "normalize", manifests=[manifest])
    assert Run(process, after, manifest).go() > 2
    assert (
        rig.describe_rows(rig.seen(after)[1])
        == rig.describe_rows(rig.seen(alone)[1])
        == rig.ask_oracle(worlds[1], vendor)
    )
    assert rig.seen(after)[0].counts == rig.seen(alone)[0].counts
    assert list_left(after) == set()


@pytest.mark.parametrize(("disk", "number"), [("local", 24), ("bucket", 12)])
def test_killed_at_any_operation(prepared, process, worlds, tmp_path, disk, number):
    after, manifest = prepared("dynamics_marketing", disk)
    versions = [rig.ask_oracle(world, "dynamics_marketing") for world in worlds]
    dry = Run(process, copy(after, tmp_path / "dry"), manifest)
    dry.go()
    for at in range(1, dry.steps + 1, max(1, dry.steps // number)):
        run, seen = Run(process, copy(after, tmp_path / f"{at}"), manifest), []
        run.check = lambda run=run, seen=seen: seen.append(rig.describe_rows(rig.seen(run.spec)[1]))
        run.go(at)
        assert len(seen) == 1
        assert seen[0] in versions
        assert rig.describe_rows(rig.seen(run.spec)[1]) == versions[1]
        assert list_left(run.spec) == set()


def test_a_task_that_runs_again_changes_nothing_that_is_published(prepared, process, tmp_path):
    after, manifest = prepared("which50", "local")
    run = Run(process, after, manifest)
    run.go()
    before = rig.seen(after)
    [first, *_] = run.task(None, "split", manifests=[manifest])
    assert run.task(None, "part", manifests=[first], now=run.now)[0]["files"]
    assert rig.seen(after)[0] == before[0]
    assert rig.seen(after)[1].equals(before[1])


def test_a_version_that_came_meanwhile_is_normalized_instead(prepared, process, worlds):
    after, manifest = prepared("luminate_online", "local")
    run = Run(process, after, manifest)
    split = run.task(None, "split", manifests=[manifest])
    done = [run.task(None, "part", manifests=[split[0]], now=run.now)[0]]
    newer = {**after, "extracted_at": (LATER + timedelta(hours=1)).isoformat()}
    process.run(newer, "extract", "publish")
    done += [run.task(None, "part", manifests=[part], now=run.now)[0] for part in split[1:]]
    run.task(None, "join", manifests=done, split=split, now=run.now)
    assert rig.describe_rows(rig.seen(after)[1]) == rig.ask_oracle(worlds[1], "luminate_online")
    assert rig.seen(after)[0].extracted_at == LATER + timedelta(hours=1)
    assert list_left(after) == set()


def test_a_missing_part_is_an_error(prepared, process):
    after, manifest = prepared("capillary", "local")
    run = Run(process, after, manifest)
    split = run.task(None, "split", manifests=[manifest])
    done = [run.task(None, "part", manifests=[part], now=run.now)[0] for part in split[1:]]
    told = process.run(after, "join", manifests=done, split=split, now=run.now)
    assert told["error"] == "Unreconciled"
    assert rig.seen(after)[0].extracted_at == rig.FIRST


def test_rows_of_a_contact_stay_together(prepared, process):
    """Also of one that has several raw files: repeats are found among the rows of a contact."""
    after, manifest = prepared("dynamics_marketing", "local")
    process.run(after, "publish", manifests=[manifest])
    lake, raw = rig.lake_of(after), rig.seen(after, "raw")[0]
    contacts = [set(rig.rows(lake, part.files)["contact_id"].to_pylist()) for part in parts.split_raw(lake, raw, 1)]
    assert len(contacts) > 2
    assert sum(map(len, contacts)) == len(set.union(*contacts))


def test_rejects_are_judged_over_all_parts(prepared, process, monkeypatch):
    after, manifest = prepared("which50", "local")
    process.run(after, "publish", manifests=[manifest])
    lake, raw = rig.lake_of(after), rig.seen(after, "raw")[0]
    split = parts.split_raw(lake, raw, 1)
    monkeypatch.setattr(pipeline, "vendor_named", lambda _: rig.VENDORS["capillary"])  # cannot read these records
    now = datetime(2026, 6, 2, 4, tzinfo=UTC)
    done = [parts.normalize_split(lake, part, now) for part in split]
    with pytest.raises(TooManyRejects, match=f"{raw.counts.landed} of {raw.counts.landed} records"):
        parts.publish_parts(lake, split, done, None, timedelta(0), now)
    assert rig.seen(after)[0].extracted_at == rig.FIRST
    assert unpack(manifest).counts.landed == raw.counts.landed
