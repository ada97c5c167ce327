"""How fast one connection may go: requests in flight, requests per second, and one gate for all of them.

The vendor's documented limits are where it starts from, refusals are what it learns from. A refusal shuts the gate for
*every* request of the connection, because vendors lengthen their pause for whoever goes on asking. What was accepted
until then, over the stretch of time the limit is about, is a rate the vendor can bear: it is kept, a little lowered by
each further refusal and slowly raised after a long time without. Several tasks of one connection settle by
the same rules.
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

#: Requests in flight before the first answer, so that no run begins with a burst; they double with every round.
FIRST_IN_FLIGHT = 8

#: After a refusal: this share of the places that were taken is quickly found again, the rest one by one.
QUICK_SHARE = 0.9

#: Vendors state limits over round stretches of time; in seconds.
ROUND = (1.0, 10.0, 60.0, 300.0, 600.0, 3600.0)

#: How a learned rate moves: the share of what was accepted that it begins with, its factor after a refusal, and after
#: one that followed soon (within so many cycles); the cycles it then stays as it is, and its growth in each one after.
SHARE, STEP_DOWN, FALL, SOON, HOLD, GROWTH = 0.97, 0.98, 0.9, 2.0, 60.0, 0.02

#: A stray refusal tells nothing about a rate. One after so many accepted requests does; fewer must be alike, within a
#: factor, one after the other: two of them, or four where only a handful was accepted.
TELLING, ALIKE, HANDFUL = 50, 2.0, 5

#: A run's first requests per second, doubled every so many seconds until a refusal or the first rate that no longer
#: holds anything back: enough to be at full speed within half a second, too little for a burst.
FIRST_RATE, DOUBLING, NO_RATE = 100.0, 0.1, 100_000.0


@dataclass(slots=True)
class Rate:
    """Requests per second, learned from refusals. Times are the loop's, in seconds."""

    value: float = FIRST_RATE
    learned: bool = False
    cycle: float = 1.0
    suspected: float = 0.0
    agreed: int = 0
    next_at: float = 0.0
    moved_at: float = 0.0

    def reserve(self, now: float) -> float:
        """Take the next place in time; returns the seconds to wait for it."""
        self._grow(now)
        at = max(self.next_at, now)
        self.next_at = at + 1 / self.value
        return at - now

    def refused(self, accepted: int, opened_at: float, now: float, pause: float) -> None:
        """Learn from a refusal after ``accepted`` answers since the gate opened."""
        open_for = now - opened_at
        if self.learned:
            self.value *= FALL if open_for < SOON * self.cycle else STEP_DOWN
        else:
            self._learn(accepted, stretch(open_for, pause))
        self.next_at = now + pause
        self.moved_at = now + pause + (HOLD * self.cycle if self.learned else 0.0)

    def _learn(self, accepted: int, seconds: float) -> None:
        rate = max(accepted, 1) / seconds
        alike = self.suspected / ALIKE <= rate <= self.suspected * ALIKE
        self.suspected, self.agreed = rate, self.agreed + 1 if alike else 0
        if accepted >= TELLING or self.agreed >= (1 if accepted >= HANDFUL else 3):
            self.value, self.cycle, self.learned = SHARE * rate, seconds, True

    def _grow(self, now: float) -> None:
        self.moved_at = self.moved_at or now
        if now <= self.moved_at or self.value >= NO_RATE:
            return
        factor = (1 + GROWTH) ** (1 / self.cycle) if self.learned else 2 ** (1 / DOUBLING)
        self.value *= factor ** (now - self.moved_at)
        self.moved_at = now


def stretch(open_for: float, pause: float) -> float:
    """The stretch of time a limit is about, in seconds: it was used up in ``open_for`` and is free after ``pause``.

    Vendors round the pause up to whole seconds, so the stretch lies within a second below the sum of the two. A round
    one in there is a better guess than the sum; a wrong guess is mended by the next refusal.
    """
    longest = max(open_for + pause, 0.01)
    fitting = [seconds for seconds in ROUND if longest - 1 <= seconds <= longest]
    return fitting[-1] if fitting else longest


