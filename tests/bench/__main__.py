"""Run the benchmark and print its table.

``--small`` takes a tenth of everything. ``--smoke`` takes a hundredth, once each, which tells only that it runs.
"""

import argparse
import json
import os
import platform
import tempfile
from functools import cache
from pathlib import Path

import requests as http

from tests.bench.coverage import coverage
from tests.bench.encrypt import encrypt
from tests.bench.erase import erase
from tests.bench.iceberg import iceberg
from tests.bench.large import large
from tests.bench.postgres import postgres
from tests.bench.processes import (
    LIGHT,
    NAME,
    RETURNS_MEMORY,
    count_turns,
    environment,
    run,
    run_side_by_side,
    sandbox,
    stats,
)
from tests.bench.tables import large_tables, tables
from tests.bench.vendors import normalize, profile, vendors


def bulk(share):
    """Replies of 500 without latency, then what follows on the same window."""
    contacts = int(1000 * share)
    sets = ["--contacts", contacts, "--per-contact", 1000, "--days", 1, "--set", f'{NAME}.types=["EmailSent"]']
    with sandbox(*sets) as url, tempfile.TemporaryDirectory() as folder:
        env = environment(url, Path(folder, "lake"))
        run("bulk", env)  # the sandbox makes its replies once
        least = {**env, "BENCH_LAKE": f"{folder}/least", "BENCH_IN_FLIGHT": "52"}
        jobs = {"least": ("bodies", least, "handwritten"), "ours": ("bulk", env)}
        jobs["returns"] = ("bulk", {**env, **RETURNS_MEMORY})
        # By turns, and the best of three of each: the machine is somebody else's, too.
        runs = [{name: run(*what) for name, what in jobs.items()} for _ in range(count_turns(share))]
        wall = {name: min(one[name].wall for one in runs) for name in jobs}
        rows, steps = runs[0]["ours"].said, list(_steps(url, Path(folder, "some"), env, count_turns(share, 2)))
        run("canonical", env, "stages")
        loaded = run("load", env, "stages").said
    yield (
        f"{rows:,} interactions, replies of 500, extraction with start-up",
        f"{rows / wall['ours']:,.0f} rows/s (downloading alone: {rows / wall['least']:,.0f})",
        "≥ 200,000",
    )
    yield "extraction with glibc's defaults against the values below", f"{wall['returns'] / wall['ours']:.2f} ×", "-"
    name = f"twice the contacts, {len(steps)} times, from 1,000 to {rows:,} interactions"
    yield name, f"{min(steps):.2f} to {max(steps):.2f} × the time", "≤ 2.1 ×"
    alone = loaded["rows"] / loaded["alone"]
    measured = f"{loaded['rows'] / loaded['first']:,.0f} rows/s (DuckDB's own CREATE TABLE AS: {alone:,.0f})"
    yield "load into DuckDB, first", measured, "≥ 1,000,000"
    yield "load into DuckDB, again", f"{loaded['rows'] / loaded['again']:,.0f} rows/s", "≥ 1,000,000"


def _steps(url, lake, env, turns):
    """How many times as long twice the contacts take, again and again up to all of them; the best of so many runs."""
    known = json.loads(Path(env["BENCH_CONTACTS"]).read_text())

    @cache
    def best(number):
        some = environment(url, lake, known[:number])
        return min(run("bulk", some).wall for _ in range(turns))

    number = len(known)
    while number := number // 2:
        yield best(2 * number) / best(number)


def memory(share):
    """Ten times the rows."""
    peaks = []
    for contacts in (int(1000 * share), int(10_000 * share)):
        sets = ["--contacts", contacts, "--per-contact", 1000, "--days", 1, "--set", f'{NAME}.types=["EmailSent"]']
        with sandbox(*sets) as url, tempfile.TemporaryDirectory() as folder:
            peaks.append(run("bulk", environment(url, Path(folder, "lake"))).peak)
    yield "peak memory, ten times the rows", f"{peaks[1] / peaks[0]:.2f} ×, {peaks[1]:.0f} MB", "≤ 1.1 ×, < 400 MB"


def latency(share):
    """40 requests a contact at 100 ms, 52 in flight; first request to last answer, as the vendor sees it."""
    contacts = int(125 * share)
    asked, seconds = contacts * 40, {}
    with sandbox("--contacts", contacts, "--latency", 0.1, *LIGHT) as url, tempfile.TemporaryDirectory() as folder:
        for name in ("plain", "requests"):
            http.post(f"{url}/_sandbox/reset", timeout=60)
            ours = run(name, environment(url, folder))
            seconds[name] = stats(url)["seconds"]
    least = asked * 0.1 / 52
    measured = f"{seconds['requests'] / least:.2f} × the least (aiohttp alone: {seconds['plain'] / least:.2f} ×)"
    yield f"{asked:,} requests at 100 ms, 52 in flight", measured, "≤ 1.05 ×"
    yield "CPU time a request, start-up included", f"{1000 * ours.cpu / asked:.2f} ms", "≤ 0.8 ms"


