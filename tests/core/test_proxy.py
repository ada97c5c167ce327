"""Proxies and certificates: a real proxy, and a real TLS server with a certificate of its own."""

import asyncio
import http.client
import os
import select
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_interactions.connection import build_credentials
from airflow_provider_interactions.contract import Request
from airflow_provider_interactions.errors import AuthRejected, BadResponse, ConfigError, InteractionsError, Unavailable
from airflow_provider_interactions.http.client import connect
from airflow_provider_interactions.http.proxy import resolve_url
from airflow_provider_interactions.http.requests_session import open_session
from airflow_provider_interactions.http.retry import Limits
from airflow_provider_interactions.sandbox import SandboxConfig, serve
from airflow_provider_interactions.vendors import find_vendor

WHICH50 = find_vendor("which50")
ONCE = Limits(timeout=20, tries=1, patience=0)
NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@contextmanager
def serve_in_thread(handler, context=None):
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


class Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Nobody reads it."""

    def answer(self, status, body=b"[]"):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Vendor(Quiet):
    """Answers whatever it is asked."""

    def do_GET(self):
        self.answer(200)


@pytest.fixture
def proxy():
    """A forward proxy: its port, and what it was asked to reach, with the login it was shown."""
    with ExitStack() as opened:

        def start(status=None):
            seen = []

            class Proxy(Quiet):
                def do_CONNECT(self):
                    seen.append((self.path, self.headers["Proxy-Authorization"]))
                    if status:
                        return self.answer(status, b"")
                    host, _, port = self.path.rpartition(":")
                    self.close_connection = True
                    with socket.create_connection((host, int(port)), timeout=10) as there:
                        self.send_response(200)
                        self.end_headers()
                        pipe(self.connection, there)
                    return None

                def do_GET(self):
                    seen.append((self.path, self.headers["Proxy-Authorization"]))
                    rest = self.path.removeprefix("http://")
                    host, _, path = rest.partition("/")
                    there = http.client.HTTPConnection(host, timeout=10)
                    given = {name: value for name, value in self.headers.items() if not name.startswith("Proxy-")}
                    there.request("GET", f"/{path}", headers=given)
                    answer = there.getresponse()
                    self.answer(answer.status, answer.read())
                    there.close()

            return opened.enter_context(serve_in_thread(Proxy)), seen

        yield start


def pipe(one, other):
    other_of = {one: other, other: one}
    while True:
        for ready in select.select([one, other], [], [], 10)[0]:
            data = ready.recv(65536)
            if not data:
                return
            other_of[ready].sendall(data)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that only itself vouches for, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def tls(certificate):
    """The port of a vendor that speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serve_in_thread(Vendor, context) as port:
        yield port


@pytest.fixture(scope="module")
def sandbox():
    with serve(SandboxConfig(contacts=2)) as running:
        yield running


def of(host, password="a-token", **extra):
    return build_credentials(WHICH50, host, "", password, {"allow_http": host.startswith("http://"), **extra})


def ask(credentials):
    """The vendor's cheapest request, as the Test button sends it."""

    async def probe():
        try:
            async with connect(WHICH50, credentials, limits=ONCE) as client:
                return await client.fetch(WHICH50.probe(credentials.settings), lambda response: response)
        finally:
            await asyncio.sleep(0.1)  # before 3.12, aiohttp ends TLS only after its session has ended

    return asyncio.run(probe())


def build_login(sandbox):
    given = sandbox.connections["which50"]
    return of(given["host"], given["password"])


def test_an_untrusted_certificate_is_named_and_not_retried(tls):
    with pytest.raises(ConfigError) as caught:
        ask(of(f"https://127.0.0.1:{tls}/Which50API"))
    said = str(caught.value)
    assert said.startswith("which50: the certificate of 127.0.0.1 is not trusted (self-signed certificate).")
    assert "Check the connection's host." in said
    assert "SSL_CERT_FILE" in said


def test_verification_can_be_left_out(tls):
    assert ask(of(f"https://127.0.0.1:{tls}/Which50API", verify_tls=False)).status == 200


TRUSTED = """
import sys
sys.path[:0] = sys.argv[2:]
import test_proxy
assert test_proxy.ask(test_proxy.of(sys.argv[1])).status == 200
"""


