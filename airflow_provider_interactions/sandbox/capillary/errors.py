"""Capillary's replies and errors: headers, and the two families of bodies.

Sources: the older v1.1 and v2 documentation (capillary.github.io, read 2026-11). Which codes these two paths answer
with is an inference: most are listed for other resources.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4
from xml.sax.saxutils import escape

from aiohttp import web

from airflow_provider_interactions.sandbox.capillary.bodies import encode
from airflow_provider_interactions.sandbox.vendor import ErrorSpec
from airflow_provider_interactions.sandbox.wire_faults import gateway_page

#: 429 has no published body; 461 and 521 are of the vendor's table of codes
THROTTLES = {
    "requests": ErrorSpec(429, "429", "Too many requests."),
    "concurrency": ErrorSpec(429, "429", "Too many requests at once."),
    "search": ErrorSpec(461, "461", "The search engine is busy."),
    "customer": ErrorSpec(521, "521", "Other actions are running for this customer."),
}


def reply(
    request: web.Request, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """JSON, or XML where v1.1 is not asked for JSON, under a request id."""
    xml = "/v1.1/" in request.path and request.query.get("format", "xml").lower() != "json"
    return web.Response(
        body=_xml(body) if xml else body,
        status=status,
        content_type="application/xml" if xml else "application/json",
        charset="utf-8",
        headers={"X-Cap-Requestid": uuid4().hex, **(headers or {})},
    )


def refuse_request(request: web.Request, code: int, message: str, status: int = 200) -> web.Response:
    """A v1.1 request that failed as a whole, by default told in the body alone."""
    told = {"success": "false", "code": code, "message": message}
    return reply(request, encode({"response": {"status": told}}), status)


def refuse_item(request: web.Request, customer: Mapping[str, Any], code: int, message: str) -> web.Response:
    """A v1.1 request whose only customer failed: HTTP 200, status 500, and the cause in ``item_status``."""
    item = {"success": "false", "code": str(code), "message": message}
    told = {"success": "false", "code": 500, "message": "All requests have failed due to errors"}
    body = {"response": {"status": told, "customer": {**customer, "item_status": item}}}
    return reply(request, encode(body))


def refuse_v2(request: web.Request, code: int, message: str, status: int, drawn: int = 0) -> web.Response:
    """A v2 error; the order and the number of members vary."""
    errors = (
        [{"status": False, "code": code, "message": message}],
        [{"code": code, "message": message, "status": False}],
    )[drawn % 2]
    bodies: tuple[dict[str, Any], ...] = (
        {"errors": errors},
        {"warnings": [], "errors": errors},
        {"pagination": {"limit": 0, "offset": 0, "total": 0}, "data": [], "warnings": [], "errors": errors},
    )
    return reply(request, encode(bodies[drawn % 3]), status)


def tokenless(request: web.Request, code: int, message: str, status: int) -> web.Response:
    """A refused token request; no page shows one, so its body and status are an inference."""
    told = {"status": False, "code": code, "message": message}
    return reply(request, encode({"data": None, "errors": [told]}), status)


def error(request: web.Request, spec: ErrorSpec) -> web.Response:
    """An error in the words of the path asked.

    Variants: plain, body (HTTP 200), bare (no Retry-After), item (v1.1: in ``item_status``), flat (v1.1: without the
    level ``status``), html.
    """
    headers = {"Retry-After": spec.retry_after} if spec.retry_after and spec.variant != "bare" else {}
    response = gateway_page(spec.status) if spec.variant == "html" else _told(request, spec)
    response.headers.update(headers)
    return response


def _told(request: web.Request, spec: ErrorSpec) -> web.Response:
    code, message = int(spec.code or spec.status), spec.message or "The request could not be processed."
    status = 200 if spec.variant in {"body", "item", "flat"} else spec.status
    if "/oauth/" in request.path:
        return tokenless(request, code, message, status)
    if "/v2/" in request.path:
        return refuse_v2(request, code, message, status)
    if spec.variant == "item":
        return refuse_item(request, {}, code, message)
    if spec.variant == "flat":
        return reply(request, encode({"response": {"success": "false", "code": str(code), "message": message}}))
    return refuse_request(request, code, message, status)


def _xml(body: bytes) -> bytes:
    tree = json.loads(body, strict=False)
    root = tree if len(tree) == 1 else {"response": tree}
    return f'<?xml version="1.0" encoding="UTF-8"?>{_elements(root)}'.encode()


def _elements(value: Any) -> str:
    """XML of a JSON value: lists repeat the element they are in, as the vendor's converter has it."""
    if not isinstance(value, dict):
        return "" if value is None else escape(str(value).lower() if isinstance(value, bool) else str(value))
    several = [(name, one) for name, many in value.items() for one in (many if isinstance(many, list) else [many])]
    return "".join(f"<{name}>{_elements(one)}</{name}>" for name, one in several)
