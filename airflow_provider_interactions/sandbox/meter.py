"""Counting requests per vendor, and refusing those that exceed the configured limits."""

from __future__ import annotations

import math
from collections import Counter, deque
from time import monotonic
from typing import Any, NamedTuple

from airflow_provider_interactions.sandbox.config import RateLimit, SandboxConfig

# A request that was on its way when the client learned of a refusal does not count as sent during the pause.
_GRACE_SECONDS = 0.05


class Refusal(NamedTuple):
    """Why a request is refused and for how many seconds."""

    cause: str
    seconds: int


class Meter:
    """One vendor's counters, sliding window and pause. Times are `time.monotonic` seconds."""

    def __init__(self, config: SandboxConfig) -> None:
        self._limit = config.rate_limit
        self._concurrency = config.concurrency
        self._grace = config.latency + _GRACE_SECONDS
        self.reset()

    def reset(self) -> None:
        """Start counting anew and forget any pause; requests in flight stay counted."""
        self.by_path: Counter[str] = Counter()
        self.by_status: Counter[str] = Counter()
        self.by_host: Counter[str] = Counter()
        self.by_fault: Counter[str] = Counter()
        self.requests = self.refused = self.sent_during_pause = self.with_cookie = self.max_in_flight = 0
        self.in_flight = getattr(self, "in_flight", 0)
        self._window: deque[float] = deque()
        self._pause_from = self._pause_until = 0.0
        self._first = self._last = 0.0

    def enter(self, path: str, host: str, *, cookie: bool) -> None:
        """Count a request that has just arrived."""
        self._first = self._first or monotonic()
        self.requests += 1
        self.by_path[path] += 1
        self.by_host[host] += 1
        self.with_cookie += cookie
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def leave(self, status: str) -> None:
        """Count the response to it."""
        self._last = monotonic()
        self.in_flight -= 1
        self.by_status[status] += 1

    def admit(self) -> Refusal | None:
        """Let the request just counted pass, or say why not."""
        refusal = self._check_concurrency() or self._check_rate(monotonic())
        self.refused += refusal is not None
        return refusal

    def _check_concurrency(self) -> Refusal | None:
        if self._concurrency is None or self.in_flight <= self._concurrency:
            return None
        return Refusal("concurrency", 1)

    def _check_rate(self, now: float) -> Refusal | None:
        if self._limit is None:
            return None
        while self._window and self._window[0] <= now - self._limit.seconds:
            self._window.popleft()
        if self._is_paused(self._limit, now) or len(self._window) >= self._limit.requests:
            return self._refuse(self._limit, now)
        self._window.append(now)
        return None

    def _is_paused(self, limit: RateLimit, now: float) -> bool:
        """Note an offence against the pause; without ``lengthen_seconds`` the window alone decides."""
        if now >= self._pause_until:
            return False
        offence = now > self._pause_from + self._grace
        self.sent_during_pause += offence
        if offence:
            self._pause_until += limit.lengthen_seconds
        return limit.lengthen_seconds > 0

    def _refuse(self, limit: RateLimit, now: float) -> Refusal:
        if limit.refused_count:
            self._window.append(now)
            if len(self._window) > limit.requests:
                self._window.popleft()
        seconds = max(self._window[0] + limit.seconds if self._window else now, self._pause_until) - now
        whole = max(1, math.ceil(seconds))
        if now >= self._pause_until:
            self._pause_from, self._pause_until = now, now + whole
        return Refusal("requests", whole)

    def report(self) -> dict[str, Any]:
        """The counters as JSON values; ``seconds`` runs from the first request to the last answer."""
        counts = ("requests", "refused", "sent_during_pause", "in_flight", "max_in_flight", "with_cookie")
        groups = ("by_path", "by_status", "by_host", "by_fault")
        return {
            **{name: getattr(self, name) for name in counts},
            "seconds": round(max(0.0, self._last - self._first), 6),
            **{name: dict(getattr(self, name)) for name in groups},
        }