def test_an_authority_of_ones_own_is_named_by_the_environment(tls, certificate):
    host, here = f"https://127.0.0.1:{tls}/Which50API", os.path.dirname(__file__)  # noqa: PTH120 - for a command line
    done = subprocess.run(
        [sys.executable, "-c", TRUSTED, host, here],
        env={**os.environ, "SSL_CERT_FILE": str(certificate)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_host_that_speaks_no_tls():
    with (
        serve_in_thread(Vendor) as port,
        pytest.raises(Unavailable, match=r"not in TLS\. Check the connection's host: its sch"),
    ):
        ask(of(f"https://127.0.0.1:{port}/Which50API"))


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_the_environments_proxy_is_used(proxy, sandbox, monkeypatch, name):
    port, seen = proxy()
    monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    assert ask(build_login(sandbox)).status == 200
    [(address, login)] = seen
    assert address.startswith(sandbox.connections["which50"]["host"])
    assert login is None


def test_https_goes_through_a_tunnel_and_the_proxy_sees_no_path(proxy, tls, monkeypatch):
    port, seen = proxy()
    monkeypatch.setenv("HTTPS_PROXY", f"http://somebody:a%20word@127.0.0.1:{port}")
    assert ask(of(f"https://127.0.0.1:{tls}/Which50API", verify_tls=False)).status == 200
    assert seen == [(f"127.0.0.1:{tls}", "Basic c29tZWJvZHk6YSB3b3Jk")]


def test_the_session_for_people_goes_the_same_way(proxy, sandbox, monkeypatch):
    port, seen = proxy()
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
    with open_session(WHICH50, build_login(sandbox)) as client:
        assert client.get("contactLists").ok
    assert len(seen) == 1


def test_no_proxy_where_the_environment_says_so(proxy, sandbox, monkeypatch):
    port, seen = proxy()
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("NO_PROXY", "example.com,127.0.0.0/8")
    assert ask(build_login(sandbox)).status == 200
    assert seen == []


def test_a_password_in_netrc_is_never_sent(sandbox, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1\nlogin stranger\npassword from-netrc\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert ask(build_login(sandbox)).status == 200
    with pytest.raises(AuthRejected):
        ask(of(sandbox.connections["which50"]["host"], "not-the-token"))


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_a_proxy_that_is_not_there_is_named_as_such(sandbox, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://somebody:secret-word@127.0.0.1:{closed_port()}")
    with pytest.raises(Unavailable, match=r"the proxy cannot be reached. Check HTTPS_PROXY and NO_PROXY") as caught:
        ask(build_login(sandbox))
    assert "secret-word" not in str(caught.value)


def test_a_proxy_that_refuses(proxy, tls, monkeypatch):
    port, _ = proxy(407)
    monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{port}")
    with pytest.raises(Unavailable, match=r"the proxy refuses to connect to the host \(HTTP 407\)"):
        ask(of(f"https://127.0.0.1:{tls}/Which50API"))


def test_a_proxy_of_another_kind(sandbox, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    with pytest.raises(ConfigError, match=r"a proxy of the kind socks5://\. Only http:// and https:// can be used"):
        ask(build_login(sandbox))


@pytest.mark.parametrize(
    ("host", "link"),
    [
        ("https://contoso.example", "https://CONTOSO.example/x?a=%2f"),
        ("https://contoso.example", "https://contoso.example:443/x"),
        ("https://contoso.example:443", "https://Contoso.Example/x"),
        ("https://contoso.example", "HTTPS://contoso.example/x"),
        ("https://contoso.example", "//contoso.EXAMPLE/x"),
        ("http://127.0.0.1:8080/vendor", "http://127.0.0.1:8080/vendor/x"),
        ("https://contoso.example", "/x"),
    ],
)
def test_a_link_to_the_same_host_is_followed_however_it_is_spelled(host, link):
    assert resolve_url(host, Request("GET", link)).path == "/x" or "vendor" in host


@pytest.mark.parametrize(
    "link",
    [
        "https://other.example/x",
        "https://contoso.example:444/x",
        "http://contoso.example/x",
        "https://contoso.example.other.example/x",
        "https://contoso.example@other.example/x",
        "https://user@contoso.example/x",
        "//other.example/x",
        "https:///x",
        "https://[contoso/x",
        "https://contoso.example:x/",
        "ftp://contoso.example/x",
        "x",
    ],
)
def test_a_link_to_another_host_is_refused_however_it_is_spelled(link):
    with pytest.raises(BadResponse, match="links to another host"):
        resolve_url("https://contoso.example", Request("GET", link))


def test_a_path_goes_to_the_host_and_a_query_is_encoded():
    url = resolve_url("https://org.com/base", Request("GET", "/a%20b", query={"q": "1 & 2/ä+", "z": "%"}))
    assert str(url) == "https://org.com/base/a%20b?q=1%20%26%202%2F%C3%A4%2B&z=%25"


def test_a_link_keeps_its_bytes():
    link = "https://org.com/contacts?$skiptoken=%3Ccookie%20pagingcookie=%22%253c%2522&x=%c3%A4"
    assert str(resolve_url("https://org.com", Request("GET", link))) == link


HOME = "http://org.com:81"


LINKS = st.one_of(
    st.text(max_size=30),
    st.builds("{}{}".format, st.sampled_from(["http://", "https://", "//", "/", HOME]), st.text(max_size=20)),
    st.text("htp:/org.com81@[]\\?#%\t\n ", max_size=40).map(lambda rest: f"http://org.com:81{rest}"),
)


@given(LINKS)
def test_no_link_whatever_leads_to_another_host(link):
    try:
        url = resolve_url(HOME, Request("GET", link))
    except InteractionsError:
        return
    assert (url.scheme, url.host, url.port) == ("http", "org.com", 81)
    assert urlsplit(str(url)).netloc == "org.com:81"


@given(LINKS)
def test_any_address_has_a_path_to_show(link):
    assert "?" not in Request("GET", link).path
