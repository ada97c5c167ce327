"""Capillary's two ways to sign a call: a till's name with its hashed password, or a token for a client's key.

Sources: "Basic authentication" and "OAuth" (docs.capillarytech.com/reference, read 2026-11). MD5 is what the vendor
demands, not a choice; whoever knows the hash can sign in with it, so it is as secret as the password. What one till
sees may differ from what another sees. How the token call says no is not published: only a token counts as success.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from typing import Any, Literal

import msgspec

from airflow_provider_interactions import contract
from airflow_provider_interactions.contract import Auth, Credentials, Request, Response, Token
from airflow_provider_interactions.errors import AuthRejected, BadResponse, ConfigError, RequestRejected, VendorError
from airflow_provider_interactions.vendors.capillary.times import zone
from airflow_provider_interactions.vendors.shared import token_response

TOKEN_PATH = "/v3/oauth/token/generate"  # noqa: S105 - a path

#: Seconds, where an answer names none: the life of the token in the page's sample.
TOKEN_LIFE = 300.0

JSON = {"Accept": "application/json", "Content-Type": "application/json"}

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_MD5 = re.compile(r"[0-9a-f]{32}")


class Settings(contract.Settings, frozen=True, kw_only=True):
    """The connection's extra.

    ``auth``: ``basic`` (login: till, password) or ``oauth`` (login: client key, password: its secret).
    ``password_is_md5``: the password is already the 32 hexadecimal digits of its MD5. ``token_header``: the header
    that carries a token; one overview page names CAP-API-ACCESS-TOKEN instead (unverified). ``api``: v2 answers with
    the whole history at once, v1.1 page by page. ``time_zone``: IANA name of the zone in which the vendor writes times
    that name none, for example Asia/Kolkata (unpublished, see ``times``).
    """

    auth: Literal["basic", "oauth"] = "basic"
    password_is_md5: bool = False
    token_header: str = "X-CAP-API-OAUTH-TOKEN"  # noqa: S105 - a name
    api: Literal["v2", "v1.1"] = "v2"
    time_zone: str = "UTC"

    def __post_init__(self) -> None:
        try:
            zone(self.time_zone)
        except ValueError:
            msg = "capillary: the extra's time_zone is no IANA time zone. Write for example Asia/Kolkata or UTC."
            raise ConfigError(msg) from None
        if not _HEADER_NAME.fullmatch(self.token_header):
            msg = "capillary: the extra's token_header is no name that a header can have."
            raise ConfigError(msg)


def auth(credentials: Credentials[Settings]) -> Auth:
    """How to sign calls with this connection; raises ConfigError that names the field to mend."""
    settings = credentials.settings
    for name, value in (("login", credentials.login), ("password", credentials.password)):
        if not value:
            msg = f"capillary: the connection's {name} is empty."
            raise ConfigError(msg)
    return _basic(credentials, settings) if settings.auth == "basic" else _oauth(credentials, settings)


def hashed(credentials: Credentials[Settings], settings: Settings) -> str:
    """The password as the vendor wants it: MD5, lower-case hexadecimal; raises ConfigError for a hash that is none."""
    if not settings.password_is_md5:
        return hashlib.md5(credentials.password.encode(), usedforsecurity=False).hexdigest()
    digest = credentials.password.lower()
    if not _MD5.fullmatch(digest):
        msg = "capillary: password_is_md5 is set, but the password is not 32 hexadecimal digits."
        raise ConfigError(msg)
    return digest


def read_token(response: Response) -> Token:
    """Read the answer to a token request; raises AuthRejected, RequestRejected, Throttled, Unavailable, BadResponse."""
    told = token_response.read_members(response)
    data = told.get("data")
    granted = data if isinstance(data, dict) else {}
    # A token counts whatever the status of the answer: what else there is, are errors.
    if granted.get("accessToken"):
        return token_response.grant_token(granted["accessToken"], granted.get("ttlSeconds"), TOKEN_LIFE)
    token_response.refuse_by_status(response)
    raise _refusal(response.status, readable=bool(told))


def _basic(credentials: Credentials[Settings], settings: Settings) -> Auth:
    if ":" in credentials.login:
        msg = "capillary: the connection's login holds a colon, which Basic authentication cannot carry."
        raise ConfigError(msg)
    digest = hashed(credentials, settings)
    # Without the blank that the vendor's old sample has before the hash.
    packed = base64.b64encode(f"{credentials.login}:{digest}".encode()).decode()
    return Auth(_with("Authorization", f"Basic {packed}"), secrets=(credentials.password, digest, packed))


def _oauth(credentials: Credentials[Settings], settings: Settings) -> Auth:
    body = msgspec.json.encode({"key": credentials.login, "secret": credentials.password})
    return Auth(
        lambda request, token: _with(settings.token_header, token)(request),
        ask=Request("POST", f"{credentials.host}{TOKEN_PATH}", headers=JSON, body=body),
        read=read_token,
        secrets=(credentials.password,),
    )


def _with(name: str, value: str) -> Any:
    def apply(request: Request, _: str = "") -> Request:
        return replace(request, headers={**request.headers, name: value})

    return apply


def _refusal(status: int, *, readable: bool) -> VendorError:
    if status == 404:
        return RequestRejected("there is no token service at this host. Check the cluster's address", status=status)
    if 200 <= status < 300 and not readable:
        return BadResponse("the token call's answer does not have the documented shape", status=status)
    return AuthRejected(
        "no token was granted. Check key (login) and secret (password), and that the client is in an access group",
        status=status,
    )
