"""What Azure Storage and OneLake answer: headers, and errors in XML (Blob) or JSON (Data Lake Storage).

Sources: "Status and error codes" and "Get Blob" of the Blob service REST API, "Path - List" of Data Lake Storage
Gen2's (learn.microsoft.com, read 2026-11).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from xml.sax.saxutils import escape

import msgspec
from aiohttp import web

from airflow_provider_interactions.sandbox.vendor import ErrorSpec

_HEADERS = {"x-ms-request-id": "00000000-0000-0000-0000-00000000000a", "x-ms-version": "2023-11-03"}
_TEXTS = {
    "AuthenticationFailed": "Server failed to authenticate the request. Make sure the value of Authorization header is "
    "formed correctly including the signature.",
    "AuthorizationPermissionMismatch": "This request is not authorized to perform this operation using this "
    "permission.",
    "BlobNotFound": "The specified blob does not exist.",
    "ConditionNotMet": "The condition specified using HTTP conditional header(s) is not met.",
    "ContainerNotFound": "The specified container does not exist.",
    "FilesystemNotFound": "The specified filesystem does not exist.",
    "InternalError": "Server encountered an internal error. Please try again after some time.",
    "InvalidAuthenticationInfo": "Server failed to authenticate the request. Please refer to the information in the "
    "www-authenticate header.",
    "InvalidRange": "The range specified is invalid for the current size of the resource.",
    "NoAuthenticationInformation": "Server failed to authenticate the request. Please refer to the information in the "
    "www-authenticate header.",
    "PathNotFound": "The specified path does not exist.",
    "ServerBusy": "The server is busy.",
}
#: codes of refusals by HTTP status, where a fault names none
_CODES = {429: "ServerBusy", 500: "InternalError", 503: "ServerBusy"}


def is_dfs(request: web.Request) -> bool:
    """Whether a request is of Data Lake Storage's API: its parameter ``resource`` or ``action``, or the blob proxy."""
    return bool({"resource", "action"} & request.query.keys()) or "/storage/" in request.path


def refuse(
    request: web.Request,
    status: int,
    code: str,
    detail: str = "",
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """An error as the API asked would put it; the answer to HEAD has no body."""
    text = _TEXTS.get(code, "The request was refused.")
    head = {**_HEADERS, "x-ms-error-code": code, **(headers or {})}
    if request.method == "HEAD":
        return web.Response(status=status, headers=head)
    if is_dfs(request):
        body = msgspec.json.encode({"error": {"code": code, "message": f"{text} {detail}".strip()}})
        return web.Response(status=status, body=body, headers=head, content_type="application/json")
    inner = f"<AuthenticationErrorDetail>{escape(detail)}</AuthenticationErrorDetail>" if detail else ""
    body_xml = (
        f'\ufeff<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{escape(text)}\n'
        f"RequestId:{_HEADERS['x-ms-request-id']}\nTime:2026-01-01T00:00:00.0000000Z</Message>{inner}</Error>"
    )
    return web.Response(status=status, body=body_xml.encode(), headers=head, content_type="application/xml")


def build_error(request: web.Request, spec: ErrorSpec) -> web.Response:
    """An error of a fault or a limit. The storage has a code of its own for being busy."""
    status = 503 if spec.status == 429 and "/onelake/" not in request.path else spec.status
    code = spec.code if spec.code and not spec.code.startswith("0x") else _CODES.get(status, "InternalError")
    return refuse(request, status, code)


def format_time(seconds: float) -> str:
    """A time as HTTP writes it."""
    return format_datetime(datetime.fromtimestamp(int(seconds), UTC), usegmt=True)


def get_etag(file: Path) -> str:
    """A file's ETag: another one whenever its content changed."""
    known = file.stat()
    return f"0x8D{known.st_mtime_ns ^ known.st_size:X}"


def describe_file(file: Path) -> dict[str, str]:
    """The headers of a file."""
    return {
        **_HEADERS,
        "ETag": f'"{get_etag(file)}"',
        "Last-Modified": format_time(file.stat().st_mtime),
        "Accept-Ranges": "bytes",
        "Content-Type": "application/octet-stream",
        "x-ms-blob-type": "BlockBlob",
        "x-ms-resource-type": "file",
    }


def reply(body: bytes, content_type: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """A good answer."""
    return web.Response(body=body, headers={**_HEADERS, **(headers or {})}, content_type=content_type)
