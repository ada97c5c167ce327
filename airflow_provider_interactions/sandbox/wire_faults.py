"""Faults on the wire, played before, instead of or after the vendor's handler."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import quote

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from airflow_provider_interactions.sandbox.faults import FaultRule
from airflow_provider_interactions.sandbox.mutations import mutate
from airflow_provider_interactions.sandbox.vendor import ErrorSpec, Vendor

_CHUNKS = 20


def _format_pause(seconds: int, *, as_date: bool) -> str:
    """A Retry-After value: seconds, or the HTTP date that many seconds ahead."""
    if not as_date:
        return str(seconds)
    # HTTP dates have no fractions; cutting them off would promise a shorter pause than the seconds do.
    until = datetime.now(UTC) + timedelta(seconds=seconds + 1)
    return format_datetime(until.replace(microsecond=0), usegmt=True)


def _get_pause(rule: FaultRule) -> str | None:
    """The Retry-After of a rule, None where it names none."""
    if rule.retry_after is None or isinstance(rule.retry_after, str):
        return rule.retry_after
    return _format_pause(rule.retry_after, as_date=rule.retry_after_date)


def build_gateway_page(status: int) -> web.Response:
    """The HTML page of a proxy or a maintenance window, where JSON is expected."""
    text = (
        f"<!DOCTYPE html><html><head><title>{status}</title></head>"
        "<body><h1>Our services aren't available right now</h1></body></html>"
    )
    return web.Response(status=status, text=text, content_type="text/html")


async def respond(
    request: web.Request, vendor: Vendor, rules: Sequence[FaultRule], handler: Handler
) -> web.StreamResponse:
    """The handler's response, or what the firing rules make of it. Of rules that replace it, the first wins."""
    for rule in rules:
        if rule.kind == "delay":
            await asyncio.sleep(rule.seconds)
    for rule in rules:
        if rule.kind in _REPLACING:
            return _REPLACING[rule.kind](request, vendor, rule)
    response = await handler(request)
    for rule in rules:
        if rule.kind in _CHANGING and isinstance(response, web.Response):
            return await _CHANGING[rule.kind](request, rule, response)
    return response


def refuse(request: web.Request, vendor: Vendor, spec: ErrorSpec, pause: str | None) -> web.Response:
    """An error in the vendor's own form, or a gateway's page as variant "html"; ``pause`` is its Retry-After."""
    response = build_gateway_page(spec.status) if spec.variant == "html" else vendor.error(request, spec)
    return _add_pause(response, pause)


def _add_pause(response: web.Response, pause: str | None) -> web.Response:
    if pause is not None:
        response.headers["Retry-After"] = pause
    return response


def _send_status(request: web.Request, vendor: Vendor, rule: FaultRule) -> web.Response:
    pause, status = _get_pause(rule), rule.status or 500
    if rule.body is None:
        return refuse(request, vendor, ErrorSpec(status, rule.code, rule.message, rule.variant), pause)
    return _add_pause(web.Response(status=status, text=rule.body, content_type=rule.content_type), pause)


def _send_throttle(request: web.Request, vendor: Vendor, rule: FaultRule) -> web.Response:
    causes = list(vendor.throttles.values())
    spec = vendor.throttles.get(rule.code or "")
    if spec is None:
        spec = next((known for known in causes if known.code == rule.code), causes[0])
    pause = _get_pause(rule) or _format_pause(1, as_date=rule.retry_after_date)
    spec = msgspec.structs.replace(spec, variant=rule.variant)
    return refuse(request, vendor, spec, None if rule.variant == "bare" else pause)


def _drop_connection(request: web.Request, _: Vendor, __: FaultRule) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=499)


def _send_page(_: web.Request, __: Vendor, rule: FaultRule) -> web.Response:
    return build_gateway_page(rule.status or 502)


def _send_nothing(_: web.Request, __: Vendor, rule: FaultRule) -> web.Response:
    return web.Response(status=rule.status or 200, content_type=rule.content_type)


def _send_redirect(request: web.Request, _: Vendor, rule: FaultRule) -> web.Response:
    target = rule.location or f"http://localhost:{request.url.port}{request.raw_path}"
    return web.Response(status=rule.status or 302, headers={"Location": target})


async def _truncate(request: web.Request, rule: FaultRule, response: web.Response) -> web.StreamResponse:
    body = _get_bytes(response)
    cut = _copy_head(response)
    if rule.variant == "chunked":
        cut.enable_chunked_encoding()
    else:
        cut.content_length = max(len(body), 2)
    await cut.prepare(request)
    await cut.write(body[: len(body) // 2] or b"{")
    # close() sends what is buffered first; abort() might throw it away and look like a reset.
    if request.transport is not None:
        request.transport.close()
    return cut


async def _send_slowly(request: web.Request, rule: FaultRule, response: web.Response) -> web.StreamResponse:
    body = _get_bytes(response)
    slow = _copy_head(response)
    slow.content_length = len(body)
    await slow.prepare(request)
    size = max(1, -(-len(body) // _CHUNKS))
    for start in range(0, len(body), size):
        await asyncio.sleep(rule.seconds / _CHUNKS)
        await slow.write(body[start : start + size])
    return slow


async def _garble(_: web.Request, rule: FaultRule, response: web.Response) -> web.StreamResponse:
    if rule.variant == "encoding":
        # UTF-16 under a header that says nothing of it: 0xFF is never a byte of UTF-8.
        response.body = b"\xff\xfe" + _get_bytes(response).decode(errors="replace").encode("utf-16-le")
    else:
        response.headers["Content-Encoding"] = "gzip"
    return response


async def _mutate(_: web.Request, rule: FaultRule, response: web.Response) -> web.StreamResponse:
    """Change the body as the seed says; the header says how."""
    found = mutate(_get_bytes(response), rule.seed)
    response.body = found.body
    response.headers["X-Sandbox-Mutation"] = quote(f"{found.name} at {found.where}", safe=" $.[]/@_-")
    return response


async def _replace(_: web.Request, rule: FaultRule, response: web.Response) -> web.StreamResponse:
    """Put other bytes for some of the body: any odd answer that can be made of the good one."""
    response.body = re.sub(rule.find.encode("latin-1"), rule.put.encode("latin-1"), _get_bytes(response))
    if rule.content_type != "application/json":
        response.headers["Content-Type"] = rule.content_type
    if rule.status is not None:
        response.set_status(rule.status)
    return response


def _get_bytes(response: web.Response) -> bytes:
    return response.body if isinstance(response.body, bytes) else b""


def _copy_head(response: web.Response) -> web.StreamResponse:
    headers = {name: value for name, value in response.headers.items() if name.lower() != "content-length"}
    return web.StreamResponse(status=response.status, headers=headers)


_REPLACING: dict[str, Callable[[web.Request, Vendor, FaultRule], web.Response]] = {
    "status": _send_status,
    "throttle": _send_throttle,
    "reset": _drop_connection,
    "html": _send_page,
    "empty": _send_nothing,
    "redirect": _send_redirect,
}
_CHANGING: dict[str, Callable[[web.Request, FaultRule, web.Response], Awaitable[web.StreamResponse]]] = {
    "truncate": _truncate,
    "slow": _send_slowly,
    "garbage": _garble,
    "mutate": _mutate,
    "replace": _replace,
}
