"""Changes of the bytes of a body, whatever they mean. Each gives the new body, and the bytes that it took away."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random


def change(body: bytes, random: Random) -> tuple[str, bytes, bytes]:
    """Change the bytes; the change's name, the new body, and the bytes that were taken away."""
    name = random.choice(sorted(_BYTES))
    found, removed = _BYTES[name](body, random)
    return name, found, removed


def _truncate(body: bytes, random: Random) -> tuple[bytes, bytes]:
    at = random.choice([0, 1, random.randint(0, len(body)), max(0, len(body) - random.randint(1, 20))])
    return body[:at], body[at:]


def _cut_bytes(body: bytes, random: Random) -> tuple[bytes, bytes]:
    at, size = random.randint(0, len(body)), random.randint(1, 12)
    return body[:at] + body[at + size :], body[at : at + size]


def _flip_bit(body: bytes, random: Random) -> tuple[bytes, bytes]:
    if not body:
        return b"\x00", b""
    at = random.randrange(len(body))
    return body[:at] + bytes([body[at] ^ (1 << random.randrange(8))]) + body[at + 1 :], b""


def _insert_bytes(body: bytes, random: Random) -> tuple[bytes, bytes]:
    at = random.randint(0, len(body))
    odd = [b"\x00", b"\t", b"\n", b"\xe9", b"\x92", b"\xff", b"\xc3", b"&", b"<", b"&nbsp;", b"\\", b'"', b"\\ud800"]
    return body[:at] + random.choice([*odd, b"\xed\xa0\xbd\xed\xb8\x80", b"&#xD83D;&#xDE00;", b"\x1b"]) + body[at:], b""


def _encode_as(name: str) -> Callable[[bytes, Random], tuple[bytes, bytes]]:
    def encode(body: bytes, _: Random) -> tuple[bytes, bytes]:
        return body.decode("utf-8", "replace").encode(name, "replace"), b""

    return encode


def _replace_page(_: bytes, random: Random) -> tuple[bytes, bytes]:
    pages = [
        b"<!DOCTYPE html><html><body>Sorry</body></html>",
        b"<html></html>",
        b"Service unavailable",
        b"OK",
        b"<a/>",
    ]
    return random.choice([*pages, b"null", b"[]", b"{}", b'""', b"0", b"true", b" ", b"<?xml version='1.0'?>"]), b""


def _append_bytes(body: bytes, random: Random) -> tuple[bytes, bytes]:
    return body + random.choice([b"\x00\x00", b"}", b"]", b"<!-- -->", b"x", body, b"\n[]", b"\r\n\r\n"]), b""


def _write_as_text(body: bytes, _: Random) -> tuple[bytes, bytes]:
    return json.dumps(body.decode("utf-8", "replace")).encode(), b""


_BYTES: dict[str, Callable[[bytes, Random], tuple[bytes, bytes]]] = {
    "truncate": _truncate,
    "cut bytes": _cut_bytes,
    "flip a bit": _flip_bit,
    "insert bytes": _insert_bytes,
    "as Latin-1": _encode_as("latin-1"),
    "as Windows-1252": _encode_as("cp1252"),
    "as UTF-16": _encode_as("utf-16"),
    "as UTF-16 without a mark": _encode_as("utf-16-be"),
    "with a byte order mark": _encode_as("utf-8-sig"),
    "another page": _replace_page,
    "append": _append_bytes,
    "as a JSON text": _write_as_text,
}