def retried(share):
    """Requests of which some fail and are retried after a second or so; each client from its first to its last one."""
    contacts = int(6000 * share)
    failing = [{"kind": "status", "status": 500, "rate": 0.02}, {"kind": "reset", "rate": 0.01}]
    rules = [{"vendor": NAME, "path": "LoadInteractions", **one} for one in failing]
    sets = ["--contacts", contacts, "--days", 1, "--latency", 0.005, "--set", f'{NAME}.types=["EmailSent"]', *LIGHT]
    seconds, answered = {"retried": [], "by_hand": [], "by_hand_best": []}, set()
    with sandbox(*sets) as url, tempfile.TemporaryDirectory() as folder:
        for n in range(count_turns(share)):  # by turns, and the best of three: the machine is somebody else's, too
            for name, found in seconds.items():
                http.post(f"{url}/_sandbox/reset", timeout=60)
                http.put(f"{url}/_sandbox/faults", json=rules, timeout=60).raise_for_status()
                answered.add(run(name, environment(url, Path(folder, f"{n}"))).said)
                found.append(stats(url)["seconds"])
    assert answered == {contacts}, answered
    ours, hand, best = map(min, seconds.values())
    name = f"{contacts:,} requests at 5 ms, 2 % answered 500, 1 % reset, 20 in flight, all delivered"
    measured = f"{ours:.1f} s, {ours / hand:.2f} × by hand (by hand without waiting for retries: {best:.1f} s)"
    yield name, measured, "≤ 1.1 ×"


def limited(share):
    """A rate limit that the client does not know, of each kind, with answers after 50 ms."""
    contacts = max(3, int(150 * share))
    for kind in ("sliding_window", "token_bucket"):
        for more, text in (((), ""), (("--refused-count",), ", refused requests count")):
            limit = ["--rate-limit", "100/1", "--limiter", kind, *more]
            with sandbox("--contacts", contacts, "--latency", 0.05, *limit, *LIGHT) as url:
                with tempfile.TemporaryDirectory() as folder:
                    run("requests", environment(url, folder))
                told = stats(url)
            done = contacts * 40
            figures = (
                f"{done / told['seconds']:.1f} %, {100 * told['refused'] / done:.2f} %, {told['sent_during_pause']}"
            )
            known_later = f"{told['arrived_during_pause'] - told['sent_during_pause']} were on their way"
            name = f"hidden limit of 100 requests/s, {kind.replace('_', ' ')}{text}, 50 ms, {done:,} requests"
            yield (
                f"{name}: share used, refused, sent during Retry-After",
                f"{figures} ({known_later})",
                "≥ 97 %, ≤ 1 %, 0",
            )


def shared(share):
    """Tasks of one account that share its limit by a ledger in the lake, on a local disk; all start at one time."""
    for number, kind in ((2, "sliding_window"), (4, "sliding_window"), (4, "token_bucket")):
        contacts = max(2 * number, int(150 * share)) // number
        # Tasks hear of a pause by the ledger; test_shares.STORES has how long that takes on a local disk.
        limit = ["--rate-limit", "100/1", "--limiter", kind, "--news", 0.08]
        with sandbox("--contacts", contacts, "--latency", 0.05, *limit, *LIGHT) as url:
            with tempfile.TemporaryDirectory() as folder:
                took = run_side_by_side("shared", environment(url, Path(folder, "lake")), number)
            seen = stats(url)
        accepted = seen["requests"] - seen["refused"]
        refused = 100 * seen["refused"] / accepted
        name = f"{number} tasks share a hidden limit of 100 requests/s, {kind.replace('_', ' ')}"
        seconds, waited = zip(*took, strict=True)
        used, even = accepted / seen["seconds"], min(seconds) / max(seconds)
        yield (
            f"{name}: share used, refused, sent during Retry-After, the quickest task's time",
            f"{used:.1f} %, {refused:.2f} %, {seen['sent_during_pause']}, {even:.2f} × the slowest's",
            "≥ 95 %, ≤ 1 %, 0, ≥ 0.9 ×",
        )
        measured = f"{100 * sum(waited) / sum(seconds):.2f} % (load of the machine: {os.getloadavg()[0]:.1f})"
        yield (
            f"the same {number} tasks: share of their time in which they waited for the ledger, outside of pauses",
            measured,
            "≤ 2 %",
        )
    yield from _share_places(share)
    yield from _share_alone(share)


