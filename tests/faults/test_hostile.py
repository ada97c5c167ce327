"""Whatever comes in: a clear error or a reject, in bounded time and memory, and nothing gets where it must not."""

import asyncio
import json
import resource
import socketserver
import threading
import time
import zlib
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import fuzz
import pytest
import rig
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_interactions import contacts
from airflow_provider_interactions.connection import build_credentials, build_options
from airflow_provider_interactions.contract import Contact, Request
from airflow_provider_interactions.errors import (
    BadResponse,
    ConfigError,
    InteractionsError,
    RequestRejected,
    Unavailable,
)
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.http import proxy
from airflow_provider_interactions.http.client import connect
from airflow_provider_interactions.http.retry import Limits
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.vendors.which50 import responses

GOLDEN = Path(__file__).parent.parent / "golden"


def samples(vendor):
    """Real answers of a vendor."""
    bodies = json.loads((GOLDEN / f"{vendor}.json").read_text())
    texts = [text for text in strings(bodies) if text[:1] in "[{<" and len(text) > 50]
    return [text.encode() for text in texts] or [b"{}"]


def strings(value):
    if isinstance(value, dict | list):
        return [text for part in (value.values() if isinstance(value, dict) else value) for text in strings(part)]
    return [value] if isinstance(value, str) else [json.dumps(value)]


WORDS = st.sampled_from([
    "Data", "NextSkipToken", "InteractionId", "InteractionType", "Timestamp", "ContactId", "value", "@odata.nextLink",
    "getUserInteractionsResponse", "interaction", "interactionId", "creationDate", "interactionTypeId", "note", "count",
    "ArrayOfContactInteraction", "ContactInteraction", "Occurred", "DateTime", "Interaction", "Id", "Status", "Name",
    "response", "customer", "interactions", "network", "messageList", "messages", "message", "sentDate", "id", "errors",
    "code", "status", "success", "item_status", "errorResponse", "access_token", "expires_in", "data", "token", "ttl",
])  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from([
        "2026-01-02T10:00:00Z", "9999-12-31T23:59:59.9999999-14:00", "0001-01-01T00:00:00+14:00", "02-01-2026 10:00:00",
        "31-12-9999 23:59:59", "../../etc/passwd", "'; DROP TABLE x; --", "a\nb: c", "\0", "\ud800", "NaN", "1e999",
        "9" * 5000, "2026-02-30T00:00:00Z", "-1", "null", "false", "http://evil.example/", "//evil.example/x",
    ]),
)  # fmt: skip
NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([10**400, -(2**63), 2**64, 2**31, 1e308]))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.one_of(WORDS, TEXTS), inner, max_size=5)),
    max_leaves=25,
)
ASCII = st.booleans()


@st.composite
def json_bodies(draw):
    """JSON in the vendors' words, some of it as text within JSON, as Dynamics has it."""
    value = draw(VALUES)
    if draw(st.booleans()):
        value = {
            "Data": json.dumps(
                draw(st.lists(st.dictionaries(WORDS, st.one_of(TEXTS, NUMBERS), max_size=6), max_size=4))
            )
        }
    return json.dumps(value, ensure_ascii=draw(ASCII)).encode("utf-8", "surrogatepass")


@st.composite
def xml_bodies(draw, depth=4):
    """XML in the vendors' words, not always well-formed."""
    name = draw(WORDS).replace("@", "").replace(".", "")
    inside = (
        draw(TEXTS) if depth == 0 or draw(st.booleans()) else "".join(draw(st.lists(xml_bodies(depth - 1), max_size=3)))
    )
    more = draw(st.sampled_from(["", ' i:nil="true"', ' xmlns="u"', ' a="1" a="2"']))
    text = f"<{name}{more}>{inside}</{name}>"
    return text if depth < 4 else text.encode("utf-8", "surrogatepass")


