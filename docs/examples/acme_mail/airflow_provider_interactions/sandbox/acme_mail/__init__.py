"""Acme Mail: the events of a person, page by page, and the people there are. Served under ``{url}/acme_mail``."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from airflow_provider_interactions.sandbox.expected import Fact
from airflow_provider_interactions.sandbox.faults import get_fault
from airflow_provider_interactions.sandbox.vendor import ErrorSpec, Site, Vendor
from airflow_provider_interactions.sandbox.world import (
    World,
    draw,
    draw_chance,
    find_index,
    get_events,
    get_shape,
    get_tag,
    pick,
    to_datetime,
    to_micros,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["VENDOR"]

NAME = "acme_mail"

_TYPES = ("sent", "open", "click", "bounce", "unsubscribe", "reply")  # the last one is on no page
_SUBJECTS = ("Spring sale", "Your order", "Ваш заказ 🚀", None)


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the sandbox may be told about this vendor."""

    token: str = "sandbox-acme-token"  # noqa: S105 - of a sandbox
    page_size: int = 500


def contact_id(_: World, index: int) -> str:
    """The person's id."""
    return f"p{get_tag(index)}"


def records(world: World, index: int) -> list[tuple[int, dict[str, Any]]]:
    """A person's events in order of time, each with its instant in microseconds."""
    found = []
    for number, at_us in get_events(world, NAME, index):
        key = (NAME, "event", get_shape(world, index), number)
        campaign = draw(world, *key, "campaign") % 4
        record: dict[str, Any] = {
            "id": f"e{get_tag(index)}-{number}",
            "type": pick(world, _TYPES, *key, "type"),
            "at": to_datetime(at_us).isoformat().replace("+00:00", "Z"),
            "subject": pick(world, _SUBJECTS, *key, "subject"),
            "campaign": {"id": f"c{campaign}", "name": f"Campaign {campaign}"} if campaign else None,
        }
        if draw_chance(world, 5, *key, "unknown"):
            record["sandboxBig"] = 2**53 + 1  # a field nobody has documented, too large for a float
        found.append((at_us, record))
    return sorted(found, key=lambda one: (one[0], one[1]["id"]))


def facts(world: World, _: Options, index: int) -> Sequence[Fact]:
    """What a correct table holds of this person."""
    return [_fact(contact_id(world, index), at_us, record) for at_us, record in records(world, index)]


def _fact(person: str, at_us: int, record: Mapping[str, Any]) -> Fact:
    campaign = record["campaign"] or {}
    return Fact(
        vendor=NAME,
        contact_id=person,
        interaction_id=record["id"],
        occurred_at=at_us,
        native_type=record["type"],
        subject=record["subject"],
        campaign_id=campaign.get("id"),
        campaign_name=campaign.get("name"),
        attributes={name: value for name, value in record.items() if name == "sandboxBig"},
    )


def routes(site: Site) -> list[web.RouteDef]:
    """Every path of this vendor."""
    return [web.get("/v1/events", partial(_events, site)), web.get("/v1/people", partial(_people, site))]


async def _events(site: Site, request: web.Request) -> web.Response:
    if refusal := _unauthorized(site, request):
        return refusal
    index = find_index(site.world, request.query["person"].removeprefix("p"))
    if index is None:
        return error(request, ErrorSpec(404, "unknown_person"))
    since, until = (to_micros(datetime.fromisoformat(request.query[name])) for name in ("since", "until"))
    found = [record for at_us, record in records(site.world, index) if since <= at_us < until]
    return _page(site, request, "events", found)


async def _people(site: Site, request: web.Request) -> web.Response:
    people = [{"id": contact_id(site.world, index)} for index in range(site.world.contacts)]
    return _unauthorized(site, request) or _page(site, request, "people", people)


def _page(site: Site, request: web.Request, name: str, found: list[dict[str, Any]]) -> web.Response:
    size = min(int(request.query.get("limit", site.options.page_size)), site.options.page_size)
    first = int(request.query.get("cursor", 0))
    end = first + size
    if get_fault("duplicate") and first:
        first -= 1
    following = str(first if get_fault("repeat_cursor") and first else end) if end < len(found) else None
    return _json(200, {name: found[first:end], "next": following})


def _unauthorized(site: Site, request: web.Request) -> web.Response | None:
    known = request.headers.get("Authorization") == f"Bearer {site.options.token}"
    return None if known else error(request, ErrorSpec(401, "bad_token"))


def error(_: web.Request, spec: ErrorSpec) -> web.Response:
    """An error in the vendor's own words."""
    return _json(spec.status, {"error": spec.code or "error", "message": spec.message})


def _json(status: int, value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def connection(url: str, options: Options) -> Mapping[str, Any]:
    """The Airflow connection's JSON form."""
    return {"conn_type": NAME, "host": url, "password": options.token, "extra": {"allow_http": True}}


VENDOR = Vendor(
    name=NAME,
    options=Options,
    routes=routes,
    facts=facts,
    contact_id=contact_id,
    connection=connection,
    error=error,
    throttles={"requests": ErrorSpec(429, "too_fast"), "concurrency": ErrorSpec(429, "too_many")},
)
