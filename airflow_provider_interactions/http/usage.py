"""What the connections that a step opens send and receive, also if the step fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Usage:
    """Requests sent, retries after faults, refusals to slow down, and bytes of decoded bodies.

    ``throttled_seconds`` is how long the connections were closed because the vendor had asked to slow down.
    """

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    received: int = 0
    throttled_seconds: float = 0.0


_CURRENT: ContextVar[Usage | None] = ContextVar("usage", default=None)


@contextmanager
def measure_usage() -> Iterator[Usage]:
    """Count what is sent and received inside. A connection is counted when it is closed."""
    usage = Usage()
    token = _CURRENT.set(usage)
    try:
        yield usage
    finally:
        _CURRENT.reset(token)


def add_usage(requests: int, retries: int, throttled: int, received: int, throttled_seconds: float) -> None:
    """Add what one connection did to the step that is being measured, if one is."""
    usage = _CURRENT.get()
    if usage is not None:
        usage.requests += requests
        usage.retries += retries
        usage.throttled += throttled
        usage.received += received
        usage.throttled_seconds += throttled_seconds
