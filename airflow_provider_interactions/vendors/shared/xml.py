"""Read XML safely, shared by the vendors with XML responses.

A document with a DTD is refused before parsing, so there are no entities and no network access. libxml2's own limits
stay on (256 levels, 10 MB for a text), and the size of a document is limited here. A document that cannot be read
raises ``BadResponse``, within milliseconds.

::

    xml.find_root(body)                         "getUserInteractionsResponse", "html", … or "", without parsing
    xml.parse(body, what)                       a small document as an element
    xml.parse_many(records)                     many records, at the cost of one document
    xml.split(body, "interaction", what, read)  a large one: each record's bytes, and what ``read`` makes of it
    xml.to_plain(element)                       an element as plain values: text, None, dict, list
    xml.read_name / is_nil / read_text / find_child   an element's name, xsi:nil, own text, child by local name

A record's bytes are not always those that the vendor sent. They are libxml2's serialisation in UTF-8, with the
namespaces that the record needs to be read by itself. Quotes of attributes and the spelling of character references can
differ. A document that is not well-formed is repaired if its meaning is certain (``xml_repair``, ``xml_text``). A
record that stays unreadable keeps the bytes that were sent, and ``normalize`` rejects it; the others are not affected.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any, Generic, TypeVar

from lxml import etree

from airflow_provider_interactions.errors import BadResponse
from airflow_provider_interactions.vendors.shared import xml_repair, xml_text

T = TypeVar("T")
Element = Any  # lxml's elements carry no useful static type

#: Bytes of one document. The largest history seen in practice is far below; more is a fault or an attack.
MAX_BYTES = 128 * 1024 * 1024

#: What ``plain`` follows below a record. No documented record comes near; lxml looks attributes up one by one.
MAX_LEVELS, MAX_ATTRIBUTES = 16, 64

#: Records that are parsed together.
AT_ONCE = 512

NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"

# Never "recover": it would accept a document that was cut off as complete.
_SAFE: dict[str, Any] = {
    "resolve_entities": False,
    "load_dtd": False,
    "no_network": True,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}

_PARSER = etree.XMLParser(**_SAFE)  # it locks itself, so threads can share it

_DECLARED = re.compile(rb"""\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_DECLARATION = re.compile(r"\s*<\?xml\s[^>]{0,200}\?>")
_DECLARED_AT_ALL = re.compile(rb"(?:\xef\xbb\xbf)?\s*<\?xml\s[^>]{0,200}\?>")
_NAME = re.compile(rb"<(?:[\w.-]{1,100}:)?([\w.-]{1,100})")
_SPACE = re.compile(rb"\s*")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_ENCODINGS = frozenset({"utf-8", "utf-16", "ascii", "iso8859-1", "cp1252"})

_BEYOND_LIMITS = 114  # libxml2's XML_ERR_RESOURCE_LIMIT


@dataclass(frozen=True, slots=True)
class Split(Generic[T]):
    """A split document: each record's bytes, what was read from it, and the root without the records."""

    records: list[bytes]
    values: list[T]
    rest: Element


def find_root(body: bytes) -> str:
    """The local name of a document's root from its first bytes; ``!DOCTYPE`` if it has a DTD; else empty.

    It never raises and parses nothing, so it is cheap enough for every response.
    """
    start = _skip_prolog(body)
    if body[start : start + 9].upper() == b"<!DOCTYPE":
        return "!DOCTYPE"
    name = _NAME.match(body, start)
    return name[1].decode() if name else ""


def parse(body: bytes, what: str, charset: str | None = None) -> Element:
    """The root element of a document; raises BadResponse that says ``what`` could not be read.

    ``charset`` is what the Content-Type header says. It counts only if the document itself names no encoding.
    """
    source = _check(body, what, charset)
    return _parse_tolerantly(lambda clean: etree.fromstring(clean, _PARSER), source, what)


def parse_many(records: Sequence[bytes]) -> Iterator[Element | None]:
    """The root elements of many records that ``split`` returned; None for each that cannot be read."""
    for start in range(0, len(records), AT_ONCE):
        some = records[start : start + AT_ONCE]
        yield from _parse_together(some) or map(_parse_or_none, some)


def split(body: bytes, name: str, what: str, read: Callable[[Element], T], charset: str | None = None) -> Split[T]:
    """Take out the root's children of this local name one by one, so that memory holds one tree at a time.

    ``read`` is called with each element, which is emptied afterwards; for a record that cannot be read, with an empty
    element. Raises BadResponse like ``parse``.
    """
    source = _check(body, what, charset)
    try:
        return _parse_tolerantly(lambda clean: _split(clean, name, read), source, what)
    except BadResponse:
        found = _salvage(source, name, read)
        if found is None:
            raise
        return found


def read_name(element: Element) -> str:
    """An element's name without its namespace."""
    return read_local_name(str(element.tag))


@lru_cache(maxsize=1024)
def read_local_name(tag: str) -> str:
    """A tag without its namespace. Few tags come very often."""
    return tag.rpartition("}")[2]


