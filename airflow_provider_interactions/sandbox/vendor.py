"""What a vendor module gives the sandbox, and what it is given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from airflow_provider_interactions.sandbox.auth import Tokens
from airflow_provider_interactions.sandbox.expected import Fact, Selection
from airflow_provider_interactions.sandbox.world import World, retag


class ErrorSpec(msgspec.Struct, frozen=True):
    """An error to be dressed in the vendor's own body."""

    status: int
    #: the vendor's code, in the vendor's spelling
    code: str | None = None
    message: str | None = None
    #: which of the vendor's shapes of error body; all vendors know "plain"
    variant: str = "plain"


@dataclass(frozen=True, slots=True)
class Site:
    """What a vendor's handlers work with."""

    world: World
    #: an instance of the vendor's ``options``
    options: Any
    tokens: Tokens
    #: what the vendor's ``store`` made
    store: Any = None
    #: what the vendor's handlers count, since the start or a reset
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Vendor:
    """One entry of the registry. Paths are relative to ``{url}/{name}``."""

    name: str
    #: a frozen msgspec.Struct whose fields all have defaults
    options: type[msgspec.Struct]
    #: handlers for paths below the vendor's prefix
    routes: Callable[[Site], Iterable[web.RouteDef]]
    #: (world, options, contact index) -> all facts of that contact; only ever asked for a shape's own contact
    facts: Callable[[World, Any, int], Sequence[Fact]]
    #: the vendor's id of a contact index
    contact_id: Callable[[World, int], str]
    #: (base URL, options) -> the Airflow connection's JSON form
    connection: Callable[[str, Any], Mapping[str, Any]]
    #: an error in the vendor's own words
    error: Callable[[web.Request, ErrorSpec], web.Response]
    #: refusals by cause: "requests" (rate limit) and "concurrency" are required, more may be asked for by faults
    throttles: Mapping[str, ErrorSpec]
    #: paths containing one of these hand out tokens: neither limits nor token faults apply to them
    token_paths: tuple[str, ...] = ()
    #: (bytes, source, target) -> the bytes as they are for another contact of the same shape
    relabel: Callable[[bytes, int, int], bytes] = retag
    #: (world, options) -> what the vendor keeps while the sandbox runs, with a method ``close``
    store: Callable[[World, Any], Any] | None = None
    #: a vendor whose data may change while it runs: (site, selection) -> the facts now, of the selection or more; the
    #: oracle asks it, not ``facts``
    all_facts: Callable[[Site, Selection], Iterable[Fact]] | None = None
    #: by name, what `Sandbox.change` and ``POST /_sandbox/changes/{vendor}/{name}`` may do to the vendor's data
    changes: Mapping[str, Callable[..., Any]] = field(default_factory=dict)


def get_base_url(request: web.Request, name: str) -> str:
    """The vendor's base URL as this client addressed it, so that it holds through a port mapping too."""
    return f"{request.scheme}://{request.host}/{name}"
