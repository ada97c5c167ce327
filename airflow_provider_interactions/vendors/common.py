"""What several vendors' modules share: verdicts by HTTP status, texts of JSON values, sniffing of HTML pages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from airflow_provider_interactions.contract import Response
from airflow_provider_interactions.errors import (
    AuthRejected,
    BadResponse,
    RequestRejected,
    Throttled,
    Unavailable,
    VendorError,
)

Verdict = tuple[type[VendorError], str]

#: What an HTTP status means where the vendor says nothing more precise (RFC 9110, section 15).
STATUSES: dict[int, Verdict] = {
    401: (AuthRejected, "the credentials were refused. Check login and password of the connection"),
    403: (AuthRejected, "the credentials have no permission for this call"),
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


def decode(body: bytes, kind: Any, what: str) -> Any:
    """Decode a JSON answer into a type; raises BadResponse that says what was expected, never what came."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        msg = f"{what} does not have the documented shape"
        raise BadResponse(msg) from wrong


def text(raw: msgspec.Raw | None) -> str | None:
    """A JSON value as a column's text: strings unquoted, null and empty as None, anything else as written."""
    if raw is None:
        return None
    written = bytes(raw)
    if written in (b"null", b'""'):
        return None
    return str(msgspec.json.decode(written, type=str)) if written[:1] == b'"' else written.decode()


def utc(moment: datetime | None) -> datetime | None:
    """An instant in UTC; a time without a zone is taken as UTC."""
    if moment is None:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def attributes(record: dict[str, msgspec.Raw], columns: Iterable[str]) -> str:
    """JSON text of the fields without a column, values byte for byte as the vendor wrote them."""
    taken = frozenset(columns)
    return msgspec.json.encode({key: value for key, value in record.items() if key not in taken}).decode()
