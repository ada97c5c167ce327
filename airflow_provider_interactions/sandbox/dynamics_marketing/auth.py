"""Entra's token endpoint and the check of tokens.

Sources: "OAuth 2.0 client credentials flow", "Microsoft Entra authentication and authorization error codes"
(learn.microsoft.com/entra, read 2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from aiohttp import web

from airflow_provider_interactions.sandbox.auth import is_same
from airflow_provider_interactions.sandbox.dynamics_marketing.records import NAME
from airflow_provider_interactions.sandbox.vendor import Site, get_base_url


class Denial(NamedTuple):
    """A refusal of the token endpoint: status, ``error``, AADSTS number, text."""

    status: int
    error: str
    number: int
    text: str


def is_own_resource(request: web.Request, scope: str, name: str = NAME) -> bool:
    """Whether a scope names this organisation: its URL, here either the server's or that of the vendor's prefix."""
    resource = scope.removesuffix("/.default").rstrip("/")
    return resource in {get_base_url(request, name), get_base_url(request, "").rstrip("/")}


async def issue_token(
    site: Site, request: web.Request, is_known: Callable[[web.Request, str], bool] = is_own_resource
) -> web.Response:
    """Answer ``POST /{tenant}/oauth2/v2.0/token``; ``is_known`` says which scopes there are."""
    form = {name: str(value) for name, value in (await request.post()).items()}
    denial = _find_denial(site.options, request, form, is_known)
    if denial is not None:
        return _deny(denial)
    seconds = site.options.token_seconds
    body = {
        "token_type": "Bearer",
        "expires_in": int(seconds),
        "ext_expires_in": int(seconds),
        "access_token": site.tokens.issue(seconds, form["scope"].removesuffix("/.default")),
    }
    return web.json_response(body, headers={"Cache-Control": "no-store, no-cache"})


def challenge(site: Site, request: web.Request, name: str = NAME) -> web.Response | None:
    """A 401 unless the request has a good token; its empty body and a header naming the authority are inferred."""
    scheme, _, presented = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and site.tokens.accept(presented):
        return None
    base = get_base_url(request, name)
    authority = f"{base}/{site.options.tenant_id}/oauth2/authorize"
    return web.Response(
        status=401, headers={"WWW-Authenticate": f"Bearer authorization_uri={authority}, resource_id={base}/"}
    )


def _find_denial(
    options: Any, request: web.Request, form: Mapping[str, str], is_known: Callable[[web.Request, str], bool]
) -> Denial | None:
    """The first check that fails."""
    missing = next((name for name in ("grant_type", "client_id", "scope") if not form.get(name)), None)
    secret, scope = form.get("client_secret"), form.get("scope", "")
    tenant, client = request.match_info["tenant"].lower(), form.get("client_id", "").lower()
    checks: tuple[tuple[Any, Denial], ...] = (
        (missing, Denial(400, "invalid_request", 900144, f"The body must contain the parameter '{missing}'.")),
        (
            form.get("grant_type") != "client_credentials",
            Denial(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type."),
        ),
        (tenant != options.tenant_id.lower(), Denial(400, "invalid_request", 90002, "Tenant not found.")),
        (
            client != options.client_id.lower(),
            Denial(400, "unauthorized_client", 700016, "Application was not found in the directory."),
        ),
        (secret is None, Denial(401, "invalid_client", 7000218, "The body must contain 'client_secret'.")),
        (
            not is_same((secret or "",), (options.client_secret,)),
            Denial(401, "invalid_client", 7000215, "Invalid client secret provided."),
        ),
        (
            len(scope.split()) > 1,
            Denial(400, "invalid_scope", 700022, "More than one resource was named in the scope."),
        ),
        (
            not re.fullmatch(r"\S+/\.default", scope),
            Denial(400, "invalid_scope", 70011, "The provided value for the parameter 'scope' is not valid."),
        ),
        (
            not is_known(request, scope),
            Denial(400, "invalid_resource", 500011, "The resource principal was not found in the tenant."),
        ),
    )
    return next((denial for failed, denial in checks if failed), None)


def _deny(denial: Denial) -> web.Response:
    body = {
        "error": denial.error,
        "error_description": f"AADSTS{denial.number}: {denial.text} Trace ID: sandbox",
        "error_codes": [denial.number],
        "timestamp": "2026-01-01 00:00:00Z",
        "trace_id": "00000000-0000-0000-0000-000000000001",
        "correlation_id": "00000000-0000-0000-0000-000000000002",
    }
    return web.json_response(body, status=denial.status)
