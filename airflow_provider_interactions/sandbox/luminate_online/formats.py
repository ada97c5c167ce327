"""Bodies in XML, and in JSON as its mechanical conversion.

Sources: the samples of getUserInteractions (open.convio.com/api/apidoc), the README of the vendor's own
github.com/convio/luminateExtend, and for empty elements a client's code (github.com/drpruitt/aha-luminate), read
2026-11.

A tree is a dict of children by name: text, None (nil), "" (empty), a tree, or a list of those (a repeated element).
"""

from __future__ import annotations

import json
from html import escape
from typing import Any, Literal

Form = Literal["xml", "json"]

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<{root} xsi:schemaLocation="http://convio.com/crm/v1.0 '
    'http://service.convio.net/xmlschema/crm.public.v1.xsd" xmlns="http://convio.com/crm/v1.0" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)
#: how JSON writes that nothing was found; the exact form is unpublished
_NOTHING = (b"{}", b'""', b"null")


def encode_element(form: Form, name: str, value: Any, *, ascii_only: bool = False) -> bytes:
    """One element: in XML with its tags, in JSON its value alone."""
    if form == "xml":
        return _write_xml(name, value).encode()
    return json.dumps(_to_json(value), ensure_ascii=ascii_only, separators=(",", ":")).encode()


def repeat_element(form: Form, name: str, elements: list[bytes]) -> bytes:
    """The inside of a root that repeats one element: in JSON a list of several, but one by itself."""
    if form == "xml" or not elements:
        return b"".join(elements)
    value = elements[0] if len(elements) == 1 else b"[%s]" % b",".join(elements)
    return b'{"%s":%s}' % (name.encode(), value)


def encode_tree(form: Form, root: str, value: dict[str, Any]) -> bytes:
    """A whole body of a tree."""
    inner = "".join(_write_xml(name, child) for name, child in value.items()).encode()
    return encode_document(form, root, inner if form == "xml" else encode_element(form, root, value))


def encode_document(form: Form, root: str, inner: bytes, empty: int = 0) -> bytes:
    """A whole body; ``empty`` chooses how it is written when nothing is inside."""
    if form == "json":
        return b'{"%s":%s}' % (root.encode(), inner or _NOTHING[empty % len(_NOTHING)])
    end = b"/>" if not inner and empty % 2 else b">%s</%s>" % (inner, root.encode())
    return _HEAD.format(root=root).encode() + end


def _write_xml(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(_write_xml(name, item) for item in value)
    if value is None:
        return f'<{name} xsi:nil="true"/>'
    inner = (
        "".join(_write_xml(*child) for child in value.items())
        if isinstance(value, dict)
        else escape(value, quote=False)
    )
    return f"<{name}>{inner}</{name}>" if inner else f"<{name}/>"


def _to_json(value: Any) -> Any:
    if isinstance(value, list):
        return _to_json(value[0]) if len(value) == 1 else [_to_json(item) for item in value]
    if isinstance(value, dict):
        # A list of none is an element that does not occur, and so no key.
        return {name: _to_json(child) for name, child in value.items() if child != []}
    return {} if value == "" else value
