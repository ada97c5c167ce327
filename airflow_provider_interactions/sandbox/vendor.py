"""What a vendor module gives the sandbox, and what it is given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from .world import retag

if TYPE_CHECKING:
    from .facts import Fact
    from .tokens import Tokens
    from .world import World

__all__ = ["ErrorSpec", "Fired", "Site", "Vendor", "base_url", "fired"]

#: The fault rules that fire on the present request, by kind. A context variable, since the keys aiohttp wants for
#: values kept on a request differ between its versions.
FIRED: ContextVar[Mapping[str, Fired]] = ContextVar("sandbox_fired")


class ErrorSpec(msgspec.Struct, frozen=True):
    """An error to be dressed in the vendor's own body."""

    status: int
    #: the vendor's code, in the vendor's spelling
    code: str | None = None
    message: str | None = None
    #: which of the vendor's shapes of error body; "plain" everywhere, others are the vendor's own
    variant: str = "plain"
    #: value of the Retry-After header
    retry_after: str | None = None


class Fired(msgspec.Struct, frozen=True):
    """A fault that fires on the present request; see `faults.FaultRule` for the fields' meaning."""

    kind: str
    code: str | None = None
    message: str | None = None
    variant: str = "plain"
    location: str | None = None
    uses: int = 0


@dataclass(frozen=True, slots=True)
class Site:
    """What a vendor's handlers work with."""

    world: World
    #: an instance of the vendor's ``options``
    options: Any
    tokens: Tokens
    #: the vendor's own counters, shown in the statistics
    seen: Counter[str] = field(default_factory=Counter, compare=False)


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


def base_url(request: web.Request, name: str) -> str:
    """The vendor's base URL as this client addressed it, so that it holds through a port mapping too."""
    return f"{request.scheme}://{request.host}/{name}"


def fired(kind: str) -> Fired | None:
    """The fault of this kind that fires on the present request, for kinds a vendor carries out itself."""
    return FIRED.get({}).get(kind)
