"""The usual ways to sign a call, as pure functions that return ``Auth``, and one reader for responses of token hosts.

RFC 6749, section 5.1, wants status 200 and a lifetime as a number. Hosts are seen to answer 201, to write the number as
text, to leave it out, and to put an error into a 200. So the reader is lenient about everything but the token itself.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from airflow_provider_interactions import errors, status
from airflow_provider_interactions.contract import Auth, Request, Response, Token
from airflow_provider_interactions.errors import (
    AuthRejected,
    BadResponse,
    ConfigError,
    RequestRejected,
    Throttled,
    Unavailable,
    VendorError,
)
from airflow_provider_interactions.vendors.shared import encoding

#: Seconds that a token is used where its answer names no lifetime that can be read, or one that is over. One that ends
#: sooner is replaced at the first 401. RFC 6749 names none; an hour is what most hosts grant.
DEFAULT_LIFETIME = 3600.0

#: Values of ``error`` that a later attempt can cure (RFC 6749, sections 4.1.2.1 and 5.2).
TRANSIENT = frozenset({"temporarily_unavailable", "server_error"})

#: The names under which a token host wants login and password, by grant (RFC 6749, sections 4.3 and 4.4).
GRANTS = {"client_credentials": ("client_id", "client_secret"), "password": ("username", "password")}

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_ERROR = re.compile(r"[a-z_]{1,40}")

Members = Mapping[str, Any]


def require(vendor: str, fields: Mapping[str, str | None]) -> None:
    """Raise ConfigError that names the first field of a connection that is empty."""
    for name, value in fields.items():
        if not value:
            msg = f"{vendor}: the connection's {name} is empty."
            raise ConfigError(msg)


def sign_bearer(vendor: str, token: str) -> Auth:
    """A token that does not expire: the connection's password."""
    return replace(sign_header(vendor, "Authorization", token), apply=set_header("Authorization", f"Bearer {token}"))


def sign_header(vendor: str, name: str, value: str) -> Auth:
    """A header whose whole value is the connection's password; raises ConfigError for one that cannot be sent."""
    require_header_name(vendor, "header_name", name)
    if not _VALUE.fullmatch(value):
        msg = (
            f"{vendor}: the connection's password holds a character that no header can carry: perhaps a line break or "
            "blank from copying."
        )
        raise ConfigError(msg)
    return Auth(set_header(name, value), secrets=(value,))


def sign_basic(vendor: str, login: str, password: str, *secrets: str) -> Auth:
    """RFC 7617, in UTF-8; ``secrets`` are more texts to mask in logs."""
    if ":" in login:
        msg = f"{vendor}: the connection's login holds a colon, which Basic authentication cannot carry."
        raise ConfigError(msg)
    encoded = base64.b64encode(f"{login}:{password}".encode()).decode()
    return Auth(set_header("Authorization", f"Basic {encoded}"), secrets=(password, encoded, *secrets))


def sign_oauth2(
    url: str,
    login: str,
    password: str,
    read: Callable[[Response], Token],
    *,
    grant: str = "client_credentials",
    scope: str | None = None,
) -> Auth:
    """RFC 6749: a token of the host at ``url`` for a client's credentials, or those of a user by the other grant."""
    form = {"grant_type": grant, **dict(zip(GRANTS[grant], (login, password), strict=True))}
    form |= {"scope": scope} if scope else {}
    ask = Request("POST", url, form=form, headers={"Accept": "application/json"})
    return Auth(send_bearer, ask=ask, read=read, secrets=(password,))


def set_header(name: str, value: str) -> Callable[[Request, str], Request]:
    """``Auth.apply`` for a header that is always the same."""
    return lambda request, _: replace(request, headers={**request.headers, name: value})


def send_bearer(request: Request, token: str) -> Request:
    """``Auth.apply`` for a token in the usual header."""
    return set_header("Authorization", f"Bearer {token}")(request, "")


def require_header_name(vendor: str, key: str, name: str) -> None:
    """Raise ConfigError where the setting ``key`` is not a name that a header can have."""
    if not _NAME.fullmatch(name):
        msg = f"{vendor}: the extra's {key} is not a valid name of a header."
        raise ConfigError(msg)


def read_token(response: Response, explain: Callable[[Members], str]) -> Token:
    """The token in a response by RFC 6749; ``explain`` makes a message of a refusal's members that says what to do.

    Raises AuthRejected, RequestRejected, Throttled, Unavailable or BadResponse.
    """
    members = read_members(response)
    if status.is_success(response.status) and not members.get("error"):
        return grant_token(members.get("access_token"), members.get("expires_in"))
    name = members.get("error")
    code = name if isinstance(name, str) and _ERROR.fullmatch(name) else ""  # errors show it, so not just any text
    raise judge_refusal(response, explain(members), code)


def judge_refusal(response: Response, reason: str, code: str = "") -> VendorError:
    """The error for a response without a token: about the host if the status says so, else about the credentials."""
    said = response.status
    if 300 <= said < 400:
        return RequestRejected(
            "the token host redirects elsewhere, which is not followed. Put the final URL into the connection",
            status=said,
        )
    if said == 429:
        return Throttled("the token host asks to slow down", status=said)
    if said >= 500 or code in TRANSIENT:
        return Unavailable("the token host is not available", status=said, code=code)
    if said == 404:
        return RequestRejected(
            "there is no token service at this URL. Check the address of the token host", status=said
        )
    return AuthRejected(reason, status=said, code=code)


def read_members(response: Response) -> dict[str, Any]:
    """The members of a token host's JSON object; empty where it answers with something else."""
    try:
        return msgspec.json.decode(encoding.to_utf8(response), type=dict[str, Any])
    except errors.UNREADABLE:
        return {}


def grant_token(value: object, seconds: object, default: float = DEFAULT_LIFETIME) -> Token:
    """The token and its lifetime in a response; raises BadResponse without a token that a header can carry."""
    if not isinstance(value, str):
        msg = "the token host's response does not have the documented shape: it holds no token"
        raise BadResponse(msg)
    if not _VALUE.fullmatch(value):
        msg = "the token host's response holds no token that a header can carry"
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
