"""Check the quotes of a CSV file while it is read.

Arrow reads a quote that nothing closes, and text after a closing quote, without an error. The rows up to the next quote
are then a part of one value, and would be lost.
"""

from __future__ import annotations

import io
import re
from typing import Any, BinaryIO

#: A field, and a line of such fields.
_FIELD = r'(?:"(?:[^"]++|"")*+"|[^"{0}\r\n][^{0}\r\n]*+|)'
_LINE = rf"{_FIELD}(?:{{0}}{_FIELD})*+"


class QuoteChecker(io.RawIOBase):
    """A stream that passes on the bytes of another one. ``is_whole`` says whether all lines end outside of quotes."""

    def __init__(self, stream: BinaryIO, delimiter: str = ",") -> None:
        line = _LINE.format(delimiter)
        self._lines, self._last_line = (re.compile(text.encode()) for text in (rf"(?:{line}(?:\r\n?|\n))*+", line))
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
        return self._last_line.fullmatch(self._rest) is not None

    def _check(self, data: bytes) -> None:
        """Drop all lines that are whole. The line that is not whole yet stays."""
        text = self._rest + data
        if b'"' in text:
            found = self._lines.match(text)
            self._rest = text[found.end() if found else 0 :]
        else:
            self._rest = text[max(text.rfind(b"\n"), text.rfind(b"\r")) + 1 :]
