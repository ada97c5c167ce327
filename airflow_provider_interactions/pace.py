"""How fast one connection may go: requests in flight, requests in a stretch of time, and one gate for all of them.

The vendor's documented limits are where it starts from, refusals are what it learns from. A refusal shuts the gate
for *every* request of the connection, because vendors lengthen their pause for whoever goes on asking.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from airflow_provider_interactions.contract import Pace

#: Seconds to wait after a refusal that names no time: the first, doubled for each further one up to the last.
FIRST_PAUSE, LAST_PAUSE = 1.0, 60.0

#: How many requests may be in flight before the first answer, so that no run begins with a burst.
FIRST_IN_FLIGHT = 8


@dataclass(slots=True)
class Pacer:
    """The state of one connection's pace; made and used inside one event loop. Times are the loop's, in seconds."""

    most: int
    limit: float
    in_flight: int = 0
    paused_until: float = 0.0
    refusals: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)

    @classmethod
    def of(cls, pace: Pace, concurrency: int | None = None) -> Pacer:
        """Start from a vendor's documented limits; ``concurrency`` overrides the requests in flight."""
        most = max(1, concurrency or pace.concurrency)
        return cls(most, float(min(most, FIRST_IN_FLIGHT)))

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for the gate and for a place among the requests in flight."""
        await self._enter()
        try:
            yield
        finally:
            self.in_flight -= 1
            self._wake()

    def succeeded(self) -> None:
        """An answer came: one more place for every round of answers."""
        self.refusals = 0
        self.limit = min(self.most, self.limit + 1 / self.limit)

    def refused(self, retry_after: float | None) -> float:
        """The vendor asked to slow down: shut the gate for all and halve the places. Returns the pause in seconds."""
        now = asyncio.get_running_loop().time()
        # Zero, or a date that has passed by this machine's clock, says no more than nothing at all.
        pause = retry_after or min(LAST_PAUSE, FIRST_PAUSE * 2**self.refusals)
        if now >= self.paused_until:  # of many refusals at once, only the first says something new
            self.limit = max(1.0, self.limit / 2)
            self.refusals += 1
        self.paused_until = max(self.paused_until, now + pause)
        return pause

    async def _enter(self) -> None:
        while True:
            await self._gate()
            if self.in_flight < int(self.limit):
                self.in_flight += 1
                return
            place = asyncio.get_running_loop().create_future()
            self.waiting.append(place)
            await place

    async def _gate(self) -> None:
        loop = asyncio.get_running_loop()
        while (left := self.paused_until - loop.time()) > 0:  # noqa: ASYNC110 - the pause may have grown meanwhile
            await asyncio.sleep(left)

    def _wake(self) -> None:
        free = int(self.limit) - self.in_flight
        while self.waiting and free > 0:
            place = self.waiting.popleft()
            if not place.done():
                place.set_result(None)
                free -= 1
