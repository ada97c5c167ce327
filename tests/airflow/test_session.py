"""The requests.Session that get_conn hands out, over a real socket."""

from __future__ import annotations

import logging
import socket
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from airflow_provider_interactions import vendors
from airflow_provider_interactions.connection import build_credentials
from airflow_provider_interactions.contract import Auth, Token
from airflow_provider_interactions.errors import AuthRejected, BadResponse, ConfigError, Throttled, Unavailable
from airflow_provider_interactions.http.requests_session import TIMEOUT, open_session

VENDOR = vendors.find_vendor("dynamics_marketing")
WHO = "/api/data/v9.0/WhoAmI"


def build_login(sandbox, **fields):
    connection = {**sandbox.connections[VENDOR.name], **fields}
    return build_credentials(
        VENDOR, connection["host"], connection["login"], connection["password"], connection["extra"]
    )


@pytest.fixture
def client(sandbox):
    with open_session(VENDOR, build_login(sandbox)) as opened:
        yield opened


def read_stats(sandbox):
    return sandbox.stats()[VENDOR.name]


def test_path_below_the_host_is_signed(client):
    answer = client.get(WHO)
    assert answer.status_code == 200
    assert "UserId" in answer.json()


@pytest.mark.parametrize("path", ["api/data/v9.0/WhoAmI", "{host}/api/data/v9.0/WhoAmI"])
def test_relative_and_absolute_urls(client, path):
    assert client.get(path.format(host=client.host)).ok


def test_query_and_json_body_arrive(client):
    contact = client.get("/api/data/v9.0/contacts", params={"$select": "contactid", "$filter": "statecode eq 0"})
    assert contact.json()["value"]


def test_one_token_serves_many_calls(client, sandbox):
    for _ in range(3):
        assert client.get(WHO).ok
    assert read_stats(sandbox)["tokens_issued"] == 1


def test_token_is_renewed_once_on_401(client, sandbox):
    sandbox.faults([{"kind": "expire_tokens", "times": 1, "uses": 0}])
    assert client.get(WHO).ok
    assert read_stats(sandbox)["tokens_issued"] == 2


def test_token_that_is_always_refused_is_renewed_once_only(client, sandbox):
    sandbox.faults([{"kind": "reject_tokens"}])
    assert client.get(WHO).status_code == 401
    assert read_stats(sandbox)["tokens_issued"] == 2


def test_used_up_body_is_not_sent_twice(client, sandbox):
    sandbox.faults([{"kind": "expire_tokens", "times": 1, "uses": 0}])
    assert client.post(WHO, data=iter([b"once"])).status_code == 401


def test_token_is_renewed_before_it_ends(client, sandbox, monkeypatch):
    client.get(WHO)
    later = client._tokens._cache.renew_at + 1
    monkeypatch.setattr("airflow_provider_interactions.http.requests_session.time.monotonic", lambda: later)
    assert client.get(WHO).ok
    assert read_stats(sandbox)["tokens_issued"] == 2


