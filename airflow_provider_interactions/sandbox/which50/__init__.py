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

from airflow_provider_interactions.sandbox.faults import get_fault
from airflow_provider_interactions.sandbox.vendor import Site, Vendor
from airflow_provider_interactions.sandbox.which50.auth import GRANTS, challenge, get_login, issue_token
from airflow_provider_interactions.sandbox.which50.errors import THROTTLES, build_error, refuse
from airflow_provider_interactions.sandbox.which50.formats import encode_json, encode_xml, reply, wants_xml
from airflow_provider_interactions.sandbox.which50.lists import list_contacts, list_lists
from airflow_provider_interactions.sandbox.which50.records import (
    NAME,
    Options,
    Record,
    find_contact,
    get_contact_id,
    list_facts,
    list_records,
    relabel,
)
from airflow_provider_interactions.sandbox.world import World, get_shape

Handler = Callable[[Site, web.Request], Awaitable[web.Response]]

_ROOT = "/Which50API"
_TOKEN = f"{_ROOT}/token"


def build_routes(site: Site) -> Iterator[web.RouteDef]:
    """Every path of this vendor; other paths are refused as ASP.NET Web API does."""
    handlers: dict[str, Handler] = {
        "contacts/{contactId}/communications": list_communications,
        "contactLists": list_lists,
        "contactLists/{contactListId}/contacts": list_contacts,
    }
    yield web.post(_TOKEN, partial(issue_token, site))
    for path, handler in handlers.items():
        yield web.get(f"{_ROOT}/{path}", partial(_guard, site, handler))
    yield web.route("*", f"{_ROOT}/{{rest:.*}}", partial(_guard, site, _refuse_path))


async def _guard(site: Site, handler: Handler, request: web.Request) -> web.Response:
    refused = challenge(site, request)  # an aiohttp 3.11 response without keys of its own is false
    return await handler(site, request) if refused is None else refused


async def _refuse_path(_: Site, request: web.Request) -> web.Response:
    text = f"No HTTP resource was found that matches the request URI '{request.path}'."
    return refuse(request, 404, text)


async def list_communications(site: Site, request: web.Request) -> web.Response:
    """Answer ``GET contacts/{contactId}/communications``: the whole history, whatever the query says."""
    # The framework's own reading of the path keeps some escapes; the id is one segment, escaped once.
    segment = request.raw_path.partition("?")[0].split("/")[-2]
    index = find_contact(site.world, unquote(segment))
    if index is None:
        return refuse(request, 404)
    earlier, doubled = get_fault("earlier_status") is not None, get_fault("duplicate") is not None
    body = _encode_shape(site.world, site.options, get_shape(site.world, index), wants_xml(request), earlier, doubled)
    return reply(request, body, body)


@lru_cache(maxsize=256)
def _encode_shape(world: World, options: Options, base: int, *flags: bool) -> bytes:
    """No record names its contact, so that one body serves all contacts of a shape."""
    as_xml, earlier, doubled = flags
    records = list_records(world, options, base)
    rows = [_build_row(record, earlier=earlier) for record in (*records, *(records[:1] if doubled else ()))]
    return encode_xml(rows) if as_xml else encode_json(rows)


def _build_row(record: Record, *, earlier: bool) -> dict[str, Any]:
    changed = earlier and record.earlier_status is not None
    return record.fields | {"Status": record.earlier_status} if changed else record.fields


def build_connection(url: str, options: Options) -> Mapping[str, Any]:
    """The Airflow connection's JSON form."""
    extra: dict[str, Any] = {"auth": options.auth, "allow_http": True}
    if options.auth in GRANTS:
        extra |= {"auth": "oauth2", "grant": options.auth, "token_url": f"{url}{_TOKEN}"}
    if options.auth == "header":
        extra["header_name"] = options.header
    login, password = get_login(options)
    named = {"login": login} if login else {}
    return {"conn_type": NAME, "host": f"{url}{_ROOT}", **named, "password": password, "extra": extra}


VENDOR = Vendor(
    name=NAME,
    options=Options,
    routes=build_routes,
    facts=list_facts,
    contact_id=get_contact_id,
    connection=build_connection,
    error=build_error,
    throttles=THROTTLES,
    token_paths=(_TOKEN,),
    relabel=relabel,
)
