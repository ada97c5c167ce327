"""Listing contacts through the Web API. Source: "Page results" (learn.microsoft.com, read 2026-11)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote

import msgspec
from aiohttp import web

from airflow_provider_interactions.sandbox.dynamics_marketing.errors import get_service_root, refuse, reply
from airflow_provider_interactions.sandbox.dynamics_marketing.records import NAME, find_contact, get_contact_id
from airflow_provider_interactions.sandbox.faults import get_fault
from airflow_provider_interactions.sandbox.vendor import Site, get_base_url
from airflow_provider_interactions.sandbox.world import DAY, SECOND, World, draw, get_person, is_active, to_datetime

#: default and maximum of odata.maxpagesize ("Page results")
_MAX_PAGE = 5000
#: seen in public code only, unverified
_BAD_OPTION = "0x80060888"
_COLUMNS = ("contactid", "emailaddress1", "modifiedon", "statecode")
_OPTIONS = {"$select", "$filter", "$orderby", "$skiptoken"}
_TERM = re.compile(r"(statecode|modifiedon) (eq|ne|ge|gt|le|lt) (\S+)")
#: what comparing may come to, by operator
_ORDERS = {"eq": {0}, "ne": {-1, 1}, "ge": {0, 1}, "gt": {1}, "le": {-1, 0}, "lt": {-1}}
_PREFER = re.compile(r"odata\.maxpagesize\s*=\s*(\d+)")
_MARK = "$skiptoken="
_COOKIE = re.compile(r'page="(\d+)".*last="\{([0-9A-Fa-f-]{36})\}" first="\{([0-9A-Fa-f-]{36})\}"')


class RefusedError(Exception):
    """A query option that is not understood, as 400 0x80060888."""


async def list_contacts(site: Site, request: web.Request) -> web.Response:
    """Answer ``GET /api/data/{version}/contacts``."""
    try:
        select = _read_select(request.query)
        chosen = _choose(site.world, request.query.get("$filter", ""), request.query.get("$orderby", ""))
        page, offset = _find_position(site.world, request.raw_path, chosen)
    except RefusedError as refused:
        return refuse(request, 400, _BAD_OPTION, str(refused))
    asked = _PREFER.search(request.headers.get("Prefer", ""))
    size = min(int(asked[1]) or _MAX_PAGE, _MAX_PAGE) if asked else _MAX_PAGE
    end = offset + size
    context = f"{get_service_root(request)}/$metadata#contacts({','.join(select)})"
    rows = [_build_row(site.world, index, select) for index in chosen[offset:end]]
    body = {"@odata.context": context, "value": rows}
    if end < len(chosen):
        body["@odata.nextLink"] = _build_link(site.world, request, page, chosen[offset], chosen[end - 1])
    if get_fault("endless_pages"):
        body |= {"value": [], "@odata.nextLink": _build_link(site.world, request, page, chosen[0], chosen[0])}
    applied = {"Preference-Applied": f"odata.maxpagesize={size}"} if asked else {}
    return reply(request, msgspec.json.encode(body), headers=applied)


def _read_select(query: Any) -> list[str]:
    for name in query:
        if name not in _OPTIONS:
            message = f"The query parameter {name} is not supported"
            raise RefusedError(message)
    select = [name.strip() for name in query.get("$select", ",".join(_COLUMNS)).split(",")]
    for name in select:
        if name not in _COLUMNS:
            message = f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.contact'."
            raise RefusedError(message)
    return select


@lru_cache(maxsize=16)
def _choose(world: World, condition: str, order: str) -> tuple[int, ...]:
    """Indices of the contacts that are listed, in their order."""
    terms = [_read_term(text.strip()) for text in condition.split(" and ")] if condition else []
    found = [index for index in range(world.contacts) if all(_holds(world, index, *term) for term in terms)]
    if order not in {"", "contactid"}:
        message = f"The $orderby expression '{order}' is not supported by the sandbox."
        raise RefusedError(message)
    return tuple(sorted(found, key=lambda index: get_contact_id(world, index)) if order else found)


def _read_term(text: str) -> tuple[str, str, str]:
    found = _TERM.fullmatch(text)
    if not found:
        message = f"The $filter term '{text}' is not supported by the sandbox."
        raise RefusedError(message)
    return found[1], found[2], found[3]


def _holds(world: World, index: int, name: str, operator: str, value: str) -> bool:
    have = str(_build_row(world, index, [name])[name])
    return (have > value) - (have < value) in _ORDERS[operator]


def _build_row(world: World, index: int, select: list[str]) -> dict[str, Any]:
    changed = world.start_us + (draw(world, NAME, "changed", index) % (300 * DAY) - 299 * DAY) // SECOND * SECOND
    row = {
        "contactid": get_contact_id(world, index),
        "emailaddress1": get_person(world, index).email,
        "modifiedon": to_datetime(changed).isoformat().replace("+00:00", "Z"),
        "statecode": int(not is_active(world, index)),
    }
    # The key comes with every row, selected or not.
    selected = {name: row[name] for name in _COLUMNS if name in {*select, "contactid"}}
    return {"@odata.etag": f'W/"{1000000 + index}"', **selected}


def _build_cookie(page: int, last: str, first: str) -> str:
    """The paging cookie: encoded once inside the attribute, and once more with it."""
    inner = f'<cookie page="{page}"><contactid last="{{{last}}}" first="{{{first}}}" /></cookie>'
    lower = re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), quote(inner, safe=""))
    twice = quote(lower, safe="")
    return f"%3Ccookie%20pagenumber=%22{page + 1}%22%20pagingcookie=%22{twice}%22%20istracking=%22False%22%20/%3E"


def _build_link(world: World, request: web.Request, page: int, first: int, last: int) -> str:
    asked = request.raw_path.partition(_MARK)[0].rstrip("&?")
    cookie = _build_cookie(page, get_contact_id(world, last).upper(), get_contact_id(world, first).upper())
    # raw_path starts with the vendor's prefix, which the base URL already has.
    link = f"{get_base_url(request, NAME)}{asked.removeprefix(f'/{NAME}')}{'&' if '?' in asked else '?'}{_MARK}{cookie}"
    foreign = get_fault("foreign_next_link")
    if foreign is None:
        return link
    other = foreign.location or f"http://localhost:{request.url.port}"
    return other + link.removeprefix(f"{request.scheme}://{request.host}")


def _find_position(world: World, raw_path: str, chosen: tuple[int, ...]) -> tuple[int, int]:
    """Page number and offset; a cookie that is not byte for byte as it was handed out is refused."""
    if "skiptoken" not in raw_path.lower():
        return 1, 0
    given = raw_path.partition(_MARK)[2]
    found = _COOKIE.search(unquote(unquote(given)))
    last = find_contact(world, found[2]) if found else None
    if found is None or last not in chosen or given != _build_cookie(int(found[1]), found[2], found[3]):
        message = "Malformed paging cookie: the next link was changed."
        raise RefusedError(message)
    return int(found[1]) + 1, chosen.index(last) + 1
