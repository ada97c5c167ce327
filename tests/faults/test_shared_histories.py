"""Whole histories serve all runs: whichever comes next goes on with what a dead one has fetched, and is exact."""

import os
import random
import shutil
import signal
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import rig
from msgspec import structs
from test_resume import BLIND, OFTEN, _until_stopped, calls, files, often, points  # noqa: F401 - a fixture

from airflow_provider_interactions.errors import Unavailable
from airflow_provider_interactions.extract import raw_table
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.lake.manifest import pack
from airflow_provider_interactions.person.search import search_lake
from airflow_provider_interactions.sandbox import SandboxConfig, serve

STEPS = ("extract", "publish", "normalize")
WINDOWS = (["2026-01-01", "2026-01-02"], ["2026-01-02", "2026-01-03"], ["2026-01-03", "2026-01-04"])
KEY = "k" * 32

#: Questions that a killed run may have open or unsaved when it sends one request at a time.
UNSAVED = 6


def runs_of(sandbox, vendor, folder, **changed):
    """The specs of three runs, each of another window, a minute apart."""
    chosen = {"concurrency": 1, "limits": {**rig.QUICK, "tries": 2}, "lake": folder, **changed}
    lake = chosen.pop("lake")
    return [
        rig.spec(
            sandbox,
            vendor,
            lake,
            window=window,
            resume=f"run {n}",
            extracted_at=(rig.FIRST + timedelta(minutes=n)).isoformat(),
            **chosen,
        )
        for n, window in enumerate(WINDOWS)
    ]


def undisturbed(process, sandbox, vendor, folder, **changed):
    """The same runs one after the other, the requests and the operations of the first one."""
    specs = runs_of(sandbox, vendor, folder / "undisturbed", **changed)
    told = [process.run(spec, *STEPS, **OFTEN) for spec in specs]
    return specs, told[0]["manifest"]["counts"]["requests"], told[0]["steps"]


def describe(spec):
    """Counts and rows of a window, but for what was sent, and when."""
    counts = rig.seen(spec, "raw")[0].counts
    rows = rig.seen(spec)[1].drop_columns(["extracted_at"]).to_pylist()
    assert rows
    return structs.replace(counts, requests=0, retries=0, throttled=0), sorted(map(repr, rows))


def check_windows(specs, whole):
    for spec, other in zip(specs, whole, strict=True):
        assert describe(spec) == describe(other)
    assert not files(specs[0]["lake"], "unfinished")


@pytest.fixture(scope="module")
def crowd():
    config = SandboxConfig(contacts=200, start=rig.START, days=rig.DAYS, per_contact=3, options=rig.WORLDS)
    with serve(config) as found:
        yield found


