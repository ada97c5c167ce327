"""What a token host answers: one reader for all vendors with tokens, lenient about everything but the token itself.

RFC 6749, section 5.1, wants status 200 and a lifetime as a number. Hosts are seen to answer 201, to write the number as
text, to leave it out, and to put an error into a 200.
"""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec

from airflow_provider_interactions import errors, status
from airflow_provider_interactions.contract import Response, Token
from airflow_provider_interactions.errors import BadResponse, Throttled
from airflow_provider_interactions.vendors.shared import encoding

#: Seconds that a token is used where its answer names no lifetime that can be read, or one that is over. One that ends
#: sooner is replaced at the first 401. RFC 6749 names none; an hour is what most hosts grant.
DEFAULT_LIFETIME = 3600.0

_SENDABLE = re.compile(r"[!-~](?:[ -~]*[!-~])?")


def read_members(response: Response) -> dict[str, Any]:
    """The members of a token host's JSON object; empty where it answers with something else."""
    try:
        return msgspec.json.decode(encoding.to_utf8(response), type=dict[str, Any])
    except errors.UNREADABLE:
        return {}


def grant_token(value: object, seconds: object, default: float = DEFAULT_LIFETIME) -> Token:
    """A token and its lifetime as an answer tells them; raises BadResponse without a token that a header can carry."""
    if not isinstance(value, str):
        msg = "the token host's answer does not have the documented shape: it holds no token"
        raise BadResponse(msg)
    if not _SENDABLE.fullmatch(value):
        msg = "the token host's answer holds no token that a header can carry"
        raise BadResponse(msg, lasting=True)
    return Token(value, read_lifetime(seconds, default))


def read_lifetime(seconds: object, default: float = DEFAULT_LIFETIME) -> float:
    """Seconds that a token may be used: a number or its text; the default for none, for another value, and for 0."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float | str):
        return default
    try:
        lifetime = float(seconds)
    except (ValueError, OverflowError):
        return default
    return lifetime if lifetime > 0 and math.isfinite(lifetime) else default


def refuse_by_status(response: Response) -> None:
    """Raise what a status says that is about the host and not about the credentials: 3xx, 429 and 5xx."""
    error = status.error(status.by_status(response.status), response.status)
    if error is not None and (isinstance(error, Throttled) or not 400 <= response.status < 500):
        raise error