@dataclass(slots=True)
class Pacer:
    """The state of one connection's pace; made and used inside one event loop. Times are the loop's, in seconds."""

    most: int
    limit: float
    budget: int | None = None
    budget_seconds: float = 0.0
    quick_until: float = float("inf")
    in_flight: int = 0
    accepted: int = 0
    opened_at: float = 0.0
    paused_until: float = 0.0
    refusals: int = 0
    pauses: int = 0
    rate: Rate = field(default_factory=Rate)
    sent: deque[float] = field(default_factory=deque)
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)

    @classmethod
    def of(cls, pace: Pace) -> Pacer:
        """Start from the limits to keep."""
        most = max(1, pace.concurrency)
        return cls(most, float(min(most, FIRST_IN_FLIGHT)), pace.requests, pace.seconds or 0.0)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a place among the requests in flight, for the gate, and for one's turn."""
        await self._place()
        try:
            await self._turn()
            yield
        finally:
            self._leave()

    def succeeded(self) -> None:
        """An answer came: double the places with every round of answers, above what was refused add one a round."""
        self.refusals = 0
        self.accepted += 1
        self.limit = min(self.most, self.limit + (1.0 if self.limit < self.quick_until else 1 / self.limit))

    def refused(self, retry_after: float | None) -> float:
        """The vendor asked to slow down: shut the gate for all and halve the places. Returns the pause in seconds."""
        now = asyncio.get_running_loop().time()
        # Zero, or a date that has passed by this machine's clock, says no more than nothing at all.
        pause = retry_after or min(LAST_PAUSE, FIRST_PAUSE * 2**self.refusals)
        if now >= self.paused_until:  # of many refusals at once, only the first says something new
            self.refusals += 1
            self.pauses += 1
            self.quick_until = max(1.0, QUICK_SHARE * self.in_flight)
            self.limit = max(1.0, self.limit / 2)
            self.rate.refused(self.accepted, self.opened_at, now, pause)
            self.accepted, self.opened_at = 0, now + pause
        self.paused_until = max(self.paused_until, now + pause)
        self.opened_at = max(self.opened_at, self.paused_until)
        return pause

    async def _place(self) -> None:
        """Wait for a place, in the order of asking: answers that overtake others wait in memory for their turn."""
        if not self.waiting and self.in_flight < int(self.limit):
            self.in_flight += 1
            return
        place = asyncio.get_running_loop().create_future()
        self.waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._leave()
            raise

    def _leave(self) -> None:
        self.in_flight -= 1
        self._wake()

    async def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        self.opened_at = self.opened_at or loop.time()
        while True:
            await self._gate()
            await self._budget()
            pauses = self.pauses
            if (wait := self.rate.reserve(loop.time())) > 0:
                await asyncio.sleep(wait)
            if pauses == self.pauses:  # else the gate was shut meanwhile, and this turn is void
                return

    async def _gate(self) -> None:
        loop = asyncio.get_running_loop()
        while (left := self.paused_until - loop.time()) > 0:  # noqa: ASYNC110 - the pause may have grown meanwhile
            await asyncio.sleep(left)

    async def _budget(self) -> None:
        """Stay within what the vendor documents for any stretch of time, where it does."""
        if self.budget is None:
            return
        loop = asyncio.get_running_loop()
        while len(self.sent) >= self.budget:
            if (left := self.sent[0] + self.budget_seconds - loop.time()) > 0:
                await asyncio.sleep(left)
            else:
                self.sent.popleft()
        self.sent.append(loop.time())

    def _wake(self) -> None:
        """Hand places to those who wait; the place is taken at once, so that nobody can slip in before."""
        while self.waiting and self.in_flight < int(self.limit):
            place = self.waiting.popleft()
            if not place.done():
                self.in_flight += 1
                place.set_result(None)
