"""The client, against a real server that misbehaves on request."""

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from airflow_provider_interactions.connection import build_options
from airflow_provider_interactions.contract import Request, Response
from airflow_provider_interactions.errors import (
    AuthRejected,
    BadResponse,
    RequestRejected,
    Throttled,
    Unavailable,
    VendorError,
)
from airflow_provider_interactions.http import throttle
from airflow_provider_interactions.http.client import MOST_REFUSALS, connect
from airflow_provider_interactions.http.rate_tuning import RateTuning
from airflow_provider_interactions.http.retry import Limits
from airflow_provider_interactions.sandbox import RateLimit
from airflow_provider_interactions.vendors.shared import json

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def no_pause(monkeypatch):
    """Refusals that name no time are waited out in milliseconds."""
    monkeypatch.setattr(throttle, "FIRST_PAUSE", 0.005)
    monkeypatch.setattr(throttle, "LAST_PAUSE", 0.01)


def closed_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 500, "variant": "inner"},
        {"kind": "status", "status": 504, "variant": "html"},
        {"kind": "html", "status": 200},
        {"kind": "empty"},
        {"kind": "status", "status": 200, "body": '{"UserId"'},
        {"kind": "status", "status": 200, "body": "[]"},
        {"kind": "redirect", "location": "/maintenance.html"},
        {"kind": "status", "status": 503, "retry_after": 0},
        {"kind": "status", "status": 503, "retry_after": -90, "retry_after_date": True},
        {"kind": "reset"},
        {"kind": "truncate", "variant": "length"},
        {"kind": "truncate", "variant": "chunked"},
        {"kind": "garbage", "variant": "gzip"},
        {"kind": "slow", "seconds": 0.6},
        {"kind": "delay", "seconds": 0.6},
    ],
    ids=lambda rule: f"{rule['kind']}-{rule.get('variant') or rule.get('status', '')}",
)
@pytest.mark.parametrize("path", ["WhoAmI", "/oauth2/"])
def test_a_fault_is_retried_until_the_answer_comes(rig, who, path, rule):
    rig.faults(path=path, times=1 if "seconds" in rule else 3, **rule)
    limits = replace(rig.limits, timeout=0.15) if "seconds" in rule else rig.limits
    [answer] = rig.fetch(who, limits=limits, decode=user)
    assert answer.status == 200
    assert b"UserId" in answer.body


def user(response):
    """A decoder as vendors have one."""
    return json.decode(response.body, dict[str, str], "the answer") and response


@pytest.mark.parametrize("path", ["WhoAmI", "/oauth2/"])
@pytest.mark.parametrize(
    ("rule", "kind", "text"),
    [
        ({"kind": "empty"}, BadResponse, "does not have the documented shape"),
        ({"kind": "status", "status": 200, "body": "[1]"}, BadResponse, "does not have the documented shape"),
        ({"kind": "redirect", "location": "/maintenance.html"}, RequestRejected, "Put the final URL into the"),
        ({"kind": "redirect", "status": 308}, RequestRejected, "Put the final URL into the"),
    ],
    ids=["empty", "shape", "redirect", "moved"],
)
def test_an_odd_answer_that_lasts_is_believed_after_some_tries(rig, who, path, rule, kind, text):
    rig.faults(path=path, **rule)
    limits = replace(rig.limits, tries=8, odd_tries=3)
    [error] = rig.fetch(who, limits=limits, decode=user)
    assert isinstance(error, kind)
    assert text in str(error)
    assert rig.stats["by_fault"] == {rule["kind"]: 3}


def test_odd_answers_between_faults_are_counted_for_themselves(rig, who):
    rules = [
        {"path": "WhoAmI", "kind": "empty", "after": 1, "times": 2},
        {"path": "WhoAmI", "kind": "status", "status": 500, "times": 5},
    ]
    rig.sandbox.faults(rules)
    [answer] = rig.fetch(who, limits=replace(rig.limits, tries=8, odd_tries=3), decode=user)
    assert answer.status == 200


@pytest.mark.parametrize("value", [0, -90, "Wed, 01 Jan 2025 00:00:00 GMT", "-3", "soon", "0.001", None])
@pytest.mark.parametrize("status", [503, 429])
def test_no_word_of_the_vendor_shortens_the_pauses(rig, who, monkeypatch, value, status):
    monkeypatch.setattr(throttle, "FIRST_PAUSE", 0.05)
    rig.faults(path="WhoAmI", kind="status", status=status, retry_after=value, times=3)
    began = time.monotonic()
    [answer] = rig.fetch(who, limits=replace(rig.limits, first_wait=0.05, last_wait=1.0))
    assert answer.status == 200
    assert time.monotonic() - began >= 0.05 + 0.1 + 0.2


