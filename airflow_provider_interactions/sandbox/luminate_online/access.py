"""Who may call and how: key, login, version and method.

Sources: "Common Parameters", "Error Codes", "Server API Authentication" (open.convio.com/api/apidoc, read 2026-11). The
order of the checks is an inference.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from aiohttp import web

from airflow_provider_interactions.sandbox.auth import is_same
from airflow_provider_interactions.sandbox.luminate_online.responses import RefusedError
from airflow_provider_interactions.sandbox.vendor import Site

_REQUIRED = ("api_key", "v", "login_name", "login_password")
_COMMON = {*_REQUIRED, "method", "response_format"}


def admit(site: Site, request: web.Request, asked: Mapping[str, str], methods: Mapping[str, Collection[str]]) -> None:
    """Refuse whatever stops a call before its method runs; ``methods`` names the parameters each one has."""
    options, method = site.options, asked.get("method", "")
    if "login_name" in request.query or "login_password" in request.query:
        # The vendor accepts it, but query strings end up in access logs.
        raise RefusedError(3, "The login must be sent in the body of the request.")
    if method not in methods or method in options.without_methods:
        raise RefusedError(6, f"Method '{method}' is not valid.")
    missing = next((name for name in _REQUIRED if not asked.get(name)), None)
    if missing:
        raise RefusedError(9, f"The parameter {missing} is required.")
    if asked["v"] != "1.0" or asked.get("response_format", "xml") not in {"xml", "json"}:
        raise RefusedError(1, "The parameter v must be 1.0, response_format xml or json.")
    if asked["api_key"] != options.api_key:
        raise RefusedError(2, "Invalid API key.")
    if not is_same((asked["login_name"], asked["login_password"]), (options.login_name, options.login_password)):
        raise RefusedError(3, "Authorization failed.")
    unknown = set(asked) - _COMMON - set(methods[method])
    if unknown:
        raise RefusedError(50, f"The sandbox does not know these parameters: {', '.join(sorted(unknown))}.")
