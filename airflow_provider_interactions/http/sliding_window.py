"""No more than so many requests in any period, by the times at which they reached the vendor.

When a request reached the vendor is unknown. At the latest, it was as long before its response as a quick response
takes. That time counts, so that the vendor sees no more requests in a period than intended, even while it or this
machine is slow.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field


@dataclass(slots=True)
class Turn:
    """One request: when it went out, and how many were then in flight with it."""

    sent_at: float
    in_flight: int = 1


@dataclass(slots=True)
class SlidingWindow:
    """No more than so many requests in any period of so many seconds. ``arrivals`` are in the order of time."""

    requests: int
    seconds: float
    arrivals: list[float] = field(default_factory=list)

    def seconds_to_wait(self, now: float) -> float:
        """Seconds until one more fits; zero or less if it does."""
        self.forget(now)
        if len(self.arrivals) < self.requests:
            return 0.0
        return self.arrivals[-self.requests] + self.seconds - now

    def forget(self, now: float) -> None:
        """Forget requests of earlier periods."""
        del self.arrivals[: bisect_right(self.arrivals, now - self.seconds)]

    def count_before(self, end: float, seconds: float) -> int:
        """How many of the requests that it remembers arrived in the last ``seconds`` before ``end``."""
        return bisect_left(self.arrivals, end) - bisect_right(self.arrivals, end - seconds)

    def count(self, now: float) -> int:
        """How many requests arrived in the current period."""
        return len(self.arrivals) - bisect_right(self.arrivals, now - self.seconds)

    def add(self, sent_at: float) -> None:
        """Count a request, as if it arrived when it was sent."""
        insort(self.arrivals, sent_at)

    def correct_arrival(self, turn: Turn, arrived_at: float) -> None:
        """Count a request at a later time than when it was sent."""
        at = bisect_left(self.arrivals, turn.sent_at)
        if self.arrivals[at : at + 1] == [turn.sent_at]:
            del self.arrivals[at]
        insort(self.arrivals, arrived_at)