def test_when_all_tries_failed_the_error_says_so(rig, who):
    rig.faults(path="WhoAmI", kind="status", status=503)
    [error] = rig.fetch(who)
    assert isinstance(error, Unavailable)
    assert str(error) == "dynamics_marketing: the vendor had a server fault (HTTP 503, /api/data/v9.0/WhoAmI)"
    assert rig.stats["by_path"]["/api/data/{version}/WhoAmI"] == rig.limits.tries


def test_a_refused_call_is_not_sent_again(rig):
    [error] = rig.fetch(Request("GET", "/api/data/v9.0/WhereAmI"))
    assert isinstance(error, VendorError)
    assert rig.stats["requests"] == 2  # the token and the call


@pytest.mark.usefixtures("no_pause")
def test_every_retry_after_is_waited_for(rig, start_rig):
    """Side by side, since each takes its second: in seconds, as a date, with a server's fault, of the token host."""
    tokens = start_rig()
    rig.sandbox.faults(
        [
            {"path": "v9.0/WhoAmI", "kind": "throttle", "retry_after": 1, "times": 1},
            {"path": "v9.1/WhoAmI", "kind": "throttle", "retry_after": 1, "retry_after_date": True, "times": 1},
            {"path": "v9.2/WhoAmI", "kind": "status", "status": 503, "retry_after": 1, "times": 1},
        ]
    )
    tokens.faults(path="/oauth2/", kind="status", status=429, retry_after=1, times=1)

    def seconds(case):
        used, version = case
        began = time.monotonic()
        [answer] = used.fetch(Request("GET", f"/api/data/{version}/WhoAmI"))
        assert answer.status == 200
        return time.monotonic() - began

    with ThreadPoolExecutor() as threads:
        waits = list(threads.map(seconds, [(rig, "v9.0"), (rig, "v9.1"), (rig, "v9.2"), (tokens, "v9.0")]))
    assert all(0.95 < wait < 3.5 for wait in waits), waits  # a date is a whole second and may be one ahead


def test_a_refusal_stops_all_requests_of_the_connection(start_rig, who):
    rig = start_rig(rate_limit=RateLimit(requests=25, seconds=0.5, lengthen_seconds=60))
    answers = rig.fetch(*[who] * 40)
    assert {answer.status for answer in answers} == {200}
    assert rig.stats["sent_during_pause"] == 0
    assert 0 < rig.stats["refused"] <= 15  # those that were on their way


@pytest.mark.parametrize("refused_count", [False, True])
def test_after_an_empty_bucket_requests_go_out_as_its_tokens_come(start_rig, who, refused_count):
    limit = RateLimit(requests=40, seconds=0.4, kind="token_bucket", refused_count=refused_count)
    rig = start_rig(rate_limit=limit, latency=0.05)
    answers = rig.fetch(*[who] * 150, limits=replace(rig.limits, rate=RateTuning()))
    assert {answer.status for answer in answers} == {200}
    # Those that were on their way when the bucket was empty: on a busy machine a part of a bucketful, else none.
    assert rig.stats["sent_during_pause"] <= 40
    assert 0 < rig.stats["refused"] <= 60  # in flight when the bucket was empty, and a few later
    assert rig.stats["seconds"] < 5


@pytest.mark.usefixtures("no_pause")
def test_refusals_use_up_no_tries(rig, who):
    rig.faults(path="WhoAmI", kind="status", status=429, times=25)
    [answer] = rig.fetch(who, limits=replace(rig.limits, tries=1))
    assert answer.status == 200
    assert rig.stats["requests"] == 27


@pytest.mark.usefixtures("no_pause")
def test_an_endless_refusal_ends_with_the_patience(rig, who):
    rig.faults(path="WhoAmI", kind="status", status=429)
    [error] = rig.fetch(who, limits=replace(rig.limits, patience=0.1))
    assert isinstance(error, Throttled)
    assert error.retry
    assert "asks to slow down" in str(error)


@pytest.mark.parametrize(("status", "kind"), [(429, Throttled), (503, Unavailable)])
def test_a_pause_beyond_the_patience_is_left_to_the_task(rig, who, status, kind):
    rig.faults(path="WhoAmI", kind="status", status=status, retry_after=86400)
    began = time.monotonic()
    [error] = rig.fetch(who)
    assert isinstance(error, kind)
    assert error.retry_after == 86400
    assert time.monotonic() - began < 60


def test_a_vendor_who_admits_fewer_at_a_time_is_asked_by_fewer(start_rig, who):
    """Dataverse's code for it, refused by a server that counts; the rate is left alone."""
    rig = start_rig(concurrency=10, latency=0.05)
    began = time.monotonic()
    answers = rig.fetch(*[who] * 400, concurrency=20)
    assert {type(answer) for answer in answers} == {Response}
    assert rig.stats["refused"] <= 20
    assert time.monotonic() - began < 12  # two seconds, and a pause or two; one at a time it would take 20