def test_many_threads_share_one_token(client, sandbox):
    threads = [threading.Thread(target=client.get, args=(WHO,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_stats(sandbox)["tokens_issued"] == 1


@pytest.mark.parametrize("url", ["http://localhost:1/", "https://elsewhere.example/api", "http://127.0.0.1:9/"])
def test_other_host_gets_no_credentials(client, url):
    with pytest.raises(ConfigError, match=r"talks to http://127.0.0.1.* only"):
        client.get(url)


def test_redirect_to_another_host_is_handed_out_not_followed(client, sandbox):
    sandbox.faults([{"kind": "redirect", "path": "WhoAmI"}])  # to the same server by its other name
    answer = client.get(WHO)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("http://localhost:")
    assert set(read_stats(sandbox)["by_host"]) == {"127.0.0.1"}


def test_redirect_on_the_same_host_is_followed_and_signed(client, sandbox):
    sandbox.faults([{"kind": "redirect", "path": "v9.1/WhoAmI", "location": client.host + WHO}])
    answer = client.get("/api/data/v9.1/WhoAmI")
    assert answer.ok
    assert [step.status_code for step in answer.history] == [302]


@pytest.mark.parametrize("auth", [VENDOR.auth, lambda _: Auth(lambda request, _: request)])
def test_netrc_password_is_not_sent_to_vendor_or_token_host(sandbox, tmp_path, monkeypatch, auth):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with open_session(replace(VENDOR, auth=auth), build_login(sandbox)) as client:
        sent = client.get(WHO).request.headers
    assert not sent.get("Authorization", "").startswith("Basic ")


class Biscuits(BaseHTTPRequestHandler):
    """Hands out a cookie and tells which ones came."""

    def do_GET(self):
        body = self.headers.get("Cookie", "none").encode()
        self.send_response(200)
        self.send_header("Set-Cookie", "session=1; Path=/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_no_cookie_is_kept(sandbox):
    with ThreadingHTTPServer(("127.0.0.1", 0), Biscuits) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        there = replace(build_login(sandbox), host=f"http://127.0.0.1:{server.server_port}")
        with open_session(replace(VENDOR, auth=lambda _: Auth(lambda request, _: request)), there) as client:
            assert [client.get("/").text, client.get("/").text] == ["none", "none"]
            assert len(client.cookies) == 0
        server.shutdown()


def test_every_call_has_a_timeout_and_follows_verify_tls(client, monkeypatch):
    seen = {}

    def send(*_, **kwargs):
        seen.update(kwargs)
        raise requests.ConnectionError

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", __file__)
    monkeypatch.setattr(client._tokens, "_request", lambda: pytest.fail("asked"))
    client._tokens._cache.store(Token("token", float("inf")), 0.0)
    client.verify = False
    with pytest.raises(requests.ConnectionError):
        client.get(WHO)
    assert (seen["timeout"], seen["verify"]) == (TIMEOUT, False)


def test_wrong_secret_says_what_to_check_and_not_what_it_was(sandbox):
    with (
        open_session(VENDOR, build_login(sandbox, password="not-the-secret")) as client,
        pytest.raises(AuthRejected) as refused,
    ):
        client.get(WHO)
    assert "Check client id and client secret" in str(refused.value)
    assert str(refused.value).startswith("dynamics_marketing: ")
    assert "not-the-secret" not in str(refused.value)


def test_throttled_token_host_is_told_apart(sandbox):
    sandbox.faults([{"kind": "status", "status": 429, "path": "/oauth2/"}])
    with open_session(VENDOR, build_login(sandbox)) as client, pytest.raises(Throttled):
        client.get(WHO)


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_unreachable_token_host(sandbox):
    there = build_login(sandbox)
    settings = replace_settings(there, authority=f"http://127.0.0.1:{closed_port()}")
    with open_session(VENDOR, settings) as client, pytest.raises(Unavailable, match="token host cannot be reached"):
        client.get(WHO)


def replace_settings(there, **fields):
    import msgspec

    return replace(there, settings=msgspec.structs.replace(there.settings, **fields))


def test_unreachable_vendor_raises_requests_own_error_without_the_query(sandbox):
    there = build_login(sandbox)
    there = replace(there, host=f"http://127.0.0.1:{closed_port()}")
    with open_session(VENDOR, there) as client, pytest.raises(requests.ConnectionError) as fault:
        client.get("/api", params={"key": "s3cret"})
    assert "GET /api got no response" in str(fault.value)
    assert "s3cret" not in str(fault.value)
    assert fault.value.__suppress_context__


def test_nothing_secret_in_reprs(client, sandbox, caplog):
    caplog.set_level(logging.DEBUG)
    token = client.get(WHO).request.headers["Authorization"].removeprefix("Bearer ")
    shown = f"{client!r} {client._auth!r} {client._tokens!r} {caplog.text}"
    assert token not in shown
    assert sandbox.connections[VENDOR.name]["password"] not in shown


def test_signature_in_a_form_or_a_query_is_carried_too(sandbox):
    """Other vendors sign that way; the echo is what was prepared, read back before it is sent."""

    def apply(request, _):
        return replace(request, query={"api_key": "k&1"}, form={**(request.form or {}), "login": "l"})

    vendor = replace(VENDOR, auth=lambda _: Auth(apply))
    with open_session(vendor, build_login(sandbox)) as client:
        answer = client.post(f"{WHO}?a=1", data={"b": "2"})
    assert answer.request.url.endswith("WhoAmI?a=1&api_key=k%261")
    assert answer.request.body == "b=2&login=l"
    assert answer.request.headers["Content-Length"] == "11"


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "empty"},
        {"kind": "html", "status": 200},
        {"kind": "redirect", "location": "/maintenance.html"},
        {"kind": "truncate"},
        {"kind": "status", "status": 503, "retry_after": 0},
    ],
    ids=lambda rule: rule["kind"],
)
def test_a_token_host_that_is_odd_for_a_moment_is_asked_again(client, sandbox, rule):
    sandbox.faults([{"path": "/oauth2/", "times": 1, **rule}])
    assert client.get(WHO).ok
    assert read_stats(sandbox)["by_fault"] == {rule["kind"]: 1}


def test_a_token_host_that_stays_odd_is_believed(client, sandbox, monkeypatch):
    monkeypatch.setattr("airflow_provider_interactions.http.requests_session.TOKEN_TRIES", 2)
    sandbox.faults([{"path": "/oauth2/", "kind": "empty"}])
    with pytest.raises(BadResponse, match="does not have the documented shape"):
        client.get(WHO)
    assert read_stats(sandbox)["by_fault"] == {"empty": 2}
