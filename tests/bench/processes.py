"""Processes that are measured, and the sandbox that they ask."""

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests as http

NAME = "dynamics_marketing"

#: Modules are compiled once, as pip leaves them, also where the environment keeps Python from writing that down.
INSTALLED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

#: What docs/speed.md says to set for workers: how much freed memory glibc keeps, in bytes. And glibc's own values.
KEEPS_MEMORY = {"MALLOC_TRIM_THRESHOLD_": "67108864", "MALLOC_MMAP_THRESHOLD_": "33554432"}
RETURNS_MEMORY = {"MALLOC_TRIM_THRESHOLD_": "131072", "MALLOC_MMAP_THRESHOLD_": "131072"}

#: Histories so small that the sandbox needs no time of its own.
LIGHT = ("--per-contact", 1, "--shapes", 1)


@dataclass
class Run:
    """One process: what it said, how long it took, what it cost."""

    said: object
    wall: float
    cpu: float
    peak: float


@contextmanager
def sandbox(*arguments):
    """A sandbox in a process of its own; gives its URL."""
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder, "ready.json")
        command = [sys.executable, "-m", "airflow_provider_interactions.sandbox", "--ready-file", str(ready)]
        with subprocess.Popen([*command, *map(str, arguments)], stdout=subprocess.DEVNULL) as process:
            try:
                while not ready.exists():
                    time.sleep(0.05)
                    assert process.poll() is None, "the sandbox did not start"
                time.sleep(0.1)
                yield json.loads(ready.read_text())["url"]
            finally:
                process.terminate()


def environment(url, lake, contacts=None, name=NAME, **extra):
    """What a job reads: where, into what, for whom; ``extra`` is for the connection."""
    control = http.get(f"{url}/_sandbox", timeout=60).json()
    known = contacts if contacts is not None else http.get(f"{url}/_sandbox/contacts/{name}", timeout=60).json()
    path = Path(f"{lake}-contacts.json")  # thousands of them are too long for a variable
    path.write_text(json.dumps(known))
    connection = control["connections"][name]
    connection["extra"] |= extra
    return {
        "BENCH_URL": url,
        "BENCH_VENDOR": name,
        "BENCH_LAKE": str(lake),
        "BENCH_CONNECTION": json.dumps(connection),
        "BENCH_CONTACTS": str(path),
    }


def run(name, env, module="jobs", kill_after=None):
    """Run a job to its end, or to its killing after so many finished requests."""
    began = time.monotonic()
    command = [sys.executable, "-m", f"tests.bench.{module}", name]
    process = subprocess.Popen(command, env={**INSTALLED, **KEEPS_MEMORY, **env}, stdout=subprocess.PIPE, text=True)
    if kill_after:
        while stats(env["BENCH_URL"])["requests"] < kill_after:
            time.sleep(0.01)
        process.kill()
    with process.stdout:
        said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert kill_after or process.returncode == 0, f"{name} failed"
    wall, cpu = time.monotonic() - began, usage.ru_utime + usage.ru_stime
    return Run(json.loads(said.splitlines()[-1]) if said else None, wall, cpu, usage.ru_maxrss / 1024)


def run_side_by_side(name, env, number):
    """Run a job so many times at once, each as another batch; returns what each one said."""
    command = [sys.executable, "-m", "tests.bench.jobs", name]
    environments = [{**INSTALLED, **KEEPS_MEMORY, **env, "BENCH_BATCH": str(n)} for n in range(number)]
    started = [subprocess.Popen(command, env=one, stdout=subprocess.PIPE, text=True) for one in environments]
    said = [one.communicate()[0] for one in started]
    assert not any(one.returncode for one in started), f"{name} failed"
    return [json.loads(text.splitlines()[-1]) for text in said]


def count_turns(share, most=3):
    """How often to measure, by turns, of which the best counts: once if it is only to see that it runs."""
    return most if share >= 0.1 else 1


def stats(url):
    """The sandbox's counters."""
    return http.get(f"{url}/_sandbox/stats", timeout=60).json()[NAME]
