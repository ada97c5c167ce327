"""What a vendor, a network and a disk can do to a run: the rows are the oracle's, or there is a clear error.

Every vendor of the registry, where the fault applies.
"""

import errno
import json
import shutil
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.request import urlopen

import pytest
import rig
from disks import Fate

from airflow_provider_interactions.errors import BadResponse, ConfigError, InteractionsError, Unavailable
from airflow_provider_interactions.extract import commit
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.lake.manifest import Counts
from airflow_provider_interactions.normalize import pipeline
from airflow_provider_interactions.sandbox import RateLimit, SandboxConfig, serve

PAGED = [name for name, case in rig.CASES.items() if case.pages]
PATIENT = {**rig.QUICK, "patience": 300.0}
WITH_TOKENS = [name for name, case in rig.CASES.items() if case.tokens]


@pytest.fixture(scope="module")
def town():
    """A world of enough requests for a fault in twenty."""
    with serve(SandboxConfig(contacts=40, start=rig.START, days=rig.DAYS, options=rig.WORLDS)) as found:
        yield found


@pytest.fixture
def sandbox(town):
    """The same with nothing counted and no fault set."""
    town.reset()
    yield town
    town.reset()


def spec_of(sandbox, vendor, folder, **changed):
    """A run of small pages."""
    options = {**rig.CASES[vendor].options, **({"page_size": 8} if vendor in PAGED else {})}
    return rig.spec(sandbox, vendor, folder, **{"options": options, **changed})


def rule(vendor, **fault):
    return {"vendor": vendor, "path": rig.CASES[vendor].calls, **fault}


def whole(sandbox, vendor, folder, **changed):
    """Run with the faults in force; the rows must be the oracle's. Returns the counts and what the sandbox counted."""
    spec = spec_of(sandbox, vendor, folder, **changed)
    counts = rig.run(spec)[1].counts
    assert rig.describe_rows(rig.seen(spec)[1]) == rig.ask_oracle(sandbox, vendor)
    return counts, sandbox.stats()[vendor]


FAULTS = {
    "500 and resets at 5 %": [{"kind": "status", "status": 500, "rate": 0.05}, {"kind": "reset", "rate": 0.05}],
    "truncated bodies": [{"kind": "truncate", "rate": 0.1}, {"kind": "truncate", "variant": "chunked", "rate": 0.1}],
    "gzip that is none": [{"kind": "garbage", "variant": "gzip", "rate": 0.1}],
    "web pages": [{"kind": "html", "status": 200, "rate": 0.05}, {"kind": "html", "status": 503, "rate": 0.05}],
    "slow bodies": [{"kind": "slow", "seconds": 0.2, "rate": 0.1}],
    "bodies slower than the patience": [{"kind": "slow", "seconds": 30, "times": 3}],
    "late answers": [{"kind": "delay", "seconds": 30, "times": 3}],
    "everything": [
        {"kind": "status", "status": 502, "rate": 0.03},
        {"kind": "reset", "rate": 0.03},
        {"kind": "truncate", "rate": 0.03},
        {"kind": "garbage", "variant": "gzip", "rate": 0.03},
        {"kind": "html", "rate": 0.03},
    ],
}


@pytest.mark.parametrize("what", FAULTS)
def test_faults_change_nothing(sandbox, vendor, tmp_path, what):
    sandbox.faults([rule(vendor, **fault) for fault in FAULTS[what]])
    timed = what in {"late answers", "bodies slower than the patience"}
    limits = {**rig.QUICK, "tries": 12, "timeout": 1.0 if timed else 10.0}
    counts, stats = whole(sandbox, vendor, tmp_path, limits=limits)
    fired = sum(stats["by_fault"].values())
    assert fired >= 2
    # Two rules may fire on one request; a busy machine may be late, too.
    assert what == "slow bodies" or counts.retries > 0
    assert counts.retries <= fired or timed
    assert counts.requests == stats["requests"]


def test_a_body_in_another_encoding_than_it_says(sandbox, vendor, tmp_path):
    """Where the bytes tell by themselves, as XML's do, they may be read; else it is an error and never wrong rows."""
    sandbox.faults([rule(vendor, kind="garbage", variant="encoding", after=5, times=1)])
    spec = spec_of(sandbox, vendor, tmp_path)
    try:
        rig.run(spec)
    except BadResponse:
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    else:
        assert rig.describe_rows(rig.seen(spec)[1]) == rig.ask_oracle(sandbox, vendor)


