"""Read XML safely, shared by the vendors with XML responses.

A document with a DTD is refused before parsing, so there are no entities and no network access. libxml2's own limits
stay on (256 levels, 10 MB for a text), and the size of a document is limited here. A document that cannot be read
raises ``BadResponse``, within milliseconds.

::

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

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any, Generic, TypeVar

from lxml import etree

from airflow_provider_interactions.errors import BadResponse
from airflow_provider_interactions.vendors.shared import xml_repair, xml_source

T = TypeVar("T")
Element = Any  # lxml's elements carry no useful static type

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

_BEYOND_LIMITS = 114  # libxml2's XML_ERR_RESOURCE_LIMIT


@dataclass(frozen=True, slots=True)
class Split(Generic[T]):
    """A split document: each record's bytes, what was read from it, and the root without the records.

    ``has_text`` says whether there is text in the root, before, between or after the records.
    """

    records: list[bytes]
    values: list[T]
    rest: Element
    has_text: bool = False


def parse(body: bytes, what: str, charset: str | None = None) -> Element:
    """The root element of a document; raises BadResponse that says ``what`` could not be read.

    ``charset`` is what the Content-Type header says. It counts only if the document itself names no encoding.
    """
    source = xml_source.read_source(body, what, charset)
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
    source = xml_source.read_source(body, what, charset)
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


def says_nil(element: Element) -> bool:
    """Whether an element says xsi:nil, whatever is in it."""
    return element.get(NIL, "") in ("true", "1")


def is_nil(element: Element) -> bool:
    """Whether an element says xsi:nil, and has no content that contradicts it."""
    return says_nil(element) and not len(element) and not (element.text or "").strip()


def read_text(element: Element | None) -> str | None:
    """An element's own text; None if the element is absent, nil or empty."""
    return None if element is None or is_nil(element) else element.text or None


def find_child(element: Element, name: str) -> Element | None:
    """The first child with this local name, whatever its namespace."""
    return next(element.iterchildren(f"{{*}}{name}"), None)


def to_plain(element: Element, levels: int = MAX_LEVELS) -> Any:
    """An element as plain values, by local names.

    Text becomes str; nil and empty elements become None. Children become a dict, with a list for those of one name.
    Attributes without a namespace become keys of the dict, and the text next to them or to children the key ``content``
    (as converters from XML to JSON do). Raises BadResponse for more levels than MAX_LEVELS, or more attributes than
    MAX_ATTRIBUTES.
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
    if text := _join_text(element):
        if "content" in found:
            _add_another(found, "content", text)
        else:
            found["content"] = text
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
    done, has_text = None, False
    for _, element in events:
        parent = element.getparent()
        if parent is None or parent.getparent() is not None:
            continue  # the same name deeper down belongs to its record
        records.append(etree.tostring(element, encoding="utf-8", with_tail=False))
        values.append(read(element))
        element.clear(keep_tail=True)
        # The parser may still be writing behind this element, so only the one before can leave the tree.
        if done is not None:
            has_text = has_text or bool((done.tail or "").strip())
            parent.remove(done)
        done = element
    if done is not None:
        has_text = has_text or bool((done.tail or "").strip())
        events.root.remove(done)
    return Split(records, values, events.root, has_text or bool(_join_text(events.root).strip()))


def _join_text(element: Element) -> str:
    """The text in an element itself; empty if that is only the blanks between its children."""
    text = "".join((element.text or "", *(sub.tail or "" for sub in element)))
    return "" if len(element) and not text.strip() else text


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
    return Split([record for record, _ in found], [value for _, value in found], outline.rest, outline.has_text)


def _read_single(pieces: xml_repair.Pieces, record: bytes, name: str, read: Callable[[Element], T]) -> tuple[bytes, T]:
    try:
        one = _split(xml_repair.mend(pieces.build_document(record)), name, read)
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
