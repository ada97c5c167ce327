"""The bytes of an XML document before it is parsed: size, encoding, DTD and root."""

from __future__ import annotations

import codecs
import re

from airflow_provider_interactions.errors import BadResponse
from airflow_provider_interactions.vendors.shared import xml_text

#: Bytes of one document. The largest history seen in practice is far below; more is a fault or an attack.
MAX_BYTES = 128 * 1024 * 1024

_DECLARED = re.compile(rb"""\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_DECLARATION = re.compile(r"\s*<\?xml\s[^>]{0,200}\?>")
_DECLARED_AT_ALL = re.compile(rb"(?:\xef\xbb\xbf)?\s*<\?xml\s[^>]{0,200}\?>")
_NAME = re.compile(rb"<(?:[\w.-]{1,100}:)?([\w.-]{1,100})")
_SPACE = re.compile(rb"\s*")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_ENCODINGS = frozenset({"utf-8", "utf-16", "ascii", "iso8859-1", "cp1252"})


def find_root(body: bytes) -> str:
    """The local name of a document's root from its first bytes; ``!DOCTYPE`` if it has a DTD; else empty.

    It never raises and parses nothing, so it is cheap enough for every response.
    """
    start = _skip_prolog(body)
    if body[start : start + 9].upper() == b"<!DOCTYPE":
        return "!DOCTYPE"
    name = _NAME.match(body, start)
    return name[1].decode() if name else ""


def read_source(body: bytes, what: str, charset: str | None) -> bytes:
    """The document as UTF-8 bytes; raises BadResponse if it is too large, has a DTD, or has an uncertain encoding."""
    if len(body) > MAX_BYTES:
        msg = f"{what} is larger than {MAX_BYTES} bytes. Ask for smaller pages"
        raise BadResponse(msg)
    named = _find_encoding(body, what, charset)
    body = _to_utf8(body, named, what)
    if find_root(body) == "!DOCTYPE":
        msg = f"{what} carries a document type definition, which is not read: it could hide an attack"
        raise BadResponse(msg)
    return body.removeprefix(codecs.BOM_UTF8).lstrip()


def _to_utf8(body: bytes, named: str, what: str) -> bytes:
    """The document's text in UTF-8, without the declaration, which may name another encoding."""
    if named == "utf-16":
        return _DECLARATION.sub("", _decode(body, named, what), count=1).encode()
    try:
        body.decode()
    except UnicodeDecodeError:
        body = xml_text.decode_western(body).encode() if xml_text.is_western(named) else xml_text.repair_utf8(body)
    else:
        if xml_text.is_western(named) and not body.isascii():
            body = xml_text.decode_western(body).encode()
    declaration = _DECLARED_AT_ALL.match(body)
    return body[declaration.end() :] if declaration else body


def _find_encoding(body: bytes, what: str, charset: str | None) -> str:
    mark, marked = next(((mark, name) for mark, name in _BOMS if body.startswith(mark)), (b"", None))
    head = body[len(mark) : 512]
    declared = _DECLARED.match(head.replace(b"\0", b"") if marked == "utf-16" else head)
    said = _normalize_name(declared[1].decode()) if declared else marked or _normalize_name(charset or "") or "utf-8"
    # If the bytes contradict the declaration, do not guess: names would be read wrongly.
    if said not in _ENCODINGS or (marked or said) != said or (said == "utf-16" and not marked):
        msg = f"{what} declares a character encoding that it does not have, or one that is not read"
        raise BadResponse(msg)
    return said


def _normalize_name(name: str) -> str:
    found = xml_text.find_encoding(name) or ""
    return "utf-16" if found.startswith("utf-16") else found


def _decode(body: bytes, encoding: str, what: str) -> str:
    try:
        return body.decode(encoding)
    except UnicodeDecodeError:
        msg = f"{what} declares a character encoding that it does not have"
        raise BadResponse(msg) from None


def _skip_prolog(body: bytes) -> int:
    """Where the root or the DTD starts: after byte order mark, declaration, comments and processing instructions."""
    at = len(codecs.BOM_UTF8) if body.startswith(codecs.BOM_UTF8) else 0
    while True:
        at = _skip_space(body, at)
        for opens, closes in ((b"<?", b"?>"), (b"<!--", b"-->")):
            if body.startswith(opens, at):
                end = body.find(closes, at + len(opens))
                at = len(body) if end < 0 else end + len(closes)
                break
        else:
            return at


def _skip_space(body: bytes, at: int) -> int:
    found = _SPACE.match(body, at)
    return found.end() if found else at