def test_no_more_requests_in_flight_than_allowed(start_rig, who):
    rig = start_rig()
    rig.faults(path="WhoAmI", kind="delay", seconds=0.05)
    rig.fetch(*[who] * 30, concurrency=5)
    assert rig.stats["max_in_flight"] == 5


def test_no_run_begins_with_a_burst(start_rig, who):
    rig = start_rig()
    rig.faults(path="WhoAmI", kind="delay", seconds=0.55)
    # None is ever answered, and the first ones linger.
    rig.fetch(*[who] * 40, limits=Limits(timeout=0.5, tries=1, rate=rig.limits.rate))
    assert rig.stats["max_in_flight"] <= 2 * throttle.FIRST_IN_FLIGHT


def test_a_token_that_expired_is_replaced_once(rig, who):
    rig.faults(path="WhoAmI", kind="expire_tokens", uses=0, times=1)
    answers = rig.fetch(*[who] * 20)
    assert {answer.status for answer in answers} == {200}
    assert rig.stats["tokens_issued"] == 2


@pytest.mark.parametrize("waiting", [3, 40])
def test_tokens_of_few_uses_serve_any_number_of_waiting_requests(rig, who, waiting):
    """A request whose token was used up goes first with the next one, before the others use that up as well."""
    rig.faults(path="WhoAmI", kind="expire_tokens", uses=2)
    answers = rig.fetch(*[who] * waiting, concurrency=3)
    assert {getattr(answer, "status", answer) for answer in answers} == {200}
    assert rig.stats["tokens_issued"] <= waiting


def test_a_permanent_401_costs_two_tokens_and_ends_every_request(rig, who):
    rig.faults(path="WhoAmI", kind="reject_tokens")
    errors = rig.fetch(*[who] * 40)
    assert all(isinstance(error, AuthRejected) for error in errors)
    assert str(errors[0]) == (
        "dynamics_marketing: the credentials were refused. Check login and password of the connection "
        "(HTTP 401, /api/data/v9.0/WhoAmI)"
    )
    assert rig.stats["tokens_issued"] == 2
    assert rig.stats["requests"] <= 2 + 2 * throttle.FIRST_IN_FLIGHT


def test_a_401_that_lasts_from_the_middle_of_a_run_on_costs_one_more_token(rig, who):
    rig.faults(path="WhoAmI", kind="reject_tokens", after=10)
    answers = rig.fetch(*[who] * 30)
    assert sum(isinstance(answer, Response) for answer in answers) == 10
    assert rig.stats["tokens_issued"] == 2


def test_a_403_is_final_at_once(rig, who):
    rig.faults(path="WhoAmI", kind="status", status=403, code="0x80072560")
    errors = rig.fetch(*[who] * 40)
    assert all(isinstance(error, AuthRejected) for error in errors)
    assert "Add it there with a security role" in str(errors[-1])
    assert rig.stats["tokens_issued"] == 1
    assert rig.stats["requests"] <= 1 + throttle.FIRST_IN_FLIGHT


def test_a_wrong_secret_costs_one_request_for_fifty_contacts(rig, who):
    errors = rig.fetch(*[who] * 50, password="wrong")
    assert all(isinstance(error, AuthRejected) for error in errors)
    assert "client id or secret was refused" in str(errors[0])
    assert rig.stats["requests"] == 1


def test_a_token_host_that_fails_is_tried_again(rig, who):
    rig.faults(path="/oauth2/", kind="reset", times=2)
    [answer] = rig.fetch(who)
    assert answer.status == 200


def test_a_token_host_that_stays_away_is_named(rig, who):
    [error] = rig.fetch(who, authority=f"http://127.0.0.1:{closed_port()}")
    assert isinstance(error, Unavailable)
    assert "cannot be reached. Check the connection's host, DNS and firewall" in str(error)
    assert error.path.endswith("/oauth2/v2.0/token")
    assert rig.stats["requests"] == 0


def test_a_token_host_that_answers_nonsense_is_a_bad_response(rig, who):
    rig.faults(path="/oauth2/", kind="status", status=200, body='{"access_token": 3}')
    [error] = rig.fetch(who)
    assert isinstance(error, BadResponse)
    assert "the token host's response does not have the documented shape" in str(error)


def test_a_host_that_is_not_there(rig, who):
    [error] = rig.fetch(who, host=f"http://127.0.0.1:{closed_port()}")
    assert isinstance(error, Unavailable)
    assert "cannot be reached" in str(error)
    assert error.retry


def test_a_redirect_is_not_followed(rig, who):
    rig.faults(path="WhoAmI", kind="redirect")
    [error] = rig.fetch(who)
    assert isinstance(error, RequestRejected)
    assert "Put the final URL into the host" in str(error)
    assert rig.stats["requests"] == 1 + rig.limits.odd_tries
    assert set(rig.stats["by_host"]) == {"127.0.0.1"}