@pytest.mark.parametrize("vendor", BLIND)
def test_a_killed_run_and_the_next_ones_repeat_one_request_in_twenty_at_most(process, crowd, tmp_path, vendor):
    whole, needed, _ = undisturbed(process, crowd, vendor, tmp_path)
    crowd.reset()
    first, second, third = specs = runs_of(crowd, vendor, tmp_path / "lake")
    assert process.run(first, *STEPS, **OFTEN, die={"at": needed * 6 // 10, "on": "request"}) == -signal.SIGKILL
    fetched = calls(crowd, vendor)
    assert fetched > needed / 2
    process.run(second, *STEPS, **OFTEN)
    process.run(third, *STEPS, **OFTEN)
    told = process.run(first, *STEPS, **OFTEN)
    assert told["manifest"]["counts"]["requests"] == 0
    assert calls(crowd, vendor) <= 1.05 * needed
    check_windows(specs, whole)


@pytest.mark.parametrize(
    ("vendor", "disk", "number", "encrypted"),
    [("which50", "local", 8, False), ("which50", "bucket", 4, True), ("capillary", "local", 4, False)],
)
def test_killed_at_any_file_operation(process, sandbox, tmp_path, vendor, disk, number, encrypted):
    more = {"disk": disk, **({"ring": str(tmp_path / "keys"), "key": KEY} if encrypted else {})}
    whole, _, steps = undisturbed(process, sandbox, vendor, tmp_path, **more)
    for at in points(steps, number):
        first, second, third = specs = runs_of(sandbox, vendor, tmp_path / f"{at}", **more)
        process.run(first, *STEPS, **OFTEN, die={"at": at})
        for spec in (second, first, third):
            process.run(spec, *STEPS, **OFTEN)
        check_windows(specs, whole)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("vendor", BLIND)
def test_runs_that_die_in_any_order_end_exact_and_ask_hardly_twice(process, sandbox, tmp_path, vendor, seed):
    """Each try is of a run chosen by chance, and most of them are killed by chance: at a request, or at a file."""
    whole, needed, steps = undisturbed(process, sandbox, vendor, tmp_path)
    sandbox.reset()
    chance, specs = random.Random(f"{vendor} {seed}"), runs_of(sandbox, vendor, tmp_path / "lake")
    deaths, left = 0, list(specs)
    while left:
        spec, on = chance.choice(left), chance.choice(["request", "file"])
        at = chance.randint(1, needed if on == "request" else steps)
        die = {"die": {"at": at, "on": on}} if chance.random() < 0.7 else {}
        died = process.run(spec, *STEPS, **OFTEN, **die) == -signal.SIGKILL
        deaths += died
        if not died:
            left.remove(spec)
    assert calls(sandbox, vendor) <= needed + UNSAVED * deaths
    check_windows(specs, whole)


def stop(process, spec, at):
    """Start a run that stops before a request. Stopped at a file, it could hold a lock, which a dead one cannot."""
    [pid] = process.start({"spec": spec, "steps": STEPS, "die": {"at": at, "on": "request", "how": "STOP"}, **OFTEN})
    _until_stopped(pid)
    return pid


@pytest.mark.parametrize("vendor", BLIND)
def test_a_run_that_was_thought_dead_goes_on_beside_the_next(processes, sandbox, tmp_path, vendor):
    """It is stopped in the middle, the next run takes over what it had, and then it goes on to its own end."""
    whole, needed, _ = undisturbed(processes[0], sandbox, vendor, tmp_path)
    for at in points(needed, 4):
        first, second, third = specs = runs_of(sandbox, vendor, tmp_path / f"{at}")
        zombie = stop(processes[0], first, at)
        processes[1].run(second, *STEPS, **OFTEN)
        os.kill(zombie, signal.SIGCONT)
        [told] = processes[0].wait()
        assert "manifest" in told, told
        processes[1].run(third, *STEPS, **OFTEN)
        check_windows(specs, whole)


@pytest.mark.parametrize("vendor", BLIND)
def test_a_zombie_and_the_next_run_work_at_the_same_time(processes, sandbox, tmp_path, vendor):
    whole, needed, _ = undisturbed(processes[0], sandbox, vendor, tmp_path)
    sandbox.faults([{"kind": "delay", "seconds": 0.02}])
    for at in points(needed, 3):
        first, second, third = specs = runs_of(sandbox, vendor, tmp_path / f"{at}")
        zombie = stop(processes[0], first, at)
        processes[1].start({"spec": second, "steps": STEPS, **OFTEN})
        os.kill(zombie, signal.SIGCONT)
        told = [*processes[0].wait(), *processes[1].wait()]
        assert all("manifest" in one for one in told), told
        processes[1].run(third, *STEPS, **OFTEN)
        check_windows(specs, whole)


def unfinished(sandbox, spec, after=5):
    """An extraction of histories that fails late."""
    sandbox.faults([{"kind": "status", "status": 503, "path": rig.CASES[spec["vendor"]].calls, "after": after}])
    with pytest.raises(Unavailable):
        extract(rig.job_of({**spec, "limits": {**rig.QUICK, "tries": 1}}))
    sandbox.reset()


#: What differs from the run before, and whether this one may go on with its checkpoint.
CHANGES = {
    "the run and the window": ({}, True),
    "and the rows are asked for anew": ({"history_age": 0}, False),
    "and the rows are too old for it": ({"history_age": 60}, False),
    "and the window ends later than they came": ({"window": ["2026-01-01", "2026-06-01T00:01Z"]}, False),
    "and the contacts": ({"contacts": 6}, False),
    "and the options": ({"options": {"page_size": 99}}, False),
}


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("vendor", BLIND)
def test_another_run_goes_on_only_with_what_it_could_use_if_it_was_published(sandbox, tmp_path, vendor, what):
    changed, goes_on = CHANGES[what]
    first, _, later = runs_of(sandbox, vendor, tmp_path)
    if "contacts" in changed:
        changed = {"contacts": later["contacts"][: changed["contacts"]]}
    needed = extract(rig.job_of({**later, "lake": str(tmp_path / "other"), **changed})).counts.requests
    sandbox.reset()
    unfinished(sandbox, first)
    again = extract(rig.job_of({**later, **changed}))
    assert again.counts.contacts == len(rig.job_of({**later, **changed}).contacts)
    assert again.counts.requests >= needed
    assert (calls(sandbox, vendor) < needed - 2) == goes_on


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("changed", [{"history_age": 0}, {"history_age": 60}, {"window": ["2026-01-01", "2026-07-01"]}])
@pytest.mark.parametrize("vendor", BLIND)
def test_a_run_goes_on_with_its_own_whatever_others_may_use(sandbox, tmp_path, vendor, changed):
    first, _, later = ({**one, **changed} for one in runs_of(sandbox, vendor, tmp_path))
    needed = extract(rig.job_of({**first, "lake": str(tmp_path / "other")})).counts.requests
    sandbox.reset()
    unfinished(sandbox, first)
    extract(rig.job_of({**first, "extracted_at": later["extracted_at"]}))
    assert calls(sandbox, vendor) < needed - 2


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("vendor", BLIND)
def test_runs_of_one_name_and_of_several_windows_are_several_runs(sandbox, tmp_path, vendor):
    """As those of the command line: a window that ends later needs what came since."""
    first, _, later = runs_of(sandbox, vendor, tmp_path)
    unfinished(sandbox, first)
    needed = len(first["contacts"])
    extract(rig.job_of({**later, "resume": first["resume"], "window": ["2026-01-01", "2026-06-01T00:01Z"]}))
    assert calls(sandbox, vendor) >= needed


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("vendor", BLIND)
def test_files_that_go_while_the_next_run_uses_them_are_fetched_again(process, sandbox, tmp_path, vendor, monkeypatch):
    """As when the run that wrote them goes on, and gives up."""
    monkeypatch.setattr(raw_table, "PART_ROWS", 10)
    whole, needed, _ = undisturbed(process, sandbox, vendor, tmp_path)
    first, second, third = specs = runs_of(sandbox, vendor, tmp_path / "lake")
    unfinished(sandbox, first, after=needed - 3)
    parts = [tmp_path / "lake" / name for name in files(tmp_path / "lake", "history")]
    assert parts

    def lose(_):
        while parts:
            parts.pop().unlink()

    job = rig.job_of(second)
    found = extract(replace(job, progress=lose))
    process.run(second, "publish", "normalize", manifests=[pack(found)])
    for spec in (first, third):
        process.run(spec, *STEPS, **OFTEN)
    check_windows(specs, whole)


@pytest.mark.parametrize("vendor", BLIND)
def test_a_published_history_that_lost_a_file_is_fetched_again(process, sandbox, tmp_path, vendor):
    whole, needed, _ = undisturbed(process, sandbox, vendor, tmp_path)
    first, second, third = specs = runs_of(sandbox, vendor, tmp_path / "lake")
    process.run(first, *STEPS, **OFTEN)
    min(path for path in (tmp_path / "lake" / "history").rglob("*-part-*")).unlink()
    for spec in (second, third):
        process.run(spec, *STEPS, **OFTEN)
    assert rig.seen(second, "raw")[0].counts.requests == needed
    check_windows(specs, whole)


@pytest.mark.parametrize(("vendor", "encrypted"), [("which50", False), ("which50", True), ("capillary", False)])
def test_a_person_who_is_erased_meanwhile_does_not_come_back(processes, sandbox, tmp_path, vendor, encrypted):
    """Before the next run, or while it has taken over the rows."""
    more = {"key": KEY, **({"ring": str(tmp_path / "keys")} if encrypted else {})}
    _, needed, _ = undisturbed(processes[0], sandbox, vendor, tmp_path, **more)
    gone = sandbox.contacts(vendor)[:2]
    for at in (None, 1, 2):
        shutil.rmtree(tmp_path / "lake", ignore_errors=True)
        first, second, third = runs_of(sandbox, vendor, tmp_path / "lake", **more)
        assert processes[0].run(first, *STEPS, **OFTEN, die={"at": needed - 1, "on": "request"}) == -signal.SIGKILL
        if at:
            stopped = stop(processes[0], second, at)
            processes[1].run(first, "erase", erase=gone)
            os.kill(stopped, signal.SIGCONT)
            [told] = processes[0].wait()
            assert "manifest" in told, told
        else:
            processes[1].run(first, "erase", erase=gone)
            processes[0].run(second, *STEPS, **OFTEN)
        for spec in (first, third):
            processes[0].run(spec, *STEPS, **OFTEN)
        found = search_lake(rig.lake_of(first), vendor, gone)
        assert (dict(found.rows), found.unread) == ({}, 0)
        for spec in (first, second, third):
            landed = {row["contact_id"] for row in rig.seen(spec)[1].to_pylist()}
            assert landed
            assert landed.isdisjoint(gone)


@pytest.mark.parametrize("vendor", BLIND)
def test_a_sweep_leaves_what_the_next_run_goes_on_with(process, sandbox, tmp_path, vendor):
    later = (rig.FIRST + timedelta(days=20)).isoformat()
    whole, needed, _ = undisturbed(process, sandbox, vendor, tmp_path)
    sandbox.reset()
    first, second, _ = runs_of(sandbox, vendor, tmp_path / "lake", history_age=30 * 86400)
    assert process.run(first, *STEPS, **OFTEN, die={"at": needed - 1, "on": "request"}) == -signal.SIGKILL
    assert [path for path in Path(tmp_path / "lake" / "history").rglob("*-part-*")]
    process.run(first, "sweep", now=later)
    process.run({**second, "extracted_at": later}, *STEPS, **OFTEN)
    assert calls(sandbox, vendor) <= needed + UNSAVED
    assert rig.seen(second)[1].num_rows == rig.seen(whole[1])[1].num_rows > 0
