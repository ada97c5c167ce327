"""Luminate's parameters, responses and errors over HTTP.

Sources: "Common Parameters", "HTTP Status Codes" (open.convio.com/api/apidoc, read 2026-11).
"""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from airflow_provider_interactions.sandbox.luminate_online.formats import Form, encode_tree
from airflow_provider_interactions.sandbox.vendor import ErrorSpec
from airflow_provider_interactions.sandbox.wire_faults import build_gateway_page

#: no limit was found published, so a refusal comes from whatever stands in front and has no API error body
THROTTLES = {"requests": ErrorSpec(429), "concurrency": ErrorSpec(503)}

_TYPES = {"xml": "text/xml", "json": "application/json"}


class RefusedError(Exception):
    """A call that is answered with an error: code and text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


class _Unread(web.Response):
    """An error that the framework makes before a handler has read the form, which decides the format."""

    def __init__(self, spec: ErrorSpec) -> None:
        super().__init__(status=spec.status)
        self._spec = spec

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Read the form, then send."""
        asked = await read_parameters(request)
        self.body = _encode_error(asked, self._spec.code or "", self._spec.message)
        self.headers["Content-Type"] = _get_content_type(asked)
        return await super().prepare(request)


async def read_parameters(request: web.BaseRequest) -> dict[str, str]:
    """What a call says in its query string and its form body; the body wins."""
    form = await request.post()
    return {**request.query, **{name: str(value) for name, value in form.items()}}


def get_form(asked: Mapping[str, str]) -> Form:
    """The format of the answer."""
    return "json" if asked.get("response_format") == "json" else "xml"


def reply(asked: Mapping[str, str], body: bytes, status: int = 200) -> web.Response:
    """A response, with a session cookie not to be sent back: by older pages it can stand in for the login."""
    response = web.Response(body=body, status=status, headers={"Content-Type": _get_content_type(asked)})
    response.set_cookie("JSESSIONID", "sandbox.app1", path="/", httponly=True)
    return response


def refuse(asked: Mapping[str, str], refused: RefusedError) -> web.Response:
    """An error in the API's own words, with status 403 as nearly all have ("HTTP Status Codes")."""
    return reply(asked, _encode_error(asked, str(refused.code), refused.text), 403)


def build_error(_: web.Request, spec: ErrorSpec) -> web.Response:
    """An error by rule: with a code the API's own, without one a page of what is in front."""
    return build_gateway_page(spec.status) if spec.code is None else _Unread(spec)


def _get_content_type(asked: Mapping[str, str]) -> str:
    return f"{_TYPES[get_form(asked)]}; charset=utf-8"


def _encode_error(asked: Mapping[str, str], code: str, message: str | None) -> bytes:
    value = {"code": code, "message": message or "Unable to process request."}
    return encode_tree(get_form(asked), "errorResponse", value)
