"""Which50's credentials. UNVERIFIED: the vendor publishes no scheme, so the four usual ones are offered.

All that its pages say is that 401 means missing or invalid credentials, and 403 a user without the permission
(app.which50.com/Which50API/documentation, read 2026-11). Ask the vendor which scheme your account has.
"""

from __future__ import annotations

from typing import Literal

from airflow_provider_interactions import contract
from airflow_provider_interactions.contract import Auth, Credentials, Response, Token
from airflow_provider_interactions.urls import check_url
from airflow_provider_interactions.vendors.shared import auth as shared
from airflow_provider_interactions.vendors.which50.about import ABOUT


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
    login, password, settings = credentials.login, credentials.password, credentials.settings
    shared.require(ABOUT.name, {"password": password})
    if settings.auth == "bearer":
        return shared.sign_bearer(ABOUT.name, password)
    if settings.auth == "header":
        return shared.sign_header(ABOUT.name, settings.header_name, password)
    shared.require(ABOUT.name, {"login": login})
    if settings.auth == "basic":
        return shared.sign_basic(ABOUT.name, login, password)
    url = _check_token_url(credentials.host, settings)
    return shared.sign_oauth2(url, login, password, read_token, grant=settings.grant, scope=settings.scope)


def read_token(response: Response) -> Token:
    """Read the token host's response; raises AuthRejected, Throttled, Unavailable, RequestRejected or BadResponse."""
    return shared.read_token(response, lambda _: "the token host refused. Check login, password, grant and scope")


def _check_token_url(host: str, settings: Settings) -> str:
    url = settings.token_url or ""
    if url.startswith("/") and not url.startswith("//"):
        return f"{host}{url}"
    check_url(url.partition("?")[0], f"{ABOUT.name}: the extra's token_url", allow_http=settings.allow_http)
    return url