@st.composite
def spoil(draw, vendor):
    """A real answer with some of its bytes changed, doubled or gone."""
    body = bytearray(draw(st.sampled_from(samples(vendor))))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body)))
        end = at + draw(st.integers(0, 12))
        body[at:end] = draw(
            st.one_of(st.binary(max_size=4), TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")))
        )
    return bytes(body)


@pytest.mark.parametrize("vendor", rig.PAGED)
@settings(max_examples=250)
@given(data=st.data())
def test_only_foreseen_errors_come_out(vendor, data):
    body = data.draw(st.one_of(st.binary(max_size=200), json_bodies(), xml_bodies(), spoil(vendor)))
    first = bytes([data.draw(st.integers(0, 255))])
    began = time.process_time()
    fuzz.TARGETS[vendor](first + body)
    assert time.process_time() - began < 2


NASTY = {
    "lists in lists": b"[" * 100_000,
    "objects in objects": b'{"Data":' * 50_000,
    "closed ones": b"[" * 3_000 + b"]" * 3_000,
    "as text": json.dumps({"Data": "[" * 50_000 + "]" * 50_000}).encode(),
    "in a record": json.dumps({"Data": '[{"InteractionId":' + "[" * 3_000 + "]" * 3_000 + "}]"}).encode(),
    "an endless number": b'{"Data":' + b"9" * 1_000_000 + b"}",
    "an endless number in a record": json.dumps({"Data": '[{"Timestamp":' + "9" * 100_000 + "}]"}).encode(),
    "an endless time": json.dumps({"Data": json.dumps([{"Timestamp": "2" * 1_000_000}])}).encode(),
    "elements in elements": b"<a>" * 100_000 + b"</a>" * 100_000,
    "in a response": b"<getUserInteractionsResponse>" + b"<interaction>" * 5_000,
    "attributes": b"<ArrayOfX " + b" ".join(b'a%d="1"' % n for n in range(20_000)) + b"/>",
    "a million laughs": b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><x>&b;</x>',
    "somebody's file": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
    "half pairs": b'"' + b"\\ud800" * 100_000 + b'"',
    "backslashes": b'{"response":"' + b"\\" * 500_001 + b'"}',
    "quotes": b'{"response":' + b'"' * 200_001 + b"}",
    "comments": b"<!--" * 100_000,
    "blanks": b" " * 3_000_000 + b"<",
    "an empty history": b'{"interaction":[' + b"{}," * 50_000 + b"{}]}",
    "zeros": b"\0" * 1_000_000,
}


@pytest.mark.parametrize("what", NASTY)
def test_bodies_made_to_hurt(vendor, what):
    for first in (0, 14, 20):  # taken as JSON, as XML, as an error
        began = time.process_time()
        fuzz.TARGETS[vendor](bytes([first]) + NASTY[what])
        assert time.process_time() - began < 5


# ---- what a contact's id can reach


IDS = st.one_of(
    st.text(min_size=1, max_size=40),
    st.sampled_from([
        "../../admin", "..", ".", "%2e%2e", "%00", "a/b", "a\\b", "a?b=c", "a#b", "a&login_name=x", "a;b", "x\r\nX-Evil: 1",
        "a\0b", "'\"<>", "é 🚀", "\u2028", "http://evil.example", "//evil.example", "a b", "a+b@c.de", "\ud800", "\u202e",
    ]),
)  # fmt: skip


@pytest.mark.parametrize("vendor", rig.PAGED)
@settings(max_examples=150)
@given(data=st.data())
def test_no_id_reaches_a_path_a_header_or_a_parameter_of_its_own(vendor, data):
    """Refused by name of its place in the list, or sent as one value where the vendor reads it."""
    found, text = VENDORS[vendor], data.draw(IDS)
    kind = data.draw(st.sampled_from(found.contact_kinds))
    native = data.draw(st.one_of(st.none(), IDS))
    try:
        [person] = contacts.check_contacts(found, [text], kind)
    except ConfigError as refused:
        message = str(refused)
    else:
        message = ""
    if message:
        assert len(text) < 4 or text not in message
        return
    for request in list_requests(found, person, native):
        url = proxy.resolve_url("https://example.org/base", request)
        parts = urlsplit(str(url))
        assert parts.netloc == "example.org"
        assert not parts.fragment
        assert str(url).isascii()
        assert str(url).isprintable()
        raw = parts.path.split("/")
        assert "." not in raw
        assert ".." not in {unquote(one) for one in raw}
        assert parts.path.count("/") == request_paths(vendor)
        assert all(
            value.isprintable() and person.id not in value for value in request.headers.values() if len(person.id) > 20
        )
        query = dict(parse_qsl(parts.query, keep_blank_values=True, errors="strict", encoding="utf-8"))
        carried = [*query.values(), *(request.form or {}).values(), *map(unquote, raw), *body_values(request)]
        assert person.id in carried
        assert set(query) <= {
            "identifierName",
            "identifierValue",
            "format",
            "mobile",
            "email",
            "external_id",
            "limit",
            "offset",
        }
    where = rig.WindowPaths(vendor, text, rig.WHOLE)
    assert ".." not in where.raw_manifest.split("/")


def request_paths(vendor):
    return {"dynamics_marketing": 5, "luminate_online": 2, "which50": 4, "capillary": 4}[vendor]


def body_values(request):
    return [str(value) for value in json.loads(request.body).values()] if request.body else []


def list_requests(vendor, person: Contact, native):
    """The first request of each question."""
    extra = fuzz.CONNECTIONS[vendor.name]
    credentials = build_credentials(vendor, "https://example.org/base", "login", "secret", extra)
    options = {}
    if vendor.name == "dynamics_marketing" and native:
        options = {"types": [native]}
    chosen = build_options(vendor, options)
    found = []

    async def fetch(request, _):
        found.append(request)
        raise BadResponse("enough")

    async def first(query):
        try:
            async for _ in vendor.pages(fetch, query, rig.WHOLE):
                pass
        except BadResponse:
            pass

    for query in vendor.queries(person, credentials.settings, chosen):
        asyncio.run(first(query))
    return found


# ---- what a server can do on the wire


class Wire(socketserver.ThreadingTCPServer):
    """A server that answers every request with the bytes it was given, well-formed or not."""

    allow_reuse_address = True
    daemon_threads = True
    requests = 0

    def __init__(self, pieces):
        self.pieces, self.heads = pieces, []
        super().__init__(("127.0.0.1", 0), Answer)


class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        head = b""
        while b"\r\n\r\n" not in head:
            if not (more := self.request.recv(65536)):
                return
            head += more
        self.server.heads.append(head)
        try:
            for piece in self.server.pieces():
                self.request.sendall(piece)
        except OSError:
            return  # the client has had enough


@contextmanager
def wire(pieces):
    with Wire(pieces) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def ask(server, limits=None, path="/contacts/1/communications"):
    """One call of a vendor without tokens."""
    vendor = VENDORS["which50"]
    host = f"http://127.0.0.1:{server.server_address[1]}"
    credentials = build_credentials(vendor, host, "", "hush-hush-token", {"allow_http": True})
    limits = limits or Limits(timeout=1.5, tries=2, first_wait=0.01, last_wait=0.01, body=1_000_000)

    async def send():
        async with connect(vendor, credentials, limits=limits) as client:
            return await client.fetch(Request("GET", path), lambda response: response)

    return asyncio.run(send())


def head(status="200 OK", **headers):
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode()


def send_chunked(count=10**9):
    yield head(Transfer_Encoding="chunked", Content_Type="application/json")
    for _ in range(count):
        yield b"10000\r\n" + b" " * 65536 + b"\r\n"


def send_declared(count=10**9):
    yield head(Content_Length=65536 * count, Content_Type="application/json")
    for _ in range(count):
        yield b" " * 65536


def endless():
    yield head(Content_Type="application/json")
    while True:
        yield b" " * 65536


def bomb():
    """A thousand times as large unpacked."""
    packed = zlib.compressobj(9, zlib.DEFLATED, 31)
    yield head(Content_Encoding="gzip", Transfer_Encoding="chunked", Content_Type="application/json")
    for _ in range(4_000):
        piece = packed.compress(b" " * 1_000_000)
        if piece:
            yield b"%x\r\n%s\r\n" % (len(piece), piece)


@pytest.mark.parametrize("pieces", [send_chunked, send_declared, endless, bomb])
def test_a_body_without_end_is_given_up(pieces):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    with wire(pieces) as server, pytest.raises(BadResponse, match="larger than 1000000 bytes"):
        ask(server)
    assert time.monotonic() - began < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


BODY = b'[{"Id":1}]'
LIES = {
    "more than it is": [head(Content_Length=len(BODY) + 9), BODY],
    "negative": [head(Content_Length=-5), BODY],
    "no number": [head(Content_Length="many"), BODY],
    "two lengths": [b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 9\r\n\r\n", BODY],
    "chunks that are none": [head(Transfer_Encoding="chunked"), BODY],
    "a chunk too large to be": [head(Transfer_Encoding="chunked"), b"f" * 40 + b"\r\n", BODY],
    "no gzip": [head(Content_Encoding="gzip", Content_Length=len(BODY)), BODY],
    "gzip cut off": [head(Content_Encoding="gzip", Content_Length=14), zlib.compress(BODY * 99, wbits=31)[:14]],
    "no deflate": [head(Content_Encoding="deflate", Content_Length=len(BODY)), BODY],
    "not HTTP": [b"SSH-2.0-OpenSSH_9.6\r\n"],
    "no status": [b"HTTP/1.1 OK\r\n\r\n"],
    "nothing": [],
    "half a head": [b"HTTP/1.1 200 OK\r\nContent-Le"],
    "a head without end": [b"HTTP/1.1 200 OK\r\n", *[b"X-%d: %s\r\n" % (n, b"y" * 7000) for n in range(200)]],
    "a line without end": [b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000],
    "a header with a break": [b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\n[]"],
    "an encoding nobody knows": [head(Content_Encoding="zstd", Content_Length=len(BODY)), BODY],
}


@pytest.mark.parametrize("what", LIES)
def test_an_answer_that_lies_about_itself(what):
    """An error that can be retried, or the bytes as they came; never half of them in silence."""
    with wire(lambda: LIES[what]) as server:
        try:
            response = ask(server)
        except (Unavailable, BadResponse) as error:
            told = str(error)
        else:
            told = ""
            if response.body not in {BODY, b"[]"}:  # cut off where it says that it ends: no JSON any more
                with pytest.raises(BadResponse):
                    responses.read_interactions(response)
    assert "hush" not in told


def test_a_body_shorter_than_it_is_cannot_be_read(sandbox):
    """Content-Length below the truth: the rest would belong to the next answer, so what came is no JSON."""
    with wire(lambda: [head(Content_Length=5, Content_Type="application/json"), BODY]) as server:
        spec = rig.spec(sandbox, "which50", "memory://short", disk="memory")
        job = rig.job_of(spec)
        host = f"http://127.0.0.1:{server.server_address[1]}"
        extra = {"allow_http": True}
        lied_to = build_credentials(VENDORS["which50"], host, "", "token", extra)
        with pytest.raises((BadResponse, Unavailable)):
            extract(
                rig.Job(**{name: getattr(job, name) for name in job.__dataclass_fields__} | {"credentials": lied_to})
            )


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("target", ["http://{other}/x", "//{other}/x", "http://{own}/elsewhere", "file:///etc/passwd"])
def test_no_redirect_is_followed(status, target):
    with wire(lambda: [head(Content_Length=2), b"[]"]) as other:
        names = {"other": f"127.0.0.1:{other.server_address[1]}", "own": ""}
        with wire(lambda: [head(status, Location=target.format(**names), Content_Length=0)]) as server:
            names["own"] = f"127.0.0.1:{server.server_address[1]}"
            with pytest.raises(RequestRejected, match="redirects elsewhere"):
                ask(server)
            assert len(server.heads) == 2  # it may be a redirect for a moment
        assert other.heads == []


LINKS = [
    "http://{other}/api/data/v9.0/contacts?x=1",
    "//{other}/contacts",
    "http://{host}@{other}/contacts",
    "http://{other}#{host}",
    "http://{host}.evil.example/contacts",
    "http://{host}:1/contacts",
    "https://{host}/contacts",
    "file:///etc/passwd",
    "\\\\{other}\\x",
    "http:/{other}/x",
    "HTTP://{other}/x",
    "http://[::1",
    "javascript:alert(1)",
    "http://{host}\r\nX-Evil: 1",
]


@pytest.mark.parametrize("link", LINKS)
def test_a_next_link_to_another_host_is_not_followed(sandbox, link):
    vendor, known = VENDORS["dynamics_marketing"], sandbox.connections["dynamics_marketing"]
    with wire(lambda: [head(Content_Length=2), b"[]"]) as other:
        host = urlsplit(known["host"]).netloc
        text = link.format(other=f"127.0.0.1:{other.server_address[1]}", host=host)
        body = json.dumps({"value": [], "@odata.nextLink": text})
        sandbox.faults([{"kind": "status", "status": 200, "body": body, "path": "/contacts", "times": 1}])
        credentials = build_credentials(vendor, known["host"], known["login"], known["password"], known["extra"])
        with pytest.raises(InteractionsError) as told:
            list(contacts.list_from_vendor(vendor, credentials, build_options(vendor, {}), Limits(**rig.QUICK)))
        assert "evil" not in str(told.value)
        assert other.heads == []


@pytest.mark.parametrize("vendor", [name for name, case in rig.CASES.items() if case.tokens])
@pytest.mark.parametrize(
    "token", ["a\r\nX-Evil: 1", "a\nb", "a\0b", "é", "\ud800", " ", "a" * 100_000, {"a": 1}, 7, None]
)
def test_a_token_that_would_break_a_header(sandbox, vendor, token, tmp_path):
    said = {"access_token": token, "expires_in": 3600, "data": {"accessToken": token, "ttlSeconds": 3600}}
    body = json.dumps(said)
    sandbox.faults([{"kind": "status", "status": 200, "vendor": vendor, "path": "token", "body": body}])
    with pytest.raises(InteractionsError) as told:
        rig.run(rig.spec(sandbox, vendor, tmp_path, limits={**rig.QUICK, "tries": 2}))
    assert "Evil" not in str(told.value)
