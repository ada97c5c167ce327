"""How fast one connection may go: requests in flight, requests per second, and one gate for all of them.

The vendor's documented limits are where it starts from, refusals are what it learns from. A refusal shuts the gate for
*every* request of the connection, because vendors lengthen their pause for whoever goes on asking; what was accepted
until then teaches the rate (see ``rate_limit``), or how many may be in flight (see ``ceiling``). Several tasks of one
connection settle by the same rules.
"""

from __future__ import annotations

import asyncio
from bisect import insort
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from airflow_provider_interactions.contract import Pace
from airflow_provider_interactions.errors import Throttled
from airflow_provider_interactions.http.ceiling import Ceiling
from airflow_provider_interactions.http.rate_limit import LearnedRate, SlidingWindow, Turn

#: Seconds to wait after a refusal that names no time: the first, doubled for each further one up to the last.
FIRST_PAUSE, LAST_PAUSE = 1.0, 60.0

#: Requests in flight before the first answer, so that no run begins with a burst; they double with every round.
FIRST_IN_FLIGHT = 16

#: After a refusal: this share of the places that were taken is quickly found again, the rest one by one.
QUICK_SHARE = 0.9

#: Requests keep at least this share of the distance at which those in flight would leave evenly; what is late by less
#: than so many seconds is caught up. Else answers that came together would send the next requests together, which then
#: wait for each other at the vendor and come back together, in ever larger crowds.
EVEN, CATCH_UP = 0.9, 0.002


@dataclass(slots=True)
class Throttle:
    """The state of one connection's pace; made and used inside one event loop. Times are the loop's, in seconds."""

    most: int
    limit: float
    documented: SlidingWindow | None = None
    patience: float = float("inf")
    first: float = 1.0
    quick_until: float = float("inf")
    in_flight: int = 0
    sent: int = 0
    places: int = 0
    opened_at: float = 0.0
    even_at: float = 0.0
    took: float = 0.0
    paused_until: float = 0.0
    refusals: int = 0
    rate: LearnedRate = field(default_factory=LearnedRate)
    ceiling: Ceiling = field(default_factory=Ceiling)
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    def of(cls, pace: Pace, patience: float = float("inf"), *, proven: bool = True) -> Throttle:
        """Start from the limits to keep. A gate that is shut for more seconds than ``patience`` is not waited for.

        Unless credentials are ``proven`` one request goes first: some vendors lock whoever is wrong too often.
        """
        most = max(1, pace.concurrency)
        documented = SlidingWindow(pace.requests, pace.seconds or 0.0) if pace.requests else None
        first = float(min(most, FIRST_IN_FLIGHT))
        return cls(most, first if proven else 1.0, documented, patience, first)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[Turn]:
        """Wait for a place among the requests in flight, for the gate, and for one's turn.

        A ``Throttled`` that is raised inside shuts the gate; its ``retry_after`` is then the seconds of the pause.
        """
        await self._place()
        try:
            turn = await self._turn()
            try:
                yield turn
            except Throttled as refusal:
                refusal.retry_after = self._refused(turn, refusal)
                raise
            finally:
                self.sent -= 1
        finally:
            self._leave()

    def succeeded(self, turn: Turn) -> None:
        """An answer came: double the places with every round of answers, above what was refused add one a round."""
        self.refusals = 0
        self.limit, self.first = max(self.limit, self.first), 1.0
        now = asyncio.get_running_loop().time()
        more = self.limit + (1.0 if self.limit < self.quick_until else 1 / self.limit)
        self.limit = min(self.most, self.ceiling.allows(now), more)
        self.took = now - turn.sent_at
        self.rate.answered(turn, now)

    def _refused(self, turn: Turn, refusal: Throttled) -> float:
        """Shut the gate for all and learn what the refusal teaches; returns the seconds of the pause."""
        now = asyncio.get_running_loop().time()
        first = now >= self.paused_until  # of many refusals at once, the first one sets the pace
        self.refusals += first
        own = min(LAST_PAUSE, FIRST_PAUSE * 2.0 ** min(max(0, self.refusals - 1), 10))
        told = refusal.retry_after or own  # zero, or a date that has passed, says no more than nothing at all
        pause = max(told, own)
        if refusal.limit == "concurrency":
            self._crowded(turn, now, pause, first=first)
        else:
            self._too_fast(turn, now, pause, told, first=first)
        self.paused_until = max(self.paused_until, now + pause)
        self.places, self.opened_at = 0, self.paused_until
        return pause

    def _crowded(self, turn: Turn, now: float, pause: float, *, first: bool) -> None:
        """Too many were in flight: as many as were admitted may go out at once, and as often as before."""
        if first:
            self.ceiling.refused(turn.in_flight, now, pause)
        else:
            self.ceiling.refused_too(turn.in_flight)
        self.limit, self.first = min(self.limit, self.ceiling.most), 1.0

    def _too_fast(self, turn: Turn, now: float, pause: float, told: float, *, first: bool) -> None:
        """Halve the places, and learn a rate."""
        if not first:
            self.rate.refused_before(turn.place)
            return
        self.quick_until = max(1.0, QUICK_SHARE * self.in_flight)
        self.limit, self.first = max(1.0, self.limit / 2), 1.0
        self.rate.refused(turn, turn.sent_at - self.opened_at, now, pause, told)

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

    async def _turn(self) -> Turn:
        """One after the other, in the order of their places: wait until the next request may go out."""
        loop = asyncio.get_running_loop()
        async with self.turn:
            while (wait := self._wait(loop.time())) > 0:  # the pause may have grown meanwhile
                shut = self.paused_until - loop.time()
                if shut > self.patience:
                    msg = "the vendor asks to slow down for longer than this run may wait"
                    raise Throttled(msg, retry_after=shut)
                await asyncio.sleep(wait)
            return self._go(loop.time())

    def _wait(self, now: float) -> float:
        waits = [self.paused_until - now, self.even_at - now, self.rate.wait(now)]
        if self.documented:
            waits.append(self.documented.wait(now))
        return max(waits)

    def _go(self, now: float) -> Turn:
        self.opened_at = self.opened_at or now
        self.sent += 1
        turn = Turn(self.places, now, self.sent)
        self.places += 1
        # The last answer counts, too, if it was quicker: one slow answer must not hold back what follows.
        usual = min(self.rate.quick, self.took)
        self.even_at = max(self.even_at, now - CATCH_UP) + EVEN * usual / int(self.limit)
        self.rate.took(turn)
        if self.documented:
            insort(self.documented.arrivals, now)
        return turn

    def _wake(self) -> None:
        """Hand places to those who wait; the place is taken at once, so that nobody can slip in before."""
        while self.waiting and self.in_flight < int(self.limit):
            place = self.waiting.popleft()
            if not place.done():
                self.in_flight += 1
                place.set_result(None)
