"""Customer Insights - Journeys: its tables in a lakehouse of OneLake, and in the managed lake of Dataverse.

Served under ``{url}/dynamics_journeys``, which stands for the organisation URL and for the token authority. Below it,
``/onelake`` is the storage account of OneLake, ``/lake`` that of Dataverse, and ``/storage`` Dataverse's blob proxy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from aiohttp import web

from airflow_provider_interactions.sandbox.dynamics_journeys import storage_responses
from airflow_provider_interactions.sandbox.dynamics_journeys.dataverse import answer
from airflow_provider_interactions.sandbox.dynamics_journeys.facts import (
    build_fact,
    choose_newest,
    get_time,
    list_facts,
    list_rejects,
)
from airflow_provider_interactions.sandbox.dynamics_journeys.options import NAME, Options
from airflow_provider_interactions.sandbox.dynamics_journeys.storage import serve_lake, serve_onelake
from airflow_provider_interactions.sandbox.dynamics_journeys.storage_access import AUDIENCE
from airflow_provider_interactions.sandbox.dynamics_journeys.store import Store, list_rows_of_scale
from airflow_provider_interactions.sandbox.dynamics_marketing import errors
from airflow_provider_interactions.sandbox.dynamics_marketing.auth import challenge, is_own_resource, issue_token
from airflow_provider_interactions.sandbox.dynamics_marketing.records import get_contact_id
from airflow_provider_interactions.sandbox.expected import Fact, Selection
from airflow_provider_interactions.sandbox.vendor import ErrorSpec, Site, Vendor

_STORAGE_PATHS = ("/onelake/", "/lake/", "/storage/")


def build_routes(site: Site) -> list[web.RouteDef]:
    """Every path of this vendor."""
    lake, onelake = partial(serve_lake, site), partial(serve_onelake, site)
    return [
        web.post("/{tenant}/oauth2/v2.0/token", partial(issue_token, site, is_known=_is_known)),
        web.route("GET", "/api/data/{version:v9\\.[012]}/{segment}", partial(_answer_dataverse, site)),
        *(
            web.route(method, f"/{account}/{{container}}{blob}", handler)
            for account, handler in (("onelake", onelake), ("lake", lake), ("storage", lake))
            for blob in ("", "/{blob:.*}")
            for method in ("GET", "HEAD")
        ),
    ]


def _is_known(request: web.Request, scope: str) -> bool:
    return scope == f"{AUDIENCE}/.default" or is_own_resource(request, scope, NAME)


async def _answer_dataverse(site: Site, request: web.Request) -> web.Response:
    refused = challenge(site, request, NAME)
    if refused is not None:
        return refused
    token = request.headers["Authorization"].partition(" ")[2]
    if site.tokens.get_audience(token) == AUDIENCE:
        return web.Response(status=401, headers={"WWW-Authenticate": "Bearer error=invalid_token"})
    return answer(site, request)


def build_error(request: web.Request, spec: ErrorSpec) -> web.Response:
    """An error in the words of Dataverse, or of the storage where it is asked."""
    if any(part in request.path for part in _STORAGE_PATHS):
        return storage_responses.build_error(request, spec)
    return errors.build_error(request, spec)


def list_all_facts(site: Site, chosen: Selection) -> Iterator[Fact]:
    """The facts of the time that was read; of the rows made by the column, those of the selection's tables and days."""
    start_us, end_us = chosen.read or (chosen.start_us, chosen.end_us)
    rows = (row for row in site.store.list_rows() if start_us <= get_time(site.options, row) < end_us)
    for row in choose_newest(rows):
        yield build_fact(site.options, row)
    for row in list_rows_of_scale(site.world, site.options, chosen):
        yield build_fact(site.options, row)


def build_connection(url: str, options: Options) -> Mapping[str, Any]:
    """The Airflow connection's JSON form, for one of the two routes."""
    extra = {
        "tenant_id": options.tenant_id,
        "authority": url,
        "scope": f"{url}/.default",
        "api_version": "v9.2",
        "allow_http": True,
    }
    if options.route == "onelake":
        place = {"workspace": options.workspace_id, "lakehouse": options.lakehouse_id}
        extra |= place | {"onelake_endpoint": f"{url}/onelake"} | ({"schema": "dbo"} if options.schemas else {})
    return {
        "conn_type": NAME,
        "host": url,
        "login": options.client_id,
        "password": options.client_secret,
        "extra": extra,
    }


def _add_late_rows(site: Site, table: str, days: list[str], rows: int = 1, contact: int = 0) -> int:
    return int(site.store.add_late_rows(table, days, rows, contact))


def _add_versions(site: Site, table: str, day: str) -> int:
    return int(site.store.add_versions(table, day))


def _list_rejects(site: Site) -> list[dict[str, Any]]:
    """The rows that a reader must reject: their table, Timestamp in microseconds since 1970, and the reason."""
    rows = list_rejects(site.store.list_rows())
    return [{"table": row.table, "occurred_at": row.at_us, "reason": row.reject} for row in rows]


def _delete_rows(site: Site, table: str, day: str) -> int:
    return int(site.store.delete_rows(table, day))


def _compact(site: Site, table: str) -> None:
    site.store.compact(table)


def _damage(site: Site, table: str, kind: str) -> None:
    site.store.damage(table, kind)


VENDOR = Vendor(
    name=NAME,
    options=Options,
    routes=build_routes,
    facts=list_facts,
    contact_id=get_contact_id,
    connection=build_connection,
    error=build_error,
    throttles=errors.THROTTLES,
    token_paths=("/oauth2/",),
    store=Store,
    all_facts=list_all_facts,
    changes={
        "add_late_rows": _add_late_rows,
        "add_versions": _add_versions,
        "delete_rows": _delete_rows,
        "compact": _compact,
        "damage": _damage,
        "list_rejects": _list_rejects,
    },
)
