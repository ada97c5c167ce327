"""Who may call and how: allow list, key, login, version and method.

Sources: "Common Parameters", "Error Codes", "Server API Authentication" (open.convio.com/api/apidoc, read 2026-11). The
order of the checks is an inference.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from ipaddress import ip_address, ip_network

from aiohttp import web

from airflow_provider_interactions.sandbox.luminate_online.answers import RefusedError
from airflow_provider_interactions.sandbox.luminate_online.records import Options
from airflow_provider_interactions.sandbox.vendor import Site

Check = Callable[[Site, web.Request, Mapping[str, str]], None]


_REQUIRED = ("api_key", "v", "login_name", "login_password")
_COMMON = frozenset(
    {*_REQUIRED, "method", "response_format", "center_id", "source", "sub_source", "suppress_response_codes"}
)


def admit(site: Site, request: web.Request, asked: Mapping[str, str], methods: Mapping[str, Collection[str]]) -> None:
    """Refuse whatever stops a call before its method runs; ``methods`` names the parameters each one has."""
    if request.method != "POST":
        raise RefusedError(405, f"HTTP method {request.method} is not supported.", 405)
    _check_address(site.options, request.remote)
    _check_place(site, request)
    method = asked.get("method", "")
    if method not in methods or method in site.options.without_methods:
        raise RefusedError(6, f"Method '{method}' is not valid.")
    _check_common(asked)
    _check_key(site.options, asked)
    _check_login(site.options, asked)
    site.seen["unknown_parameters"] += len(set(asked) - _COMMON - set(methods[method]))


def _check_address(options: Options, remote: str | None) -> None:
    address = ip_address(remote or "0.0.0.0")  # noqa: S104  stands for nobody
    if not any(address in ip_network(allowed, strict=False) for allowed in options.allowed_addresses):
        raise RefusedError(4, f"The IP address {address} is not allowed to call the server API.")


def _check_place(site: Site, request: web.Request) -> None:
    """A login belongs in the body: query strings end up in access logs."""
    if not {"login_name", "login_password"} & set(request.query):
        return
    site.seen["login_in_query"] += 1
    if site.options.query_credentials == "refuse":
        raise RefusedError(3, "The login must be sent in the body of the request.")


def _check_common(asked: Mapping[str, str]) -> None:
    for name in _REQUIRED:
        if not asked.get(name):
            raise RefusedError(9, f"The parameter {name} is required.")
    if asked["v"] != "1.0":
        raise RefusedError(1, "The parameter v must be 1.0.")
    if asked.get("response_format", "xml") not in {"xml", "json"}:
        raise RefusedError(1, "The parameter response_format must be xml or json.")


def _check_key(options: Options, asked: Mapping[str, str]) -> None:
    if asked["api_key"] not in options.api_keys:
        raise RefusedError(2, "Invalid API key.")


def _check_login(options: Options, asked: Mapping[str, str]) -> None:
    if (asked["login_name"], asked["login_password"]) != (options.login_name, options.login_password):
        raise RefusedError(3, "Authorization failed.")
