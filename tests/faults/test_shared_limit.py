"""Tasks in processes of their own share the limit of their account: a real client, sandbox and store, over sockets."""

import contextlib
import os
import subprocess
import sys
import threading
import time
import uuid

import pytest

from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.swap import open_shared_object
from tests.bench.processes import LIGHT, environment, run, sandbox, stats


@contextlib.contextmanager
def tasks(url, lake, number, **more):
    """So many tasks, each with all contacts; those that still run at the end are killed."""
    local = f"{more.pop('folder')}/some"
    env = {**os.environ, **environment(url, local), "BENCH_LAKE": lake, **more}
    command = [sys.executable, "-m", "tests.bench.jobs", "shared"]
    started = [
        subprocess.Popen(command, env={**env, "BENCH_BATCH": str(n)}, stdout=subprocess.PIPE) for n in range(number)
    ]
    try:
        yield started
    finally:
        for one in started:
            one.kill()
            one.communicate()


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def lakes(s3, tmp_path):
    return {"disk": str(tmp_path / "lake"), "s3": f"{s3.url}/{uuid.uuid4().hex}"}


@pytest.mark.one_of_each
@pytest.mark.parametrize(("where", "number"), [("s3", 2), ("disk", 3)])
def test_tasks_share_a_hidden_limit(where, number, s3, tmp_path):
    size = ["--contacts", 40 // number, "--latency", 0.05, "--rate-limit", "100/1"]
    with sandbox(*size, *LIGHT) as url:
        with tasks(url, lakes(s3, tmp_path)[where], number, folder=str(tmp_path)) as started:
            assert [one.wait() for one in started] == [0] * number
        seen = stats(url)
    accepted = seen["requests"] - seen["refused"]
    # With the seconds in which they start, learn and end, on a machine that may be busy. The benchmark is longer.
    assert accepted / seen["seconds"] >= 0.4 * 100
    assert seen["refused"] <= 0.04 * accepted


def test_the_documented_requests_in_flight_are_never_exceeded_though_one_is_killed(tmp_path):
    with sandbox("--contacts", 30, "--latency", 0.2, *LIGHT) as url:
        with tasks(url, str(tmp_path / "lake"), 3, folder=str(tmp_path)) as started:
            wait_until(lambda: stats(url)["requests"] > 500)
            started[0].kill()
            assert [one.wait() for one in started[1:]] == [0, 0]
        seen = stats(url)
    assert 26 < seen["max_in_flight"] <= 52


def test_a_request_for_one_person_beside_a_backfill_exceeds_nothing(tmp_path):
    with sandbox("--contacts", 60, "--latency", 0.2, *LIGHT) as url:
        lake = str(tmp_path / "lake")
        with tasks(url, lake, 2, folder=str(tmp_path)) as started:
            wait_until(lambda: stats(url)["requests"] > 500)
            seconds = run("person", environment(url, lake)).said
            assert [one.poll() for one in started] == [None, None]
        seen = stats(url)
    assert 26 < seen["max_in_flight"] <= 52
    assert seconds < 15  # of a machine that may be busy; the backfill takes a minute


def test_a_place_that_cannot_be_used_holds_up_no_task(tmp_path):
    (lake := tmp_path / "lake").mkdir()
    (lake / "limits").write_text("not a folder")
    with sandbox("--contacts", 5, "--latency", 0.05, *LIGHT) as url:
        with tasks(url, str(lake), 2, folder=str(tmp_path)) as started:
            assert [one.wait() for one in started] == [0, 0]
        seen = stats(url)
    assert seen["requests"] >= 2 * 5 * 40
    assert seen["max_in_flight"] <= 2 * 52


@pytest.mark.one_of_each
@pytest.mark.parametrize("where", ["disk", "s3"])
def test_of_many_swaps_none_is_lost(where, s3, tmp_path):
    url = lakes(s3, tmp_path)[where]

    def count():
        shared = open_shared_object(Lake.at(url), "limits/count.json")
        assert shared.check()
        for _ in range(10):
            while True:
                data, version = shared.read()
                if shared.swap(str(int(data or b"0") + 1).encode(), version):
                    break

    threads = [threading.Thread(target=count) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert open_shared_object(Lake.at(url), "limits/count.json").read()[0] == b"40"


def test_a_lake_that_cannot_compare_has_no_shared_object():
    assert open_shared_object(Lake.at("memory://lake"), "limits/count.json") is None
