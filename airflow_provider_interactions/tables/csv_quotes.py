"""Check the quotes of a CSV file while it is read.

Arrow reads a quote that nothing closes, and text after a closing quote, without an error. The rows up to the next quote
are then a part of one value, and would be lost.
"""

from __future__ import annotations

import io
import re
from typing import Any, BinaryIO

_FIELD = rb'(?:"(?:[^"]++|"")*+"|[^",\r\n][^,\r\n]*+|)'
_LINES = re.compile(rb"(?:%b(?:,%b)*+(?:\r\n?|\n))*+" % (_FIELD, _FIELD))
_LAST_LINE = re.compile(rb"%b(?:,%b)*+" % (_FIELD, _FIELD))


class QuoteChecker(io.RawIOBase):
    """A stream that passes on the bytes of another one. ``is_whole`` says whether all lines end outside of quotes."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._rest = b""

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read and check the next bytes."""
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._check(data)
        return len(data)

    def is_whole(self) -> bool:
        """Whether what was read so far can end here."""
        return _LAST_LINE.fullmatch(self._rest) is not None

    def _check(self, data: bytes) -> None:
        """Drop all lines that are whole. The line that is not whole yet stays."""
        text = self._rest + data
        if b'"' in text:
            self._rest = text[_match_lines(text) :]
        else:
            self._rest = text[max(text.rfind(b"\n"), text.rfind(b"\r")) + 1 :]


def _match_lines(text: bytes) -> int:
    found = _LINES.match(text)
    return found.end() if found else 0
