"""How fast one connection may go: requests in flight, requests per second, and one gate for all of them.

It starts from the vendor's documented limits and learns from refusals. A refusal closes the gate for *every* request of
the connection, because vendors lengthen their pause for clients that go on asking. What was accepted until then teaches
the rate (see ``rate_limit``), or how many may be in flight (see ``concurrency_limit``). Several tasks of one connection
settle by the same rules.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from airflow_provider_interactions.contract import Pace
from airflow_provider_interactions.errors import Throttled
from airflow_provider_interactions.http.concurrency_limit import LearnedConcurrency
from airflow_provider_interactions.http.rate_limit import LOOK_AGAIN, LearnedRate
from airflow_provider_interactions.http.rate_tuning import RateTuning
from airflow_provider_interactions.http.shares import Grant
from airflow_provider_interactions.http.sliding_window import SlidingWindow, Turn

#: Seconds to wait after a refusal that names no time: the first, doubled for each further one up to the last.
FIRST_PAUSE, LAST_PAUSE = 1.0, 60.0

#: Requests in flight before the first response, so that no run begins with a burst; they double with every round.
FIRST_IN_FLIGHT = 16

#: Requests in flight when the gate opens after a refusal, so that few are refused if the vendor needs more time.
REOPENING_IN_FLIGHT = 4

#: After a refusal: this share of the places that were in use comes back quickly, the rest one by one.
QUICK_SHARE = 0.9


@dataclass(slots=True)
class Throttle:
    """The pace of one connection; made and used inside one event loop. Times are the loop's, in seconds.

    ``most`` is the upper bound of requests in flight, ``places`` how many there may be now, ``quick_places`` up to
    which number they come back quickly after a refusal. ``first_places`` is how many the first response allows.

    If tasks share the account's limit (`shares`), ``grant`` is this task's part of it, which holds until
    ``granted_until``. ``refused`` is set by every refusal, ``pace`` is the documented limit of the whole account.
    ``paused_seconds`` are those of all pauses so far, to their ends. ``ledger_seconds`` are those in which the next
    request waited for the ledger of the account, outside of pauses.
    """

    most: int
    places: float
    documented: SlidingWindow | None = None
    patience: float = float("inf")
    tuning: RateTuning = field(default_factory=RateTuning)
    first_places: float = 1.0
    quick_places: float = float("inf")
    grant: Grant | None = None
    granted_until: float = float("inf")
    refused: asyncio.Event = field(default_factory=asyncio.Event)
    in_flight: int = 0
    sent: int = 0
    even_at: float = 0.0
    last_took: float = 0.0
    paused_until: float = 0.0
    paused_seconds: float = 0.0
    ledger_seconds: float = 0.0
    refusals: int = 0
    pace: SlidingWindow = field(init=False)
    rate: LearnedRate = field(init=False)
    concurrency: LearnedConcurrency = field(default_factory=LearnedConcurrency)
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    turns: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.rate = LearnedRate(self.tuning)
        self.pace = replace(self.documented) if self.documented else SlidingWindow(1, 0.0)

    @classmethod
    def start(
        cls, pace: Pace, patience: float = float("inf"), *, tuning: RateTuning | None = None, proven: bool = True
    ) -> Throttle:
        """Start from a vendor's limits. No request waits longer than ``patience`` seconds for the gate to open.

        Unless credentials are ``proven``, one request goes first: some vendors lock an account after wrong logins.
        """
        most = max(1, pace.concurrency)
        documented = SlidingWindow(pace.requests, pace.seconds or 0.0) if pace.requests else None
        first = float(min(most, FIRST_IN_FLIGHT))
        return cls(most, first if proven else 1.0, documented, patience, tuning or RateTuning(), first)

    @asynccontextmanager
    async def acquire(self, *, ahead: bool = False) -> AsyncIterator[Turn]:
        """Wait for a place among the requests in flight, for the gate, and for the next turn.

        A request that has waited once already, and must be sent again at once, goes ``ahead`` of the others.
        A ``Throttled`` that is raised inside closes the gate; its ``retry_after`` is then the seconds of the pause.
        """
        await self._take_place(ahead=ahead)
        try:
            turn = await self._wait_for_turn()
            try:
                yield turn
            except Throttled as refusal:
                refusal.retry_after = self._close_gate(turn, refusal)
                raise
            finally:
                self.sent -= 1
        finally:
            self._leave_place()

    def use_grant(self, grant: Grant) -> None:
        """Use another part of the account's limit from now on; requests in flight continue."""
        self.grant, self.most = grant, grant.places
        self.places = min(float(grant.places), max(self.places, 1.0))
        self.rate.use_share(grant.share, asyncio.get_running_loop().time())
        if self.documented and grant.share:
            part = self.pace.requests * grant.share
            self.documented.requests, self.documented.seconds = max(1, int(part)), self.pace.seconds / min(1.0, part)
        self._hand_on_places()

    def used_grant(self) -> Grant:
        """What this task still uses of the account's limit, however much less it should use by now."""
        now = asyncio.get_running_loop().time()
        documented = self.documented.count(now) / self.pace.requests if self.documented else 0.0
        return Grant(self.sent, min(1.0, max(documented, self.rate.used_share(now))))

    def record_success(self, turn: Turn) -> None:
        """Allow more in flight: twice as many with every round of responses, above a refused number one a round."""
        self.refusals = 0
        self.places, self.first_places = max(self.places, self.first_places), 1.0
        now = asyncio.get_running_loop().time()
        more = self.places + (1.0 if self.places < self.quick_places else 1 / self.places)
        self.places = min(self.most, self.concurrency.grow(now), more)
        self.last_took = now - turn.sent_at
        self.rate.record_response(turn, now)

    def _close_gate(self, turn: Turn, refusal: Throttled) -> float:
        """Close the gate for all and learn from the refusal; returns the seconds of the pause."""
        now = asyncio.get_running_loop().time()
        first = turn.sent_at >= self.paused_until  # of many refusals at once, the first one sets the pace
        self.refusals += first
        self.refused.set()
        backoff = min(LAST_PAUSE, FIRST_PAUSE * 2.0 ** min(max(0, self.refusals - 1), 10))
        retry_after = refusal.retry_after or backoff  # zero, or a date that has passed, says no more than no header
        pause = max(retry_after, backoff)
        self.paused_seconds += max(0.0, now + pause - max(self.paused_until, now))
        self.paused_until = max(self.paused_until, now + pause)
        if refusal.limit == "concurrency":
            self._learn_concurrency(turn, now, pause, first=first)
        else:
            self._learn_rate(turn, retry_after, first=first)
        return pause

    def _learn_concurrency(self, turn: Turn, now: float, pause: float, *, first: bool) -> None:
        """Too many were in flight: as many as were admitted may go out at once, at the same rate as before."""
        if first:
            self.concurrency.learn(turn.in_flight, now, pause)
        else:
            self.concurrency.learn_from_earlier(turn.in_flight)
        self.places, self.first_places = min(self.places, self.concurrency.most), 1.0

    def _learn_rate(self, turn: Turn, retry_after: float, *, first: bool) -> None:
        """Too many were sent: halve the places and learn a rate."""
        self.rate.record_refusal(turn, retry_after, self.paused_until)
        if first:
            self.quick_places = max(1.0, QUICK_SHARE * self.in_flight)
            self.places, self.first_places = max(1.0, min(self.places / 2, REOPENING_IN_FLIGHT)), 1.0

    async def _take_place(self, *, ahead: bool) -> None:
        """Wait for a place, first come, first served: a response that comes before an earlier one waits in memory."""
        if not self.waiting and self.in_flight < int(self.places):
            self.in_flight += 1
            return
        place = asyncio.get_running_loop().create_future()
        if ahead:
            self.waiting.appendleft(place)
        else:
            self.waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._leave_place()
            raise

    def _leave_place(self) -> None:
        self.in_flight -= 1
        self._hand_on_places()

    async def _wait_for_turn(self) -> Turn:
        """One request after the other, in the order of their places: wait until the next one may go out."""
        loop = asyncio.get_running_loop()
        async with self.turns:
            while (wait := self._seconds_to_wait(now := loop.time())) > 0:  # the pause may have grown meanwhile
                closed_for = self.paused_until - now
                if closed_for > self.patience:
                    msg = "the vendor asks to slow down for longer than this run may wait"
                    raise Throttled(msg, retry_after=closed_for)
                awaits_ledger = self._awaits_ledger(now)
                await asyncio.sleep(wait if self.grant is None else min(wait, LOOK_AGAIN))
                self.ledger_seconds += awaits_ledger * (loop.time() - now)
            return self._start_turn(now)

    def _seconds_to_wait(self, now: float) -> float:
        if self.grant is not None and (self.sent >= self.most or not self.grant.share or now >= self.granted_until):
            return LOOK_AGAIN
        waits = [self.paused_until - now, self.even_at - now, self.rate.seconds_to_wait(now)]
        if self.documented:
            waits.append(self.documented.seconds_to_wait(now))
        return max(waits)

    def _awaits_ledger(self, now: float) -> bool:
        """Whether the ledger alone holds the next request back: no part, one not renewed, or no lesson yet."""
        if self.grant is None or now < self.paused_until:
            return False
        return not self.grant.share or now >= self.granted_until or self.rate.awaits_lesson(now)

    def _start_turn(self, now: float) -> Turn:
        self.sent += 1
        turn = Turn(now, self.sent)
        # The last response counts, too, if it was quicker: one slow response must not hold back what follows.
        usual = min(self.rate.quick, self.last_took)
        even_from = max(self.even_at, now - self.tuning.catch_up_seconds)
        self.even_at = even_from + self.tuning.even_share * usual / max(1, int(self.places))
        self.rate.record_sent(turn)
        if self.documented:
            self.documented.add(now)
        return turn

    def _hand_on_places(self) -> None:
        """Give free places to waiting requests. Each is taken at once, so that no other request can slip in before."""
        while self.waiting and self.in_flight < int(self.places):
            place = self.waiting.popleft()
            if not place.done():
                self.in_flight += 1
                place.set_result(None)
