"""A run that dies and is tried again goes on where it ended, and publishes the rows of an undisturbed one."""

import asyncio
import hashlib
import itertools
import os
import random
import shutil
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import rig
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_interactions import contract
from airflow_provider_interactions.errors import ConfigError, Unavailable
from airflow_provider_interactions.extract import checkpoint, cleanup, commit, held_pages, raw_table, raw_writer, timers
from airflow_provider_interactions.extract.checkpoint import Checkpoint, CheckpointStore
from airflow_provider_interactions.extract.outcomes import Answer
from airflow_provider_interactions.extract.raw_table import PageRows
from airflow_provider_interactions.extract.run import extract as extracted
from airflow_provider_interactions.extract.unfinished import expire_checkpoints
from airflow_provider_interactions.http import throttle
from airflow_provider_interactions.lake.manifest import Counts, Manifest, unpack
from airflow_provider_interactions.lake.paths import WindowPaths
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.sandbox import SandboxConfig, serve
from airflow_provider_interactions.vendors import VENDORS

#: Rows of a part, so that a window has several, and seconds between two savings: after every answer.
OFTEN = {"part_rows": 60, "every": 0.0}
DAY = timedelta(days=1)
DATED = [name for name in rig.PAGED if VENDORS[name].filters_by_date]
BLIND = [name for name in rig.PAGED if name not in DATED]


@pytest.fixture
def often(monkeypatch):
    """The same in this process."""
    monkeypatch.setattr(raw_table, "PART_ROWS", OFTEN["part_rows"])
    monkeypatch.setattr(timers, "EVERY", OFTEN["every"])
    monkeypatch.setattr(timers, "SHARE", 0.0)


