"""Dataverse's replies and errors: bodies and headers.

Sources: "Compose HTTP requests and handle errors", "Service protection API limits" (learn.microsoft.com, read 2026-11).
Bodies without a code or with innererror were seen in public code only; a gateway's page is an inference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from airflow_provider_interactions.sandbox.dynamics_marketing.records import NAME
from airflow_provider_interactions.sandbox.vendor import ErrorSpec, base_url
from airflow_provider_interactions.sandbox.wire_faults import gateway_page

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

_ANNOTATED = "odata.include-annotations"
_TYPE = "application/json; odata.metadata=minimal"


def reply(
    request: web.Request, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """JSON with the headers a Dataverse answer carries."""
    response = web.Response(body=body, status=status, headers={**_headers(request), **(headers or {})})
    # Parallel clients should drop the affinity cookie ("Service protection API limits"); the statistics count who
    # sends it back.
    response.set_cookie("ARRAffinity", "sandbox", httponly=True)
    return response


def refuse(request: web.Request, status: int, code: str | None, message: str) -> web.Response:
    """An error in its plain form."""
    return error(request, ErrorSpec(status, code, message))


def error(request: web.Request, spec: ErrorSpec) -> web.Response:
    """An error in any of its variants: plain, no_code, empty_code, inner, html."""
    headers = {} if spec.retry_after is None else {"Retry-After": spec.retry_after}
    if spec.variant == "html":
        page = gateway_page(spec.status)
        page.headers.update(headers)
        return page
    return reply(request, msgspec.json.encode({"error": _body(request, spec)}), spec.status, headers)


def _body(request: web.Request, spec: ErrorSpec) -> dict[str, Any]:
    message = spec.message or "An unexpected error occurred."
    code = {"no_code": None, "empty_code": ""}.get(spec.variant, spec.code)
    body: dict[str, Any] = {"message": message} if code is None else {"code": code, "message": message}
    if spec.variant == "inner":
        body["innererror"] = _inner(message, depth=2)
    if f'{_ANNOTATED}="*"' in request.headers.get("Prefer", ""):
        body.update(_annotations(message))
    return body


def _inner(message: str, depth: int) -> dict[str, Any]:
    inner: dict[str, Any] = {
        "message": message,
        "type": "System.ServiceModel.FaultException",
        "stacktrace": "   at Sandbox.Plugins.Execute()\r\n   at Sandbox.Web.Invoke()",
    }
    return inner | ({"internalexception": _inner(message, depth - 1)} if depth > 1 else {})


def _annotations(message: str) -> dict[str, str]:
    return {
        "@Microsoft.PowerApps.CDS.ErrorDetails.OperationStatus": "0",
        "@Microsoft.PowerApps.CDS.ErrorDetails.SubErrorCode": "0",
        "@Microsoft.PowerApps.CDS.HelpLink": f"http://localhost/{NAME}/help",
        "@Microsoft.PowerApps.CDS.TraceText": f"\r\n[Sandbox.Plugins] {message}\r\n",
        "@Microsoft.PowerApps.CDS.InnerError.Message": message,
    }


def _headers(request: web.Request) -> dict[str, str]:
    # The remaining time has a thousands comma in a third party's record of live answers, unverified.
    return {
        "Content-Type": _TYPE,
        "OData-Version": "4.0",
        "x-ms-service-request-id": request.headers.get("x-ms-client-request-id", "sandbox"),
        "req_id": "sandbox",
        "x-ms-ratelimit-burst-remaining-xrm-requests": "5999",
        "x-ms-ratelimit-time-remaining-xrm-requests": "1,199.97",
        "x-ms-dop-hint": "4",
    }


def service_root(request: web.Request) -> str:
    """``{base}/api/data/{version}`` of the present request."""
    return f"{base_url(request, NAME)}/api/data/{request.match_info['version']}"
