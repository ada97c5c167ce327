"""Faults, limits and counters, each seen from the far end of a socket."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from email.utils import parsedate_to_datetime

import aiohttp
import msgspec
import pytest
import requests

from airflow_provider_interactions.sandbox import RateLimit, SandboxConfig, serve
from airflow_provider_interactions.sandbox.faults import FaultRule, is_due

VENDOR = "dynamics_marketing"


def put(own, *rules):
    return requests.put(f"{own.sandbox.url}/_sandbox/faults", json=list(rules), timeout=5)


def statuses(own, count):
    return [own.get("WhoAmI").status_code for _ in range(count)]


def test_after_and_times_choose_requests(own):
    own.sandbox.faults([{"kind": "status", "status": 503, "path": "WhoAmI", "after": 1, "times": 2}])
    assert statuses(own, 5) == [200, 503, 503, 200, 200]
    assert own.get("contacts").status_code == 200
    assert own.stats()["by_fault"] == {"status": 2}
    assert own.stats()["by_status"]["503"] == 2


def test_rate_is_a_share_that_repeats_itself(own):
    rule = {"kind": "status", "status": 500, "rate": 0.3}
    own.sandbox.faults([rule])
    first = statuses(own, 60)
    own.sandbox.faults([rule])
    assert statuses(own, 60) == first
    fired = sum(is_due(FaultRule(kind="status", rate=0.05), 7, 0, number, 0) for number in range(10_000))
    assert 400 < fired < 600
    assert 5 < first.count(500) < 35


def test_a_rule_for_one_contact_and_one_vendor(own):
    first, second = own.sandbox.contacts(VENDOR)[:2]
    put(own, {"kind": "status", "contact": first.upper()}, {"kind": "status", "vendor": "another"})
    assert (own.load(first).status_code, own.load(second).status_code) == (500, 200)


@pytest.mark.parametrize("wrong", [{"kind": "explode"}, {"kind": "reset", "often": 1}, {}])
def test_unknown_rules_are_refused_and_change_nothing(own, wrong):
    put(own, {"kind": "status"})
    assert put(own, wrong).status_code == 400
    with pytest.raises(msgspec.ValidationError):
        own.sandbox.faults([wrong])
    listed = requests.get(f"{own.sandbox.url}/_sandbox/faults", timeout=5).json()
    assert [entry["rule"]["kind"] for entry in listed] == ["status"]


def test_error_bodies_in_all_variants(own):
    def body(variant):
        own.sandbox.faults([{"kind": "status", "code": "0x80040265", "message": "no", "variant": variant}])
        return own.get("WhoAmI")

    assert body("plain").json() == {"error": {"code": "0x80040265", "message": "no"}}
    assert body("no_code").json() == {"error": {"message": "no"}}
    inner = body("inner").json()["error"]["innererror"]
    assert set(inner) == {"message", "type", "stacktrace", "internalexception"}
    assert body("html").headers["Content-Type"].startswith("text/html")


def test_an_exact_body_and_retry_after(own):
    own.sandbox.faults([{"kind": "status", "body": "<x/>", "content_type": "text/xml", "retry_after": 7}])
    answer = own.get("WhoAmI")
    assert (answer.text, answer.headers["Retry-After"]) == ("<x/>", "7")
    assert answer.headers["Content-Type"].startswith("text/xml")
    own.sandbox.faults([{"kind": "status", "status": 503, "retry_after": 30, "retry_after_date": True}])
    until = parsedate_to_datetime(own.get("WhoAmI").headers["Retry-After"])
    assert 29 <= until.timestamp() - time.time() <= 32


@pytest.mark.parametrize(
    ("code", "answered"),
    [
        (None, "0x80072322"),
        ("requests", "0x80072322"),
        ("time", "0x80072321"),
        ("concurrency", "0x80072326"),
        ("0x80072321", "0x80072321"),
    ],
)
def test_throttling_has_the_three_codes(own, code, answered):
    own.sandbox.faults([{"kind": "throttle", "code": code, "retry_after": 3}])
    answer = own.get("WhoAmI")
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, answered)
    assert answer.headers["Retry-After"] == "3"


def test_reset_drops_the_connection_before_any_byte(own):
    own.sandbox.faults([{"kind": "reset", "times": 1}])
    with pytest.raises(requests.ConnectionError):
        own.get("WhoAmI")
    assert own.get("WhoAmI").status_code == 200
    assert own.stats()["by_status"]["reset"] == 1


@pytest.mark.parametrize("variant", ["length", "chunked"])
def test_truncated_bodies(own, variant):
    full = len(own.get("contacts").content)
    own.sandbox.faults([{"kind": "truncate", "variant": variant}])
    connection = http.client.HTTPConnection(own.sandbox.url.removeprefix("http://"), timeout=5)
    connection.request("GET", f"/{VENDOR}/api/data/v9.2/contacts", headers=dict(own.session.headers))
    with connection.getresponse() as answer, pytest.raises(http.client.IncompleteRead) as caught:
        answer.read()
    connection.close()
    assert 0 < len(caught.value.partial) < full


def test_slow_and_delayed_answers_arrive_whole(own):
    expected = own.get("contacts").content
    for kind in ("slow", "delay"):
        own.sandbox.faults([{"kind": kind, "seconds": 0.2}])
        began = time.monotonic()
        assert own.get("contacts").content == expected
        assert time.monotonic() - began >= 0.19


def test_garbage(own):
    own.sandbox.faults([{"kind": "garbage"}])
    with pytest.raises(requests.exceptions.ContentDecodingError):
        own.get("WhoAmI")
    own.sandbox.faults([{"kind": "garbage", "variant": "encoding"}])
    with pytest.raises(UnicodeDecodeError):
        own.get("WhoAmI").content.decode()


def test_a_gateways_page_and_a_redirect(own):
    own.sandbox.faults([{"kind": "html"}])
    page = own.get("WhoAmI")
    assert page.status_code == 502
    assert page.text.startswith("<!DOCTYPE html>")
    own.sandbox.faults([{"kind": "redirect"}])
    answer = own.session.get(f"{own.base}/api/data/v9.0/WhoAmI", allow_redirects=False, timeout=5)
    assert answer.status_code == 302
    assert answer.headers["Location"] == answer.url.replace("127.0.0.1", "localhost")


def test_tokens_die_after_some_uses_or_at_once(own):
    own.sandbox.faults([{"kind": "expire_tokens", "uses": 3}])
    own.login()
    assert statuses(own, 5) == [200, 200, 200, 401, 401]
    own.sandbox.faults([{"kind": "expire_tokens", "times": 1}])
    own.login()
    assert statuses(own, 2) == [401, 401]
    assert statuses(own.login(), 2) == [200, 200]
    own.sandbox.faults([{"kind": "reject_tokens"}])
    assert statuses(own.login(), 2) == [401, 401]


def test_cursors_that_repeat_and_records_that_come_twice(own):
    contact, kind, count = own.busy()
    own.sandbox.faults([{"kind": "repeat_cursor"}])
    first = own.load(contact, kind, Top=1).json()["NextSkipToken"]
    for _ in range(3):
        assert own.load(contact, kind, Top=1, SkipToken=first).json()["NextSkipToken"] == first
    own.sandbox.faults([{"kind": "duplicate", "after": 1, "times": 1}])
    records = own.walk(contact, kind, Top=1)
    assert len(records) == count + 1
    assert len({record["InteractionId"] for record in records}) == count


def test_a_next_link_to_another_host(own):
    own.sandbox.faults([{"kind": "foreign_next_link"}])
    link = own.get("contacts", Prefer="odata.maxpagesize=2").json()["@odata.nextLink"]
    assert link.startswith(own.base.replace("127.0.0.1", "localhost") + "/api/data/v9.2/contacts?$skiptoken=")
    own.sandbox.faults([{"kind": "foreign_next_link", "location": "http://evil.example"}])
    link = own.get("contacts", Prefer="odata.maxpagesize=2").json()["@odata.nextLink"]
    assert link.startswith(f"http://evil.example/{VENDOR}/api/data/")


def flood(connect, count, **fields):
    """Requests against five a second, as fast as possible; statuses, pauses and counters."""
    with serve(SandboxConfig(contacts=1, rate_limit=RateLimit(requests=5, **fields))) as sandbox:
        client = connect(sandbox)
        answers = [client.get("WhoAmI") for _ in range(count)]
        time.sleep(0.1)
        late = client.get("WhoAmI")
        return [answer.status_code for answer in answers], late, client.stats()


def test_the_rate_limit_refuses_and_names_a_pause(connect):
    found, late, stats = flood(connect, 8)
    assert found == [200] * 5 + [429] * 3
    assert late.headers["Retry-After"] == "1"
    assert late.json()["error"]["code"] == "0x80072322"
    assert (stats["refused"], stats["sent_during_pause"], stats["requests"]) == (4, 1, 10)


def test_requests_during_a_pause_lengthen_it(connect):
    _, late, _ = flood(connect, 8, lengthen_seconds=10)
    assert late.headers["Retry-After"] == "11"


@pytest.mark.parametrize(("refused_count", "status"), [(False, 200), (True, 429)])
def test_refused_requests_may_use_up_the_limit(connect, refused_count, status):
    limit = RateLimit(requests=2, seconds=0.4, refused_count=refused_count)
    with serve(SandboxConfig(contacts=1, rate_limit=limit)) as sandbox:
        client = connect(sandbox)
        statuses(client, 3)
        time.sleep(0.25)
        statuses(client, 2)
        time.sleep(0.25)
        assert client.get("WhoAmI").status_code == status


def test_concurrency_latency_and_what_is_in_flight(connect):
    async def burst(url, headers, count):
        async with aiohttp.ClientSession(headers=headers) as session:

            async def one():
                async with session.get(url) as answer:
                    return answer.status, (await answer.json()).get("error", {}).get("code")

            return await asyncio.gather(*(one() for _ in range(count)))

    with serve(SandboxConfig(contacts=1, latency=0.1, concurrency=4)) as sandbox:
        client = connect(sandbox)
        began = time.monotonic()
        found = asyncio.run(burst(f"{client.base}/api/data/v9.0/WhoAmI", dict(client.session.headers), 6))
        assert time.monotonic() - began >= 0.1
        assert sorted(found) == [(200, None)] * 4 + [(429, "0x80072326")] * 2
        assert client.stats()["max_in_flight"] == 6


def test_counters_and_reset(own):
    own.load(own.sandbox.contacts(VENDOR)[0])
    own.sandbox.faults([{"kind": "reject_tokens"}])
    stats = requests.get(f"{own.sandbox.url}/_sandbox/stats", timeout=5).json()[VENDOR]
    assert stats["by_path"] == {
        "/{tenant}/oauth2/v2.0/token": 1,
        "/api/data/{version}/msdyncrm_LoadInteractionsPublic": 1,
    }
    assert (stats["tokens_issued"], stats["in_flight"], stats["by_host"]) == (1, 0, {"127.0.0.1": 2})
    requests.post(f"{own.sandbox.url}/_sandbox/reset", timeout=5)
    assert own.stats()["requests"] == own.stats()["tokens_issued"] == 0
    assert statuses(own, 1) == [401]
    assert statuses(own.login(), 1) == [200]
    # The session keeps cookies, which a good client does not.
    assert own.stats()["with_cookie"] == 3
    assert json.dumps(own.stats())
