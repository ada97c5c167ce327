"""Dynamics 365 Marketing: Entra's token endpoint and the few parts of Dataverse's Web API that lead to interactions.

Served under ``{url}/dynamics_marketing``, which stands both for the organisation URL and for the token authority.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import msgspec
from aiohttp import web

from airflow_provider_interactions.sandbox.dynamics_marketing import errors
from airflow_provider_interactions.sandbox.dynamics_marketing.action import ACTION, load_interactions, refuse_removed
from airflow_provider_interactions.sandbox.dynamics_marketing.auth import challenge, issue_token
from airflow_provider_interactions.sandbox.dynamics_marketing.contacts import list_contacts
from airflow_provider_interactions.sandbox.dynamics_marketing.records import (
    NAME,
    Options,
    draw_organization_id,
    get_contact_id,
    list_facts,
)
from airflow_provider_interactions.sandbox.vendor import Site, Vendor
from airflow_provider_interactions.sandbox.world import draw_guid

Handler = Callable[[Site, web.Request], Awaitable[web.Response]]

# v9.0 keeps working next to v9.1 and v9.2 ("Compose HTTP requests and handle errors", read 2026-11).
_ROOT = "/api/data/{version:v9\\.[012]}"


def build_routes(site: Site) -> list[web.RouteDef]:
    """Every path of this vendor; an unknown segment answers as Dataverse does."""

    def guard(handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        return partial(_guard, site, handler)

    return [
        web.post("/{tenant}/oauth2/v2.0/token", partial(issue_token, site)),
        web.post(f"{_ROOT}/{ACTION}", guard(load_interactions)),
        web.get(f"{_ROOT}/contacts", guard(list_contacts)),
        web.get(f"{_ROOT}/WhoAmI", guard(_who_am_i)),
        web.route("*", "/api/data/{version}/{segment}", guard(_refuse_segment)),
    ]


async def _guard(site: Site, handler: Handler, request: web.Request) -> web.Response:
    refused = challenge(site, request)  # an aiohttp 3.11 response without keys of its own is false
    return await handler(site, request) if refused is None else refused


async def _who_am_i(site: Site, request: web.Request) -> web.Response:
    body = {
        "@odata.context": f"{errors.get_service_root(request)}/$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse",
        "BusinessUnitId": draw_guid(site.world, NAME, "business unit"),
        "UserId": draw_guid(site.world, NAME, "user"),
        "OrganizationId": draw_organization_id(site.world),
    }
    return errors.reply(request, msgspec.json.encode(body))


async def _refuse_segment(site: Site, request: web.Request) -> web.Response:
    segment = request.match_info["segment"]
    gone = refuse_removed(site, request) if segment == ACTION else None
    return gone or errors.refuse(request, 404, "0x8006088a", f"Resource not found for the segment '{segment}'.")


def build_connection(url: str, options: Options) -> Mapping[str, Any]:
    """The Airflow connection's JSON form."""
    extra = {
        "tenant_id": options.tenant_id,
        "authority": url,
        "scope": f"{url}/.default",
        "api_version": "v9.0",
        "allow_http": True,
    }
    return {
        "conn_type": NAME,
        "host": url,
        "login": options.client_id,
        "password": options.client_secret,
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
    token_paths=("/oauth2/",),
)
