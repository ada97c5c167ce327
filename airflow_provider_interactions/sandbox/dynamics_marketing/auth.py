"""Entra's token endpoint and the check of tokens.

Sources: "OAuth 2.0 client credentials flow", "Microsoft Entra authentication and authorization error codes"
(learn.microsoft.com/entra, read 2026-11).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from urllib.parse import unquote_plus

import msgspec
from aiohttp import web

from airflow_provider_interactions.sandbox.dynamics_marketing.records import NAME, Options
from airflow_provider_interactions.sandbox.vendor import Site, base_url

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class _DeniedError(Exception):
    """A refusal of the token endpoint: status, ``error``, AADSTS number, text."""

    def __init__(self, status: int, error: str, number: int, text: str) -> None:
        super().__init__(text)
        self.status, self.error, self.number, self.text = status, error, number, text


async def token(site: Site, request: web.Request) -> web.Response:
    """Answer ``POST /{tenant}/oauth2/v2.0/token``."""
    try:
        _check(site.options, request, await _form(request) | _basic(request))
    except _DeniedError as denied:
        return _denial(denied)
    seconds = site.options.token_seconds
    body = {
        "token_type": "Bearer",
        "expires_in": int(seconds),
        "ext_expires_in": int(seconds),
        "access_token": site.tokens.issue(seconds),
    }
    return web.json_response(body, headers={"Cache-Control": "no-store, no-cache"})


def challenge(site: Site, request: web.Request) -> web.Response | None:
    """A 401 unless the request bears a good token; its empty body and a header naming the authority are inferred."""
    scheme, _, presented = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and site.tokens.accepts(presented):
        return None
    base = base_url(request, NAME)
    authority = f"{base}/{site.options.tenant_id}/oauth2/authorize"
    return web.Response(
        status=401, headers={"WWW-Authenticate": f"Bearer authorization_uri={authority}, resource_id={base}/"}
    )


async def _form(request: web.Request) -> dict[str, str]:
    if request.content_type != "application/x-www-form-urlencoded":
        raise _DeniedError(400, "invalid_request", 900144, "The request body must be form-encoded.")
    return {name: str(value) for name, value in (await request.post()).items()}


def _check(options: Options, request: web.Request, form: Mapping[str, str]) -> None:
    for name in ("grant_type", "client_id", "scope"):
        if not form.get(name):
            raise _DeniedError(
                400, "invalid_request", 900144, f"The request body must contain the parameter: '{name}'."
            )
    if form["grant_type"] != "client_credentials":
        raise _DeniedError(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
    if request.match_info["tenant"].lower() != options.tenant_id.lower():
        raise _DeniedError(400, "invalid_request", 90002, "Tenant not found.")
    if form["client_id"].lower() != options.client_id.lower():
        raise _DeniedError(400, "unauthorized_client", 700016, "Application was not found in the directory.")
    _check_credential(options, form)
    _check_scope(request, form["scope"])


def _check_credential(options: Options, form: Mapping[str, str]) -> None:
    if "client_assertion" in form:
        if form.get("client_assertion_type") != _ASSERTION_TYPE or not _looks_like_jwt(form["client_assertion"]):
            raise _DeniedError(401, "invalid_client", 700027, "The client assertion could not be read.")
    elif "client_secret" not in form:
        text = "The request body must contain: 'client_assertion' or 'client_secret'."
        raise _DeniedError(401, "invalid_client", 7000218, text)
    elif not hmac.compare_digest(form["client_secret"].encode(), options.client_secret.encode()):
        raise _DeniedError(401, "invalid_client", 7000215, "Invalid client secret provided.")


def _check_scope(request: web.Request, scope: str) -> None:
    if len(scope.split()) > 1:
        raise _DeniedError(400, "invalid_scope", 700022, "More than one resource was named in the scope.")
    if not re.fullmatch(r"\S+/\.default", scope):
        raise _DeniedError(
            400, "invalid_scope", 70011, "The provided value for the input parameter 'scope' is not valid."
        )
    resource = scope.removesuffix("/.default").rstrip("/")
    # A real organisation's URL has no path; here both the server and the vendor's prefix may be meant.
    if resource not in {base_url(request, NAME), base_url(request, "").rstrip("/")}:
        raise _DeniedError(400, "invalid_resource", 500011, "The resource principal was not found in the tenant.")


def _basic(request: web.Request) -> dict[str, str]:
    """Client id and secret sent as HTTP Basic, which the endpoint accepts too."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return {}
    try:
        client, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return {}
    return {"client_id": unquote_plus(client), "client_secret": unquote_plus(secret)}


def _looks_like_jwt(text: str) -> bool:
    """Three base64url parts, the first two JSON objects. The signature is not verified."""
    parts = text.split(".")
    if len(parts) != 3:
        return False
    try:
        return all(isinstance(msgspec.json.decode(_decoded(part)), dict) for part in parts[:2])
    except (binascii.Error, msgspec.DecodeError):
        return False


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _denial(denied: _DeniedError) -> web.Response:
    body = {
        "error": denied.error,
        "error_description": f"AADSTS{denied.number}: {denied.text} Trace ID: sandbox",
        "error_codes": [denied.number],
        "timestamp": "2026-01-01 00:00:00Z",
        "trace_id": "00000000-0000-0000-0000-000000000001",
        "correlation_id": "00000000-0000-0000-0000-000000000002",
        "error_uri": f"http://localhost/error?code={denied.number}",
    }
    return web.json_response(body, status=denied.status)
