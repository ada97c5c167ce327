"""HTML whose text is escaped by default, and that shows characters which would hide or reorder other text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

#: Longer texts are cut on the page. The other files of an answer have them whole.
LONGEST = 10_000

#: Control characters except tab and line feed, marks that reorder text, surrogates, and noncharacters.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef"
    "\ufeff\ufff9-\ufffb\ufffe\uffff]|[\U0001fffe\U0001ffff\U000e0000-\U000e007f\U0010fffe\U0010ffff]"
)


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def show_text(value: object) -> Html:
    """Any value as escaped text. An invisible character is shown as ``⟨U+202E⟩``; long text is cut."""
    text = str(value).replace("\r\n", "\n")
    cut = f" … (cut: {len(text):,} characters in all)" if len(text) > LONGEST else ""
    return Html(escape(_UNSAFE.sub(_name_character, text[:LONGEST])) + cut)


def element(name: str, *children: str, **attributes: str) -> Html:
    """An element. Children that are not ``Html`` are escaped, and so are attributes. ``class_`` means class."""
    given = "".join(f' {key.rstrip("_")}="{show_text(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{given}>{join_html(children)}</{name}>")


def join_html(parts: Iterable[str]) -> Html:
    """Parts one after the other; those that are not ``Html`` are escaped."""
    return Html("".join(part if isinstance(part, Html) else show_text(part) for part in parts))


def isolate(value: object) -> Html:
    """A value from outside, whose direction of writing does not affect the text around it."""
    return Html(f"<bdi>{show_text(value)}</bdi>")


def _name_character(found: re.Match[str]) -> str:
    return f"⟨U+{ord(found.group()):04X}⟩"
