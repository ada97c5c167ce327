"""Credentials of the server API: three parameters in the body of every call, no token, no cookie.

Sources: "Server API Authentication", "Common Parameters" (open.convio.com, read 2026-11) and "Configure API Keys"
(developer.blackbaud.com/lo-api, read 2026-11).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from airflow_provider_interactions import contract
from airflow_provider_interactions.contract import Auth, Credentials, Request
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.vendors.luminate_online.about import ABOUT
from airflow_provider_interactions.vendors.shared.auth import require

#: Characters of an API key that the vendor answers with error 2 ("Configure API Keys").
UNUSABLE = frozenset("&:\\\"'?=")


class Settings(contract.Settings, frozen=True, kw_only=True):
    """The connection's extra.

    ``api_key`` is the site's CONVIO_API_KEY (or its secondary key, while keys are being changed); ``response_format``
    is what to ask for. Both formats give the same rows; JSON is faster to read, XML has one fixed shape.
    """

    api_key: str | None = None
    response_format: Literal["xml", "json"] = "xml"

    def __post_init__(self) -> None:
        key = self.api_key or ""
        if UNUSABLE.intersection(key) or key != key.strip():
            msg = (
                "luminate_online: the extra's api_key holds a character that the vendor refuses: one of & : \\ \" ' ? "
                "= or a blank at an end. Set another key in the site's Open API configuration."
            )
            raise ConfigError(msg)


def auth(credentials: Credentials[Settings]) -> Auth:
    """How to sign calls with this connection; raises ConfigError that names a missing field."""
    signature = {
        "api_key": credentials.settings.api_key or "",
        "login_name": credentials.login,
        "login_password": credentials.password,
    }
    fields = ("extra's api_key", "login (of an API Administrator)", "password")
    require(ABOUT.name, dict(zip(fields, signature.values(), strict=True)))

    def apply(request: Request, _: str) -> Request:
        # In the body only: access logs keep URLs.
        return replace(request, form={**(request.form or {}), **signature})

    return Auth(apply, secrets=tuple(signature.values()))
