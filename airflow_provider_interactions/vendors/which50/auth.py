"""Which50's credentials. UNVERIFIED: the vendor publishes no scheme at all, so the four usual ones are offered.

All that its pages say is that 401 means missing or invalid credentials, and 403 a user without the permission
(app.which50.com/Which50API/documentation, read 2026-11). Ask the vendor which scheme your account has.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Literal
from urllib.parse import urlsplit

from airflow_provider_interactions import contract
from airflow_provider_interactions.contract import Auth, Credentials, Request, Response, Token
from airflow_provider_interactions.errors import AuthRejected, ConfigError, RequestRejected, Unavailable, VendorError
from airflow_provider_interactions.vendors.shared import token_response

#: Values of ``error`` that a later attempt can cure (RFC 6749, sections 4.1.2.1 and 5.2).
_TRANSIENT = frozenset({"temporarily_unavailable", "server_error"})

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")

Apply = Callable[[Request, str], Request]


class Settings(contract.Settings, frozen=True, kw_only=True):
    """The connection's extra.

    ``auth`` says how calls are signed, which the vendor does not publish: ``bearer`` (password: the token), ``header``
    (password: the whole value of the header ``header_name``), ``basic`` (login, password) or ``oauth2``: a token from
    ``token_url`` (a full URL, or a path below the host) by ``grant`` client_credentials (login: client id, password:
    its secret) or password (login and password of a user), with ``scope`` where given. ``response_format`` is what to
    ask for; either is understood whatever was asked for.
    """

    auth: Literal["bearer", "header", "basic", "oauth2"] = "bearer"
    header_name: str = "Authorization"
    token_url: str | None = None
    grant: Literal["client_credentials", "password"] = "client_credentials"
    scope: str | None = None
    response_format: Literal["json", "xml"] = "json"


def auth(credentials: Credentials[Settings]) -> Auth:
    """How to sign calls with this connection; raises ConfigError that names the field to mend."""
    settings = credentials.settings
    if not credentials.password:
        raise _wrong("password is empty. It holds the token, the header's value, the password or the client's secret")
    if settings.auth in ("basic", "oauth2") and not credentials.login:
        raise _wrong(f"login is empty, which auth {settings.auth} needs")
    return _SCHEMES[settings.auth](credentials, settings)


def read_token(response: Response) -> Token:
    """Read the token host's answer (RFC 6749); raises AuthRejected, RequestRejected, Throttled, Unavailable or more."""
    told = token_response.read_members(response)
    if 200 <= response.status < 300 and not told.get("error"):
        return token_response.grant_token(told.get("access_token"), told.get("expires_in"))
    token_response.refuse_by_status(response)
    raise _refusal(response.status, str(told.get("error") or ""))


def _bearer(credentials: Credentials[Settings], _: Settings) -> Auth:
    return Auth(_static("Authorization", f"Bearer {_value(credentials)}"), secrets=(credentials.password,))


def _header(credentials: Credentials[Settings], settings: Settings) -> Auth:
    if not _HEADER_NAME.fullmatch(settings.header_name):
        raise _wrong("extra's header_name is no name that a header can have")
    return Auth(_static(settings.header_name, _value(credentials)), secrets=(credentials.password,))


def _basic(credentials: Credentials[Settings], _: Settings) -> Auth:
    if ":" in credentials.login:
        raise _wrong("login holds a colon, which Basic authentication cannot carry")
    packed = base64.b64encode(f"{credentials.login}:{credentials.password}".encode()).decode()
    return Auth(_static("Authorization", f"Basic {packed}"), secrets=(credentials.password, packed))


def _oauth2(credentials: Credentials[Settings], settings: Settings) -> Auth:
    names = {"client_credentials": ("client_id", "client_secret"), "password": ("username", "password")}
    form = dict(zip(names[settings.grant], (credentials.login, credentials.password), strict=True))
    scope = {"scope": settings.scope} if settings.scope else {}
    url = _token_url(credentials.host, settings)
    ask = Request(
        "POST", url, form={"grant_type": settings.grant, **form, **scope}, headers={"Accept": "application/json"}
    )
    return Auth(_with_token, ask=ask, read=read_token, secrets=(credentials.password,))


_SCHEMES: dict[str, Callable[[Credentials, Settings], Auth]] = {
    "bearer": _bearer,
    "header": _header,
    "basic": _basic,
    "oauth2": _oauth2,
}


def _token_url(host: str, settings: Settings) -> str:
    url = settings.token_url or ""
    if url.startswith("/") and not url.startswith("//"):
        return f"{host}{url}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.username
    except ValueError:
        usable = False
    if not usable:
        raise _wrong("extra's token_url must be a full URL that starts with https://, or a path below the host")
    if parts.scheme == "http" and not settings.allow_http:
        raise _wrong("extra's token_url is plain http://, which would send the secret unencrypted. Use https://")
    return url


def _static(name: str, value: str) -> Apply:
    def apply(request: Request, _: str) -> Request:
        return replace(request, headers={**request.headers, name: value})

    return apply


def _with_token(request: Request, token: str) -> Request:
    return _static("Authorization", f"Bearer {token}")(request, "")


def _value(credentials: Credentials[Settings]) -> str:
    if not _HEADER_VALUE.fullmatch(credentials.password):
        raise _wrong("password holds a character that no header can carry: perhaps a line break or blank from copying")
    return credentials.password


def _refusal(status: int, name: str) -> VendorError:
    if status == 404:
        return RequestRejected("there is no token service at the extra's token_url", status=status)
    if name in _TRANSIENT:
        return Unavailable("the token host is not available", status=status, code=name)
    return AuthRejected("the token host refused. Check login, password, grant and scope", status=status)


def _wrong(what: str) -> ConfigError:
    return ConfigError(f"which50: the connection's {what}.")
