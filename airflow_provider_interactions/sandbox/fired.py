"""The faults that fire on the present request."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar

import msgspec

#: The fault rules that fire on the present request, by kind. A context variable, since the keys aiohttp wants for
#: values kept on a request differ between its versions.
FIRED: ContextVar[Mapping[str, Fired]] = ContextVar("sandbox_fired")


class Fired(msgspec.Struct, frozen=True):
    """A fault that fires on the present request; see `faults.FaultRule` for the fields' meaning."""

    kind: str
    code: str | None = None
    message: str | None = None
    variant: str = "plain"
    location: str | None = None
    uses: int = 0


def fired(kind: str) -> Fired | None:
    """The fault of this kind that fires on the present request, for kinds a vendor carries out itself."""
    return FIRED.get({}).get(kind)
