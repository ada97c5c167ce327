"""The coverage page as a web application over a lake. It knows nothing of Airflow: that stands in ``plugin/airflow``.

Every route depends on ``require_user``. Responses are never stored by browsers or proxies. Texts of the lake reach the
page as JSON and as text nodes, so names of vendors and accounts cannot be markup. Paths are made from vendor, account
and window, never taken from a request.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse

from airflow_provider_interactions.coverage import details
from airflow_provider_interactions.coverage.cells import Cell, State
from airflow_provider_interactions.coverage.ledger import find_accounts, find_dags
from airflow_provider_interactions.coverage.read import read_coverage
from airflow_provider_interactions.coverage.usage import sum_days
from airflow_provider_interactions.errors import ConfigError, LakeUnavailable
from airflow_provider_interactions.lake.paths import WindowPaths
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.person.receipt import Receipt, name_receipt
from airflow_provider_interactions.plugin.gap_plan import plan_gap
from airflow_provider_interactions.plugin.manifest_page import render_manifest, render_receipt
from airflow_provider_interactions.window import Window, zulu

STATIC = Path(__file__).with_name("static")

#: The page's files with their types. Nothing else is served from disk.
FILES = {"coverage.css": "text/css", "coverage.js": "text/javascript", "overview.js": "text/javascript"}

#: Days that the page shows at first.
DAYS = 84

#: Nothing of the page is stored, framed by other sites, or loaded from elsewhere.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

Middleware = Callable[[Request], Awaitable[Response]]


def build_app(
    open_lake: Callable[[], Lake],
    require_user: Callable[..., Any],
    require_editor: Callable[..., Any],
    *,
    airflow_api: str = "",
    most_requests: int = 0,
) -> FastAPI:
    """The application; ``open_lake`` opens the lake for each request.

    ``require_user`` raises for whoever may not see counts, ``require_editor`` for whoever may not see records: these
    are personal data. ``airflow_api`` is the address of Airflow's own API, relative to the page; empty without one.
    A backfill with more than ``most_requests`` requests needs a confirmation; 0 for never.
    """
    app = FastAPI(title="Contact interactions", openapi_url=None, docs_url=None, redoc_url=None)
    user, editor = Depends(require_user), Depends(require_editor)
    app.include_router(_build_page_router(airflow_api), dependencies=[user])
    app.include_router(_build_router(open_lake, most_requests), dependencies=[user])
    app.include_router(_build_receipt_router(open_lake), dependencies=[user])
    app.include_router(_build_record_router(open_lake), dependencies=[user, editor])
    app.middleware("http")(_add_headers)
    app.add_exception_handler(ConfigError, _explain)
    app.add_exception_handler(LakeUnavailable, _explain)
    return app


async def _add_headers(request: Request, call_next: Middleware) -> Response:
    response = await call_next(request)
    response.headers.update(HEADERS)
    return response


async def _explain(_: Request, error: Exception) -> Response:
    return _json({"detail": str(error)}, 503 if isinstance(error, LakeUnavailable) else 400)


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def _read_window(start: datetime, end: datetime) -> Window:
    return Window(start, end)


def _read_place(vendor: str, account: str, window: Annotated[Window, Depends(_read_window)]) -> WindowPaths:
    return WindowPaths(vendor, account, window)


Place = Annotated[WindowPaths, Depends(_read_place)]


def _build_page_router(airflow_api: str) -> APIRouter:
    router = APIRouter()

    @router.get("/coverage")
    def show_page() -> Response:
        page = (STATIC / "coverage.html").read_text(encoding="utf-8")
        return HTMLResponse(page.replace("{airflow_api}", airflow_api))

    @router.get("/static/{name}")
    def send_file(name: str) -> Response:
        if name not in FILES:
            raise HTTPException(404)
        return Response((STATIC / name).read_bytes(), media_type=FILES[name])

    return router


def _build_router(open_lake: Callable[[], Lake], most_requests: int) -> APIRouter:
    router = APIRouter()

    @router.get("/api/coverage")
    def list_cells(
        vendor: str | None = None,
        account: str | None = None,
        dag: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Response:
        lake, now = open_lake(), datetime.now(UTC)
        within = _choose_span(start, end, now)
        cells = read_coverage(lake, vendor=vendor or None, account=account or None, within=within)
        if dag:
            mine = find_accounts(lake, dag, now.date())
            cells = [cell for cell in cells if (cell.vendor, cell.account) in mine]
        return _json({"start": within.start, "end": within.end, "accounts": _group(cells)})

    @router.get("/api/dags")
    def list_dags(vendor: str, account: str) -> Response:
        return _json(find_dags(open_lake(), vendor, account, datetime.now(UTC).date()))

    @router.get("/api/usage")
    def list_usage(
        last: date, days: Annotated[int, Query(ge=1)], vendor: str | None = None, account: str | None = None
    ) -> Response:
        return _json(sum_days(open_lake(), last, days, vendor or None, account or None))

    @router.get("/api/plan")
    def show_plan(place: Place, windows: Annotated[int, Query(ge=1, le=100_000)]) -> Response:
        plan = plan_gap(open_lake(), place.vendor, place.account, place.window, windows)
        return _json({"plan": plan, "most_requests": most_requests})

    @router.get("/api/window")
    def describe_window(place: Place) -> Response:
        return _json(_describe_window(open_lake(), place, datetime.now(UTC)))

    @router.get("/manifest")
    def show_manifest(place: Place) -> Response:
        found = details.find_manifest(open_lake(), place)
        if found is None:
            raise HTTPException(404, "The window has no manifest.")
        return HTMLResponse(render_manifest(*found))

    return router


def _build_receipt_router(open_lake: Callable[[], Lake]) -> APIRouter:
    router = APIRouter()

    @router.get("/receipt")
    def show_receipt(name: Annotated[str, Query(max_length=200)]) -> Response:
        receipt = open_lake().read(name_receipt(name), Receipt)
        if receipt is None:
            raise HTTPException(404, "There is no receipt of this name in the lake.")
        return HTMLResponse(render_receipt(receipt))

    return router


def _build_record_router(open_lake: Callable[[], Lake]) -> APIRouter:
    router = APIRouter()

    @router.post("/api/rejected")
    def show_rejected(place: Place, reason: Annotated[str, Query(max_length=1_000)]) -> Response:
        lake = open_lake()
        found = details.find_manifest(lake, place)
        rejected = details.read_rejected(lake, found[1], reason) if found else []
        return _json([{"contact": one.contact_id, "record": _to_text(one.payload)} for one in rejected])

    return router


def _choose_span(start: datetime | None, end: datetime | None, now: datetime) -> Window:
    """The time to show: what was chosen, else the last weeks until the end of today."""
    tomorrow = datetime.combine(now.date() + timedelta(days=1), time.min, UTC)
    last = end or tomorrow
    return Window(start or last - timedelta(days=DAYS), last)


def _group(cells: list[Cell]) -> list[dict[str, Any]]:
    """The cells by account, each as a short list: start, end, state, rows, rejects, requests, newer history."""
    accounts: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        accounts.setdefault((cell.vendor, cell.account), []).append(cell)
    return [
        {
            "vendor": vendor,
            "account": account,
            "states": Counter(str(cell.state) for cell in mine),
            "cells": [_shorten(cell) for cell in mine],
        }
        for (vendor, account), mine in accounts.items()
    ]


def _shorten(cell: Cell) -> list[Any]:
    counts = cell.rows, cell.rejects, cell.counts.requests
    return [zulu(cell.start), zulu(cell.end), cell.state, *counts, cell.newer_history is not None]


def _describe_window(lake: Lake, place: WindowPaths, now: datetime) -> dict[str, Any]:
    [cell] = [
        one
        for one in read_coverage(lake, vendor=place.vendor, account=place.account, within=place.window, now=now)
        if one.window == place.window
    ] or [
        Cell(
            vendor=place.vendor,
            account=place.account,
            start=place.window.start,
            end=place.window.end,
            state=State.NEVER,
        )
    ]
    found = details.find_manifest(lake, place)
    manifest = found[1] if found else None
    return {
        "cell": cell,
        "reasons": details.count_reasons(lake, manifest) if manifest else {},
        "tries": [_clean(row) for row in details.find_tries(lake, place, manifest, now)],
    }


def _clean(row: dict[str, Any]) -> dict[str, Any]:
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}


def _to_text(payload: bytes) -> str:
    return payload.decode("utf-8", "backslashreplace")
