"""Which50's errors: the statuses of its help pages, in bodies as ASP.NET Web API and IIS send them.

Source of the statuses: app.which50.com/Which50API/documentation, read 2026-11. No body is published: these are an
inference from the frameworks' habits, as is any status but 401, 403, 404 and 500.
"""

from __future__ import annotations

from html import escape

import msgspec
from aiohttp import web

from airflow_provider_interactions.sandbox.vendor import ErrorSpec, Site
from airflow_provider_interactions.sandbox.which50.formats import member, reply

#: no limit was found published; the words are the sandbox's own
THROTTLES = {
    "requests": ErrorSpec(429, None, "Too many requests."),
    "concurrency": ErrorSpec(429, None, "Too many requests at once."),
}
# 401, 403, 404 and 500 in the words of the endpoint's page, under Response Codes.
_TEXTS = {
    401: "Request has been denied as it lacks valid Authentication credentials.",
    403: "The user does not have the relevant permissions to perform this action.",
    404: "The specified Contact was not found.",
    429: "Too many requests.",
    500: "An error occurred while processing this request.",
}


def refuse(site: Site, request: web.Request, status: int, message: str | None = None) -> web.Response:
    """An error in the shape the options choose."""
    return error(request, ErrorSpec(status, None, message, site.options.error_bodies))


def error(request: web.Request, spec: ErrorSpec) -> web.Response:
    """An error in any of its variants: plain, detail, exception, html, empty."""
    headers = {} if spec.retry_after is None else {"Retry-After": spec.retry_after}
    text = spec.message or _TEXTS.get(spec.status, "An error has occurred.")
    if spec.variant == "empty":
        return web.Response(status=spec.status, headers=headers)
    if spec.variant == "html":
        page = _iis_page(spec.status, text)
        return web.Response(status=spec.status, text=page, content_type="text/html", headers=headers)
    told = _told(spec.variant, text)
    inner = "".join(member(name, value) for name, value in told.items())
    return reply(request, msgspec.json.encode(told), f"<Error>{inner}</Error>".encode(), spec.status, headers)


def _told(variant: str, text: str) -> dict[str, str]:
    """The members of Web API's HttpError."""
    if variant == "detail":
        return {"Message": text, "MessageDetail": "No more is known to the sandbox."}
    if variant == "exception":
        return {
            "Message": "An error has occurred.",
            "ExceptionMessage": text,
            "ExceptionType": "System.InvalidOperationException",
            "StackTrace": "   at Sandbox.Controllers.ContactsController.Get()\n   at lambda_method(Closure )",
        }
    return {"Message": text}


def _iis_page(status: int, text: str) -> str:
    return (
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">'
        f'\r\n<html xmlns="http://www.w3.org/1999/xhtml"><head><title>{status} - Sandbox error</title></head>'
        f'<body><div id="header"><h1>Server Error</h1></div><h2>{status} - {escape(text)}</h2></body></html>'
    )