def files(root, layer="raw"):
    """Every file of a layer with what is in it."""
    found = (path for path in (Path(root) / layer).rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def left(root):
    """The data a run leaves; what never got its name is swept up a day later."""
    return {name for name in files(root) if name.endswith(".parquet")}


def swept(spec):
    """The data that a run leaves, a day after it, once no try of it can be at work: another run was published."""
    job = rig.job_of(spec)
    newest = msgspec.structs.replace(
        job.lake.read(job.place.raw_manifest, Manifest), extracted_at=job.extracted_at + DAY
    )
    job.lake.publish(job.place.raw_manifest, newest)
    cleanup.remove_orphan_files(job.lake, job.place, job.extracted_at + 2 * DAY)
    return left(spec["lake"])


def outcomes(lake, manifest):
    return [{**row, "requests": None} for row in rig.rows(lake, manifest.outcomes).to_pylist()]


def rows_by_contact(spec, manifest):
    """A window's rows, contact by contact: each contact's lie together, in the order of its questions."""
    rows = rig.rows(rig.lake_of(spec), manifest.files).to_pylist()
    runs = [(who, list(mine)) for who, mine in itertools.groupby(rows, key=lambda row: row["contact_id"])]
    assert len(runs) == len({who for who, _ in runs})
    return dict(runs)


def same_rows(spec, other):
    """Whether two published windows hold the same rows; all but the paths, and what was sent, counts."""
    lakes = rig.lake_of(spec), rig.lake_of(other)
    one, two = rig.seen(spec, "raw")[0], rig.seen(other, "raw")[0]
    assert rows_by_contact(spec, one) == rows_by_contact(other, two)
    assert outcomes(lakes[0], one) == outcomes(lakes[1], two)
    sent = {"requests": 0, "retries": 0, "throttled": 0}
    assert msgspec.structs.replace(one.counts, **sent) == msgspec.structs.replace(two.counts, **sent)
    assert digest_of(spec, one) == one.digest


def run_undisturbed(process, sandbox, vendor, folder, **changed):
    spec = rig.spec(sandbox, vendor, folder / "undisturbed", resume="run", **changed)
    return spec, process.run(spec, "extract", "publish", **OFTEN)


def dies(process, spec, at, on="file", **more):
    """A run that is killed at an operation; False if it ended before."""
    return process.run(spec, "extract", "publish", **OFTEN, die={"at": at, "on": on}, **more) == -signal.SIGKILL


def points(steps, number):
    return sorted({1 + n * (steps - 1) // (number - 1) for n in range(number)})


@pytest.mark.parametrize(
    ("vendor", "disk", "number"),
    [
        ("dynamics_marketing", "local", 16),
        ("dynamics_marketing", "bucket", 8),
        ("luminate_online", "local", 6),
        ("which50", "local", 8),
        ("which50", "bucket", 6),
        ("capillary", "local", 8),
    ],
)
def test_killed_at_any_file_operation(process, sandbox, tmp_path, vendor, disk, number):
    whole, told = run_undisturbed(process, sandbox, vendor, tmp_path, disk=disk)
    assert len(told["manifest"]["files"]) > 1
    died = 0
    for at in points(told["steps"], number):
        spec = rig.spec(sandbox, vendor, tmp_path / f"{at}", resume="run", disk=disk)
        died += dies(process, spec, at)
        again = process.run(spec, "extract", "publish", **OFTEN)
        same_rows(spec, whole)
        if vendor in DATED:
            assert swept(spec) == rig.seen(spec, "raw")[0].paths
            assert again["manifest"]["counts"]["requests"] >= told["manifest"]["counts"]["requests"]
        assert not files(spec["lake"], "unfinished")
    assert died >= number - 1  # with the answers in another order a run may take a step less


@pytest.mark.parametrize("vendor", rig.PAGED)
def test_killed_at_any_request(process, sandbox, tmp_path, vendor):
    whole, told = run_undisturbed(process, sandbox, vendor, tmp_path)
    asked = told["manifest"]["counts"]["requests"]
    for at in points(asked, 5):
        spec = rig.spec(sandbox, vendor, tmp_path / f"{at}", resume="run", concurrency=2)
        assert dies(process, spec, at, "request")
        process.run(spec, "extract", "publish", **OFTEN)
        same_rows(spec, whole)


@pytest.mark.parametrize("vendor", rig.PAGED)
def test_killed_while_one_contact_gets_no_answer(process, sandbox, tmp_path, vendor):
    """Whether it was noted before or after the kill: it is noted once, and the others land."""
    silent, once = sandbox.contacts(vendor)[2], {"limits": {**rig.QUICK, "tries": 1}}
    sandbox.faults([{"kind": "status", "status": 500, "contact": silent}])
    whole, told = run_undisturbed(process, sandbox, vendor, tmp_path, **once)
    assert told["manifest"]["counts"]["failed"] == 1
    for at in points(told["steps"], 5):
        spec = rig.spec(sandbox, vendor, tmp_path / f"{at}", resume="run", **once)
        assert dies(process, spec, at)
        process.run(spec, "extract", "publish", **OFTEN)
        same_rows(spec, whole)
        [row] = [row for row in outcomes(rig.lake_of(spec), rig.seen(spec, "raw")[0]) if row["outcome"] == "failed"]
        assert row["contact_id"] == silent


def test_killed_again_and_again(process, sandbox, tmp_path):
    """Each try gets a little further than the one before, and is killed somewhere else."""
    whole, _ = run_undisturbed(process, sandbox, "dynamics_marketing", tmp_path)
    spec = rig.spec(sandbox, "dynamics_marketing", tmp_path / "lake", resume="run", concurrency=2)
    tries = 1
    while dies(process, spec, 8 + tries, "request"):
        tries += 1
    assert tries > 2
    same_rows(spec, whole)
    assert swept(spec) == rig.seen(spec, "raw")[0].paths


@pytest.fixture(scope="module")
def crowd():
    with serve(SandboxConfig(contacts=1000, days=rig.DAYS, per_contact=6, latency=0.06, options=rig.WORLDS)) as found:
        yield found


STORM = [{"kind": "status", "status": 500, "rate": 0.02}, {"kind": "reset", "rate": 0.01}]


@pytest.mark.parametrize("faults", [[], STORM])
def test_a_thousand_requests_killed_half_way_repeat_one_in_twenty_at_most(process, crowd, tmp_path, faults):
    crowd.reset()
    crowd.faults(faults)
    chosen = {"options": {"types": ["EmailSent"]}, "concurrency": 10, "resume": "run"}
    limits = {**rig.QUICK, "first_wait": 0.5, "last_wait": 1.0}  # a retry takes as long as eight others
    spec = rig.spec(crowd, "dynamics_marketing", tmp_path / "lake", limits=limits, **chosen)
    [pid] = process.start({"spec": spec, "steps": ["extract"]})
    while calls(crowd) < 500:
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    assert process.wait() == [-signal.SIGKILL]
    finished = count_answers(crowd)
    assert 450 < finished < 900
    told = process.run(spec, "extract", "publish", "normalize")
    # Those in flight when it died were not finished.
    assert count_answers(crowd) - 1000 <= 0.05 * finished + 10
    counts = told["manifest"]["counts"]
    assert counts["contacts"] == counts["ok"] + counts["empty"] == 1000
    only = crowd.oracle("dynamics_marketing", rig.WHOLE.start, rig.WHOLE.end, type="EmailSent")
    assert rig.describe_rows(rig.seen(spec)[1]) == tuple(only)


def count_answers(sandbox, vendor="dynamics_marketing"):
    found = sandbox.stats()[vendor]
    return found["by_status"]["200"] - found["tokens_issued"]


@pytest.mark.parametrize("memory", [None, 2_000])
@pytest.mark.parametrize("vendor", rig.PAGED)
def test_killed_while_contacts_end_in_any_order(process, sandbox, tmp_path, vendor, memory):
    """Also where most rows wait on the local disk, which holds nothing after the kill."""
    paging = {"options": {**rig.CASES[vendor].options, **({"page_size": 8} if rig.CASES[vendor].pages else {})}}
    whole, told = run_undisturbed(process, sandbox, vendor, tmp_path, **paging)
    more = {**OFTEN, **({"memory": memory} if memory else {})}
    died = 0
    for at in points(told["manifest"]["counts"]["requests"], 5):
        sandbox.reset()
        sandbox.faults(
            [{"kind": "delay", "seconds": 0.03, "rate": 0.3}, {"kind": "status", "status": 500, "rate": 0.1}]
        )
        spec = rig.spec(sandbox, vendor, tmp_path / f"{at}", resume="run", concurrency=4, **paging)
        die = {"at": at, "on": "request"}
        died += process.run(spec, "extract", "publish", **more, die=die) == -signal.SIGKILL
        process.run(spec, "extract", "publish", "normalize", **more)
        same_rows(spec, whole)
        assert rig.describe_rows(rig.seen(spec)[1]) == rig.ask_oracle(sandbox, vendor)
    assert died == 5


def test_places_are_taken_in_the_order_of_asking():
    """Answers that overtake others can be neither landed nor saved before their turn comes."""

    async def run():
        pacer, taken = throttle.Throttle.start(contract.Pace(3)), []

        async def one(n):
            async with pacer.acquire():
                taken.append(n)
                await asyncio.sleep(0.002 * (n % 3))

        tasks = []
        for n in range(60):
            tasks.append(asyncio.create_task(one(n)))
            if n % 7 == 0:
                await asyncio.sleep(0.001)
        for task in tasks[30:40]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return taken, pacer.in_flight

    taken, in_flight = asyncio.run(run())
    # Those that have a place may pass each other by their timers; nobody passes those who wait for one.
    assert max(abs(place - rank) for rank, place in zip(sorted(taken), taken, strict=True)) < 3
    assert len(taken) >= 50
    assert in_flight == 0


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("disk", ["local", "bucket", "memory"])
@pytest.mark.parametrize("vendor", rig.PAGED)
def test_a_vendor_that_is_away_and_comes_back(sandbox, tmp_path, vendor, disk):
    def spec(name, **more):
        lake = f"memory://{tmp_path.name}/{name}" if disk == "memory" else tmp_path / name
        return rig.spec(sandbox, vendor, lake, disk=disk, concurrency=2, limits={**rig.QUICK, "tries": 2}, **more)

    paging = {"options": {**rig.CASES[vendor].options, "page_size": 500}}  # so that one answer ends a question
    whole, broken = spec("whole", **paging), spec("broken", resume="run", **paging)
    asked = rig.run(whole)[0].counts.requests
    sandbox.reset()
    # At two of them a second call shows that a question is over, and several are open at a time.
    for after in {"luminate_online": (8, 2), "capillary": (6, 1)}.get(vendor, (4, 1)):
        sandbox.faults([{"kind": "status", "status": 503, "path": rig.CASES[vendor].calls, "after": after}])
        with pytest.raises(Unavailable):
            rig.run(broken)
    sandbox.reset()
    later = rig.FIRST + timedelta(minutes=5)
    raw, _ = rig.run({**broken, "extracted_at": later.isoformat()})
    same_rows(broken, whole)
    assert rig.describe_rows(rig.seen(broken)[1]) == rig.ask_oracle(sandbox, vendor)
    assert sandbox.stats()[vendor]["requests"] < asked
    if vendor in DATED:
        assert raw.extracted_at == rig.FIRST
        assert raw.counts.requests >= asked


@pytest.mark.usefixtures("often")
def test_a_failure_without_a_name_for_the_run_leaves_nothing(sandbox, tmp_path):
    spec = rig.spec(sandbox, "dynamics_marketing", tmp_path, limits={**rig.QUICK, "tries": 1})
    sandbox.faults([{"kind": "status", "status": 503, "path": "LoadInteractions", "after": 15}])
    with pytest.raises(Unavailable):
        rig.run(spec)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def leave_unfinished(sandbox, folder, vendor="dynamics_marketing", after=15, **changed):
    """An extraction that failed late, and how many calls it takes from the start."""
    spec = rig.spec(
        sandbox, vendor, folder, **{"resume": "run", "concurrency": 1, "limits": {**rig.QUICK, "tries": 1}, **changed}
    )
    sandbox.faults([{"kind": "status", "status": 503, "path": rig.CASES[vendor].calls, "after": after}])
    with pytest.raises(Unavailable):
        extracted(rig.job_of(spec))
    sandbox.reset()
    return spec


#: Requests of an undisturbed run: a token, and a call for each of eight contacts and three types.
AFRESH = 1 + 8 * 3


def calls(sandbox, vendor="dynamics_marketing"):
    found = sandbox.stats()[vendor]
    return found["requests"] - found["tokens_issued"]


CHANGES = {
    "nothing": {},
    "the run": {"resume": "another"},
    "the window": {"window": ["2026-01-01", "2026-01-03"]},
    "the options": {"options": {"types": rig.TYPES, "page_size": 400}},
    "what a missing contact means": {"on_missing": "fail"},
    "the age of the answers": {"extracted_at": "2027-06-01T00:00:00+00:00"},
}


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("what", [*CHANGES, "the contacts"])
def test_another_question_starts_afresh(sandbox, tmp_path, what):
    spec = leave_unfinished(sandbox, tmp_path)
    changed = CHANGES.get(what) or ({"contacts": spec["contacts"][::-1]} if what == "the contacts" else {})
    again = extracted(rig.job_of({**spec, **changed}))
    assert (again.counts.requests == AFRESH) == (what != "nothing")
    assert (calls(sandbox) < 12) == (what == "nothing")


WHOLE_FILES = [
    (which, how)
    for which in ("state.json", "rows-", "done-", "part-")
    for how in ("empty", "half", "garbage", "swapped", "gone")
]


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize(("which", "damage"), [*WHOLE_FILES, ("rows-", "one bit"), ("done-", "one bit")])
def test_a_damaged_journal_starts_afresh(sandbox, tmp_path, which, damage):
    whole = rig.run(rig.spec(sandbox, "dynamics_marketing", tmp_path / "whole"))[0]
    spec = leave_unfinished(
        sandbox, tmp_path / "lake", after=14
    )  # within a contact, so that rows wait for the rest of it
    target = min(path for path in (tmp_path / "lake").rglob("*") if which in path.name)
    good = target.read_bytes()
    bad = {
        "empty": b"",
        "half": good[: len(good) // 2],
        "garbage": random.Random(1).randbytes(len(good) + 1),
        "one bit": good[: len(good) // 2] + bytes([good[len(good) // 2] ^ 1]) + good[len(good) // 2 + 1 :],
        "swapped": good[:-40] + good[-40:][::-1] + b" ",
    }
    target.unlink() if damage == "gone" else target.write_bytes(bad[damage])
    again = commit.commit_window(rig.lake_of(spec), [extracted(rig.job_of(spec))])
    assert again.counts.requests == AFRESH
    assert again.counts.landed == whole.counts.landed
    same_rows(spec, rig.spec(sandbox, "dynamics_marketing", tmp_path / "whole"))
    assert swept(spec) == again.paths


@pytest.mark.usefixtures("often")
def test_a_finished_extraction_is_not_asked_for_again_and_goes_when_it_is_published(process, sandbox, tmp_path):
    spec = rig.spec(sandbox, "dynamics_marketing", tmp_path, resume="run")
    first = process.run(spec, **OFTEN)
    other = leave_unfinished(sandbox, tmp_path, resume="another run", extracted_at=(rig.FIRST + DAY).isoformat())
    sandbox.reset()
    second = process.run({**spec, "extracted_at": (rig.FIRST + DAY).isoformat()}, **OFTEN)
    assert second["manifest"] == first["manifest"]
    assert calls(sandbox) == 0
    kept = files(tmp_path, "unfinished")
    commit.commit_window(rig.lake_of(spec), [unpack(second["manifest"])])
    assert 0 < len(files(tmp_path, "unfinished")) < len(kept)
    commit.commit_window(rig.lake_of(spec), [extracted(rig.job_of(other))])
    assert files(tmp_path, "unfinished") == {}


@pytest.mark.usefixtures("often")
def test_old_journals_go_with_their_files_and_finished_ones_stay(sandbox, tmp_path):
    """By the next extraction of the account, whatever window that is about."""
    done = rig.spec(sandbox, "dynamics_marketing", tmp_path, resume="done")
    waiting = extracted(rig.job_of(done))
    leave_unfinished(sandbox, tmp_path, window=["2026-01-02", "2026-01-04"])
    assert len(files(tmp_path)) > len(waiting.paths)
    other = {**done, "window": ["2026-01-03", "2026-01-04"], "resume": "other"}
    soon = extracted(rig.job_of({**other, "extracted_at": (datetime.now(UTC) + DAY / 2).isoformat()}))
    assert len(files(tmp_path)) > len(waiting.paths) + len(soon.paths)
    later = extracted(rig.job_of({**other, "resume": "later", "extracted_at": (datetime.now(UTC) + DAY).isoformat()}))
    assert set(files(tmp_path)) == waiting.paths | soon.paths | later.paths
    assert commit.commit_window(rig.lake_of(done), [waiting]).counts.landed > 0
    far = (datetime.now(UTC) + 40 * DAY).isoformat()
    last = extracted(rig.job_of({**other, "resume": "last", "extracted_at": far}))
    published = rig.seen(done, "raw")[0]
    assert left(tmp_path) == published.paths | last.paths


def test_what_is_published_never_goes_with_an_old_journal(process, sandbox, tmp_path):
    """Killed after the manifest was replaced and before the journal was removed, then left alone for months."""
    spec = rig.spec(sandbox, "dynamics_marketing", tmp_path, resume="run")
    job = rig.job_of(spec)
    steps = process.run(spec, "extract", "publish", **OFTEN)["steps"]
    for at in range(steps, 0, -1):
        shutil.rmtree(tmp_path)
        assert dies(process, spec, at)
        if rig.seen(spec, "raw") is not None and files(tmp_path, "unfinished"):
            break
    assert files(tmp_path, "unfinished")
    before = rig.seen(spec, "raw")[1]
    expire_checkpoints(job.lake, job.place, datetime.now(UTC) + 400 * DAY)
    assert files(tmp_path, "unfinished") == {}
    assert rig.seen(spec, "raw")[1].equals(before)


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("vendor", BLIND)
def test_a_history_outlives_the_journal_it_came_from(sandbox, tmp_path, vendor):
    """It is kept for as long as the job says, and forgotten at last with all its files."""
    spec = leave_unfinished(sandbox, tmp_path, vendor, after=4, history_age=10 * 86400, extracted_at=_now())
    first = extracted(rig.job_of({**spec, "extracted_at": _now(minutes=1)}))
    assert files(tmp_path, "unfinished") == {}
    asked = calls(sandbox, vendor)
    for days in (1.5, 5.0, 9.9):
        again = extracted(rig.job_of({**spec, "resume": f"{days}", "extracted_at": _now(days=days)}))
        assert again.digest == first.digest
    assert calls(sandbox, vendor) == asked
    kept = set(files(tmp_path, "history"))
    extracted(rig.job_of({**spec, "resume": "last", "extracted_at": _now(days=12)}))
    assert files(tmp_path, "history")
    assert not kept & set(files(tmp_path, "history"))


def _now(**later):
    return (datetime.now(UTC) + timedelta(**later)).isoformat()


@pytest.mark.parametrize("vendor", BLIND)
def test_what_dead_runs_left_of_histories_is_swept_up(process, sandbox, tmp_path, vendor):
    spec = rig.spec(sandbox, vendor, tmp_path, extracted_at=_now())
    assert dies(process, spec, 60)
    dead = files(tmp_path, "history")
    assert dead
    extracted(rig.job_of({**spec, "extracted_at": _now(days=2)}))
    assert files(tmp_path, "history")
    assert not dead.keys() & files(tmp_path, "history").keys()


def test_a_try_that_was_thought_dead_does_no_harm(processes, worlds, tmp_path):
    """It is stopped in the middle, another try ends the run with other rows, and then it goes on to its own end."""
    first, second = processes
    for at in (20, 40, 60, 90, 120, 150):
        worlds[0].reset()
        lake = tmp_path / f"{at}"
        spec = rig.spec(worlds[0], "dynamics_marketing", lake, resume="run", contacts=worlds[0].contacts(VENDOR)[:4])
        [zombie] = first.start({"spec": spec, "steps": ["extract"], "die": {"at": at, "how": "STOP"}, **OFTEN})
        _until_stopped(zombie)
        # The same run, of a vendor whose rows have changed meanwhile: one of the contacts is no longer known.
        worlds[0].faults([{"kind": "status", "status": 404, "code": "0x80060891", "contact": spec["contacts"][2]}])
        told = second.run(spec, **OFTEN)
        os.kill(zombie, signal.SIGCONT)
        [late] = first.wait()
        for manifest in (told["manifest"], late["manifest"]):
            found = unpack(manifest)
            assert [rig.rows(rig.lake_of(spec), [file]).num_rows for file in found.files] == [
                file.rows for file in found.files
            ]
            assert digest_of(spec, found) == found.digest
        commit.commit_window(rig.lake_of(spec), [unpack(told["manifest"])])
        assert digest_of(spec, rig.seen(spec, "raw")[0]) == told["manifest"]["digest"]


VENDOR = "dynamics_marketing"


def digest_of(spec, manifest):
    """What the manifest's digest must be, from the files."""
    digest = hashlib.sha256()
    for file in manifest.files:
        payloads = rig.rows(rig.lake_of(spec), [file])["payload"].to_pylist()
        lengths = b"".join(len(one).to_bytes(4, "little") for one in payloads)
        digest.update(hashlib.sha256(b"".join(payloads) + lengths).hexdigest().encode())
    return digest.hexdigest()


def _until_stopped(pid):
    while Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "T":
        pass


@pytest.mark.parametrize("vendor", rig.PAGED)
def test_two_tries_of_one_run_at_once_end_whole(process, sandbox, tmp_path, vendor):
    for n in range(4):
        spec = rig.spec(sandbox, vendor, tmp_path / f"{n}", resume="run")
        both = [{"spec": one, "steps": ["extract", "publish", "normalize"], **OFTEN} for one in (spec, spec)]
        process.start(*both)
        told = process.wait()
        assert {one.get("error") for one in told} <= {None, "WindowSuperseded"}, told
        assert any("manifest" in one for one in told), told
        assert rig.describe_rows(rig.seen(spec)[1]) == rig.ask_oracle(sandbox, vendor)


@pytest.mark.parametrize("vendor", rig.PAGED)
def test_a_try_of_an_old_run_keeps_what_another_try_writes(worlds, tmp_path, vendor):
    """Their files look old at once, and nothing refers to those of the first try when the second one is published."""
    spec = rig.spec(worlds[0], vendor, tmp_path, resume="run")  # months ago
    contacts = worlds[0].contacts(vendor)
    first = extracted(rig.job_of({**spec, "contacts": contacts[:-1]}))
    second = extracted(rig.job_of({**spec, "contacts": contacts}))
    assert first.extracted_at == second.extracted_at
    assert first.paths - second.paths
    lake = rig.lake_of(spec)
    commit.commit_window(lake, [second])
    assert first.paths <= set(files(tmp_path))


#: Rows of a contact, of a few bytes each: now rows end a part and now bytes.
sizes = st.lists(st.sampled_from([0, 8, 9, 10, 11, 12, 40]), max_size=9)


@settings(max_examples=100)
@given(st.lists(sizes, max_size=30), st.data())
def test_every_row_is_in_one_part_wherever_a_try_ends(contacts, data):
    """In whatever order the contacts end, and at whatever savings tries are killed: no row twice, none lost."""
    order = data.draw(st.permutations(range(len(contacts))), label="order")
    cuts = data.draw(st.lists(st.integers(0, len(contacts)), max_size=6, unique=True).map(sorted), label="cuts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raw_table, "PART_ROWS", 20)
        patch.setattr(raw_table, "PART_BYTES", 200)
        patch.setattr(held_pages, "HELD_ROWS", 7)
        parts = land_with_cuts(contacts, order, cuts)
    for rows, size in parts[:-1]:
        assert rows >= 20 or size + 8 * rows >= 200  # Arrow keeps the lengths, too
    for rows, size in parts:
        assert rows < 20 + 7 + 9
        assert size < 200 + 7 * 40 + 9 * 40


def land_with_cuts(contacts, order, cuts):
    """Rows and bytes of the parts of a writer that saves and is killed at the cuts, a contact later each time."""
    lake = Lake.at("memory://parts")
    place = WindowPaths("v", "a", rig.WHOLE)
    store = CheckpointStore.of(lake, place, [contacts, order, cuts])
    done = 0
    while True:
        state, rows, answers = store.load(rig.FIRST) or (Checkpoint(extracted_at=rig.FIRST), [], [])
        writer = raw_writer.RawWriter(lake, place, state, checkpoints=store)
        known = {answer.question for answer in answers}
        assert known == set(order[:done])
        writer.restore(rows, [(one, one + 1) for one in known])
        cut = next((cut for cut in cuts if cut > done), None)
        for one in order[done : cut if cut is None else cut + 1]:
            land(writer, one, contacts[one])
            state.tally.fetched += len(contacts[one])
            if cut is not None and one == order[cut - 1]:
                writer.save([], msgspec.structs.replace(state.tally))
        if cut is None:
            break
        done = cut
    fetched = sum(map(len, contacts))
    manifest = writer.finish(Counts(received=fetched, fetched=fetched))
    found = [rig.rows(lake, [file]).to_pylist() for file in manifest.files]
    lake.fs.rm(lake.root, recursive=True)
    came = itertools.groupby((row for part in found for row in part), key=lambda row: row["contact_id"])
    runs = [(who, [row["payload"] for row in mine]) for who, mine in came]
    assert dict(runs) == {f"{n}": payloads(n, lengths) for n, lengths in enumerate(contacts) if lengths}
    assert len(runs) == len(dict(runs))
    return [(len(part), sum(len(row["payload"]) for row in part)) for part in found]


def payloads(contact, lengths):
    return [bytes([(7 * contact + n) % 256]) * length for n, length in enumerate(lengths)]


def land(writer, number, lengths):
    """One contact that has one question."""
    query = contract.Query(contract.Contact(f"{number}"), None, None, "EmailSent")
    page = f"page {number % 3}"
    writer.add_page(PageRows(query, page, payloads(number, lengths), [None] * len(lengths), number))
    writer.complete((number, number + 1))
    writer.add_answer(Answer(number, len(lengths)))
    if writer.full:
        writer.flush()


def test_nothing_is_taken_for_a_journal_that_is_none(tmp_path):
    lake, place = Lake.at(str(tmp_path)), WindowPaths("v", "a", rig.WHOLE)
    (tmp_path / place.checkpoints / "window=what" / "x").mkdir(parents=True)
    (tmp_path / place.checkpoints / "window=what" / "x" / "state.json").write_text("[]")
    (tmp_path / place.checkpoints / "window=what" / "x" / "rows-20260601T000000000000Z-ab-000001.arrow").write_text("")
    expire_checkpoints(lake, place, rig.FIRST + DAY / 2)
    assert files(tmp_path, "unfinished")
    expire_checkpoints(lake, place, rig.FIRST + DAY)
    assert files(tmp_path, "unfinished") == {}


def test_an_extraction_under_way_keeps_its_journal_when_another_is_published(sandbox, tmp_path):
    spec = rig.spec(sandbox, "dynamics_marketing", tmp_path, resume="run")
    done = extracted(rig.job_of({**spec, "resume": None}))
    begun = CheckpointStore.of(rig.lake_of(spec), done.place, "begun")
    assert begun.save(Checkpoint(extracted_at=rig.FIRST), None, [])
    commit.commit_window(rig.lake_of(spec), [done])
    assert begun.load(datetime.now(UTC)) is not None


def test_answers_that_could_not_be_saved_are_saved_with_the_next(tmp_path, monkeypatch):
    lake, place = Lake.at(str(tmp_path)), WindowPaths("v", "a", rig.WHOLE)
    folder = CheckpointStore.of(lake, place, "x")
    writer = raw_writer.RawWriter(lake, place, Checkpoint(extracted_at=rig.FIRST), checkpoints=folder)

    def gone(*_):
        raise ConfigError from FileNotFoundError()

    with monkeypatch.context() as patch:
        patch.setattr(CheckpointStore, "_save", gone)
        land(writer, 0, [8])
        writer.save([], checkpoint.Tally(fetched=1))
    land(writer, 1, [])
    writer.save([], checkpoint.Tally(fetched=1))
    _, rows, answers = folder.load(rig.FIRST)
    assert [(answer.question, answer.rows) for answer in answers] == [(0, 1), (1, 0)]
    assert [row["contact_id"] for table in rows for row in table.to_pylist()] == ["0"]


def test_a_journal_that_was_only_just_begun_does_not_expire(tmp_path):
    lake, place = Lake.at(str(tmp_path)), WindowPaths("v", "a", rig.WHOLE)
    folder = tmp_path / place.folder("unfinished") / "x"
    folder.mkdir(parents=True)
    expire_checkpoints(lake, place, rig.FIRST)
    assert folder.is_dir()
