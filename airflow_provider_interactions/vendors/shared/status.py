"""What an HTTP status means where the vendor says nothing more precise."""

from __future__ import annotations

from airflow_provider_interactions.contract import Response
from airflow_provider_interactions.errors import (
    AuthRejected,
    RequestRejected,
    Throttled,
    Unavailable,
    VendorError,
)

Verdict = tuple[type[VendorError], str]


#: What an HTTP status means where the vendor says nothing more precise (RFC 9110, section 15).
STATUSES: dict[int, Verdict] = {
    401: (AuthRejected, "the credentials were refused. Check login and password of the connection"),
    403: (AuthRejected, "the credentials have no permission for this call. Have it granted at the vendor"),
    404: (RequestRejected, "there is nothing at this address. Check the connection's host, and any path in it"),
    408: (Unavailable, "the vendor timed out while reading the request"),
    425: (Unavailable, "the vendor was not ready for the request"),
    429: (Throttled, "the vendor asks to slow down"),
}


def by_status(status: int) -> Verdict | None:
    """The verdict on a bare HTTP status; None for 2xx."""
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return RequestRejected, "the vendor redirects elsewhere, which is not followed. Put the final URL into the host"
    if status >= 500:
        return Unavailable, "the vendor had a server fault"
    return STATUSES.get(status, (RequestRejected, "the vendor refuses the call as wrong"))


def error(verdict: Verdict | None, response: Response, code: str = "") -> VendorError | None:
    """Build the error of a verdict; the engine adds vendor, path and delay."""
    if verdict is None:
        return None
    kind, sentence = verdict
    return kind(sentence, status=response.status, code=code)


def is_html(response: Response) -> bool:
    """Whether a proxy or a maintenance page answered instead of the API."""
    kind = response.headers.get("content-type", "").lower()
    return "html" in kind or response.body[:256].lstrip().lower().startswith((b"<!doctype html", b"<html"))
