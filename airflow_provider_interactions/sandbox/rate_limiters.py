"""Two kinds of rate limits: a sliding window and a token bucket. Times are seconds of any one clock."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from airflow_provider_interactions.sandbox.config import RateLimit


class RateLimiter(Protocol):
    """Decides about one request after another."""

    def admit(self, now: float) -> bool:
        """Whether a request passes; count it, if it does or if refused ones count."""
        ...

    def seconds_to_wait(self, now: float) -> float:
        """Seconds until the next request may pass."""
        ...


class SlidingWindow:
    """At most ``requests`` in any ``seconds``."""

    def __init__(self, limit: RateLimit) -> None:
        self._limit = limit
        self._times: deque[float] = deque()

    def admit(self, now: float) -> bool:
        """Whether a request passes. A refused one that counts takes the place of the oldest."""
        self._drop_old(now)
        free = len(self._times) < self._limit.requests
        if free or self._limit.refused_count:
            self._times.append(now)
        if not free and self._limit.refused_count:
            self._times.popleft()
        return free

    def seconds_to_wait(self, now: float) -> float:
        """Seconds until the oldest request leaves the window."""
        self._drop_old(now)
        return self._times[0] + self._limit.seconds - now if len(self._times) >= self._limit.requests else 0.0

    def _drop_old(self, now: float) -> None:
        while self._times and self._times[0] <= now - self._limit.seconds:
            self._times.popleft()


class TokenBucket:
    """Each request takes a token; ``requests`` tokens flow in evenly over ``seconds``, and ``burst`` fit in."""

    def __init__(self, limit: RateLimit) -> None:
        self._limit = limit
        self._per_second = limit.requests / limit.seconds
        self._most = float(limit.burst or limit.requests)
        self._tokens, self._at = self._most, float("-inf")

    def admit(self, now: float) -> bool:
        """Whether a request passes. A refused one that counts leaves a debt, at most of a whole bucket."""
        self._fill(now)
        enough = self._tokens >= 1
        if enough or self._limit.refused_count:
            self._tokens = max(self._tokens - 1, -self._most)
        return enough

    def seconds_to_wait(self, now: float) -> float:
        """Seconds until a whole token is there."""
        self._fill(now)
        return max(0.0, (1 - self._tokens) / self._per_second)

    def _fill(self, now: float) -> None:
        self._tokens = min(self._most, self._tokens + (now - self._at) * self._per_second)
        self._at = now


def create_limiter(limit: RateLimit) -> RateLimiter:
    """A limiter that no request has used yet."""
    return TokenBucket(limit) if limit.kind == "token_bucket" else SlidingWindow(limit)
