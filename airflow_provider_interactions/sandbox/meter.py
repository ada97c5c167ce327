"""Counting requests per vendor, and refusing those that exceed the configured limits.

A pause lasts from a refusal until its Retry-After has passed, counted from when the refusal is sent; further refusals
make it longer. ``arrived_during_pause`` counts every request that arrives during the pause. ``sent_during_pause``
counts those of them that were sent when the client, or another task of it, could know of the first refusal.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from time import monotonic
from typing import Any, NamedTuple

from airflow_provider_interactions.sandbox.config import RateLimit, SandboxConfig
from airflow_provider_interactions.sandbox.rate_limiters import create_limiter

# Seconds that a refusal and the next request are on their way.
_GRACE_SECONDS = 0.05


class Refusal(NamedTuple):
    """Why a request is refused and for how many seconds."""

    cause: str
    seconds: int


class Meter:
    """One vendor's counters, rate limiter and pause. Times are seconds of the ``clock``."""

    def __init__(self, config: SandboxConfig, clock: Callable[[], float] = monotonic) -> None:
        self._limit = config.rate_limit
        self._concurrency = config.concurrency
        self._latency = config.latency
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Set the counts to zero and forget any pause; requests in flight stay counted."""
        self.by_path: Counter[str] = Counter()
        self.by_status: Counter[str] = Counter()
        self.by_host: Counter[str] = Counter()
        self.by_fault: Counter[str] = Counter()
        self.requests = self.refused = self.with_cookie = self.max_in_flight = 0
        self.arrived_during_pause = self.sent_during_pause = 0
        self.in_flight = getattr(self, "in_flight", 0)
        self._limiter = create_limiter(self._limit) if self._limit else None
        self._known_at, self._pause_until = math.inf, 0.0
        self._first = self._last = 0.0

    def enter(self, path: str, host: str, *, cookie: bool) -> None:
        """Count a request that has just arrived."""
        self._first = self._first or self._clock()
        self.requests += 1
        self.by_path[path] += 1
        self.by_host[host] += 1
        self.with_cookie += cookie
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def leave(self, status: str) -> None:
        """Count the response to it."""
        self._last = self._clock()
        self.in_flight -= 1
        self.by_status[status] += 1

    def note_refusal_sent(self) -> None:
        """Note that the client hears of the pause from now on, however late this machine is."""
        self._known_at = min(self._known_at, self._clock())

    def admit(self) -> Refusal | None:
        """Let the request just counted pass, or say why not."""
        refusal = self._check_concurrency() or self._check_rate(self._clock())
        self.refused += refusal is not None
        return refusal

    def _check_concurrency(self) -> Refusal | None:
        if self._concurrency is None or self.in_flight <= self._concurrency:
            return None
        return Refusal("concurrency", 1)

    def _check_rate(self, now: float) -> Refusal | None:
        if self._limit is None or self._limiter is None:
            return None
        if self._is_barred(self._limit, now):
            if self._limit.refused_count:
                self._limiter.admit(now)
        elif self._limiter.admit(now):
            return None
        return self._refuse(self._limiter.seconds_to_wait(now), now)

    def _is_barred(self, limit: RateLimit, now: float) -> bool:
        """Note an offence against the pause; without ``lengthen_seconds`` the limiter alone decides."""
        if now >= self._pause_until:
            return False
        self.arrived_during_pause += 1
        offence = now > self._known_at + _GRACE_SECONDS + limit.news_seconds
        self.sent_during_pause += offence
        if offence:
            self._pause_until += limit.lengthen_seconds
        return limit.lengthen_seconds > 0

    def _refuse(self, seconds: float, now: float) -> Refusal:
        sent_at = now + self._latency
        # Rounded first: a sum of floats may be a little more than the seconds that went into it.
        whole = max(1, math.ceil(round(max(seconds, self._pause_until - sent_at), 6)))
        if now >= self._pause_until:
            self._known_at = math.inf
        self._pause_until = max(self._pause_until, sent_at + whole)
        return Refusal("requests", whole)

    def report(self) -> dict[str, Any]:
        """The counters as JSON values; ``seconds`` runs from the first request to the last answer."""
        pauses = ("arrived_during_pause", "sent_during_pause")
        counts = ("requests", "refused", *pauses, "in_flight", "max_in_flight", "with_cookie")
        groups = ("by_path", "by_status", "by_host", "by_fault")
        return {
            **{name: getattr(self, name) for name in counts},
            "seconds": round(max(0.0, self._last - self._first), 6),
            **{name: dict(getattr(self, name)) for name in groups},
        }