def test_a_next_link_to_another_host_is_not_followed(rig, tools):
    rig.faults(path="/contacts", kind="foreign_next_link")
    few = build_options(tools.vendor, {"page_size": 2})
    with pytest.raises(BadResponse, match="links to another host, which is not followed with your credentials"):
        rig.list_contacts(few)
    assert set(rig.stats["by_host"]) == {"127.0.0.1"}


def test_a_next_link_is_followed_byte_for_byte(rig, tools):
    few = build_options(tools.vendor, {"page_size": 2})
    found = rig.list_contacts(few)
    assert sorted(contact.id for contact in found) == sorted(rig.sandbox.contacts(tools.name))
    assert rig.stats["by_path"]["/api/data/{version}/contacts"] == 3


def test_no_cookie_is_sent_back(rig, who):
    rig.fetch(*[who] * 20, concurrency=1)
    assert rig.stats["requests"] == 21
    assert rig.stats["with_cookie"] == 0


def test_bodies_that_come_together_are_read_up_to_a_limit(rig, who):
    [answer] = rig.fetch(who)
    size = len(answer.body)
    rig.faults(path="WhoAmI", kind="slow", seconds=0.2)  # so that all of them are being read
    answers = rig.fetch(*[who] * 5, limits=replace(rig.limits, bodies=2 * size))
    errors = [answer for answer in answers if isinstance(answer, BadResponse)]
    assert 0 < len(errors) < 5
    assert f"responses are larger than {2 * size} bytes together" in str(errors[0])
    answers = rig.fetch(*[who] * 5, limits=replace(rig.limits, bodies=5 * size))
    assert {type(answer) for answer in answers} == {Response}


def test_a_body_is_read_up_to_a_limit(rig, who):
    [answer] = rig.fetch(who)
    [error] = rig.fetch(who, limits=replace(rig.limits, body=len(answer.body) - 1))
    assert isinstance(error, BadResponse)
    assert rig.stats["by_path"]["/api/data/{version}/WhoAmI"] == 2  # another try would be answered the same
    assert "is larger than" in str(error)
    assert "Ask for smaller pages" in str(error)


def test_a_web_page_instead_of_an_answer(rig, who):
    rig.faults(path="WhoAmI", kind="html", status=200)
    [error] = rig.fetch(who)
    assert isinstance(error, Unavailable)
    assert "a web page came instead of the API's response" in str(error)


def test_errors_tell_the_path_and_nothing_else_of_the_address(rig):
    rig.faults(path="/contacts", kind="status", status=400, message="hush is not a column")
    [error] = rig.fetch(Request("GET", "/api/data/v9.0/contacts", query={"$filter": "hush eq 1"}))
    assert "hush" not in str(error)
    assert "hush" not in repr(error)
    assert error.path == "/api/data/v9.0/contacts"


def test_a_forbidden_call_ends_though_others_pass(rig, who):
    # So that others pass in between: where none does, two tokens refused in a row prove that no other one will help.
    slow = {"path": "v9.1/WhoAmI", "kind": "delay", "seconds": 0.2}
    rig.sandbox.faults([slow, {"path": "v9.1/WhoAmI", "kind": "status", "status": 401}])

    async def send():
        async with connect(rig.job().vendor, rig.credentials(), limits=rig.limits) as client:
            forbidden = asyncio.create_task(client.fetch(Request("GET", "/api/data/v9.1/WhoAmI"), bool))
            while not forbidden.done():
                await client.fetch(who, bool)
            return forbidden.exception()

    assert isinstance(asyncio.run(asyncio.wait_for(send(), 60)), AuthRejected)
    assert rig.stats["tokens_issued"] <= MOST_REFUSALS + 1


def test_no_request_waits_at_a_gate_that_is_closed_for_longer_than_the_patience(rig, who):
    rig.faults(path="WhoAmI", kind="status", status=429, retry_after=86400, after=3, times=1)
    began = time.monotonic()
    answers = rig.fetch(*[who] * 40, concurrency=2)
    refused = [answer for answer in answers if isinstance(answer, Throttled)]
    assert len(refused) >= 36
    assert all(86_000 < error.retry_after <= 86_400 for error in refused)
    assert time.monotonic() - began < 60


@pytest.mark.usefixtures("no_pause")
def test_patience_begins_with_the_first_refusal(rig, who):
    rig.sandbox.faults(
        [
            {"path": "WhoAmI", "kind": "status", "status": 429, "after": 25, "times": 1},
            {"path": "WhoAmI", "kind": "delay", "seconds": 0.02},
        ]
    )
    answers = rig.fetch(*[who] * 30, concurrency=1, limits=replace(rig.limits, patience=0.3))
    assert {type(answer) for answer in answers} == {Response}
