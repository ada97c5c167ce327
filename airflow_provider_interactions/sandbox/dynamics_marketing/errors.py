"""Dataverse's replies and errors: bodies and headers.

Sources: "Compose HTTP requests and handle errors", "Service protection API limits" (learn.microsoft.com, read 2026-11).
Bodies without a code or with innererror were seen in public code only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from airflow_provider_interactions.sandbox.dynamics_marketing.records import NAME
from airflow_provider_interactions.sandbox.vendor import ErrorSpec, get_base_url

#: codes and default numbers of "Service protection API limits"
THROTTLES = {
    "requests": ErrorSpec(
        429, "0x80072322", "Number of requests exceeded the limit of 6000 over time window of 300 seconds."
    ),
    "time": ErrorSpec(
        429,
        "0x80072321",
        "Combined execution time of incoming requests exceeded limit of 1,200,000 milliseconds over time window "
        "of 300 seconds. Decrease number of concurrent requests and try again later.",
    ),
    "concurrency": ErrorSpec(429, "0x80072326", "Number of concurrent requests exceeded the limit of 52."),
}


def reply(
    request: web.Request, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """JSON with the headers of a Dataverse response."""
    response = web.Response(body=body, status=status, headers={**_build_headers(request), **(headers or {})})
    # Parallel clients should drop the affinity cookie ("Service protection API limits"); the statistics count who
    # sends it back.
    response.set_cookie("ARRAffinity", "sandbox", httponly=True)
    return response


def refuse(request: web.Request, status: int, code: str | None, message: str) -> web.Response:
    """An error in its plain form."""
    return build_error(request, ErrorSpec(status, code, message))


def build_error(request: web.Request, spec: ErrorSpec) -> web.Response:
    """An error. Variants: plain, no_code, inner."""
    message = spec.message or "An unexpected error occurred."
    body: dict[str, Any] = {"message": message}
    if spec.code is not None and spec.variant != "no_code":
        body = {"code": spec.code, **body}
    if spec.variant == "inner":
        inner = {"message": message, "type": "System.ServiceModel.FaultException", "stacktrace": "   at Sandbox()\r\n"}
        body["innererror"] = inner | {"internalexception": inner}
    return reply(request, msgspec.json.encode({"error": body}), spec.status)


def _build_headers(request: web.Request) -> dict[str, str]:
    # The remaining time has a thousands comma in a third party's record of live answers, unverified.
    return {
        "Content-Type": "application/json; odata.metadata=minimal",
        "OData-Version": "4.0",
        "x-ms-service-request-id": request.headers.get("x-ms-client-request-id", "sandbox"),
        "req_id": "sandbox",
        "x-ms-ratelimit-burst-remaining-xrm-requests": "5999",
        "x-ms-ratelimit-time-remaining-xrm-requests": "1,199.97",
        "x-ms-dop-hint": "4",
    }


def get_service_root(request: web.Request, name: str = NAME) -> str:
    """``{base}/api/data/{version}`` of the present request."""
    return f"{get_base_url(request, name)}/api/data/{request.match_info['version']}"
