"""A proxy on loopback in front of an HTTP server. It sends on what it gets, or does harm to it."""

import contextlib
import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

SLOW_DOWN = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"


@contextlib.contextmanager
def fault_proxy(server):
    """Run a proxy of the server at a URL; see ``Proxy``."""
    proxy = Proxy(server)
    thread = threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield proxy
    proxy.shutdown()
    thread.join()
    proxy.server_close()


class Proxy(ThreadingHTTPServer):
    """``choose(method, path)`` names the harm for a request, or None.

    - ``slow``: 503 SlowDown, and the server never sees the request.
    - ``cut``: half of the body reaches the server, then both connections end.
    - ``499`` or any number: an answer with this status and no body, and the server never sees the request.
    - ``mute``: the server does it, and the client's connection ends without an answer.
    - ``half``: the same after half of the answer's body.

    ``seen`` has the method, path and harm of each request.
    """

    daemon_threads = True

    def __init__(self, server):
        super().__init__(("127.0.0.1", 0), Handler)
        self.server, self.seen, self.choose = urlsplit(server).netloc, [], lambda _method, _path: None
        self.url = f"http://127.0.0.1:{self.server_port}"

    def count(self, harm):
        """How many requests came to this harm."""
        return sum(1 for one in self.seen if one[2] == harm)

    def handle_error(self, request, client_address):
        """Say nothing: clients of a broken connection are what is tested."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        harm = self.server.choose(self.command, self.path)
        self.server.seen.append((self.command, self.path, harm))
        if harm == "slow" or (harm or "").isdigit():
            self.answer(*((503, {}, SLOW_DOWN) if harm == "slow" else (int(harm), {}, b"")))
            return
        with contextlib.closing(http.client.HTTPConnection(self.server.server, timeout=60)) as upstream:
            self.send_on(upstream, body[: len(body) // 2] if harm == "cut" else body)
            if harm == "cut":
                self.close_connection = True
                return
            response = upstream.getresponse()
            answer = response.status, dict(response.getheaders()), response.read()
        self.close_connection = harm in {"mute", "half"}
        if harm != "mute":
            self.answer(*answer, response.getheader("Content-Length"), half=harm == "half")

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = forward  # noqa: N815 - the base class calls them so

    def send_on(self, upstream, body):
        """The client's own headers: they are signed, and tell the whole length even if half of the body comes."""
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in {"expect", "connection"}:
                upstream.putheader(name, value)
        upstream.endheaders()
        upstream.send(body)

    def answer(self, status, headers, body, length=None, *, half=False):
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                self.send_header(name, value)
        if status not in {204, 304}:
            self.send_header("Content-Length", length if self.command == "HEAD" and length else str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if half else body)
