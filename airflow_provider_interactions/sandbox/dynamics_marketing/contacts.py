"""Listing contacts through the Web API. Source: "Page results" (learn.microsoft.com, read 2026-11)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import msgspec
from aiohttp import web

from airflow_provider_interactions.sandbox.dynamics_marketing.errors import refuse, reply, service_root
from airflow_provider_interactions.sandbox.dynamics_marketing.records import NAME, contact_id, contact_index
from airflow_provider_interactions.sandbox.faults import active_fault
from airflow_provider_interactions.sandbox.vendor import Site, base_url
from airflow_provider_interactions.sandbox.world import DAY, SECOND, World, active, draw, instant, person

#: default and maximum of odata.maxpagesize ("Page results")
_MAX_PAGE = 5000
#: seen in public code only, unverified
_BAD_OPTION = "0x80060888"
_COLUMNS = (
    "contactid", "emailaddress1", "firstname", "lastname", "fullname", "mobilephone", "createdon", "modifiedon",
    "statecode", "statuscode",
)  # fmt: skip
_OPTIONS = {"$select", "$filter", "$orderby", "$top", "$count", "$skiptoken"}
_TERM = re.compile(r"(statecode|modifiedon) (eq|ne|ge|gt|le|lt) (\S+)")
#: what comparing may come to, by operator
_ORDERS = {"eq": {0}, "ne": {-1, 1}, "ge": {0, 1}, "gt": {1}, "le": {-1, 0}, "lt": {-1}}
_ORDER = re.compile(r"contactid( asc| desc)?")
_PREFER = re.compile(r"odata\.maxpagesize\s*=\s*(\d+)")
_MARK = "$skiptoken="
_COOKIE = re.compile(r'page="(\d+)".*last="\{([0-9A-Fa-f-]{36})\}" first="\{([0-9A-Fa-f-]{36})\}"')


class Listing(NamedTuple):
    """What a listing asks for, apart from where it is."""

    select: tuple[str, ...]
    filter: str
    order: str
    top: int | None


class RefusedError(Exception):
    """A query option that is not understood, as 400 0x80060888."""


async def list_contacts(site: Site, request: web.Request) -> web.Response:
    """Answer ``GET /api/data/{version}/contacts``."""
    try:
        listing = _listing(request.query)
        chosen = _chosen(site.world, listing.filter, listing.order)
        page, offset = _position(site.world, request.raw_path, chosen)
    except RefusedError as refused:
        return refuse(request, 400, _BAD_OPTION, str(refused))
    asked = _PREFER.search(request.headers.get("Prefer", ""))
    size = min(int(asked[1]) or _MAX_PAGE, _MAX_PAGE) if asked else _MAX_PAGE
    # $top is ignored when maxpagesize is set ("Page results").
    end = offset + size if asked or listing.top is None else listing.top
    body = _body(site, request, listing, chosen[offset:end])
    if end < len(chosen) and (asked or listing.top is None):
        body["@odata.nextLink"] = _next_link(site.world, request, page, chosen[offset], chosen[end - 1])
    if active_fault("endless_pages"):
        body |= {"value": [], "@odata.nextLink": _next_link(site.world, request, page, chosen[0], chosen[0])}
    applied = {"Preference-Applied": f"odata.maxpagesize={size}"} if asked else {}
    return reply(request, msgspec.json.encode(body), headers=applied)


async def read_contact(site: Site, request: web.Request) -> web.Response:
    """Answer ``GET /api/data/{version}/contacts({id})``."""
    text = request.match_info["id"]
    index = contact_index(site.world, text)
    if index is None:
        return refuse(request, 404, "0x80040217", f"Entity 'Contact' With Id = {text} Does Not Exist")
    context = {"@odata.context": f"{service_root(request)}/$metadata#contacts/$entity"}
    return reply(request, msgspec.json.encode(context | _row(site.world, index, _COLUMNS)))


def _listing(query: Any) -> Listing:
    for name in query:
        if name not in _OPTIONS:
            message = f"The query parameter {name} is not supported"
            raise RefusedError(message)
    select = tuple(name.strip() for name in query.get("$select", ",".join(_COLUMNS)).split(","))
    for name in select:
        if name not in _COLUMNS:
            message = f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.contact'."
            raise RefusedError(message)
    top = query.get("$top")
    if top is not None and not re.fullmatch(r"[0-9]{1,9}", top):
        message = f"Invalid value '{top}' for $top query option found."
        raise RefusedError(message)
    return Listing(select, query.get("$filter", ""), query.get("$orderby", ""), None if top is None else int(top))


@lru_cache(maxsize=16)
def _chosen(world: World, condition: str, order: str) -> tuple[int, ...]:
    """Indices of the contacts that are listed, in their order."""
    terms = [_term(text.strip()) for text in condition.split(" and ")] if condition else []
    found = [index for index in range(world.contacts) if all(_holds(world, index, *term) for term in terms)]
    if order:
        if not _ORDER.fullmatch(order):
            message = f"The $orderby expression '{order}' is not supported by the sandbox."
            raise RefusedError(message)
        found.sort(key=lambda index: contact_id(world, index), reverse=order.endswith(" desc"))
    return tuple(found)


def _term(text: str) -> tuple[str, str, str]:
    found = _TERM.fullmatch(text)
    if not found:
        message = f"The $filter term '{text}' is not supported by the sandbox."
        raise RefusedError(message)
    return found[1], found[2], found[3]


def _holds(world: World, index: int, name: str, operator: str, value: str) -> bool:
    have = str(_row(world, index, _COLUMNS)[name])
    order = (have > value) - (have < value)
    return order in _ORDERS[operator]


def _row(world: World, index: int, select: tuple[str, ...]) -> dict[str, Any]:
    who, state = person(world, index), int(not active(world, index))
    created = world.start_us - DAY - draw(world, NAME, "created", index) % (300 * DAY) // SECOND * SECOND
    changed = created + draw(world, NAME, "changed", index) % (301 * DAY) // SECOND * SECOND
    row = {
        "contactid": contact_id(world, index),
        "emailaddress1": who.email,
        "firstname": who.first,
        "lastname": who.last,
        "fullname": f"{who.first} {who.last}",
        "mobilephone": who.mobile,
        "createdon": _odata_time(created),
        "modifiedon": _odata_time(changed),
        "statecode": state,
        "statuscode": state + 1,
    }
    # The key comes with every row, selected or not.
    named = {name: row[name] for name in _COLUMNS if name in {*select, "contactid"}}
    return {"@odata.etag": f'W/"{1000000 + index}"', **named}


def _odata_time(at_us: int) -> str:
    return instant(at_us).isoformat().replace("+00:00", "Z")


def _body(site: Site, request: web.Request, listing: Listing, indices: tuple[int, ...]) -> dict[str, Any]:
    columns = ",".join(listing.select) if "$select" in request.query else ""
    context = f"{service_root(request)}/$metadata#contacts" + (f"({columns})" if columns else "")
    body: dict[str, Any] = {"@odata.context": context}
    if request.query.get("$count") == "true":
        body["@odata.count"] = len(_chosen(site.world, listing.filter, listing.order))
    return body | {"value": [_row(site.world, index, listing.select) for index in indices]}


def _cookie(page: int, last: str, first: str) -> str:
    """The paging cookie: encoded once inside the attribute, and once more with it."""
    inner = f'<cookie page="{page}"><contactid last="{{{last}}}" first="{{{first}}}" /></cookie>'
    twice = quote(_lower(quote(inner, safe="")), safe="")
    return f"%3Ccookie%20pagenumber=%22{page + 1}%22%20pagingcookie=%22{twice}%22%20istracking=%22False%22%20/%3E"


def _lower(encoded: str) -> str:
    return re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), encoded)


def _next_link(world: World, request: web.Request, page: int, first: int, last: int) -> str:
    asked = request.raw_path.partition(_MARK)[0].rstrip("&?")
    cookie = _cookie(page, contact_id(world, last).upper(), contact_id(world, first).upper())
    # raw_path starts with the vendor's prefix, which the base URL already has.
    link = f"{base_url(request, NAME)}{asked.removeprefix(f'/{NAME}')}{'&' if '?' in asked else '?'}{_MARK}{cookie}"
    foreign = active_fault("foreign_next_link")
    if foreign is None:
        return link
    other = foreign.location or f"http://localhost:{request.url.port}"
    return other + link.removeprefix(f"{request.scheme}://{request.host}")


def _position(world: World, raw_path: str, chosen: tuple[int, ...]) -> tuple[int, int]:
    """Page number and offset; a cookie that is not byte for byte as it was handed out is refused."""
    _, mark, given = raw_path.partition(_MARK)
    if not mark:
        if "skiptoken" in raw_path.lower():
            message = "Malformed paging cookie: the next link was changed."
            raise RefusedError(message)
        return 1, 0
    found = _COOKIE.search(unquote(unquote(given)))
    last = contact_index(world, found[2]) if found else None
    if found is None or last not in chosen or given != _cookie(int(found[1]), found[2], found[3]):
        message = "Malformed paging cookie: the next link was changed."
        raise RefusedError(message)
    return int(found[1]) + 1, chosen.index(last) + 1
