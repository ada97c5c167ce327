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
_CONTACTS = f"{DTO}.Contacts"
SERIALIZATION = "http://schemas.microsoft.com/2003/10/Serialization/Arrays"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_OFFERED = ("application/json", "text/json", "application/csp-report", "application/xml", "text/xml")
_WILD = {"*/*": "application/json", "application/*": "application/json", "text/*": "text/json"}


def negotiated(accept: str) -> str:
    """The media type to answer with: the best offered one, JSON if none is (Web API's default negotiator)."""
    asked = sorted(map(_weighed, accept.split(",")), key=lambda pair: -pair[1])
    kinds = (_WILD.get(kind, kind) for kind, weight in asked if weight > 0)
    return next((kind for kind in kinds if kind in _OFFERED), "application/json")


def _weighed(part: str) -> tuple[str, float]:
    kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return kind, float(parameter[2:])
            except ValueError:
                return kind, 0.0
    return kind, 1.0


def is_xml(media: str) -> bool:
    """Tell whether a media type of `negotiated` is XML."""
    return media.endswith("/xml")


def reply(
    request: web.Request, as_json: bytes, as_xml: bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """The body in the format the request asks for."""
    media = negotiated(request.headers.get("Accept", "*/*"))
    head = {"Content-Type": f"{media}; charset=utf-8", "Cache-Control": "no-cache", **(headers or {})}
    return web.Response(body=as_xml if is_xml(media) else as_json, status=status, headers=head)


def interactions_json(records: Iterable[Mapping[str, Any]]) -> bytes:
    """A bare list; members in the order of the page."""
    return msgspec.json.encode([{name: _plain(value) for name, value in record.items()} for record in records])


def _plain(value: Any) -> Any:
    return value.offset_form() if isinstance(value, Moment) else value


def interactions_xml(records: Iterable[Mapping[str, Any]]) -> bytes:
    """ArrayOfContactInteraction; members in the order of the alphabet."""
    written = ("".join(member(name, record[name]) for name in sorted(record)) for record in records)
    inner = "".join(f"<ContactInteraction>{members}</ContactInteraction>" for members in written)
    return collection("ArrayOfContactInteraction", _CONTACTS, inner)


def collection(name: str, namespace: str, inner: str) -> bytes:
    """A root element with the two declarations every sample has; no XML declaration, as Web API leaves it out."""
    head = f'<{name} xmlns:i="{_INSTANCE}" xmlns="{namespace}"'
    return (f"{head}>{inner}</{name}>" if inner else f"{head} />").encode()


def member(name: str, value: Any, declared: str = "") -> str:
    """One member: nil, a DateTimeOffset, or text; ``declared`` goes into the start tag."""
    if value is None:
        return f'<{name}{declared} i:nil="true" />'
    if isinstance(value, Moment):
        return _moment(name, value)
    text = str(value).lower() if isinstance(value, bool) else escape(str(value), quote=False)
    return f"<{name}{declared}>{text}</{name}>"


def _moment(name: str, value: Moment) -> str:
    # DateTime is in UTC already; OffsetMinutes only says how to show it.
    return (
        f'<{name} xmlns:d3p1="{_CONTRACT}/System"><d3p1:DateTime>{value.utc_form()}</d3p1:DateTime>'
        f"<d3p1:OffsetMinutes>{value.offset_minutes}</d3p1:OffsetMinutes></{name}>"
    )
