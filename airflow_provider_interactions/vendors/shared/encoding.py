"""Bytes that are not what their format promises: what is certain is repaired, the rest is refused, record by record.

A bad byte costs its record at most. A response whose header names another charset is recoded as a whole; a record is
kept as it came and repaired only when it is read. Used for JSON of every vendor.
"""

from __future__ import annotations

import re
from email.message import Message

from airflow_provider_interactions.contract import Response
from airflow_provider_interactions.errors import RecordRejected

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

#: Labels that mean Windows-1252 in practice (WHATWG Encoding Standard, section 4.2).
_WINDOWS_1252 = frozenset({"iso-8859-1", "iso8859-1", "latin1", "latin-1", "l1", "us-ascii", "ascii", "cp1252"})

#: A JSON string, whatever bytes are in it.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_CONTROL = re.compile(rb"[\x00-\x1f]")
_PAIR = re.compile(rb"\xed([\xa0-\xaf])([\x80-\xbf])\xed([\xb0-\xbf])([\x80-\xbf])")
_HALF = re.compile(rb"\xed([\xa0-\xbf])([\x80-\xbf])")
_ESCAPE = re.compile(rb'\\(?:u([dD][89abAB]\w\w)\\u([dD][c-fC-F]\w\w)|u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_SHORT = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def to_utf8(response: Response) -> bytes:
    """The body without a byte order mark, and recoded where its header names another charset than UTF-8.

    A body that is valid UTF-8 is taken as UTF-8 whatever a header of a one-byte charset says: such a text is never
    valid by chance, and many servers send the header by default. What cannot be recoded stays as it is.
    """
    body = response.body.removeprefix(BYTE_ORDER_MARK)
    charset = _read_charset(response.headers.get("content-type", ""))
    if charset in ("", "utf-8", "utf8") or (is_utf8(body) and not charset.startswith(("utf-16", "utf-32"))):
        return body
    try:
        return body.decode(charset).removeprefix("\ufeff").encode()
    except (LookupError, UnicodeError):
        return body


def is_utf8(text: bytes) -> bool:
    """Whether these bytes are valid UTF-8."""
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def repair(record: bytes) -> bytes:
    """A JSON text whose strings are valid; raises RecordRejected where a byte may mean more than one thing.

    Certain are: a control character (as its escape), a surrogate pair in three bytes each (CESU-8), half of one (as
    its escape), and bytes of Windows-1252 in a string that has no character of UTF-8.
    """
    if is_utf8(record) and not _CONTROL.search(record):
        return record
    return _STRING.sub(lambda found: _repair_string(found[0]), record)


def blank_strings(text: bytes) -> bytes:
    """JSON text of the same length, in which every string holds only letters, so that its parts can be found."""
    return _STRING.sub(lambda found: b'"' + b"x" * (len(found[0]) - 2) + b'"', text)


def unescape(string: bytes) -> bytes:
    """What a JSON string with odd bytes holds. Escapes of half a surrogate pair stay, as do unknown ones."""
    return _ESCAPE.sub(_unescape_one, string[1:-1])


def _read_charset(content_type: str) -> str:
    message = Message()
    message["content-type"] = content_type
    name = str(message.get_content_charset("") or "").strip()
    return "cp1252" if name in _WINDOWS_1252 else name


def _repair_string(string: bytes) -> bytes:
    string = _CONTROL.sub(lambda found: b"\\u%04x" % found[0][0], string)
    if is_utf8(string):
        return string
    string = _HALF.sub(_escape_half, _PAIR.sub(_join_pair, string))
    if is_utf8(string):
        return string
    try:
        if b"\xff" not in string and not _has_characters(string):
            return string.decode("cp1252").encode()
    except UnicodeDecodeError:
        pass  # one of the five bytes that Windows-1252 leaves out
    reason = "a field is not valid UTF-8"
    raise RecordRejected(reason)


def _has_characters(string: bytes) -> bool:
    """Whether some bytes beyond ASCII are characters of UTF-8."""
    return string.decode("ascii", "ignore") != string.decode("utf-8", "ignore")


def _join_pair(found: re.Match[bytes]) -> bytes:
    return found[0].decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass").decode("utf-16").encode()


def _escape_half(found: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(found[0].decode("utf-8", "surrogatepass"))


def _unescape_one(found: re.Match[bytes]) -> bytes:
    high, low, single, short = found.groups()
    if short:
        return _SHORT.get(short, short)
    if single:
        code = int(single, 16)
        return found[0] if 0xD800 <= code <= 0xDFFF else chr(code).encode()
    return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00).encode()