def is_nil(element: Element) -> bool:
    """Whether an element says xsi:nil."""
    return element.get(NIL, "") in ("true", "1")


def read_text(element: Element | None) -> str | None:
    """An element's own text; None if there is no element, or if it is nil or empty."""
    return None if element is None or is_nil(element) else element.text or None


def find_child(element: Element, name: str) -> Element | None:
    """The first child with this local name, whatever its namespace."""
    return next(element.iterchildren(f"{{*}}{name}"), None)


def to_plain(element: Element, levels: int = MAX_LEVELS) -> Any:
    """An element as plain values, by local names.

    Text becomes str; nil and empty elements become None. Children become a dict, with a list for those of one name.
    Attributes without a namespace become keys of the dict, and the text next to them the key ``content`` (as converters
    from XML to JSON do). Raises BadResponse for more levels or attributes than MAX_LEVELS and MAX_ATTRIBUTES.
    """
    keys = element.keys()
    if levels == 0 or len(keys) > MAX_ATTRIBUTES:
        msg = f"an XML record is nested deeper than {MAX_LEVELS} levels, or has more than {MAX_ATTRIBUTES} attributes"
        raise BadResponse(msg)
    if NIL in keys and is_nil(element):
        return None
    found: dict[str, Any] = {key: element.get(key) for key in keys if key[0] != "{"}
    for sub in element:
        bare = not len(sub) and not sub.keys()  # nearly all: a call for each would double the time
        name, value = read_local_name(sub.tag), (sub.text or None) if bare else to_plain(sub, levels - 1)
        if name in found:
            _add_another(found, name, value)
        else:
            found[name] = value
    if not found:
        return element.text or None
    if not len(element) and element.text:
        found["content"] = element.text
    return found


def _parse_together(records: Sequence[bytes]) -> Sequence[Element]:
    """Parse records as the children of one document; nothing if a record is not exactly one element."""
    try:
        root: Element = etree.fromstring(b"<r>%s<_/></r>" % b"<_/>".join(records), _PARSER)
    except etree.XMLSyntaxError:
        return ()
    between = [(root.text or ""), *(element.tail or "" for element in root)]
    if "".join(between).strip() or [one.tag for one in root[1::2]] != ["_"] * len(records):
        return ()
    return list(root[::2])


def _parse_or_none(record: bytes) -> Element | None:
    try:
        return parse(record, "the record")
    except BadResponse:
        return None


def _add_another(found: dict[str, Any], name: str, value: Any) -> None:
    if isinstance(found[name], list):
        found[name].append(value)
    else:
        found[name] = [found[name], value]


def _split(body: bytes, name: str, read: Callable[[Element], T]) -> Split[T]:
    records: list[bytes] = []
    values: list[T] = []
    events = etree.iterparse(BytesIO(body), events=("end",), tag=f"{{*}}{name}", **_SAFE)
    done = None
    for _, element in events:
        parent = element.getparent()
        if parent is None or parent.getparent() is not None:
            continue  # the same name deeper down belongs to its record
        records.append(etree.tostring(element, encoding="utf-8", with_tail=False))
        values.append(read(element))
        element.clear(keep_tail=True)
        # The parser may still be writing behind this element, so only the one before can leave the tree.
        if done is not None:
            parent.remove(done)
        done = element
    if done is not None:
        events.root.remove(done)
    return Split(records, values, events.root)


def _salvage(body: bytes, name: str, read: Callable[[Element], T]) -> Split[T] | None:
    """Split a document with unreadable records; None if more than the records is wrong."""
    pieces = xml_repair.take_apart(body, name)
    if pieces is None:
        return None
    try:
        outline = _split(xml_repair.mend(pieces.skeleton), name, lambda _: None)
    except etree.XMLSyntaxError:
        return None
    if len(outline.records) != len(pieces.records):
        return None  # some lie deeper than below the root
    found = [_read_single(pieces, record, name, read) for record in pieces.records]
    return Split([record for record, _ in found], [value for _, value in found], outline.rest)


def _read_single(pieces: xml_repair.Pieces, record: bytes, name: str, read: Callable[[Element], T]) -> tuple[bytes, T]:
    try:
        one = _split(xml_repair.mend(pieces.alone(record)), name, read)
    except etree.XMLSyntaxError:
        return record, read(etree.Element(name))
    return one.records[0], one.values[0]


def _parse_tolerantly(read: Callable[[bytes], T], body: bytes, what: str) -> T:
    try:
        return read(body)
    except etree.XMLSyntaxError as wrong:
        # Do not search a document beyond the limits for bad characters: that would only take longer.
        mended = body if getattr(wrong, "code", None) == _BEYOND_LIMITS else xml_repair.mend(body)
    if mended == body:
        raise BadResponse(_describe_fault(what)) from None
    try:
        return read(mended)
    except etree.XMLSyntaxError:
        raise BadResponse(_describe_fault(what)) from None


def _describe_fault(what: str) -> str:
    # The parser's own message can quote the document, so it is left out.
    return f"{what} is not well-formed XML, or larger or deeper than is allowed"


def _check(body: bytes, what: str, charset: str | None) -> bytes:
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
