"""How often one connection may ask: what the vendor documents, and what its refusals teach. Times are the loop's.

Two rules hold at once. Requests go out in even steps, faster and faster until a refusal tells how many were accepted;
from then on there are never more than so many in any stretch of time of that length. When a request *reached* the
vendor is not known: at the latest, it was as long before its answer as a quick answer takes. That instant counts,
so that a vendor (or a machine) that is slow for a moment does not see more in its stretch than was meant.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field

#: Vendors state limits over round stretches of time; in seconds.
ROUND = (1.0, 10.0, 60.0, 300.0, 600.0, 3600.0)

#: A learned stretch is longer by this factor than what was seen, for what clocks and networks blur. On the average,
#: requests count as no more than this share of it later than they were sent: some answers just take their time.
MARGIN, LATE = 1.003, 0.02

#: How fast the measure of a quick answer follows those that were quicker and those that were not, and the measure of
#: what they are usually late.
QUICKER, SLOWER, USUAL = 0.2, 0.01, 0.001

#: How a learned stretch moves: it gets longer by the first share with a refusal, and by twice the last one, up to the
#: second share, with each further one that follows within so many stretches.
LONGER, MUCH_LONGER, SOON = 0.01, 0.25, 2.0

#: What was learned holds for so many stretches, but at most so many seconds, unless two stretches are longer; then more
#: is tried, because another task of the connection may have ended, or the limit was for a while only. Each time that
#: ends where it began makes the next wait twice as long, up to so many times the first.
HOLD, HOLD_SECONDS, LONGEST_HOLD = 30.0, 60.0, 8.0

#: More is tried in steps of a stretch each: by this share at first, by twice the last one with each, up to the second.
GROWTH, MOST_GROWTH = 0.02, 0.5

#: With so many steps it is certain that the limit has changed: what was accepted in the last stretch is learned anew.
CHANGED = 3

#: A stray refusal tells nothing about a rate. One after so many accepted requests does; fewer must be alike, within a
#: factor, one after the other: two of them, or four where only a handful was accepted.
TELLING, ALIKE, HANDFUL = 50, 2.0, 5

#: A run's first requests per second, doubled every so many seconds until a refusal or the first rate that no longer
#: holds anything back: enough to be at full speed within half a second, too little for a burst.
FIRST_RATE, DOUBLING, NO_RATE = 100.0, 0.1, 100_000.0

#: However long nothing was sent, a rate grows by no more of these at once; no learned stretch is shorter, in seconds.
DOUBLINGS, SHORTEST = 20.0, 0.001

#: Steps that were missed are made up for within this share of a stretch, and lost after it.
SLACK = 0.05


@dataclass(slots=True)
class Turn:
    """One request: its number since the gate opened, when it went out, and how many were then in flight with it."""

    place: int
    sent_at: float
    in_flight: int = 1


@dataclass(slots=True)
class SlidingWindow:
    """No more than so many requests in any stretch of so many seconds. ``arrivals`` are in the order of time."""

    requests: int
    seconds: float
    arrivals: list[float] = field(default_factory=list)

    def wait(self, now: float) -> float:
        """Seconds until one more fits; zero or less when it does."""
        del self.arrivals[: bisect_right(self.arrivals, now - self.seconds)]
        if len(self.arrivals) < self.requests:
            return 0.0
        return self.arrivals[-self.requests] + self.seconds - now

    def moved(self, turn: Turn, arrived_at: float) -> None:
        """A request that was counted arrived later than thought."""
        at = bisect_left(self.arrivals, turn.sent_at)
        if self.arrivals[at : at + 1] == [turn.sent_at]:
            del self.arrivals[at]
        insort(self.arrivals, arrived_at)


@dataclass(slots=True)
class LearnedRate:
    """Requests per second: even steps, and the quota that refusals taught, if any."""

    value: float = FIRST_RATE
    quota: SlidingWindow | None = None
    suspected: float = 0.0
    agreed: int = 0
    next_at: float = 0.0
    moved_at: float = 0.0
    quick: float = 0.0
    late: float = 0.0
    longer: float = LONGER / 2
    proven: int = 0
    steps: int = 0
    hold: float = 1.0

    def wait(self, now: float) -> float:
        """Seconds until the next request may go out; zero or less when it may."""
        self._grow(now)
        return max(self.next_at - now, self.quota.wait(now) if self.quota else 0.0)

    def took(self, turn: Turn) -> None:
        """A request goes out."""
        slack = SLACK * (self.quota.seconds if self.quota else 1.0)
        self.next_at = max(self.next_at, turn.sent_at - slack) + 1 / self.value
        if self.quota:
            insort(self.quota.arrivals, turn.sent_at)

    def answered(self, turn: Turn, now: float) -> None:
        """Its answer came: what it took longer than a quick one it may have been on its way to the vendor."""
        took = now - turn.sent_at
        self.quick = self.quick or took
        self.quick += (took - self.quick) * (QUICKER if took < self.quick else SLOWER)
        late = max(0.0, took - self.quick)
        self.late += (late - self.late) * USUAL
        if self.quota and late > 0:
            usual = LATE * self.quota.seconds
            arrived_at = turn.sent_at + late * min(1.0, usual / max(self.late, usual))
            self.quota.moved(turn, arrived_at)

    def refused(self, turn: Turn, open_for: float, now: float, pause: float, told: float) -> None:
        """Learn from a refusal; the gate was open for some seconds before the request went out.

        The gate is shut for ``pause`` seconds; ``told`` are those the vendor named, where it did.
        """
        if self.quota is None:
            self._learn(turn.place, stretch(open_for, told))
        else:
            self._relearn(self.quota, turn, open_for)
        self.next_at = now + pause
        self.moved_at = now + pause + (self._held(self.quota) if self.quota else 0.0)
        self.steps = 0

    def _relearn(self, quota: SlidingWindow, turn: Turn, open_for: float) -> None:
        """What was learned is too much, or what was tried beyond it."""
        accepted = bisect_left(quota.arrivals, turn.sent_at) - bisect_right(
            quota.arrivals, turn.sent_at - quota.seconds
        )
        soon = open_for < SOON * quota.seconds
        if 0 < self.steps < CHANGED:  # what was proven still holds
            quota.requests, self.hold = self.proven, min(2 * self.hold, LONGEST_HOLD)
        elif self.steps:
            quota.requests, self.hold = min(max(accepted, self.proven), quota.requests), 1.0
        elif soon and 2 * accepted < quota.requests:  # far less than what was learned: the limit has changed
            quota.requests, self.hold = max(1, accepted, quota.requests // 2), 1.0
        else:
            self.longer = min(2 * self.longer, MUCH_LONGER) if soon else LONGER
            quota.seconds *= 1 + self.longer
        self._step()

    def _held(self, quota: SlidingWindow) -> float:
        return self.hold * max(2 * quota.seconds, min(HOLD * quota.seconds, HOLD_SECONDS))

    def refused_before(self, accepted: int) -> None:
        """A request that went out before the one just learned from was refused as well."""
        if self.quota is not None and not self.quota.arrivals and accepted < self.quota.requests:
            self.quota.requests = max(accepted, 1)
            self._step()

    def _learn(self, accepted: int, seconds: float) -> None:
        accepted = max(accepted, 1)
        rate = accepted / seconds
        alike = self.suspected / ALIKE <= rate <= self.suspected * ALIKE
        self.suspected, self.agreed = rate, self.agreed + 1 if alike else 0
        if accepted >= TELLING or self.agreed >= (1 if accepted >= HANDFUL else 3):
            self.quota = SlidingWindow(accepted, seconds * MARGIN)
            self._step()

    def _step(self) -> None:
        assert self.quota is not None  # noqa: S101 - only what was learned sets steps
        self.value = self.quota.requests / self.quota.seconds

    def _grow(self, now: float) -> None:
        self.moved_at = self.moved_at or now
        if now <= self.moved_at or self.value >= NO_RATE:
            return
        if self.quota is not None:
            self._try_more(self.quota, now)
            return
        self.value = min(NO_RATE, self.value * 2 ** min((now - self.moved_at) / DOUBLING, DOUBLINGS))
        self.moved_at = now

    def _try_more(self, quota: SlidingWindow, now: float) -> None:
        """One step: however long nothing was sent, no more than one."""
        self.proven = self.proven if self.steps else quota.requests
        share = min(GROWTH * 2.0 ** min(self.steps, 10), MOST_GROWTH)
        quota.requests += max(1, int(quota.requests * share))
        self.steps += 1
        self.moved_at = now + quota.seconds
        self._step()


def stretch(open_for: float, pause: float) -> float:
    """The stretch of time a limit is about, in seconds: it was used up in ``open_for`` and is free after ``pause``.

    Vendors round the pause up to whole seconds, so the stretch lies within a second below the sum of the two. A round
    one in there is a better guess than the sum; a wrong guess is mended by the next refusal.
    """
    longest = max(open_for + pause, 0.01)
    fitting = [seconds for seconds in ROUND if longest - 1 <= seconds <= longest]
    return fitting[-1] if fitting else longest
