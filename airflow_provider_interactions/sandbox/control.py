"""The sandbox's own endpoints below ``/_sandbox``: oracle, facts, faults, statistics, reset."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from airflow_provider_interactions.sandbox.expected import Selection
from airflow_provider_interactions.sandbox.faults import read_rules
from airflow_provider_interactions.sandbox.oracle import compute_expected, encode_facts, parse_instant
from airflow_provider_interactions.sandbox.state import State

_LINES_AT_ONCE = 1000


def build_routes(state: State) -> list[web.RouteDef]:
    """Handlers bound to one running sandbox."""

    async def index(request: web.Request) -> web.Response:
        return _reply_json(_describe_index(state, f"{request.scheme}://{request.host}"))

    async def oracle(request: web.Request) -> web.Response:
        vendor, chosen = _read_selection(state, request)
        # Hashing a large world takes seconds: not on the loop that serves the vendors.
        found = await asyncio.to_thread(compute_expected, state.vendors[vendor], state.sites[vendor], chosen)
        return _reply_json(found._asdict())

    async def facts(request: web.Request) -> web.StreamResponse:
        vendor, chosen = _read_selection(state, request)
        lines = encode_facts(state.vendors[vendor], state.sites[vendor], chosen)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        for number, text in enumerate(lines):
            await response.write(text + b"\n")
            if number % _LINES_AT_ONCE == 0:
                await asyncio.sleep(0)
        return response

    async def change(request: web.Request) -> web.Response:
        vendor, name = _find_vendor(state, request), request.match_info["name"]
        return _reply_json(await asyncio.to_thread(state.change, vendor, name, await request.json()))

    async def contacts(request: web.Request) -> web.Response:
        return _reply_json(state.list_contacts(_find_vendor(state, request)))

    return [
        web.get("/_sandbox", index),
        web.get("/_sandbox/contacts/{vendor}", contacts),
        web.post("/_sandbox/changes/{vendor}/{name}", change),
        web.get("/_sandbox/oracle/{vendor}", oracle),
        web.get("/_sandbox/facts/{vendor}", facts),
        *_build_settings_routes(state),
    ]


def _build_settings_routes(state: State) -> list[web.RouteDef]:
    async def put_faults(request: web.Request) -> web.Response:
        try:
            state.rules.replace(read_rules(msgspec.json.decode(await request.read(), type=list[dict[str, Any]])))
        except msgspec.MsgspecError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        return _reply_json(_list_faults(state))

    async def get_faults(_: web.Request) -> web.Response:
        return _reply_json(_list_faults(state))

    async def stats(_: web.Request) -> web.Response:
        return _reply_json(state.report())

    async def reset(_: web.Request) -> web.Response:
        state.reset()
        return _reply_json({})

    return [
        web.put("/_sandbox/faults", put_faults),
        web.get("/_sandbox/faults", get_faults),
        web.get("/_sandbox/stats", stats),
        web.post("/_sandbox/reset", reset),
    ]


def _reply_json(value: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def _describe_index(state: State, url: str) -> dict[str, Any]:
    return {
        "config": state.config,
        "vendors": {name: f"{url}/{name}" for name in state.vendors},
        "connections": state.build_connections(url),
        "contacts": f"{url}/_sandbox/contacts/{{vendor}}",
        "oracle": (
            f"{url}/_sandbox/oracle/{{vendor}}?start=…&end=…[&contact=…][&type=…][&active=true|false]"
            "[&read_start=…&read_end=…]"
        ),
        "facts": f"{url}/_sandbox/facts/{{vendor}}?start=…&end=…",
        "faults": f"{url}/_sandbox/faults",
        "stats": f"{url}/_sandbox/stats",
        "reset": f"{url}/_sandbox/reset",
    }


def _list_faults(state: State) -> list[dict[str, Any]]:
    counted = zip(state.rules.rules, state.rules.matched, state.rules.fired, strict=True)
    return [{"rule": rule, "matched": matched, "fired": fired} for rule, matched, fired in counted]


def _find_vendor(state: State, request: web.Request) -> str:
    vendor = request.match_info["vendor"]
    if vendor not in state.vendors:
        raise web.HTTPNotFound(text=f"no such vendor; there are {', '.join(state.vendors)}")
    return vendor


def _read_selection(state: State, request: web.Request) -> tuple[str, Selection]:
    vendor, query = _find_vendor(state, request), request.query
    try:
        start, end, *read = (parse_instant(query[name]) for name in _list_bounds(query))
    except (KeyError, ValueError) as error:
        raise web.HTTPBadRequest(text=f"start and end are needed, as ISO 8601 with an offset: {error}") from error
    active = {"true": True, "false": False}.get(query.get("active", ""))
    return vendor, Selection(
        start, end, query.get("contact"), query.get("type"), active, (read[0], read[1]) if read else None
    )


def _list_bounds(query: Mapping[str, str]) -> tuple[str, ...]:
    """The parameters that are instants."""
    read = ("read_start", "read_end")
    return ("start", "end", *(read if query.keys() & set(read) else ()))
