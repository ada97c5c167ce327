"""Text of others, made safe for a terminal: no control character reaches it."""

from __future__ import annotations

import unicodedata

#: A blank of any width is kept, though Python does not call it printable.
_SPACE = "Zs"


def make_printable(text: str) -> str:
    r"""The text with each character that a terminal could obey written as an escape, such as ``\x1b``.

    These are control characters, and those that turn the direction of writing. Line breaks and tabs are escaped, too.
    """
    return "".join(one if one.isprintable() or unicodedata.category(one) == _SPACE else _escape(one) for one in text)


def make_lines_printable(text: str) -> str:
    """The same, but line breaks stay, and a tab becomes two blanks."""
    return "\n".join(make_printable(line.replace("\t", "  ")) for line in text.split("\n"))


def _escape(character: str) -> str:
    return ascii(character)[1:-1]
