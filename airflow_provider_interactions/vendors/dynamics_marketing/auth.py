"""Tokens for Dataverse: client credentials by secret here; certificate and managed identity through azure-identity.

Source: "OAuth 2.0 client credentials flow" (learn.microsoft.com/entra, read 2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from airflow_provider_interactions import contract
from airflow_provider_interactions.contract import Auth, Credentials, Request, Response, Token
from airflow_provider_interactions.errors import (
    AuthRejected,
    ConfigError,
    RequestRejected,
    Throttled,
    Unavailable,
    VendorError,
)
from airflow_provider_interactions.vendors.dynamics_marketing import azure
from airflow_provider_interactions.vendors.shared import token_response

AUTHORITY = "https://login.microsoftonline.com"

#: Values of ``error`` that a later attempt can cure; all others are final. Clients are told to branch on it alone.
TRANSIENT = frozenset({"temporarily_unavailable", "server_error"})

WHAT_TO_DO = {
    "invalid_client": "the client id or secret was refused, or the secret expired. Check login and password",
    "unauthorized_client": "the tenant does not know this app, or it is disabled. Check login and tenant_id",
    "invalid_request": "the token host finds the request wrong. Check tenant_id, authority, login and scope",
    "invalid_scope": "the scope is malformed. It must be the organisation's URL followed by /.default",
    "invalid_resource": "the tenant does not know this organisation. Check host and scope",
}


#: AADSTS numbers that say more than ``error`` does ("Microsoft Entra authentication and authorization error codes").
NUMBERS = {
    90002: "the tenant is unknown, or belongs to another cloud's token host. Check tenant_id and authority",
    90011: "the token host cannot tell which client is meant: its ids are ambiguous. Check login and tenant_id",
    900382: "the tenant belongs to another cloud's token host. Check authority",
    900432: "the tenant belongs to another cloud's token host. Check authority",
}


class Settings(contract.Settings, frozen=True, kw_only=True):
    """The connection's extra.

    ``tenant_id`` is a GUID or domain; ``authority`` the token host of the cloud; ``scope`` defaults to the
    organisation's URL + ``/.default``; ``credential`` says what proves the app's identity, ``certificate_path`` is a
    PEM or PKCS#12 file for a certificate.
    """

    tenant_id: str | None = None
    authority: str = AUTHORITY
    scope: str | None = None
    api_version: str = "v9.0"
    credential: Literal["secret", "certificate", "managed_identity"] = "secret"
    certificate_path: str | None = None


_NAME = re.compile(r"[a-z_]{1,40}")


def auth(credentials: Credentials[Settings]) -> Auth:
    """How to sign calls with this connection; raises ConfigError that names a missing field."""
    settings = credentials.settings
    if settings.credential == "managed_identity":
        return Auth(_bearer, acquire=azure.managed_identity(credentials.login, _scope(credentials, settings)))
    for name, value in (("tenant_id", settings.tenant_id), ("login (the client id)", credentials.login)):
        if not value:
            msg = f"dynamics_marketing: the connection's {name} is empty."
            raise ConfigError(msg)
    if settings.credential == "certificate":
        return Auth(_bearer, acquire=_by_certificate(credentials, settings), secrets=(credentials.password,))
    if not credentials.password:
        msg = "dynamics_marketing: the connection's password (the client secret) is empty."
        raise ConfigError(msg)
    return Auth(_bearer, ask=_ask(credentials, settings), read=read_token, secrets=(credentials.password,))


def read_token(response: Response) -> Token:
    """Read the token host's answer; raises AuthRejected, Throttled, Unavailable, RequestRejected or BadResponse."""
    told = token_response.read_members(response)
    if 200 <= response.status < 300 and not told.get("error"):
        return token_response.grant_token(told.get("access_token"), told.get("expires_in"))
    raise _refusal(response, told)


def _refusal(response: Response, told: Mapping[str, Any]) -> VendorError:
    name = told.get("error")
    name = name if isinstance(name, str) and _NAME.fullmatch(name) else ""  # it is told in errors: not just any text
    if 300 <= response.status < 400:
        msg = "the token host redirects elsewhere, which is not followed. Put the final URL into the extra's authority"
        return RequestRejected(msg, status=response.status)
    if response.status == 429:
        return Throttled("the token host asks to slow down", status=429)
    if response.status >= 500 or name in TRANSIENT:
        return Unavailable("the token host is not available", status=response.status, code=name)
    hint = WHAT_TO_DO.get(name, "the token host refused the app. Check tenant_id, login and password")
    return AuthRejected(_by_number(told) or hint, status=response.status, code=name)


def _by_number(told: Mapping[str, Any]) -> str | None:
    """What to do about the AADSTS numbers of an answer, for people only: clients must not branch on them."""
    numbers = told.get("error_codes")
    known = [NUMBERS[n] for n in numbers if isinstance(n, int) and n in NUMBERS] if isinstance(numbers, list) else []
    return known[0] if known else None


def _ask(credentials: Credentials[Settings], settings: Settings) -> Request:
    form = {
        "grant_type": "client_credentials",
        "client_id": credentials.login,
        "client_secret": credentials.password,
        "scope": _scope(credentials, settings),
    }
    url = f"{_authority(settings)}/{quote(settings.tenant_id or '', safe='')}/oauth2/v2.0/token"
    return Request("POST", url, form=form, headers={"Accept": "application/json"})


def _by_certificate(credentials: Credentials[Settings], settings: Settings) -> azure.Acquire:
    if not settings.certificate_path:
        msg = "dynamics_marketing: credential is certificate, but the extra's certificate_path is empty."
        raise ConfigError(msg)
    return azure.certificate(
        tenant_id=settings.tenant_id or "",
        client_id=credentials.login,
        path=settings.certificate_path,
        password=credentials.password or None,
        authority=_authority(settings),
        scope=_scope(credentials, settings),
    )


def _authority(settings: Settings) -> str:
    scheme = urlsplit(settings.authority).scheme
    if scheme not in {"http", "https"}:
        msg = "dynamics_marketing: authority must be a full URL that starts with https://."
        raise ConfigError(msg)
    if scheme == "http" and not settings.allow_http:
        msg = "dynamics_marketing: authority is plain http://, which would send the secret unencrypted. Use https://."
        raise ConfigError(msg)
    return settings.authority.rstrip("/")


def _scope(credentials: Credentials[Settings], settings: Settings) -> str:
    url = urlsplit(credentials.host)
    return settings.scope or f"{url.scheme}://{url.netloc}/.default"


def _bearer(request: Request, token: str) -> Request:
    return replace(request, headers={**request.headers, "Authorization": f"Bearer {token}"})