def test_a_storm_of_refusals_is_sat_out(tmp_path):
    """Twenty requests at once against a limit of ten a second, which refused ones use up too: all vendors at once."""
    limit = RateLimit(requests=10, seconds=1.0, refused_count=True)
    config = SandboxConfig(contacts=16, start=rig.START, days=rig.DAYS, rate_limit=limit, options=rig.WORLDS)
    with serve(config) as strict, ThreadPoolExecutor() as threads:
        options = {vendor: {**rig.CASES[vendor].options, "page_size": 500} for vendor in rig.CASES}
        runs = {
            vendor: threads.submit(
                whole, strict, vendor, tmp_path / vendor, concurrency=20, options=options[vendor], limits=PATIENT
            )
            for vendor in rig.CASES
        }
        for vendor, run in runs.items():
            counts, stats = run.result()
            assert counts.retries == 0
            assert counts.throttled == stats["refused"] > 0, vendor


def test_two_processes_of_one_connection_share_a_limit_nobody_told_them(process, tmp_path):
    """No server between them: both reach the limit, and settle after few refusals. tests/core/test_throttle.py has more."""
    limit = RateLimit(requests=50, seconds=1.0, refused_count=True)
    only = {"dynamics_marketing": {"types": ["EmailSent"]}}
    config = SandboxConfig(
        contacts=400, start=rig.START, days=rig.DAYS, per_contact=6, latency=0.05, rate_limit=limit, options=only
    )
    with serve(config) as strict:
        chosen = {"options": {"types": ["EmailSent"]}, "concurrency": 10, "limits": PATIENT, "first_rate": 100.0}
        specs = [rig.spec(strict, "dynamics_marketing", tmp_path / f"{n}", **chosen) for n in range(2)]
        halves = [{**spec, "contacts": spec["contacts"][n::2]} for n, spec in enumerate(specs)]
        process.start(*({"spec": spec, "steps": ["extract", "publish", "normalize"]} for spec in halves))
        counts = [Counts(**one["manifest"]["counts"]) for one in process.wait()]
        stats = strict.stats()["dynamics_marketing"]
        assert sum(one.canonical for one in counts) == rig.ask_oracle(strict, "dynamics_marketing")[0]
    assert [one.contacts for one in counts] == [200, 200]
    assert all(one.throttled > 0 and one.retries == 0 for one in counts)
    assert stats["refused"] == sum(one.throttled for one in counts) <= 0.15 * stats["requests"]


@pytest.mark.parametrize("vendor", WITH_TOKENS)
def test_tokens_that_end_every_few_requests(sandbox, vendor, tmp_path):
    sandbox.faults([rule(vendor, kind="expire_tokens", uses=5)])
    _, stats = whole(sandbox, vendor, tmp_path, concurrency=1)
    assert stats["tokens_issued"] > 5


def test_tokens_that_end_every_second(tmp_path):
    options = {vendor: {**rig.WORLDS[vendor], "token_seconds": 1} for vendor in WITH_TOKENS}
    config = SandboxConfig(contacts=16, start=rig.START, days=rig.DAYS, latency=0.15, options=options)
    with serve(config) as brief, ThreadPoolExecutor() as threads:
        runs = []
        for vendor in WITH_TOKENS:
            chosen = {"options": {**rig.CASES[vendor].options, "page_size": 500}}
            chosen["concurrency"] = 3 if vendor == "dynamics_marketing" else 1
            runs.append(threads.submit(whole, brief, vendor, tmp_path / vendor, **chosen))
        for run in runs:
            counts, stats = run.result()
            assert 2 <= stats["tokens_issued"] < counts.requests / 3


