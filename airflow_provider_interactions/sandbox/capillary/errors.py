"""Capillary's replies and errors: headers, and the two families of bodies.

Sources: the older v1.1 and v2 documentation (capillary.github.io, read 2026-11). Which codes these two paths answer
with is an inference: most are listed for other resources.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from aiohttp import web

from airflow_provider_interactions.sandbox.capillary.bodies import encode
from airflow_provider_interactions.sandbox.vendor import ErrorSpec

#: 429 has no published body; 461 and 521 are of the vendor's table of codes
THROTTLES = {
    "requests": ErrorSpec(429, "429", "Too many requests."),
    "concurrency": ErrorSpec(429, "429", "Too many requests at once."),
    "search": ErrorSpec(461, "461", "The search engine is busy."),
    "customer": ErrorSpec(521, "521", "Other actions are running for this customer."),
}


def reply(body: bytes, status: int = 200) -> web.Response:
    """JSON under a request id."""
    headers = {"X-Cap-Requestid": uuid4().hex}
    return web.Response(body=body, status=status, content_type="application/json", charset="utf-8", headers=headers)


def refuse_request(code: int, message: str, status: int = 200) -> web.Response:
    """A v1.1 request that failed as a whole, by default with HTTP 200."""
    failure = {"success": "false", "code": code, "message": message}
    return reply(encode({"response": {"status": failure}}), status)


def refuse_item(customer: Mapping[str, Any], code: int, message: str) -> web.Response:
    """A v1.1 request whose only customer failed: HTTP 200, status 500, and the cause in ``item_status``."""
    item = {"success": "false", "code": str(code), "message": message}
    failure = {"success": "false", "code": 500, "message": "All requests have failed due to errors"}
    body = {"response": {"status": failure, "customer": {**customer, "item_status": item}}}
    return reply(encode(body))


def refuse_v2(code: int, message: str, status: int, drawn: int = 0) -> web.Response:
    """A v2 error; the order and the number of members vary."""
    failure: dict[str, Any] = {"status": False, "code": code, "message": message}
    errors = [failure if drawn % 2 == 0 else dict(reversed(failure.items()))]
    bodies: tuple[dict[str, Any], ...] = (
        {"errors": errors},
        {"warnings": [], "errors": errors},
        {"pagination": {"limit": 0, "offset": 0, "total": 0}, "data": [], "warnings": [], "errors": errors},
    )
    return reply(encode(bodies[drawn % 3]), status)


def refuse_token(code: int, message: str, status: int) -> web.Response:
    """A refused token request; no page shows one, so its body and status are an inference."""
    failure = {"status": False, "code": code, "message": message}
    return reply(encode({"data": None, "errors": [failure]}), status)


def build_error(request: web.Request, spec: ErrorSpec) -> web.Response:
    """An error in the words of the path asked. Variants: plain, body (HTTP 200), item (v1.1: in ``item_status``)."""
    code, message = int(spec.code or spec.status), spec.message or "The request could not be processed."
    status = 200 if spec.variant in {"body", "item"} else spec.status
    if "/oauth/" in request.path:
        return refuse_token(code, message, status)
    if "/v2/" in request.path:
        return refuse_v2(code, message, status)
    if spec.variant == "item":
        return refuse_item({}, code, message)
    return refuse_request(code, message, status)
