"""Luminate Online: the server servlet SRConsAPI with the methods that lead to interactions.

Served under ``{url}/luminate_online/site``, which stands for ``https://{host}/{short}/site``.

Its errors by rule: ``{"kind": "status", "status": 403, "code": "1"}`` in the caller's format (any code), without
``code`` a page of HTML as from a proxy or during maintenance, like ``{"kind": "html"}``.
``duplicate`` begins a later page one record too early, ``repeat_cursor`` ignores the offset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from aiohttp import web

from airflow_provider_interactions.sandbox.luminate_online.access import admit
from airflow_provider_interactions.sandbox.luminate_online.criteria import LIST_PARAMETERS
from airflow_provider_interactions.sandbox.luminate_online.fields import NAME, get_contact_id
from airflow_provider_interactions.sandbox.luminate_online.groups import GROUP_PARAMETERS, get_group_members
from airflow_provider_interactions.sandbox.luminate_online.listings import (
    IDENTIFIERS,
    get_interaction,
    get_user_interactions,
    list_interactions,
)
from airflow_provider_interactions.sandbox.luminate_online.records import Options, list_facts
from airflow_provider_interactions.sandbox.luminate_online.responses import (
    THROTTLES,
    RefusedError,
    build_error,
    read_parameters,
    refuse,
    reply,
)
from airflow_provider_interactions.sandbox.vendor import Site, Vendor

Method = Callable[[Site, Mapping[str, str]], bytes]


__all__ = ["VENDOR"]

_METHODS: dict[str, Method] = {
    "getUserInteractions": get_user_interactions,
    "listInteractions": list_interactions,
    "getInteraction": get_interaction,
    "getGroupMembers": get_group_members,
}
#: what each method takes besides the common parameters
_PARAMETERS = {
    "getUserInteractions": LIST_PARAMETERS.union(IDENTIFIERS),
    "listInteractions": LIST_PARAMETERS,
    "getInteraction": {*IDENTIFIERS, "interaction_id"},
    "getGroupMembers": GROUP_PARAMETERS,
}


def build_routes(site: Site) -> list[web.RouteDef]:
    """The one path of this vendor."""
    return [web.post("/site/SRConsAPI", partial(_serve, site))]


async def _serve(site: Site, request: web.Request) -> web.Response:
    asked = await read_parameters(request)
    try:
        admit(site, request, asked, _PARAMETERS)
        return reply(asked, _METHODS[asked["method"]](site, asked))
    except RefusedError as refused:
        return refuse(asked, refused)


def build_connection(url: str, options: Options) -> Mapping[str, Any]:
    """The Airflow connection's JSON form."""
    return {
        "conn_type": NAME,
        "host": f"{url}/site",
        "login": options.login_name,
        "password": options.login_password,
        "extra": {"api_key": options.api_key, "response_format": options.response_format, "allow_http": True},
    }


VENDOR = Vendor(
    name=NAME,
    options=Options,
    routes=build_routes,
    facts=list_facts,
    contact_id=get_contact_id,
    connection=build_connection,
    error=build_error,
    throttles=THROTTLES,
)