@contextmanager
def elsewhere(folder, port=0):
    """A sandbox in a process of its own, which is killed at the end; its URL."""
    ready = folder / f"ready {uuid.uuid4().hex}"
    world = [
        f"--set={name}.{key}={json.dumps(value)}" for name, known in rig.WORLDS.items() for key, value in known.items()
    ]
    same = [
        f"--contacts={AWAY['contacts']}",
        f"--start={rig.START}",
        f"--days={rig.DAYS}",
        f"--latency={AWAY['latency']}",
    ]
    command = [sys.executable, "-m", "airflow_provider_interactions.sandbox", *same, *world]
    started = subprocess.Popen([*command, f"--port={port}", f"--ready-file={ready}"], stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while not ready.exists():
            assert started.poll() is None
            assert time.monotonic() < end, "the sandbox does not start"
            time.sleep(0.02)
        yield json.loads(ready.read_text())["url"]
    finally:
        started.kill()
        started.wait()


AWAY = {"contacts": 30, "latency": 0.02}


def asked_of(url):
    with urlopen(f"{url}/_sandbox/stats") as answer:
        return {name: found["requests"] for name, found in json.load(answer).items()}


def wait_for_requests(url, vendors, number):
    """Wait until each of the vendors has had so many requests. A sandbox also serves vendors that nobody asks."""
    end = time.monotonic() + 120
    while min(asked_of(url)[vendor] for vendor in vendors) < number:
        assert time.monotonic() < end, asked_of(url)
        time.sleep(0.01)


def test_a_vendor_that_goes_away_for_a_while(tmp_path):
    """It is killed in the middle; nothing listens on its port any more, and then it is back on the same one."""
    limits = {**rig.QUICK, "tries": 100, "last_wait": 0.1}
    config = SandboxConfig(start=rig.START, days=rig.DAYS, options=rig.WORLDS, **AWAY)
    with ThreadPoolExecutor() as threads, serve(config) as witness:
        with elsewhere(tmp_path) as url:
            specs = {vendor: spec_of(witness, vendor, tmp_path / vendor, limits=limits) for vendor in rig.CASES}
            specs = json.loads(json.dumps(specs).replace(witness.url, url))
            runs = {vendor: threads.submit(rig.run, spec) for vendor, spec in specs.items()}
            wait_for_requests(url, runs, 12)
        time.sleep(0.5)
        assert not any(run.done() for run in runs.values())
        with elsewhere(tmp_path, int(url.rpartition(":")[2])):
            for vendor, run in runs.items():
                assert run.result()[0].counts.retries > 0
                assert rig.describe_rows(rig.seen(specs[vendor])[1]) == rig.ask_oracle(witness, vendor)


def test_a_vendor_that_stays_away(vendor, tmp_path):
    with serve(SandboxConfig(contacts=2, options=rig.WORLDS)) as gone:
        spec = rig.spec(gone, vendor, tmp_path, limits={**rig.QUICK, "tries": 3})
    with pytest.raises(Unavailable, match="host cannot be reached") as told:
        rig.run(spec)
    assert told.value.retry
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("vendor", PAGED)
def test_rows_that_come_on_two_pages(sandbox, vendor, tmp_path):
    before = whole(sandbox, vendor, tmp_path / "before")[0]
    sandbox.reset()
    sandbox.faults([rule(vendor, kind="duplicate", rate=0.5)])
    counts, stats = whole(sandbox, vendor, tmp_path / "after")
    assert stats["by_fault"]["duplicate"] > 10
    # Of Capillary and Luminate the paging itself drops them.
    assert counts.landed > before.landed or vendor in ("capillary", "luminate_online")
    assert counts.repeated - before.repeated == counts.landed - before.landed


@pytest.mark.parametrize("cap", [13, 40, None])
@pytest.mark.parametrize("leave", [0, 1, 5])
def test_rows_that_leave_between_pages_hide_no_other(tmp_path, cap, leave):
    """A server that cuts pages, and rows that are deleted while it is read: whatever is still there lands."""
    options = {"luminate_online": {"max_page_size": cap, "rows_leave": leave, "response_format": "json"}}
    with serve(SandboxConfig(contacts=4, start=rig.START, days=rig.DAYS, per_contact=30, options=options)) as moving:
        spec = spec_of(moving, "luminate_online", tmp_path, options={"page_size": 20})
        rig.run(spec)
        keys = {row["interaction_id"] for row in rig.seen(spec)[1].to_pylist()}
        [known, *_] = rig.ask_oracle(moving, "luminate_online")
    assert known - 4 * leave <= len(keys) <= known


@pytest.mark.parametrize("paging", ["total", "channel"])
@pytest.mark.parametrize("leave", [0, 1, 5])
def test_rows_that_leave_between_pages_of_v11_hide_no_other(tmp_path, paging, leave):
    """Those that leave were on the first page: so all are there in the end."""
    options = {"capillary": {"api": "v1.1", "paging": paging, "rows_leave": leave, "types": ("email", "sms")}}
    with serve(SandboxConfig(contacts=4, start=rig.START, days=rig.DAYS, per_contact=60, options=options)) as moving:
        _, stats = whole(moving, "capillary", tmp_path, options={"page_size": 20})
    assert stats["requests"] > 4 * (2 if leave else 1)


@pytest.mark.parametrize("paging", ["total", "channel"])
@pytest.mark.parametrize("cap", [7, 13])
def test_a_server_of_v11_that_cuts_pages_hides_no_row(tmp_path, paging, cap):
    """What ``limit`` can ask for at most is not published."""
    options = {"capillary": {"api": "v1.1", "paging": paging, "limit_max": cap, "types": ("email", "sms")}}
    with serve(SandboxConfig(contacts=4, start=rig.START, days=rig.DAYS, per_contact=30, options=options)) as cutting:
        whole(cutting, "capillary", tmp_path, options={"page_size": 20})


@pytest.mark.parametrize("arrive", ["early", "late"])
def test_rows_that_arrive_between_pages(tmp_path, arrive):
    """The vendor lists oldest first: a row more at the front pushes others to the next page, one at the end is new."""
    options = {"luminate_online": {"rows_arrive": arrive}}
    with serve(SandboxConfig(contacts=20, start=rig.START, days=rig.DAYS, options=options)) as moving:
        spec = spec_of(moving, "luminate_online", tmp_path)
        counts = rig.run(spec)[1].counts
        found = rig.seen(spec)[1].to_pylist()
        known = rig.ask_oracle(moving, "luminate_online")
    keys = [row["interaction_id"] for row in found]
    assert len(set(keys)) == len(keys) >= known[0]
    assert len(keys) - known[0] <= 20
    assert counts.landed == counts.canonical + counts.repeated


def test_rows_that_change_between_two_tries(process, worlds, vendor, tmp_path):
    """Each contact is as the vendor told it at one time: what had landed before, the rest as it is now."""
    before, after = worlds
    known = {"resume": "run", "concurrency": 1, "on_missing": "allow"}  # most have other ids afterwards
    spec = rig.spec(before, vendor, tmp_path, **known)
    more = {"every": 0.0, "part_rows": 40}
    assert process.run(spec, **more, die={"at": 6, "on": "request"}) == -9
    changed = rig.spec(after, vendor, tmp_path, contacts=spec["contacts"], **known)
    process.run(changed, "extract", "publish", "normalize", **more)
    manifest, rows = rig.seen(changed, "raw")
    assert manifest.counts.landed == rows.num_rows
    assert rig.seen(changed)[0].counts.landed == rows.num_rows


@pytest.mark.parametrize("disk", ["local", "bucket"])
def test_a_disk_that_fills_up(sandbox, vendor, tmp_path, disk):
    """At any byte: told as such, the former version stays, and with room the same run ends as if nothing had been."""
    spec = rig.spec(sandbox, vendor, tmp_path / "lake", disk=disk, resume="run")
    former = rig.run({**spec, "resume": None, "contacts": spec["contacts"][:2]})[1]
    for room in (0, 5_000, 20_000):
        copy = {**spec, "lake": str(shutil.copytree(tmp_path / "lake", tmp_path / f"{room}"))}
        with pytest.raises(ConfigError, match=r"The lake cannot be written \(No space left on device\)"):
            rig.run(copy, Fate(room=room))
        assert rig.seen(copy)[0] == former
        rig.run(copy)
        assert rig.describe_rows(rig.seen(copy)[1]) == rig.ask_oracle(sandbox, vendor)
        assert not [path for path in (tmp_path / f"{room}").rglob("*.tmp") if "unfinished" not in str(path)]


def test_a_file_that_may_not_grow(process, sandbox, vendor, tmp_path):
    """The kernel's own limit, in a process that has it."""
    spec = rig.spec(sandbox, vendor, tmp_path)
    told = process.run(spec, "extract", "publish", "normalize", fsize=2_000)
    assert told["error"] == "ConfigError"
    assert f"({errno.errorcode and 'File too large'})" in told["message"]
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".json"]


