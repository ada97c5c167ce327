"""Which50's errors: the statuses of its help pages, in bodies as ASP.NET Web API sends them.

Source of the statuses: app.which50.com/Which50API/documentation, read 2026-11. No body is published: these are an
inference from the framework's habits, as is any status but 401, 403, 404 and 500.
"""

from __future__ import annotations

import msgspec
from aiohttp import web

from airflow_provider_interactions.sandbox.vendor import ErrorSpec
from airflow_provider_interactions.sandbox.which50.formats import reply, write_member

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


def refuse(request: web.Request, status: int, message: str | None = None) -> web.Response:
    """An error. Without a message, it has the words of the help page."""
    return build_error(request, ErrorSpec(status, None, message))


def build_error(request: web.Request, spec: ErrorSpec) -> web.Response:
    """The member ``Message`` of Web API's HttpError, in the format the request asks for."""
    text = spec.message or _TEXTS.get(spec.status, "An error has occurred.")
    as_xml = f"<Error>{write_member('Message', text)}</Error>".encode()
    return reply(request, msgspec.json.encode({"Message": text}), as_xml, spec.status)
