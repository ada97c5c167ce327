"""World, oracle, command line and life cycle."""

from __future__ import annotations

import ast
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

import airflow_provider_interactions.sandbox as package
from airflow_provider_interactions.sandbox import Fact, SandboxConfig, digest, serve
from airflow_provider_interactions.sandbox.cli import build_parser, read_config
from airflow_provider_interactions.sandbox.meter import Meter
from airflow_provider_interactions.sandbox.rate_limiters import create_limiter
from airflow_provider_interactions.sandbox.state import create_state
from airflow_provider_interactions.sandbox.world import (
    DAY,
    create_world,
    find_index,
    get_events,
    get_tag,
    is_active,
    to_datetime,
)

VENDOR = "dynamics_marketing"
START, END = "2026-01-01", "2026-01-08"


def fact(**fields):
    return Fact(**{"vendor": "v", "contact_id": "c", "interaction_id": "i", "occurred_at": 1} | fields)


def eventually(condition):
    """Wait up to ten seconds."""
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_the_digest_is_the_documented_one():
    # sha256sum of the line written out by hand:
    #   {"attributes":{"ä":1},"campaign_id":null,…,"vendor":"v"}
    line = (
        '{"attributes":{"ä":1},"campaign_id":null,"campaign_name":null,"contact_id":"c","count":null,'
        '"interaction_id":"i","message_id":null,"native_type":null,"occurred_at":1,"revision":null,"status":null,'
        '"subject":null,"vendor":"v"}'
    )
    summed = subprocess.run(["sha256sum"], input=line.encode(), capture_output=True, check=True)
    assert digest([fact(attributes={"ä": 1})]) == summed.stdout.split()[0].decode()


def test_the_digest_ignores_order_and_sees_doubles():
    one, two = fact(), fact(interaction_id="j")
    assert digest([one, two]) == digest([two, one]) != digest([one])
    assert digest([one, one]) not in {digest([one]), digest([])}
    assert digest([]) == "0" * 64


def test_the_world_sits_on_the_edges_and_leaves_some_contacts_empty():
    world = create_world(SandboxConfig(contacts=40))
    histories = [get_events(world, VENDOR, index) for index in range(40)]
    instants = [event.at_us for history in histories for event in history]
    assert not histories[1]
    assert max(map(len, histories)) > 30
    assert all(world.start_us <= at < world.end_us for at in instants)
    assert {0, 1, DAY - 1, DAY - 10**6} <= {at % DAY for at in instants}
    assert world.start_us in instants
    assert world.end_us - 1 in instants
    assert len(set(histories[0])) == len(histories[0]) > len({event.at_us for event in histories[0]})
    assert to_datetime(world.start_us) == datetime(2026, 1, 1, tzinfo=UTC)
    assert {is_active(world, index) for index in range(40)} == {True, False}


def test_tags_lead_back_to_contacts():
    world = create_world(SandboxConfig(contacts=5000))
    assert [find_index(world, get_tag(index)) for index in range(5000)] == list(range(5000))
    assert find_index(world, get_tag(5000)) is None
    assert find_index(world, "٣" * 12) is None


