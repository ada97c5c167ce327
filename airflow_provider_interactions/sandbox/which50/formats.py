"""Which50's two formats: JSON, and XML as .NET's DataContractSerializer writes it.

Source: the samples of the help pages (app.which50.com/Which50API/documentation, read 2026-11); how null and an empty
list look is an inference from .NET's habits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import msgspec
from aiohttp import web

from airflow_provider_interactions.sandbox.which50.times import Moment

_CONTRACT = "http://schemas.datacontract.org/2004/07"
#: namespaces as the vendor's samples have them
DTO = f"{_CONTRACT}/W50API.Models.DTO"
SERIALIZATION = "http://schemas.microsoft.com/2003/10/Serialization/Arrays"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"


def wants_xml(request: web.Request) -> bool:
    """Whether the request asks for XML; everything else is answered with JSON."""
    return request.headers.get("Accept", "").endswith("/xml")


def reply(request: web.Request, as_json: bytes, as_xml: bytes, status: int = 200) -> web.Response:
    """The body in the format the request asks for."""
    xml = wants_xml(request)
    kind = "application/xml" if xml else "application/json"
    headers = {"Content-Type": f"{kind}; charset=utf-8", "Cache-Control": "no-cache"}
    return web.Response(body=as_xml if xml else as_json, status=status, headers=headers)


def encode_json(records: Iterable[Mapping[str, Any]]) -> bytes:
    """Interactions as a bare list; members in the order of the page."""
    return msgspec.json.encode([{name: _to_plain(value) for name, value in record.items()} for record in records])


def _to_plain(value: Any) -> Any:
    return value.format_local() if isinstance(value, Moment) else value


def encode_xml(records: Iterable[Mapping[str, Any]]) -> bytes:
    """Interactions as ArrayOfContactInteraction; members in the order of the alphabet."""
    written = ("".join(write_member(name, record[name]) for name in sorted(record)) for record in records)
    inner = "".join(f"<ContactInteraction>{members}</ContactInteraction>" for members in written)
    return write_collection("ArrayOfContactInteraction", f"{DTO}.Contacts", inner)


def write_collection(name: str, namespace: str, inner: str) -> bytes:
    """A root element with the two declarations every sample has; no XML declaration, as Web API leaves it out."""
    head = f'<{name} xmlns:i="{_INSTANCE}" xmlns="{namespace}"'
    return (f"{head}>{inner}</{name}>" if inner else f"{head} />").encode()


def write_member(name: str, value: Any, declared: str = "") -> str:
    """One member: nil, a DateTimeOffset, or text; ``declared`` goes into the start tag."""
    if value is None:
        return f'<{name}{declared} i:nil="true" />'
    if isinstance(value, Moment):
        # DateTime is in UTC already; OffsetMinutes only says how to show it.
        return (
            f'<{name} xmlns:d3p1="{_CONTRACT}/System"><d3p1:DateTime>{value.format_utc()}</d3p1:DateTime>'
            f"<d3p1:OffsetMinutes>{value.offset_minutes}</d3p1:OffsetMinutes></{name}>"
        )
    text = str(value).lower() if isinstance(value, bool) else escape(str(value), quote=False)
    return f"<{name}{declared}>{text}</{name}>"
