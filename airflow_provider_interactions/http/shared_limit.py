"""Keep this task's entry in the ledger of its account, and its throttle within what the ledger grants.

See ``shares`` for the rules. A store that cannot be reached never ends a run: a task that never joined keeps to the
whole limit by itself, and one that did join keeps to the part that it had.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from airflow_provider_interactions.http import shares
from airflow_provider_interactions.http.lessons import follow_lesson, publish_news
from airflow_provider_interactions.http.shared_object import SharedObject
from airflow_provider_interactions.http.shares import AccountLimit, Entry, Grant, Ledger, Observer
from airflow_provider_interactions.http.throttle import Throttle

log = logging.getLogger(__name__)

#: Seconds to join or to leave, and without a place, until a task goes on as if it were alone.
JOIN_SECONDS, LEAVE_SECONDS, ALONE_SECONDS = 10.0, 5.0, 60.0

#: Seconds after the last renewal until a task goes on with the part that it had, while the store is away.
OUTAGE_SECONDS = 20.0

#: Seconds between two renewals while something is going on: a refusal, or a wait for a part of the limit.
SOON = 0.25

#: Seconds after a lesson in which another one is likely, so that tasks look often.
LIVELY_SECONDS = 10.0

#: Seconds after a pause in which the tasks of an account learn together.
LESSON_SECONDS = 5.0

#: What tasks learn together is lower by this share than what they saw: no task knows when the others send.
MARGIN = 0.005

#: The flow that tasks measure together is blurred by the time that news takes, so they begin above it by this share.
SURPLUS = 0.03

#: Seconds that a learned rate holds before more is tried. The ledger says which tasks end, so an attempt finds only a
#: limit that the vendor has changed.
HOLD_SECONDS = 300.0

#: Attempts at one renewal while others renew at the same time.
SWAPS = 20

_ALONE = (
    "The shared limit of %s cannot be used (%s). This task keeps to the limit by itself. Together with other tasks of "
    "the account it may exceed the limit. If this happens often, set [interactions] shared_limit to False."
)


@dataclass(frozen=True, slots=True)
class Sharing:
    """That the limit is shared: the place of the ledger, and whether this task goes ahead of others."""

    ledger: SharedObject
    ahead: bool = False


@dataclass(slots=True)
class SharedLimit:
    """One task's part in the ledger; made and used inside one event loop.

    ``call`` runs the store's blocking functions, ``unix`` is the clock that tasks on several machines share roughly.
    ``dice`` decide how long a task waits before it tries again to write beside others.
    """

    sharing: Sharing
    limit: AccountLimit
    throttle: Throttle
    account: str
    call: Callable[..., Awaitable[Any]] = asyncio.to_thread
    unix: Callable[[], float] = time.time
    name: str = field(default_factory=lambda: uuid.uuid4().hex)
    dice: random.Random = field(default_factory=random.Random)
    observer: Observer = field(default_factory=Observer)
    beat: int = 0
    lesson: int = 0
    fair: bool = False
    warned: bool = False
    renewed_at: float = 0.0
    served_at: float = 0.0
    taught_at: float = float("-inf")

    async def join(self) -> bool:
        """Enter the ledger; False if that is impossible here. Requests wait for their part only after this."""
        whole = Grant(self.throttle.most, 1.0)
        try:
            async with asyncio.timeout(JOIN_SECONDS):
                self.throttle.use_grant(Grant())
                if not await self.call(self.sharing.ledger.check):
                    raise OSError("the store does not compare before it writes")  # noqa: TRY301 - one way out
                await self._renew()
        except Exception as fault:  # noqa: BLE001 - whatever the store's driver raises must not end a run
            self._warn(fault)
            self._go_alone(whole)
            return False
        rate = self.throttle.rate
        rate.lesson_seconds = LESSON_SECONDS
        rate.tuning = replace(rate.tuning, margin=MARGIN, hold_seconds=HOLD_SECONDS, flow_surplus=SURPLUS)
        return True

    async def keep(self) -> None:
        """Renew the entry for as long as the task runs."""
        whole = Grant(self.limit.most, 1.0)
        while True:
            try:
                await self._wait_and_watch(asyncio.get_running_loop().time() + self._seconds_to_next())
                self.throttle.refused.clear()  # a refusal that comes from here on is renewed for at once
                await self._renew()
            except Exception as fault:  # noqa: BLE001 - as above; the warning names it
                self._survive(fault)
            if asyncio.get_running_loop().time() > self.served_at + self._patience():
                self._warn(TimeoutError("no part of the limit became free"))
                self._go_alone(whole)
                return

    async def _wait_and_watch(self, until: float) -> None:
        """Wait for a refusal or for the next renewal, and look meanwhile whether another task was refused."""
        loop, refused = asyncio.get_running_loop(), self.throttle.refused
        while (left := until - loop.time()) > 0 and not refused.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, self.sharing.ledger.glance)):
                    await refused.wait()
            if left > self.sharing.ledger.glance and not refused.is_set():
                self._follow((await self._read())[0])

    async def leave(self) -> None:
        """Give back what this task has, as far as the store can be reached; else the others wait for its expiry."""
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                for _ in range(SWAPS):
                    ledger, version = await self._read()
                    left = shares.leave(ledger, self.name)
                    if await self._swap(left, version):
                        return
        except Exception as fault:  # noqa: BLE001 - the run is over; its result counts
            log.info(
                "This task could not remove its entry from the shared limit of %s (%s).",
                self.account,
                type(fault).__name__,
            )

    async def _renew(self) -> None:
        """Renew the entry; what it grants holds as soon as it is written."""
        loop = asyncio.get_running_loop()
        for _ in range(SWAPS):
            asked = loop.time()
            ledger, version = await self._read()
            ledger = self.observer.drop_expired(ledger, asked, loop.time(), self.unix())
            self._follow(ledger)
            ledger, grant = self._update(ledger)
            if await self._swap(ledger, version):
                self._use(ledger, grant, asked)
                return
            await asyncio.sleep(self.dice.uniform(0, 0.02))
        raise TimeoutError("too many tasks write at the same time")

    def _update(self, ledger: Ledger) -> tuple[Ledger, Grant]:
        """The ledger with this task's entry, pause and lesson. What must be given up is no longer used from here on."""
        self.beat += 1
        report = self.throttle.rate.report()
        entry = Entry(self.beat, 0, 0.0, self.sharing.ahead, self.unix(), self.lesson, report)
        fair = shares.find_fair_grant({**ledger.entries, self.name: entry}, self.name, self.limit)
        had = self.throttle.grant or Grant()
        if self.name not in ledger.entries:
            had = Grant()  # a newcomer, or one that was away for too long
        self.throttle.use_grant(Grant(min(had.places, fair.places), min(had.share, fair.share)))
        held = self.observer.held_by_leavers(asyncio.get_running_loop().time())
        ledger, grant = shares.renew(ledger, self.name, entry, self.limit, self.throttle.used_grant(), held)
        self.throttle.use_grant(Grant(min(had.places, grant.places), min(had.share, grant.share)))
        own = ledger.entries[self.name]
        self.fair = grant.places == own.places == fair.places and own.share <= fair.share * 1.01 <= 1.02 * grant.share
        return publish_news(ledger, self.name, self.throttle, asyncio.get_running_loop().time(), self.unix()), grant

    def _follow(self, ledger: Ledger) -> None:
        """Keep to the others' pause, and to what was learned."""
        now, rate = asyncio.get_running_loop().time(), self.throttle.rate
        if ledger.lesson != self.lesson:
            self.lesson, self.taught_at = ledger.lesson, now
            if ledger.learned:
                follow_lesson(rate, ledger.learned, now)
        pause = min(ledger.paused_until - self.unix(), ledger.pause)
        if pause > 0:
            self.throttle.paused_until = max(self.throttle.paused_until, now + pause)
            rate.lesson_until = self.throttle.paused_until + LESSON_SECONDS

    def _use(self, ledger: Ledger, grant: Grant, asked: float) -> None:
        now = asyncio.get_running_loop().time()
        self._follow(ledger)
        self.throttle.use_grant(grant)
        self.throttle.granted_until, self.renewed_at = asked + shares.FENCE, now
        if (grant.places and grant.share) or not self.served_at:
            self.served_at = now

    def _seconds_to_next(self) -> float:
        rate, now = self.throttle.rate, asyncio.get_running_loop().time()
        if rate.stretch.refused or now < rate.lesson_until:
            opens_in = max(rate.stretch.reopens_at * bool(rate.stretch.refused), self.throttle.paused_until) - now
            return min(SOON, opens_in) if opens_in > 0 else SOON / 4
        seconds = self.sharing.ledger.seconds
        calm = self.fair and not rate.explores and now >= self.taught_at + LIVELY_SECONDS
        return seconds if calm else min(SOON, seconds)

    def _patience(self) -> float:
        """Seconds without a part of the limit. A documented limit may be used up for a whole period."""
        return ALONE_SECONDS + (self.throttle.documented.seconds if self.throttle.documented else 0.0)

    def _survive(self, fault: Exception) -> None:
        """Go on without the store after a while, with what this task had: nobody can have joined meanwhile."""
        self._warn(fault)
        self.observer.seen.clear()  # others could not renew either: their time begins anew
        now = asyncio.get_running_loop().time()
        if now > self.renewed_at + OUTAGE_SECONDS:
            self.throttle.granted_until, self.served_at = float("inf"), now

    def _go_alone(self, whole: Grant) -> None:
        self.throttle.use_grant(whole)
        self.throttle.grant, self.throttle.granted_until, self.throttle.rate.lesson_seconds = None, float("inf"), 0.0

    def _warn(self, fault: Exception) -> None:
        log.log(logging.DEBUG if self.warned else logging.WARNING, _ALONE, self.account, type(fault).__name__)
        self.warned = True

    async def _read(self) -> tuple[Ledger, str]:
        data, version = await self.call(self.sharing.ledger.read)
        return msgspec.json.decode(data, type=Ledger) if data else Ledger(), version

    async def _swap(self, ledger: Ledger, version: str) -> bool:
        return bool(await self.call(self.sharing.ledger.swap, msgspec.json.encode(ledger), version))


@asynccontextmanager
async def share_limit(
    sharing: Sharing | None, limit: AccountLimit, throttle: Throttle, account: str
) -> AsyncIterator[None]:
    """Share the account's limit while inside, if there is a place for that."""
    shared = SharedLimit(sharing, limit, throttle, account) if sharing else None
    began = asyncio.get_running_loop().time()
    joined = shared is not None and await shared.join()
    throttle.ledger_seconds += asyncio.get_running_loop().time() - began
    if shared is None or not joined:
        yield
        return
    keeping = asyncio.create_task(shared.keep())
    try:
        yield
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
        await shared.leave()