def test_a_world_is_the_same_in_every_process_and_order():
    script = (
        "from airflow_provider_interactions.sandbox import *\n"
        "with serve(SandboxConfig(seed=11, contacts=6)) as s:\n"
        f"    print(s.oracle({VENDOR!r}, {START!r}, {END!r}).digest, s.contacts({VENDOR!r})[3])"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, check=True, env=os.environ | {"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    with serve(SandboxConfig(seed=11, contacts=6)) as sandbox:
        contact = sandbox.contacts(VENDOR)[3]
        sandbox.oracle(VENDOR, START, END, contact=contact)
        here = f"{sandbox.oracle(VENDOR, START, END).digest} {contact}\n".encode()
    assert told == {here}
    with serve(SandboxConfig(seed=12, contacts=6)) as sandbox:
        assert sandbox.oracle(VENDOR, START, END).digest not in here.decode()


def test_a_million_interactions_are_not_made_up_front():
    with serve(SandboxConfig(contacts=1000, per_contact=1000)) as sandbox:
        contact = sandbox.contacts(VENDOR)[999]
        found = sandbox.oracle(VENDOR, START, END, contact=contact)
    assert (found.interactions, found.contacts) == (1000, 1)


def test_oracle_and_facts_over_http(shared):
    url = f"{shared.url}/_sandbox"
    window = {"start": "2026-01-02T00:00:00+00:00", "end": "2026-01-04"}
    for more in ({}, {"type": "EmailSent"}, {"contact": shared.contacts(VENDOR)[0]}, {"active": "true"}):
        told = requests.get(f"{url}/oracle/{VENDOR}", params=window | more, timeout=5).json()
        lines = requests.get(f"{url}/facts/{VENDOR}", params=window | more, timeout=5).text.splitlines()
        facts = [Fact(**json.loads(line)) for line in lines]
        assert (told["interactions"], told["digest"]) == (len(facts), digest(facts))
        assert told["interactions"] > 0
        filters = {**more, **({"active": True} if "active" in more else {})}
        assert tuple(told.values()) == shared.oracle(VENDOR, window["start"], window["end"], **filters)
    every, living = (shared.oracle(VENDOR, START, END, active=state) for state in (None, True))
    assert every.interactions > living.interactions


@pytest.mark.parametrize("query", ["", "start=2026-01-01", "start=2026-01-01T00:00:00&end=2026-01-02", "start=x&end=y"])
def test_windows_without_an_offset_are_refused(shared, query):
    assert requests.get(f"{shared.url}/_sandbox/oracle/{VENDOR}?{query}", timeout=5).status_code == 400
    assert requests.get(f"{shared.url}/_sandbox/oracle/nobody?{query}", timeout=5).status_code == 404


def test_options_are_checked():
    with pytest.raises(ValueError, match="no such vendor: nobody"):
        create_state(SandboxConfig(options={"nobody": {}}))
    with pytest.raises(ValueError, match="unknown field"):
        create_state(SandboxConfig(options={VENDOR: {"tennant_id": "x"}}))


def test_a_sandbox_leaves_nothing_behind():
    before = threading.active_count()
    session = requests.Session()
    with serve(SandboxConfig(contacts=1)) as sandbox:
        sandbox.faults([{"kind": "delay", "seconds": 30, "path": "WhoAmI"}])
        waiting = socket.create_connection(("127.0.0.1", urlsplit(sandbox.url).port))
        waiting.sendall(f"GET /{VENDOR}/api/data/v9.0/WhoAmI HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert session.get(f"{sandbox.url}/_sandbox", timeout=5).json()["vendors"]
        assert eventually(lambda: sandbox.stats()[VENDOR]["in_flight"])
    session.close()
    assert waiting.recv(1) == b""
    waiting.close()
    assert threading.active_count() <= before  # an earlier test's thread may have ended meanwhile
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", urlsplit(sandbox.url).port))


def test_a_taken_port_is_an_error_and_leaves_nothing_behind(shared):
    before = threading.active_count()
    with pytest.raises(OSError, match="address already in use"), serve(SandboxConfig(port=urlsplit(shared.url).port)):
        pass
    assert threading.active_count() <= before  # an earlier test's thread may have ended meanwhile


def test_the_command_serves_until_it_is_told_to_stop(tmp_path):
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", package.__name__, "--contacts", "3", "--ready-file", str(ready)]
    settings = ["--set", f"{VENDOR}.removed=true", "--faults", '[{"kind":"html","path":"WhoAmI"}]']
    with subprocess.Popen(command + settings, stdout=subprocess.PIPE, text=True) as process:
        printed = process.stdout.readline()
        assert eventually(ready.exists)
        told = json.loads(ready.read_text())
        index = requests.get(f"{told['url']}/_sandbox", timeout=5).json()
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
    assert (process.returncode, told["pid"]) == (0, process.pid)
    assert told["url"] in printed
    line = next(
        line for line in rest.splitlines() if line.startswith("export AIRFLOW_CONN_DYNAMICS_MARKETING_DEFAULT=")
    )
    value = subprocess.run(
        ["sh", "-c", f"{line}; printenv AIRFLOW_CONN_DYNAMICS_MARKETING_DEFAULT"], capture_output=True, check=True
    )
    assert json.loads(value.stdout)["host"] == index["vendors"][VENDOR] == f"{told['url']}/{VENDOR}"
    assert f"{told['url']}/_sandbox/oracle/{VENDOR}" in rest


def test_arguments_become_a_config():
    arguments = ["--rate-limit", "6000/300", "--refused-count", "--lengthen", "2", "--news", "0.1"]
    arguments += ["--set", f"{VENDOR}.client_id=abc"]
    config = read_config(build_parser().parse_args(arguments))
    assert config.rate_limit == package.RateLimit(6000, 300, refused_count=True, lengthen_seconds=2, news_seconds=0.1)
    assert config.options == {VENDOR: {"client_id": "abc"}}
    arguments = ["--rate-limit", "100", "--limiter", "token_bucket", "--burst", "30"]
    config = read_config(build_parser().parse_args(arguments))
    assert config.rate_limit == package.RateLimit(100, kind="token_bucket", burst=30)
    assert read_config(build_parser().parse_args([])) == SandboxConfig()


@pytest.mark.parametrize(("arguments", "host"), [([], "127.0.0.1"), (["--host", "127.0.0.2"], "127.0.0.2")])
def test_it_listens_at_the_given_host_and_no_other(arguments, host):
    with serve(read_config(build_parser().parse_args(arguments))) as sandbox:
        assert urlsplit(sandbox.url).hostname == host
        assert sandbox.connections[VENDOR]["host"].startswith(sandbox.url)
        assert requests.get(f"{sandbox.url}/_sandbox/stats", timeout=5).ok
        for other in {"127.0.0.1", "127.0.0.2"} - {host}:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((other, urlsplit(sandbox.url).port))


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self):
        return self.now


LIMITERS = st.builds(
    package.RateLimit,
    st.integers(1, 20),
    st.sampled_from([0.5, 1.0, 60.0]),
    kind=st.sampled_from(["sliding_window", "token_bucket"]),
    burst=st.none() | st.integers(1, 40),
    refused_count=st.booleans(),
)


@given(LIMITERS, st.lists(st.floats(0.001, 1.5), min_size=1, max_size=150))
def test_a_limiter_admits_what_its_limit_allows(limit, gaps):
    """No stretch of time has more than flows into it; and a client that waits as long as the limiter says passes."""
    limiter, now, admitted = create_limiter(limit), 100.0, []
    at_once = (limit.burst or limit.requests) if limit.kind == "token_bucket" else 0
    for gap in gaps:
        now += gap * limit.seconds / limit.requests
        if limiter.admit(now):
            admitted.append(now)
    for n, begin in enumerate(admitted):
        within = sum(at <= begin + limit.seconds - 1e-6 for at in admitted[n:])
        assert within <= at_once + limit.requests
    now += limiter.seconds_to_wait(now) + 1e-6
    assert limiter.admit(now)
    assert limiter.seconds_to_wait(now + 3 * limit.seconds * max(1, at_once / limit.requests)) == 0


@pytest.mark.parametrize("refused_count", [False, True])
def test_a_bucket_holds_the_whole_limit_and_refills_evenly(refused_count):
    limiter = create_limiter(package.RateLimit(100, 1.0, kind="token_bucket", refused_count=refused_count))
    assert sum(limiter.admit(50.0) for _ in range(120)) == 100
    # Twenty were refused: where these count, they have to flow in first.
    assert sum(limiter.admit(50.5001) for _ in range(120)) == (30 if refused_count else 50)


def arrive(meter, clock, at):
    """The answer to one request at a time."""
    clock.now = at
    meter.enter("/", "", cookie=False)
    refusal = meter.admit()
    meter.leave("200")
    return refusal and refusal.seconds


def send_refusal(meter, clock, at):
    clock.now = at
    meter.note_refusal_sent()


@pytest.mark.parametrize("kind", ["sliding_window", "token_bucket"])
def test_the_meter_counts_what_arrives_during_a_pause(kind):
    clock, limit = Clock(), package.RateLimit(1, 1.0, kind=kind)
    meter = Meter(SandboxConfig(rate_limit=limit, latency=0.2), clock)
    answers = [arrive(meter, clock, 100 + at) for at in (0.0, 0.1, 0.2, 0.3)]  # the last two are on their way
    assert answers == [None, 1, 1, 1]
    send_refusal(meter, clock, 100.3)
    assert (meter.arrived_during_pause, meter.sent_during_pause) == (2, 0)
    # The refusal of 0.3 is sent at 0.5: the pause lasts until 1.5, though the limit would allow a request before.
    assert [arrive(meter, clock, 100 + at) for at in (1.45, 1.55)] == [None, 1]
    assert (meter.arrived_during_pause, meter.sent_during_pause) == (3, 1)


def test_what_arrives_before_the_news_of_a_refusal_is_no_offence():
    """However late the refusal itself was: the client cannot know of it before."""
    clock, limit = Clock(), package.RateLimit(1, 10.0, news_seconds=0.4)
    meter = Meter(SandboxConfig(rate_limit=limit, latency=0.2), clock)
    for at in (100.0, 100.1, 100.9):  # the refusal of 100.1 is due at 100.3, but the machine is busy
        arrive(meter, clock, at)
    send_refusal(meter, clock, 101.0)
    assert [(arrive(meter, clock, at), meter.sent_during_pause)[1] for at in (101.44, 101.46)] == [0, 1]


def test_it_is_an_independent_witness():
    allowed = {"aiohttp", "lxml", "msgspec", "pyarrow"} | set(sys.stdlib_module_names)
    for path in Path(package.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= allowed
            elif isinstance(node, ast.ImportFrom):
                own = f"{node.module}.".startswith(f"{package.__name__}.")
                assert own or str(node.module).split(".")[0] in allowed
