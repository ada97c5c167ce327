"""Changes of XML bodies, as ``mutations`` chooses them."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

from lxml import etree

Element = Any  # lxml's elements carry no useful static type

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_MARK = "MUTATION"


def change(body: bytes, random: Random) -> tuple[str, str, bytes] | None:
    """Change one element; the change's name, the element's path and the new document. None if it cannot be parsed."""
    try:
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        return None
    elements = list(root.iter("*"))
    depths = {element: sum(1 for _ in element.iterancestors()) for element in elements}
    depth = random.choice(sorted(set(depths.values())))
    element = random.choice([one for one in elements if depths[one] == depth])
    where = _find_path(element)
    for _ in range(30):
        name = random.choice(sorted(_CHANGES))
        found = _CHANGES[name](element, random)
        if found is not None:
            break
    else:
        return None
    return name, where, found or _write_document(root)


def _find_root(element: Element) -> Element:
    while element.getparent() is not None:
        element = element.getparent()
    return element


def _find_path(element: Element) -> str:
    names = [etree.QName(one).localname for one in (*reversed(list(element.iterancestors())), element)]
    return "/" + "/".join(names)


def _rename_to(element: Element, name: str) -> None:
    space = etree.QName(element).namespace
    element.tag = f"{{{space}}}{name}" if space else name


# Each gives b"" when the tree was changed, other bytes for a whole document, None when it cannot be done.


def _drop(element: Element, _: Random) -> bytes | None:
    parent = element.getparent()
    if parent is None:
        return None
    parent.remove(element)
    return _write_document(parent)


def _write_document(element: Element) -> bytes:
    return etree.tostring(_find_root(element), encoding="UTF-8", xml_declaration=True)


def _rename(element: Element, random: Random) -> bytes:
    name = etree.QName(element).localname
    _rename_to(element, random.choice([f"{name}s", f"{name}_", f"new{name}", name[:-1] or "a", f"{name}Value"]))
    return b""


def _change_case(element: Element, random: Random) -> bytes | None:
    name = etree.QName(element).localname
    others = sorted({name.lower(), name.upper(), name.swapcase(), name[:1].swapcase() + name[1:]} - {name})
    if not others:
        return None
    _rename_to(element, random.choice(others))
    return b""


def _nest(element: Element, random: Random) -> bytes:
    wrapper = element.makeelement(
        random.choice(["data", "result", "items", etree.QName(element).localname, "Envelope"])
    )
    if etree.QName(element).namespace and random.random() < 0.5:
        _rename_to(wrapper, f"{wrapper.tag}")
        wrapper.tag = f"{{{etree.QName(element).namespace}}}{wrapper.tag}"
    parent = element.getparent()
    if parent is not None:
        parent.replace(element, wrapper)
    wrapper.append(element)
    return _write_document(wrapper)


def _unwrap(element: Element, _: Random) -> bytes | None:
    """Put the children in the element's place."""
    parent, children = element.getparent(), list(element)
    if not children:
        return None
    if parent is None:
        return etree.tostring(children[0], encoding="UTF-8", xml_declaration=True)
    at = parent.index(element)
    parent.remove(element)
    for n, child in enumerate(children):
        parent.insert(at + n, child)
    return _write_document(parent)


def _set_nil(element: Element, random: Random) -> bytes:
    value = random.choice(["true", "1", "false"])
    if value != "false" and random.random() < 0.5:
        element.clear()
    element.set(_NIL, value)
    return b""


def _make_empty(element: Element, _: Random) -> bytes:
    element.clear()
    return b""


def _drop_children(element: Element, _: Random) -> bytes | None:
    if not len(element):
        return None
    for child in list(element):
        element.remove(child)
    return b""


def _change_namespace(element: Element, random: Random) -> bytes:
    element.tag = random.choice(["{urn:other}", ""]) + etree.QName(element).localname
    return b""


def _add_attribute(element: Element, random: Random) -> bytes:
    element.set(
        *random.choice([("new", "1"), ("count", "0"), ("error", "true"), ("code", "500"), ("{urn:other}a", "1")])
    )
    return b""


def _repeat(element: Element, _: Random) -> bytes | None:
    parent = element.getparent()
    if parent is None:
        return None
    copy = deepcopy(element)
    copy.tail = None
    element.addnext(copy)
    return b""


def _add_error(element: Element, random: Random) -> bytes:
    fault = etree.fromstring(
        "<errorResponse><code>1</code><message>An unexpected error occurred.</message></errorResponse>"
    )
    fault.tag = random.choice(["errorResponse", "error", "Error", "Fault", "exception"])
    element.insert(random.choice([0, len(element)]), fault)
    return b""


def _replace_by_error(element: Element, random: Random) -> bytes:
    element.clear()
    for name, text in (("code", "1"), ("message", "An unexpected error occurred.")):
        part = element.makeelement(name)
        part.text = text
        element.append(part)
    _rename_to(element, random.choice(["errorResponse", "Error", "Fault"]))
    return b""


def _add_unknown(element: Element, random: Random) -> bytes:
    element.insert(random.choice([0, len(element)]), element.makeelement("aNewField"))
    return b""


def _add_text(element: Element, random: Random) -> bytes:
    element.text = random.choice(["", "x", " ", "\n  "]) + (element.text or "")
    return b""


def _change_type(element: Element, random: Random) -> bytes | None:
    if len(element) or not (element.text or "").strip():
        return None
    text = element.text.strip()
    if text.isdecimal():
        number = int(text)
        element.text = random.choice(
            [f"{number}.0", f"{number:,}", f"{number:.15e}", f" {number} ", f"+{number}", "many"]
        )
    else:
        element.text = random.choice([f" {text} ", "0", "true", text.upper(), "null"])
    return b""


def _write_oddly(element: Element, random: Random) -> bytes:
    """Text that is not well-formed, or spelled in a way that few use."""
    kept, element.text = element.text or "", _MARK
    odd = random.choice(
        ["&nbsp;", "&", "&eacute;", "\x00", "\x0b", "&#0;", "&#xD83D;&#xDE00;", "<![CDATA[ ]]>", "<!-- -->"]
    )
    from xml.sax.saxutils import escape

    return _write_document(element).replace(_MARK.encode(), (odd + escape(kept)).encode("utf-8", "surrogatepass"))


_CHANGES: dict[str, Callable[[Element, Random], bytes | None]] = {
    "drop": _drop,
    "rename": _rename,
    "recase": _change_case,
    "nest": _nest,
    "unwrap": _unwrap,
    "nil": _set_nil,
    "empty": _make_empty,
    "children gone": _drop_children,
    "namespace": _change_namespace,
    "attribute": _add_attribute,
    "twice": _repeat,
    "error beside": _add_error,
    "error instead": _replace_by_error,
    "unknown beside": _add_unknown,
    "text beside": _add_text,
    "retype": _change_type,
    "written oddly": _write_oddly,
}
