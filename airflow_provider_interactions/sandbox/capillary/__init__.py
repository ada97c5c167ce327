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

from airflow_provider_interactions.sandbox.capillary import errors
from airflow_provider_interactions.sandbox.capillary.auth import is_logged_in, issue_token
from airflow_provider_interactions.sandbox.capillary.bodies import encode_history
from airflow_provider_interactions.sandbox.capillary.options import NAME, Api, Options
from airflow_provider_interactions.sandbox.capillary.people import Standing, get_contact_id, get_standing, relabel
from airflow_provider_interactions.sandbox.capillary.query import (
    RejectedError,
    read_identifier,
    read_paged_query,
    read_query,
)
from airflow_provider_interactions.sandbox.capillary.records import choose_form, list_facts
from airflow_provider_interactions.sandbox.vendor import Site, Vendor
from airflow_provider_interactions.sandbox.world import draw

#: code of v1.1, code of v2 and text; that v1.1 has one code for deleted and unknown customers is a guess
_REFUSALS: dict[Standing, tuple[int, int, str]] = {
    "unknown": (1012, 8015, "Customer not found."),
    "deleted": (1012, 8109, "The customer was deleted after a PII request."),
}


def build_routes(site: Site) -> list[web.RouteDef]:
    """Every path of this vendor."""
    return [
        web.post("/v3/oauth/token/generate", partial(issue_token, site)),
        web.get("/v1.1/customer/interaction", partial(_serve, site, "v1.1"), allow_head=False),
        web.get("/v2/customers/interaction", partial(_serve, site, "v2"), allow_head=False),
    ]


async def _serve(site: Site, api: Api, request: web.Request) -> web.Response:
    # Without ``format=json`` the vendor answers v1.1 in XML, which no connector asks for.
    if api == "v1.1" and request.query.get("format") != "json":
        return errors.refuse_request(406, "The sandbox answers in JSON only.", 406)
    if not is_logged_in(site, request):
        refuse = errors.refuse_v2 if api == "v2" else errors.refuse_request
        return refuse(401, "Invalid login.", 401)
    try:
        return _answer(site, api, request)
    except RejectedError as rejected:
        if api == "v2":
            return errors.refuse_v2(rejected.code, rejected.text, rejected.code)
        if rejected.code > 1000:
            return errors.refuse_item({}, rejected.code, rejected.text)
        return errors.refuse_request(rejected.code, rejected.text)


def _answer(site: Site, api: Api, request: web.Request) -> web.Response:
    name, value, index = read_identifier(site.world, api, request.query)
    query = read_query(request.query) if api == "v2" else read_paged_query(site, request.query)
    state = "unknown" if index is None else get_standing(site.world, site.options, index)
    form = choose_form(site.world, site.options, api, index or 0)
    if index is not None and state == "known":
        return errors.reply(encode_history(site.world, site.options, form, index, query))
    old_code, code, text = _REFUSALS[state]
    if form != "v2":
        return errors.refuse_item({name: value}, old_code, text)
    return errors.refuse_v2(code, text, site.options.error_status, draw(site.world, NAME, "error", value))


def build_connection(url: str, options: Options) -> Mapping[str, Any]:
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
    routes=build_routes,
    facts=list_facts,
    contact_id=get_contact_id,
    connection=build_connection,
    error=errors.build_error,
    throttles=errors.THROTTLES,
    token_paths=("/v3/oauth/",),
    relabel=relabel,
)
