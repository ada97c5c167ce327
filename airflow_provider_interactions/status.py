"""What an HTTP status means if the vendor says nothing more precise."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_interactions.errors import AuthRejected, RequestRejected, Throttled, Unavailable, VendorError

#: The class of an error, and its message, which says what to do.
Verdict = tuple[type[VendorError], str]

#: RFC 9110, section 15.
STATUSES: dict[int, Verdict] = {
    202: (Unavailable, "the vendor has accepted the call, but not answered it yet"),
    206: (Unavailable, "the vendor sent a part of its response only"),
    401: (AuthRejected, "the credentials were refused. Check login and password of the connection"),
    403: (AuthRejected, "the credentials have no permission for this call. Have it granted at the vendor"),
    404: (RequestRejected, "there is nothing at this address. Check the connection's host, and any path in it"),
    408: (Unavailable, "the vendor timed out while reading the request"),
    425: (Unavailable, "the vendor was not ready for the request"),
    429: (Throttled, "the vendor asks to slow down"),
}

_REDIRECT = (
    RequestRejected,
    "the vendor redirects elsewhere, and redirects are not followed. Put the final URL into the host",
)
_SERVER_FAULT = (Unavailable, "the vendor had a server fault")
_WRONG_CALL = (RequestRejected, "the vendor rejected the call as wrong")

#: Statuses of success that promise a whole response. Under another one, an empty list would be no statement.
WHOLE = frozenset((200, 201, 203, 204))
_NOT_WHOLE = (Unavailable, "the vendor answered with a status that does not promise a whole response")

#: For a response that is a web page.
WEB_PAGE: Verdict = (
    Unavailable,
    "a web page came instead of the API's response, from a proxy, a login page or maintenance. Try again later",
)


def is_success(status: int) -> bool:
    """Whether this is one of the statuses 200 to 299."""
    return 200 <= status < 300


def judge(status: int, own: Mapping[int, Verdict] | None = None) -> Verdict | None:
    """The verdict on a status, None for one that promises a whole response. The vendor's ``own`` table comes first."""
    if own and status in own:
        return own[status]
    if is_success(status):
        return None if status in WHOLE else STATUSES.get(status, _NOT_WHOLE)
    if 300 <= status < 400:
        return _REDIRECT
    return _SERVER_FAULT if status >= 500 else STATUSES.get(status, _WRONG_CALL)


def build_error(verdict: Verdict | None, status: int, code: str = "") -> VendorError | None:
    """Build the error of a verdict; the engine adds vendor, path and delay."""
    if verdict is None:
        return None
    kind, sentence = verdict
    return kind(sentence, status=status, code=code)


def is_html(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the response is a web page, for example from a proxy, and not from the API."""
    kind = headers.get("content-type", "").lower()
    return "html" in kind or body[:256].lstrip().lower().startswith((b"<!doctype html", b"<html"))