def _share_places(share):
    """No limit but the documented requests in flight."""
    with sandbox("--contacts", max(4, int(100 * share)), "--latency", 0.2, *LIGHT) as url:
        with tempfile.TemporaryDirectory() as folder:
            run_side_by_side("shared", environment(url, Path(folder, "lake")), 4)
        seen = stats(url)
    full = seen["requests"] * 0.2 / 52
    measured = f"{seen['max_in_flight']}, {seen['seconds'] / full:.2f} × the least time"
    yield "4 tasks share 52 requests in flight: the most at one time", measured, "≤ 52, ≤ 1.2 ×"


def _share_alone(share):
    """What the ledger costs a task that needs it least; by turns, and the best of three of each."""
    contacts, found = int(100 * share), {"unshared": [], "shared": []}
    with sandbox("--contacts", contacts, "--latency", 0.1, *LIGHT) as url:
        for _ in range(count_turns(share)):
            for name, runs in found.items():
                http.post(f"{url}/_sandbox/reset", timeout=60)
                with tempfile.TemporaryDirectory() as folder:
                    cpu = run(name, {**environment(url, Path(folder, "lake")), "BENCH_BATCH": "0"}).cpu
                runs.append((stats(url)["seconds"], cpu))
    (without, idle), (shared, busy) = ([min(kind) for kind in zip(*runs, strict=True)] for runs in found.values())
    number = contacts * 40
    name = (
        f"1 task, {number:,} requests at 100 ms, 50 in flight, with a shared limit against without: time, CPU a request"
    )
    yield name, f"{shared / without:.3f} ×, {1000 * (busy - idle) / number:+.2f} ms", "≤ 1.02 ×"


def people(share):
    """One contact that is not there, and a secret that is wrong."""
    contacts = int(500 * share)
    sets = ["--contacts", contacts, "--set", f'{NAME}.types=["EmailSent"]', *LIGHT]
    with sandbox(*sets) as url, tempfile.TemporaryDirectory() as folder:
        told = run("people", environment(url, folder)).said
        wrong = stats(url)["requests"] - contacts - 1  # the first job asks for a token, then once for each
    measured = f"{told['answered']} read, {told['not_found']} listed"
    yield f"{contacts} contacts, one of them unknown", measured, f"{contacts - 1}, 1"
    measured = f"{wrong} request, then {told['told']}"
    yield f"a wrong secret for {contacts} contacts", measured, "1 request, then an error"


def killed(share):
    """Half way, then the same again."""
    contacts = max(5, int(25 * share))
    with sandbox("--contacts", contacts, "--latency", 0.05, *LIGHT) as url, tempfile.TemporaryDirectory() as folder:
        env, half = environment(url, folder), contacts * 20
        run("resumed", env, kill_after=half)
        done = stats(url)["requests"]
        run("resumed", env)
        again = done + (stats(url)["requests"] - done) - contacts * 40
    yield f"kill -9 halfway through {contacts * 40:,} requests", f"{100 * again / done:.1f} % repeated", "≤ 5 %"


def paging(share):
    """Contacts whose rows fit on a page, of an API that does not say which page is the last one."""
    contacts = max(600, int(2000 * share))
    # Messages of sms are listed under phone as well: without them a contact has 500 rows.
    sets = ["--set", 'capillary.api="v1.1"', "--set", 'capillary.types=["email"]']
    arguments = ["--contacts", contacts, "--per-contact", 500, "--shapes", 1, "--days", 1, *sets]
    with sandbox(*arguments) as url, tempfile.TemporaryDirectory() as folder:
        told = run("counts", environment(url, Path(folder, "lake"), name="capillary")).said
    measured = f"{told['requests'] / contacts:.3f} ({told['landed']:,} rows)"
    yield f"capillary v1.1: requests a contact, {contacts:,} of 500 rows on pages of 1,000", measured, "≤ 1.02"


def imports(_share):
    """What the operators add to a DAG file."""
    best = min(run("imports", {}).said for _ in range(3))
    yield "import of the operators, on top of airflow.sdk", f"{best:.0f} ms", "≤ 100 ms"


SCENARIOS = (
    bulk,
    normalize,
    vendors,
    latency,
    retried,
    limited,
    shared,
    people,
    killed,
    paging,
    memory,
    imports,
    profile,
    encrypt,
    tables,
    large_tables,
    erase,
    iceberg,
    postgres,
    large,
    coverage,
)


def build_parser():
    """The command line."""
    parse = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    sizes = parse.add_mutually_exclusive_group()
    sizes.add_argument("--small", dest="share", action="store_const", const=0.1, default=1)
    sizes.add_argument("--smoke", dest="share", action="store_const", const=0.01)
    parse.add_argument("only", nargs="*", help="names of scenarios", choices=[[], *[one.__name__ for one in SCENARIOS]])
    return parse


def main():
    """Print a row of a Markdown table for every figure as soon as it is there."""
    wanted = build_parser().parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}\n")
    print("| what | measured | target |\n|---|---|---|")
    for scenario in SCENARIOS:
        if not wanted.only or scenario.__name__ in wanted.only:
            for row in scenario(wanted.share):
                print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
