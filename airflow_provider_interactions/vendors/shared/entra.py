"""Tokens of Microsoft Entra ID. Client secrets are handled here; everything else needs azure-identity.

Source: "OAuth 2.0 client credentials flow" (learn.microsoft.com/entra, read 2026-11).
"""

from __future__ import annotations

from typing import Literal, TypeVar
from urllib.parse import quote

from airflow_provider_interactions import contract
from airflow_provider_interactions.contract import Auth, Credentials, Response, Token
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.urls import check_url
from airflow_provider_interactions.vendors.shared import auth as shared
from airflow_provider_interactions.vendors.shared import azure

AUTHORITY = "https://login.microsoftonline.com"

#: What to do about a refusal, by its ``error``.
WHAT_TO_DO = {
    "invalid_client": "the client id or secret was refused, or the secret expired. Check client id and client secret",
    "unauthorized_client": "the tenant does not know this app, or it is disabled. Check client id and tenant_id",
    "invalid_request": "the token host rejected the request as invalid. Check tenant_id, authority, client id, scope",
    "invalid_scope": "the scope is malformed. It must be the organisation's URL followed by /.default",
    "invalid_resource": "the tenant does not know this organisation. Check host and scope",
}


#: AADSTS numbers that say more than ``error`` does ("Microsoft Entra authentication and authorization error codes").
NUMBERS = {
    90002: "the tenant is unknown, or belongs to another cloud's token host. Check tenant_id and authority",
    90011: "the token host cannot identify the client: its ids are ambiguous. Check client id and tenant_id",
    900382: "the tenant belongs to another cloud's token host. Check authority",
    900432: "the tenant belongs to another cloud's token host. Check authority",
}


class Settings(contract.Settings, frozen=True, kw_only=True):
    """The keys of the extra about an app of Microsoft Entra ID.

    ``tenant_id`` is a GUID or domain; ``authority`` the token host of the cloud; ``credential`` says what proves the
    app's identity, ``certificate_path`` is a PEM or PKCS#12 file for a certificate.
    """

    tenant_id: str | None = None
    authority: str = AUTHORITY
    credential: Literal["secret", "certificate", "managed_identity", "workload_identity"] = "secret"
    certificate_path: str | None = None


SettingsT = TypeVar("SettingsT", bound=Settings)


def sign(vendor: str, credentials: Credentials[SettingsT], scope: str) -> Auth:
    """How to sign calls with tokens for ``scope``; raises ConfigError that names a missing field."""
    settings = credentials.settings
    if settings.credential == "managed_identity":
        return Auth(shared.send_bearer, acquire=azure.use_managed_identity(credentials.login, scope))
    if settings.credential == "workload_identity":
        return Auth(shared.send_bearer, acquire=_use_workload_identity(vendor, credentials, scope))
    shared.require(vendor, {"tenant_id": settings.tenant_id, "client id (login)": credentials.login})
    if settings.credential == "certificate":
        acquire = _use_certificate(vendor, credentials, scope)
        return Auth(shared.send_bearer, acquire=acquire, secrets=(credentials.password,))
    shared.require(vendor, {"client secret (password)": credentials.password})
    url = f"{_check_authority(vendor, settings)}/{quote(settings.tenant_id or '', safe='')}/oauth2/v2.0/token"
    return shared.sign_oauth2(url, credentials.login, credentials.password, read_token, scope=scope)


def read_token(response: Response) -> Token:
    """Read the token host's response; raises AuthRejected, Throttled, Unavailable, RequestRejected or BadResponse."""
    return shared.read_token(response, _explain)


def _explain(refusal: shared.Members) -> str:
    """What to do about a refusal. Its AADSTS numbers are for people only: clients must not branch on them."""
    numbers, name = refusal.get("error_codes"), str(refusal.get("error"))
    known = [NUMBERS[n] for n in numbers if isinstance(n, int) and n in NUMBERS] if isinstance(numbers, list) else []
    default = WHAT_TO_DO.get(name, "the token host refused the app. Check tenant_id, client id and client secret")
    return known[0] if known else default


def _use_certificate(vendor: str, credentials: Credentials[SettingsT], scope: str) -> azure.Acquire:
    settings = credentials.settings
    if not settings.certificate_path:
        msg = f"{vendor}: credential is certificate, but the extra's certificate_path is empty."
        raise ConfigError(msg)
    return azure.use_certificate(
        tenant_id=settings.tenant_id or "",
        client_id=credentials.login,
        path=settings.certificate_path,
        password=credentials.password or None,
        authority=_check_authority(vendor, settings),
        scope=scope,
    )


def _use_workload_identity(vendor: str, credentials: Credentials[SettingsT], scope: str) -> azure.Acquire:
    settings = credentials.settings
    return azure.use_workload_identity(
        tenant_id=settings.tenant_id,
        client_id=credentials.login or None,
        authority=_check_authority(vendor, settings),
        scope=scope,
    )


def _check_authority(vendor: str, settings: Settings) -> str:
    check_url(settings.authority, f"{vendor}: the extra's authority", allow_http=settings.allow_http)
    return settings.authority.rstrip("/")
