"""Ways of logging in to Which50; no help page found says which is right, so the options choose one."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from urllib.parse import unquote_plus

from aiohttp import web

from airflow_provider_interactions.sandbox.faults import active_fault
from airflow_provider_interactions.sandbox.vendor import Site
from airflow_provider_interactions.sandbox.which50.errors import refuse
from airflow_provider_interactions.sandbox.which50.records import Options

#: values of the option ``auth`` that need the token endpoint
GRANTS = ("client_credentials", "password")


async def token(site: Site, request: web.Request) -> web.Response:
    """Answer ``POST /token`` as RFC 6749 has it, sections 4.3, 4.4 and 5.2."""
    options: Options = site.options
    if options.auth not in GRANTS:
        return refuse(site, request, 404, "No HTTP resource was found that matches the request URI.")
    if request.content_type != "application/x-www-form-urlencoded":
        return _denied(400, "invalid_request")
    form = {name: str(value) for name, value in (await request.post()).items()}
    wrong = _wrong(options, form, _client(request, form))
    if wrong:
        return _denied(401 if wrong == "invalid_client" else 400, wrong)
    seconds = options.token_seconds
    body = {"access_token": site.tokens.issue(seconds), "token_type": "bearer", "expires_in": int(seconds)}
    return web.json_response(body, headers={"Cache-Control": "no-store"})


def _wrong(options: Options, form: Mapping[str, str], client: tuple[str, str] | None) -> str | None:
    """RFC 6749's word for what is wrong; a password grant may come without a client."""
    if "grant_type" not in form:
        return "invalid_request"
    if form["grant_type"] != options.auth:
        return "unsupported_grant_type"
    needed = client or (("", "") if options.auth == "client_credentials" else None)
    if needed and not _same(needed, (options.client_id, options.client_secret)):
        return "invalid_client"
    user = form.get("username", ""), form.get("password", "")
    if options.auth == "password" and not _same(user, (options.username, options.password)):
        return "invalid_grant"
    return None


def _client(request: web.Request, form: Mapping[str, str]) -> tuple[str, str] | None:
    """The client's id and secret, from the form or as HTTP Basic."""
    basic = _basic(request.headers.get("Authorization", ""))
    if basic:
        return unquote_plus(basic[0]), unquote_plus(basic[1])
    return (form["client_id"], form.get("client_secret", "")) if "client_id" in form else None


def _denied(status: int, name: str) -> web.Response:
    return web.json_response({"error": name, "error_description": "Refused by the sandbox."}, status=status)


def challenge(site: Site, request: web.Request) -> web.Response | None:
    """A 401 unless the request logs in as the options demand; a 403 if the user may not do anything."""
    if not _logged_in(site, request):
        response = refuse(site, request, 401)
        response.headers["WWW-Authenticate"] = "Basic" if site.options.auth == "basic" else "Bearer"
        return response
    return None if site.options.permitted else refuse(site, request, 403)


def _logged_in(site: Site, request: web.Request) -> bool:
    options: Options = site.options
    header = request.headers.get("Authorization", "")
    scheme, _, presented = header.partition(" ")
    if options.auth in GRANTS:
        return scheme.lower() == "bearer" and site.tokens.accepts(presented)
    if active_fault("reject_tokens") is not None:
        # The fault is meant for whatever the client logs in with.
        return False
    if options.auth == "basic":
        return _same(_basic(header) or ("", ""), (options.username, options.password))
    if options.auth == "header":
        return _same((request.headers.get(options.header, ""),), (options.token,))
    return scheme.lower() == "bearer" and _same((presented,), (options.token,))


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, encoded = header.partition(" ")
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (user, password) if scheme.lower() == "basic" else None


def _same(given: tuple[str, ...], expected: tuple[str, ...]) -> bool:
    return hmac.compare_digest("\0".join(given).encode(), "\0".join(expected).encode())