def test_normalize_on_a_full_disk_keeps_the_former_version(sandbox, vendor, tmp_path):
    spec = rig.spec(sandbox, vendor, tmp_path)
    raw, former = rig.run(spec)
    files = {path for path in tmp_path.rglob("*") if path.is_file()}
    for room in (0, 2_000, 12_000):
        with pytest.raises(InteractionsError, match="No space left on device"):
            pipeline.normalize(rig.lake_of(spec, Fate(room=room)), raw)
        assert rig.seen(spec)[0] == former
        assert {path for path in tmp_path.rglob("*") if path.is_file()} == files


@pytest.mark.parametrize("vendor", rig.CASES)
def test_batches_side_by_side_make_one_window(sandbox, vendor, tmp_path):
    spec = spec_of(sandbox, vendor, tmp_path)
    parts, done = [spec["contacts"][n::5] for n in range(5)], [None] * 5

    def part(n):
        job = rig.job_of({**spec, "contacts": parts[n], "resume": "run"})
        done[n] = extract(rig.Job(**{**fields(job), "batch": n, "batches": 5}))

    threads = [threading.Thread(target=part, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    raw = commit.commit_window(rig.lake_of(spec), done)
    pipeline.normalize(rig.lake_of(spec), raw)
    assert rig.describe_rows(rig.seen(spec)[1]) == rig.ask_oracle(sandbox, vendor)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and "unfinished" in str(path)]


def fields(job):
    return {name: getattr(job, name) for name in job.__dataclass_fields__}
