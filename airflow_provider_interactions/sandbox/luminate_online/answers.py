"""Luminate's parameters, answers and errors over HTTP.

Sources: "Common Parameters", "HTTP Status Codes" (open.convio.com/api/apidoc, read 2026-11).
"""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from airflow_provider_interactions.sandbox.luminate_online.wire import Form, tree
from airflow_provider_interactions.sandbox.vendor import ErrorSpec
from airflow_provider_interactions.sandbox.wire_faults import gateway_page

#: no limit was found published, so a refusal comes from whatever stands in front and has no API error body
THROTTLES = {"requests": ErrorSpec(429), "concurrency": ErrorSpec(503)}

_TYPES = {"xml": "text/xml", "json": "application/json"}


class RefusedError(Exception):
    """A call that is answered with an error: code, text, HTTP status (403 for nearly all: "HTTP Status Codes")."""

    def __init__(self, code: int, text: str, status: int = 403) -> None:
        super().__init__(text)
        self.code, self.text, self.status = code, text, status


class _Unread(web.Response):
    """An error that the framework makes before a handler has read the form, which decides format and status."""

    def __init__(self, spec: ErrorSpec) -> None:
        super().__init__(status=spec.status)
        self._spec = spec

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Read the form, then send."""
        asked = await parameters(request)
        self.set_status(_status(asked, self._spec.status))
        self.body = _body(asked, self._spec.code or "", self._spec.message)
        self.headers["Content-Type"] = _content_type(asked)
        return await super().prepare(request)


async def parameters(request: web.BaseRequest) -> dict[str, str]:
    """What a call says in its query string and its form body; the body wins."""
    form = await request.post()
    return {**request.query, **{name: str(value) for name, value in form.items()}}


def form_of(asked: Mapping[str, str]) -> Form:
    """The format of the answer."""
    return "json" if asked.get("response_format") == "json" else "xml"


def reply(asked: Mapping[str, str], body: bytes, status: int = 200) -> web.Response:
    """An answer, with a session cookie not to be sent back: by older pages it can stand in for the login."""
    response = web.Response(body=body, status=status, headers={"Content-Type": _content_type(asked)})
    response.set_cookie("JSESSIONID", "sandbox.app1", path="/", httponly=True)
    return response


def refuse(asked: Mapping[str, str], refused: RefusedError) -> web.Response:
    """An error in the API's own words."""
    body = _body(asked, str(refused.code), refused.text)
    response = reply(asked, body, _status(asked, refused.status))
    if refused.status == 405:
        response.headers["Allow"] = "POST"
    return response


def error(_: web.Request, spec: ErrorSpec) -> web.Response:
    """An error by rule: with a code the API's own, without one (or as variant "html") a page of what is in front."""
    own = spec.code is not None and spec.variant != "html"
    response = _Unread(spec) if own else gateway_page(spec.status)
    if spec.retry_after is not None:
        response.headers["Retry-After"] = spec.retry_after
    return response


def _content_type(asked: Mapping[str, str]) -> str:
    return f"{_TYPES[form_of(asked)]}; charset=utf-8"


def _status(asked: Mapping[str, str], status: int) -> int:
    return 200 if asked.get("suppress_response_codes") == "true" else status


def _body(asked: Mapping[str, str], code: str, message: str | None) -> bytes:
    return tree(form_of(asked), "errorResponse", {"code": code, "message": message or "Unable to process request."})
