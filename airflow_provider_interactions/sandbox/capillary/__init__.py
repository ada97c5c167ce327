"""Capillary: customers' interactions by v1.1 and v2, Basic login and tokens.

Served under ``{url}/capillary``, which stands for the host of a region's cluster. Sources: "Get Customer Interactions"
in its editions for v2 and v1.1 (docs.capillarytech.com/reference) and the older v1.1 documentation
(capillary.github.io/v1.1-API-Documentation), read 2026-11; docs/capillary.md lists all pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from aiohttp import web

from airflow_provider_interactions.sandbox.capillary.auth import logged_in, token
from airflow_provider_interactions.sandbox.capillary.bodies import answer
from airflow_provider_interactions.sandbox.capillary.errors import (
    THROTTLES,
    error,
    refuse_item,
    refuse_request,
    refuse_v2,
    reply,
)
from airflow_provider_interactions.sandbox.capillary.options import NAME, Api, Form, Options
from airflow_provider_interactions.sandbox.capillary.people import Standing, contact_id, relabel, standing
from airflow_provider_interactions.sandbox.capillary.query import RejectedError, identifier, paged, whole
from airflow_provider_interactions.sandbox.capillary.records import facts, form_of
from airflow_provider_interactions.sandbox.vendor import Site, Vendor
from airflow_provider_interactions.sandbox.world import draw

__all__ = ["VENDOR"]

#: codes and texts of v1.1; that it does not tell deleted customers from unknown ones is a guess
_ITEMS: dict[Standing, tuple[int, str]] = {
    "unknown": (1012, "Customer not found."),
    "deleted": (1012, "Customer not found."),
    "fraud": (618, "The customer is marked as fraud."),
}
#: codes and texts of v2
_ERRORS: dict[Standing, tuple[int, str]] = {
    "unknown": (8015, "Customer not found."),
    "deleted": (8109, "The customer was deleted after a PII request."),
    "fraud": (618, "The customer is marked as fraud."),
}


def routes(site: Site) -> list[web.RouteDef]:
    """Every path of this vendor."""
    return [
        web.post("/v3/oauth/token/generate", partial(token, site)),
        web.get("/v1.1/customer/interaction", partial(_interactions, site, "v1.1"), allow_head=False),
        web.get("/v2/customers/interaction", partial(_interactions, site, "v2"), allow_head=False),
    ]


async def _interactions(site: Site, api: Api, request: web.Request) -> web.Response:
    options: Options = site.options
    if api == "v1.1" and request.query.get("format", "xml").lower() not in {"json", "xml"}:
        return refuse_request(request, 406, "Only json and xml can be answered.", 406)
    if not logged_in(site, request):
        return _login_needed(options, api, request)
    if api == "v2" and not options.v2_enabled:
        return refuse_v2(request, 403, "v2 is not enabled for this organisation.", 403)
    try:
        return _answer(site, api, request)
    except RejectedError as rejected:
        return _rejected(api, request, rejected)


def _login_needed(options: Options, api: Api, request: web.Request) -> web.Response:
    text = "Invalid login."
    if api == "v2":
        return refuse_v2(request, 401, text, 401)
    return refuse_request(request, 401, text, 200 if options.login_in_body else 401)


def _rejected(api: Api, request: web.Request, rejected: RejectedError) -> web.Response:
    if api == "v2":
        return refuse_v2(request, rejected.code, rejected.text, rejected.code)
    if rejected.code > 1000:
        return refuse_item(request, {}, rejected.code, rejected.text)
    return refuse_request(request, rejected.code, rejected.text)


def _answer(site: Site, api: Api, request: web.Request) -> web.Response:
    name, value, index = identifier(site.world, api, request.query)
    query = whole(request.query) if api == "v2" else paged(site.options, request.query)
    state = "unknown" if index is None else standing(site.world, site.options, index)
    form = form_of(site.world, site.options, api, index or 0)
    if index is None or state != "known":
        return _refused(site, form, request, {name: value}, state)
    return reply(request, answer(site.world, site.options, form, index, query))


def _refused(
    site: Site, form: Form, request: web.Request, customer: Mapping[str, str], state: Standing
) -> web.Response:
    if form != "v2":
        return refuse_item(request, customer, *_ITEMS[state])
    drawn = draw(site.world, NAME, "error", *customer.values())
    return refuse_v2(request, *_ERRORS[state], site.options.error_status, drawn)


def connection(url: str, options: Options) -> Mapping[str, Any]:
    """The Airflow connection's JSON form."""
    basic = options.auth == "basic"
    extra = {"auth": options.auth, "api": options.api, "time_zone": options.time_zone, "allow_http": True}
    if options.token_header != Options().token_header:
        extra["token_header"] = options.token_header
    return {
        "conn_type": NAME,
        "host": url,
        "login": options.till if basic else options.key,
        "password": options.password if basic else options.secret,
        "extra": extra,
    }


VENDOR = Vendor(
    name=NAME,
    options=Options,
    routes=routes,
    facts=facts,
    contact_id=contact_id,
    connection=connection,
    error=error,
    throttles=THROTTLES,
    token_paths=("/v3/oauth/",),
    relabel=relabel,
)
