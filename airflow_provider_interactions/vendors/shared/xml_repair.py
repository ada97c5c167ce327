"""Repair XML that is not well-formed, if its meaning is certain. A record that cannot be repaired keeps its bytes.

It is used only for a document that the parser has refused. A document that was cut off is still refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.entities import name2codepoint

_PREDEFINED = frozenset({"amp", "lt", "gt", "quot", "apos"})
_REPLACEMENT = "\ufffd".encode()

# XML 1.0, production [2] Char: what must not occur, as UTF-8 bytes and as character references.
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xed[\xa0-\xbf][\x80-\xbf]|\xef\xbf[\xbe\xbf]")
_MARKUP = re.compile(
    rb"(<!\[CDATA\[.*?\]\]>)"  # 1: text in which nothing is an entity
    rb"|(&#(?:[xX][dD][89abAB][0-9A-Fa-f]{2}|5[56][0-9]{3});&#(?:[xX][0-9A-Fa-f]{4}|[0-9]{5});)"  # 2: two halves
    rb"|(&#(?:[xX][0-9A-Fa-f]{1,8}|[0-9]{1,9});)"  # 3: a character
    rb"|&([A-Za-z][A-Za-z0-9]{1,31});"  # 4: an entity
    rb"|(&)",  # 5: a bare ampersand
    re.DOTALL,
)
_ROOT = re.compile(rb"<(?![?!])[^>]{1,4096}>")


@dataclass(frozen=True, slots=True)
class Pieces:
    """A document without its records: ``skeleton`` has an empty element in the place of each."""

    skeleton: bytes
    records: tuple[bytes, ...]
    opening: bytes

    def build_document(self, record: bytes) -> bytes:
        """One record as a complete document, with the namespaces of the root."""
        name = re.match(rb"<([^\s/>]+)", self.opening)
        return b"%s%s</%s>" % (self.opening, record, name[1]) if name else record


def mend(body: bytes) -> bytes:
    """The same document, with HTML's named entities, bare ampersands and split surrogate pairs written as XML allows.

    Characters that XML forbids become U+FFFD, so that one bad subject does not make a page unreadable. Undefined
    entities stay, so such a document stays unreadable.
    """
    clean = _FORBIDDEN.sub(_REPLACEMENT, body)
    return _MARKUP.sub(_mend_markup, clean) if b"&" in clean else clean


def take_apart(body: bytes, name: str) -> Pieces | None:
    """Find a document's records by their tags; None if they are nested, or if there are none."""
    word = re.escape(name.encode())
    tags = re.compile(rb"<(?:[\w.-]{1,100}:)?%s(?=[\s/>])[^<>]*?(/?)>|</(?:[\w.-]{1,100}:)?%s\s*>" % (word, word))
    spans = list(_find_spans(tags, body))
    opening = _ROOT.search(body)
    if not spans or None in spans or opening is None or opening.end() > spans[0][0]:  # type: ignore[index]
        return None
    found = [span for span in spans if span is not None]
    ends = [0, *(end for _, end in found)]
    starts = [*(start for start, _ in found), len(body)]
    empty = b"<%s/>" % name.encode()
    skeleton = empty.join(body[end:start] for end, start in zip(ends, starts, strict=True))
    return Pieces(skeleton, tuple(body[start:end] for start, end in found), opening[0])


def _find_spans(tags: re.Pattern[bytes], body: bytes) -> Iterator[tuple[int, int] | None]:
    """Where each record begins and ends; None for a tag without a partner."""
    start = None
    for tag in tags.finditer(body):
        closes, empty = tag[0].startswith(b"</"), bool(tag[1])
        if closes == (start is None):
            yield None
            return
        if empty:
            yield tag.span()
        elif closes:
            yield start or 0, tag.end()
            start = None
        else:
            start = tag.start()
    if start is not None:
        yield None


def _mend_markup(found: re.Match[bytes]) -> bytes:
    if found[1]:
        return found[0]
    if found[2]:
        return _join_pair(found[2]) or b"".join(_write_character(one) for one in re.findall(rb"&[^;]+;", found[2]))
    if found[3]:
        return _write_character(found[3])
    return _write_entity(found[4].decode()) if found[4] else b"&amp;"


def _join_pair(references: bytes) -> bytes | None:
    """Join two references to the halves of one character."""
    high, low = (_read_code(one) for one in re.findall(rb"&[^;]+;", references))
    if not (0xD800 <= high < 0xDC00 <= low < 0xE000):
        return None
    return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)).encode()


def _read_code(reference: bytes) -> int:
    text = reference[2:-1].decode()
    return int(text[1:], 16) if text[0] in "xX" else int(text)


def _write_character(reference: bytes) -> bytes:
    code = _read_code(reference)
    allowed = code in (9, 10, 13) or 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or 0x10000 <= code < 0x110000
    return b"&#%d;" % code if allowed else _REPLACEMENT


def _write_entity(name: str) -> bytes:
    if name in _PREDEFINED or name not in name2codepoint:
        return f"&{name};".encode()
    return chr(name2codepoint[name]).encode()
