"""The sandbox's own endpoints below ``/_sandbox``: oracle, facts, faults, statistics, reset."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from aiohttp import web

from airflow_provider_interactions.sandbox.faults import rules_from
from airflow_provider_interactions.sandbox.oracle import Selection, expected, fact_lines, microseconds
from airflow_provider_interactions.sandbox.state import State

_LINES_AT_ONCE = 1000


def routes(state: State) -> list[web.RouteDef]:
    """Handlers bound to one running sandbox."""

    async def index(request: web.Request) -> web.Response:
        return _json(_index(state, f"{request.scheme}://{request.host}"))

    async def oracle(request: web.Request) -> web.Response:
        vendor, chosen = _asked(state, request)
        options = state.sites[vendor].options
        # Hashing a large world takes seconds: not on the loop that serves the vendors.
        found = await asyncio.to_thread(expected, state.vendors[vendor], state.world, options, chosen)
        return _json(found._asdict())

    async def facts(request: web.Request) -> web.StreamResponse:
        vendor, chosen = _asked(state, request)
        lines = fact_lines(state.vendors[vendor], state.world, state.sites[vendor].options, chosen)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        for number, text in enumerate(lines):
            await response.write(text + b"\n")
            if number % _LINES_AT_ONCE == 0:
                await asyncio.sleep(0)
        return response

    async def contacts(request: web.Request) -> web.Response:
        return _json(state.contacts(_named(state, request)))

    return [
        web.get("/_sandbox", index),
        web.get("/_sandbox/contacts/{vendor}", contacts),
        web.get("/_sandbox/oracle/{vendor}", oracle),
        web.get("/_sandbox/facts/{vendor}", facts),
        *_knobs(state),
    ]


def _knobs(state: State) -> list[web.RouteDef]:
    async def put_faults(request: web.Request) -> web.Response:
        try:
            state.rules.replace(rules_from(msgspec.json.decode(await request.read(), type=list[dict[str, Any]])))
        except msgspec.MsgspecError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        return _json(_faults(state))

    async def get_faults(_: web.Request) -> web.Response:
        return _json(_faults(state))

    async def stats(_: web.Request) -> web.Response:
        return _json(state.stats())

    async def reset(_: web.Request) -> web.Response:
        state.reset()
        return _json({})

    return [
        web.put("/_sandbox/faults", put_faults),
        web.get("/_sandbox/faults", get_faults),
        web.get("/_sandbox/stats", stats),
        web.post("/_sandbox/reset", reset),
    ]


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def _index(state: State, url: str) -> dict[str, Any]:
    return {
        "config": state.config,
        "vendors": {name: f"{url}/{name}" for name in state.vendors},
        "connections": state.connections(url),
        "contacts": f"{url}/_sandbox/contacts/{{vendor}}",
        "oracle": f"{url}/_sandbox/oracle/{{vendor}}?start=…&end=…[&contact=…][&type=…][&active=true|false]",
        "facts": f"{url}/_sandbox/facts/{{vendor}}?start=…&end=…",
        "faults": f"{url}/_sandbox/faults",
        "stats": f"{url}/_sandbox/stats",
        "reset": f"{url}/_sandbox/reset",
    }


def _faults(state: State) -> list[dict[str, Any]]:
    counted = zip(state.rules.rules, state.rules.matched, state.rules.struck, strict=True)
    return [{"rule": rule, "matched": matched, "fired": struck} for rule, matched, struck in counted]


def _named(state: State, request: web.Request) -> str:
    vendor = request.match_info["vendor"]
    if vendor not in state.vendors:
        raise web.HTTPNotFound(text=f"no such vendor; there are {', '.join(state.vendors)}")
    return vendor


def _asked(state: State, request: web.Request) -> tuple[str, Selection]:
    vendor, query = _named(state, request), request.query
    try:
        start, end = microseconds(query["start"]), microseconds(query["end"])
    except (KeyError, ValueError) as error:
        raise web.HTTPBadRequest(text=f"start and end are needed, as ISO 8601 with an offset: {error}") from error
    active = {"true": True, "false": False}.get(query.get("active", ""))
    return vendor, Selection(start, end, query.get("contact"), query.get("type"), active)
