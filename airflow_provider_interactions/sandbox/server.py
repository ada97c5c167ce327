"""The HTTP server: vendors under their prefixes, limits, faults, and a handle to run it from Python."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from airflow_provider_interactions.sandbox.config import SandboxConfig
from airflow_provider_interactions.sandbox.expected import Expected, Selection
from airflow_provider_interactions.sandbox.faults import FaultRule, RequestOutline, activate, read_rules
from airflow_provider_interactions.sandbox.oracle import compute_expected, parse_instant
from airflow_provider_interactions.sandbox.state import State, create_state
from airflow_provider_interactions.sandbox.vendor import Vendor
from airflow_provider_interactions.sandbox.wire_faults import refuse, respond

T = TypeVar("T")

_STOP_SECONDS = 0.1
#: what nginx logs for a client that closed the connection; also the status of the fault ``reset``
_CLOSED = 499


def build_application(state: State) -> web.Application:
    """The aiohttp build_application of a state."""
    from airflow_provider_interactions.sandbox import control

    app = web.Application(middlewares=[_build_middleware(state)], client_max_size=16 * 2**20)
    app.add_routes(control.build_routes(state))
    for name, vendor in state.vendors.items():
        for route in vendor.routes(state.sites[name]):
            app.router.add_route(route.method, f"/{name}{route.path}", route.handler)
    return app


def _build_middleware(state: State) -> Middleware:
    @web.middleware
    async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
        name = request.path.split("/", 2)[1]
        if name not in state.vendors:
            return await handler(request)
        meter, status = state.meters[name], "none"
        meter.enter(_get_route(request, name), request.url.host or "", cookie="Cookie" in request.headers)
        try:
            response = await _admit(state, name, request, handler)
            status = "reset" if request.transport is None or response.status == _CLOSED else str(response.status)
        except web.HTTPException as exception:
            status = str(exception.status)
            raise
        except ConnectionResetError:  # the client went away while its request was read
            return web.Response(status=_CLOSED)
        finally:
            meter.leave(status)
        return response

    return watch


def _get_route(request: web.Request, name: str) -> str:
    resource = request.match_info.route.resource
    return (resource.canonical if resource else request.path).removeprefix(f"/{name}")


async def _admit(state: State, name: str, request: web.Request, handler: Handler) -> web.StreamResponse:
    vendor, meter = state.vendors[name], state.meters[name]
    refusal = None if _is_token_request(vendor, request) else meter.admit()
    if state.config.latency:
        await asyncio.sleep(state.config.latency)
    if refusal is None:
        return await _apply_faults(state, name, request, handler)
    meter.note_refusal_sent()
    return refuse(request, vendor, vendor.throttles[refusal.cause], str(refusal.seconds))


async def _apply_faults(state: State, name: str, request: web.Request, handler: Handler) -> web.StreamResponse:
    # Requests of one connection share a context: what fired on the last one must not linger.
    activate([])
    if not state.rules.rules:
        return await handler(request)
    body = (await request.read()).decode(errors="replace") if state.rules.need_bodies() else ""
    # A contact's id may be in the path, escaped.
    everything = f"{request.raw_path}\n{request.path}\n{body}".lower()
    tokens = _is_token_request(state.vendors[name], request)
    firing = state.rules.select(RequestOutline(name, request.path, everything, tokens))
    state.meters[name].by_fault.update(rule.kind for rule in firing)
    activate(firing)
    return await respond(request, state.vendors[name], firing, handler)


def _is_token_request(vendor: Vendor, request: web.Request) -> bool:
    return any(part in request.path for part in vendor.token_paths)


class Sandbox:
    """A running sandbox. Made by `serve`; every method may be called from any thread."""

    def __init__(self, state: State, loop: asyncio.AbstractEventLoop, url: str) -> None:
        self._state = state
        self._loop = loop
        #: base URL without a slash at the end; a vendor's is ``f"{url}/{vendor}"``
        self.url = url

    @property
    def connections(self) -> dict[str, dict[str, Any]]:
        """The Airflow connection of each vendor in its JSON form."""
        return self._state.build_connections(self.url)

    def oracle(self, vendor: str, start: str | datetime, end: str | datetime, **filters: Any) -> Expected:
        """What exists in [start, end). Filters: ``contact``, ``type``, ``active``; see ``Selection``."""
        chosen = Selection(parse_instant(start), parse_instant(end), **filters)
        return compute_expected(self._state.vendors[vendor], self._state.sites[vendor], chosen)

    def change(self, vendor: str, name: str, **values: Any) -> Any:
        """Change the data of a vendor while the sandbox runs, by one of the functions in its ``VENDOR.changes``."""
        return self._state.change(vendor, name, values)

    def contacts(self, vendor: str) -> list[str]:
        """The vendor's ids of all contacts, active or not."""
        return self._state.list_contacts(vendor)

    def faults(self, rules: Sequence[FaultRule | dict[str, object]]) -> None:
        """Replace the fault rules by these; an empty list ends all faults."""
        checked = read_rules(rules)
        self._call(lambda: self._state.rules.replace(checked))

    def stats(self) -> dict[str, Any]:
        """Counters by vendor, as ``GET /_sandbox/stats`` gives them."""
        return self._call(self._state.report)

    def reset(self) -> None:
        """Forget counters, pauses, tokens and fault rules."""
        self._call(self._state.reset)

    def _call(self, function: Callable[[], T]) -> T:
        async def run() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()


async def _listen(state: State) -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(build_application(state), access_log=None, shutdown_timeout=_STOP_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, state.config.host, state.config.port, backlog=1024).start()
    except BaseException:
        await runner.cleanup()
        raise
    return runner, f"http://{state.config.host}:{runner.addresses[0][1]}"


async def _end_tasks() -> None:
    """End what still runs: a connection that was accepted a moment ago closes its socket then."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)


@contextmanager
def serve(config: SandboxConfig | None = None) -> Iterator[Sandbox]:
    """Run a sandbox in a thread until the block ends, then close all of its sockets."""
    state = create_state(config or SandboxConfig())
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="interactions-sandbox", daemon=True)
    thread.start()

    def wait(awaitable: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(awaitable, loop).result()

    try:
        runner, url = wait(_listen(state))
        try:
            yield Sandbox(state, loop, url)
        finally:
            wait(runner.cleanup())
            wait(_end_tasks())
    finally:
        wait(loop.shutdown_default_executor())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        state.close()
