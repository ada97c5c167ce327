"""Which50: a contact's communications and the contact lists that lead to contacts.

Served under ``{url}/which50/Which50API``, as the vendor's routes lie under ``https://app.which50.com/Which50API``.
Source: the help pages there (``/documentation``, as of 2024-05 and 2025-11, read 2026-11).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from airflow_provider_interactions.sandbox.faults import active_fault
from airflow_provider_interactions.sandbox.vendor import Site, Vendor
from airflow_provider_interactions.sandbox.which50.auth import GRANTS, challenge, token
from airflow_provider_interactions.sandbox.which50.errors import THROTTLES, error, refuse
from airflow_provider_interactions.sandbox.which50.formats import (
    interactions_json,
    interactions_xml,
    is_xml,
    negotiated,
    reply,
)
from airflow_provider_interactions.sandbox.which50.lists import list_contacts, list_lists, read_list
from airflow_provider_interactions.sandbox.which50.records import (
    NAME,
    Options,
    Record,
    contact_id,
    contact_index,
    facts,
    history,
    relabel,
)
from airflow_provider_interactions.sandbox.world import World, shape

Answer = Callable[[Site, web.Request], Awaitable[web.Response]]


__all__ = ["VENDOR"]

_ROOT = "/Which50API"
_TOKEN = f"{_ROOT}/token"


def routes(site: Site) -> Iterator[web.RouteDef]:
    """Every path of this vendor; other paths and methods are refused as ASP.NET Web API does."""
    answers: dict[str, Answer] = {
        "contacts/{contactId}/communications": communications,
        "contactLists": list_lists,
        "contactLists/{contactListId}": read_list,
        "contactLists/{contactListId}/contacts": list_contacts,
    }
    yield web.post(_TOKEN, partial(token, site))
    for path, answer in answers.items():
        yield web.get(f"{_ROOT}/{path}", partial(_guarded, site, answer))
        yield web.route("*", f"{_ROOT}/{path}", partial(_guarded, site, _wrong_method))
    yield web.route("*", f"{_ROOT}/{{rest:.*}}", partial(_guarded, site, _unknown_path))


async def _guarded(site: Site, answer: Answer, request: web.Request) -> web.Response:
    refused = challenge(site, request)  # an aiohttp 3.11 response without keys of its own is false
    return await answer(site, request) if refused is None else refused


async def _wrong_method(site: Site, request: web.Request) -> web.Response:
    text = f"The requested resource does not support http method '{request.method}'."
    return refuse(site, request, 405, text)


async def _unknown_path(site: Site, request: web.Request) -> web.Response:
    text = f"No HTTP resource was found that matches the request URI '{request.path}'."
    return refuse(site, request, 404, text)


async def communications(site: Site, request: web.Request) -> web.Response:
    """Answer ``GET contacts/{contactId}/communications``: the whole history, whatever the query says."""
    # The framework's own reading of the path keeps some escapes; the id is one segment, escaped once.
    segment = request.raw_path.partition("?")[0].split("/")[-2]
    index = contact_index(site.world, unquote(segment))
    if index is None:
        return refuse(site, request, 404)
    as_xml = is_xml(negotiated(request.headers.get("Accept", "*/*")))
    earlier, doubled = active_fault("earlier_status") is not None, active_fault("duplicate") is not None
    body = _body(site.world, site.options, shape(site.world, index), as_xml, earlier, doubled)
    return reply(request, body, body)


@lru_cache(maxsize=256)
def _body(world: World, options: Options, base: int, *flags: bool) -> bytes:
    """No record tells its contact, so that one body serves all contacts of a shape."""
    as_xml, earlier, doubled = flags
    records = history(world, options, base)
    rows = [_row(record, earlier=earlier) for record in (*records, *(records[:1] if doubled else ()))]
    return interactions_xml(rows) if as_xml else interactions_json(rows)


def _row(record: Record, *, earlier: bool) -> dict[str, Any]:
    changed = earlier and record.earlier_status is not None
    return record.fields | {"Status": record.earlier_status} if changed else record.fields


def connection(url: str, options: Options) -> Mapping[str, Any]:
    """The Airflow connection's JSON form."""
    login, password, extra = _credentials(f"{url}{_TOKEN}", options)
    return {
        "conn_type": NAME,
        "host": f"{url}{_ROOT}",
        **({"login": login} if login else {}),
        "password": password,
        "extra": {**extra, "allow_http": True},
    }


def _credentials(token_url: str, options: Options) -> tuple[str | None, str, dict[str, Any]]:
    """Login, password and extra of the scheme in force."""
    if options.auth == "client_credentials":
        grant = {"auth": "oauth2", "grant": options.auth, "token_url": token_url}
        return options.client_id, options.client_secret, grant
    if options.auth in GRANTS:
        grant = {"auth": "oauth2", "grant": options.auth, "token_url": token_url}
        return options.username, options.password, grant
    if options.auth == "basic":
        return options.username, options.password, {"auth": "basic"}
    named = {"header_name": options.header} if options.auth == "header" else {}
    return None, options.token, {"auth": options.auth, **named}


VENDOR = Vendor(
    name=NAME,
    options=Options,
    routes=routes,
    facts=facts,
    contact_id=contact_id,
    connection=connection,
    error=error,
    throttles=THROTTLES,
    token_paths=(_TOKEN,),
    relabel=relabel,
)
