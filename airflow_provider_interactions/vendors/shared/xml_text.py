"""The text of an XML document whose bytes are not what it promises: what is certain is read, nothing is guessed.

Systems that export what people typed mix encodings: a curly quote of Windows-1252 inside UTF-8, or characters beyond
U+FFFF as two halves of three bytes each (CESU-8, what Java and Oracle call "utf8").
"""

from __future__ import annotations

import codecs
import re

#: Both halves of a surrogate pair, three bytes each.
_PAIR = re.compile(rb"\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf]")
_HALF = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")

#: Names that mean Windows-1252 wherever the web is read (encoding.spec.whatwg.org, 4.2, read 2026-11).
_WESTERN = frozenset({"iso8859-1", "cp1252"})

_ERRORS = "interactions.xml"


def repair_utf8(body: bytes) -> bytes:
    """The same text as UTF-8: Windows-1252 bytes as their characters, CESU-8 pairs joined, half a pair as U+FFFD.

    Bytes that mean nothing in Windows-1252 either stay as they are, so the result need not be valid UTF-8.
    """
    return body.decode("utf-8", _ERRORS).encode("utf-8", "surrogateescape")


def decode_western(body: bytes) -> str:
    """Text that is called ISO-8859-1 or Windows-1252: the second, where it has a character for the byte."""
    try:
        return body.decode("cp1252")
    except UnicodeDecodeError:
        return "".join(_decode_byte(byte) or chr(byte) for byte in body)


def find_encoding(name: str | None) -> str | None:
    """Python's name of an encoding; None for none, and for one that Python does not have."""
    try:
        return codecs.lookup((name or "").strip().strip("\"'")).name if name else None
    except LookupError:
        return None


def is_western(name: str | None) -> bool:
    """Whether text of this encoding is to be read by ``decode_western``; the name is as Python has it."""
    return name in _WESTERN


def read_charset(content_type: str) -> str | None:
    """The charset that a Content-Type header names, as Python has it."""
    found = re.search(r"charset\s*=\s*\"?([\w.:-]{1,40})", content_type, re.IGNORECASE)
    return find_encoding(found[1]) if found else None


def _decode_byte(byte: int) -> str | None:
    try:
        return bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:
        return None


def _repair_byte(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)  # noqa: S101 - it is registered for decoding
    body, start = error.object, error.start
    if _PAIR.match(body, start):
        halves = body[start : start + 6].decode("utf-8", "surrogatepass")
        return halves.encode("utf-16-le", "surrogatepass").decode("utf-16-le"), start + 6
    if _HALF.match(body, start):
        return "\ufffd", start + 3
    return _decode_byte(body[start]) or chr(0xDC00 + body[start]), start + 1


codecs.register_error(_ERRORS, _repair_byte)
