"""Ways of logging in to Which50; no help page found says which is right, so the options choose one."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from airflow_provider_interactions.sandbox.auth import is_same, read_basic
from airflow_provider_interactions.sandbox.faults import get_fault
from airflow_provider_interactions.sandbox.vendor import Site
from airflow_provider_interactions.sandbox.which50.errors import refuse
from airflow_provider_interactions.sandbox.which50.records import Options

#: values of the option ``auth`` that need the token endpoint, and the names of login and password in its form
GRANTS = {"client_credentials": ("client_id", "client_secret"), "password": ("username", "password")}


async def issue_token(site: Site, request: web.Request) -> web.Response:
    """Answer ``POST /token`` as RFC 6749 has it, sections 4.3, 4.4 and 5.2."""
    options: Options = site.options
    if options.auth not in GRANTS:
        return refuse(request, 404, "No HTTP resource was found that matches the request URI.")
    error = _find_error(options, {name: str(value) for name, value in (await request.post()).items()})
    if error:
        body = {"error": error, "error_description": "Refused by the sandbox."}
        return web.json_response(body, status=401 if error == "invalid_client" else 400)
    seconds = options.token_seconds
    granted = {"access_token": site.tokens.issue(seconds), "token_type": "bearer", "expires_in": int(seconds)}
    return web.json_response(granted, headers={"Cache-Control": "no-store"})


def _find_error(options: Options, form: Mapping[str, str]) -> str | None:
    """RFC 6749's word for what is wrong."""
    if "grant_type" not in form:
        return "invalid_request"
    if form["grant_type"] != options.auth:
        return "unsupported_grant_type"
    login, secret = GRANTS[options.auth]
    if not is_same((form.get(login, ""), form.get(secret, "")), get_login(options)):
        return "invalid_client" if options.auth == "client_credentials" else "invalid_grant"
    return None


def get_login(options: Options) -> tuple[str, str]:
    """Login and secret of the scheme in force; no login for a fixed token."""
    if options.auth == "client_credentials":
        return options.client_id, options.client_secret
    return (options.username, options.password) if options.auth in {"basic", "password"} else ("", options.token)


def challenge(site: Site, request: web.Request) -> web.Response | None:
    """A 401 unless the request logs in as the options demand."""
    if _is_logged_in(site, request):
        return None
    response = refuse(request, 401)
    response.headers["WWW-Authenticate"] = "Basic" if site.options.auth == "basic" else "Bearer"
    return response


def _is_logged_in(site: Site, request: web.Request) -> bool:
    options: Options = site.options
    header = request.headers.get("Authorization", "")
    scheme, _, presented = header.partition(" ")
    bearer = presented if scheme.lower() == "bearer" else ""
    if options.auth in GRANTS:
        return site.tokens.accept(bearer)
    if get_fault("reject_tokens") is not None:
        # The fault is meant for whatever the client logs in with.
        return False
    if options.auth == "basic":
        return is_same(read_basic(header), get_login(options))
    given = request.headers.get(options.header, "") if options.auth == "header" else bearer
    return is_same((given,), (options.token,))
