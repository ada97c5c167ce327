"""How many requests a second one connection may send: what the vendor documents, and what its refusals teach.

A limit is a number of requests in any *period* of a length. Times are the event loop's, in seconds.

- Before the first refusal, requests go out at even intervals, faster and faster.
- A refusal shows how many requests the vendor accepted. From then on, no period has more than that.
- When a request reached the vendor is unknown. At the latest, it was as long before its response as a quick response
  takes. That time counts, so that the vendor sees no more requests in a period than intended, even while it or this
  machine is slow.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field

#: Vendors document limits over round periods; in seconds.
ROUND_PERIODS = (1.0, 10.0, 60.0, 300.0, 600.0, 3600.0)

#: Requests per second that no longer hold anything back.
UNLIMITED = 100_000.0


@dataclass(frozen=True, slots=True)
class RateTuning:
    """How a connection looks for the rate that a vendor accepts. The defaults are choices, tested in virtual time."""

    #: A run's first requests per second: enough for full speed within half a second, too few for a burst.
    first_rate: float = 100.0
    #: The rate doubles in so many seconds, until a refusal or `UNLIMITED`, and so many times at once after a silence.
    doubling_seconds: float = 0.1
    most_doublings: float = 20.0

    #: One refusal after so many accepted requests teaches a limit. Fewer may be a stray refusal: then two in a row must
    #: agree within a factor, or four where no more than a handful was accepted.
    enough_accepted: int = 50
    agree_factor: float = 2.0
    handful: int = 5

    #: A learned period is longer by this factor than what was seen, for what clocks and networks blur.
    margin: float = 1.003
    #: A further refusal makes the period longer by this share. Each one that follows within ``soon_periods`` doubles
    #: the share, up to the most.
    lengthen_share: float = 0.01
    most_lengthen_share: float = 0.25
    soon_periods: float = 2.0

    #: What was learned holds for so many periods, but at most so many seconds unless two periods are longer. Then more
    #: is tried: another task of the connection may have ended, or the limit was temporary. Each attempt that ends where
    #: it began doubles the next wait, up to ``most_hold_factor``.
    hold_periods: float = 30.0
    most_hold_seconds: float = 60.0
    most_hold_factor: float = 8.0

    #: Attempts go in steps of one period each: more by this share at first, twice the last share with each step, up to
    #: the most. After so many steps without a refusal the limit has changed: it is learned anew.
    growth_share: float = 0.02
    most_growth_share: float = 0.5
    steps_to_changed: int = 3

    #: How fast the measure of a quick response follows quicker and slower ones, and the measure of the usual delay.
    quicker_weight: float = 0.2
    slower_weight: float = 0.01
    delay_weight: float = 0.001
    #: On average, requests count as no more than this share of the period later than they were sent.
    most_delay_share: float = 0.02

    #: Missed steps are made up for within this share of a period, and lost after it.
    slack_share: float = 0.05
    #: Requests keep this share of the distance at which those in flight would leave evenly; a delay below so many
    #: seconds is caught up. Otherwise responses that came together would send the next requests together, which then
    #: wait for each other at the vendor, in ever larger crowds.
    even_share: float = 0.9
    catch_up_seconds: float = 0.002


@dataclass(slots=True)
class Turn:
    """One request: its number since the gate opened, when it went out, and how many were then in flight with it."""

    number: int
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
        del self.arrivals[: bisect_right(self.arrivals, now - self.seconds)]
        if len(self.arrivals) < self.requests:
            return 0.0
        return self.arrivals[-self.requests] + self.seconds - now

    def add(self, sent_at: float) -> None:
        """Count a request, as if it arrived when it was sent."""
        insort(self.arrivals, sent_at)

    def correct_arrival(self, turn: Turn, arrived_at: float) -> None:
        """Count a request at a later time than when it was sent."""
        at = bisect_left(self.arrivals, turn.sent_at)
        if self.arrivals[at : at + 1] == [turn.sent_at]:
            del self.arrivals[at]
        insort(self.arrivals, arrived_at)

    def count_before(self, turn: Turn) -> int:
        """Requests in the period that ended as this one was sent."""
        begin = bisect_right(self.arrivals, turn.sent_at - self.seconds)
        return bisect_left(self.arrivals, turn.sent_at) - begin


@dataclass(slots=True)
class LearnedRate:
    """The requests per second of one connection: even intervals, and the quota that refusals taught, if any.

    ``quick`` is the seconds of a quick response, ``delay`` what others usually take longer. ``proven`` is the quota
    that held before the current attempts at more, ``steps`` how many of these there were.
    """

    tuning: RateTuning = field(default_factory=RateTuning)
    quota: SlidingWindow | None = None
    per_second: float = field(init=False)
    suspected: float = 0.0
    agreements: int = 0
    next_at: float = 0.0
    grow_from: float = 0.0
    quick: float = 0.0
    delay: float = 0.0
    lengthen_share: float = field(init=False)
    proven: int = 0
    steps: int = 0
    hold_factor: float = 1.0

    def __post_init__(self) -> None:
        self.per_second, self.lengthen_share = self.tuning.first_rate, self.tuning.lengthen_share / 2

    def seconds_to_wait(self, now: float) -> float:
        """Seconds until the next request may go out; zero or less if it may."""
        self._grow(now)
        return max(self.next_at - now, self.quota.seconds_to_wait(now) if self.quota else 0.0)

    def record_sent(self, turn: Turn) -> None:
        """Count a request that goes out."""
        slack = self.tuning.slack_share * (self.quota.seconds if self.quota else 1.0)
        self.next_at = max(self.next_at, turn.sent_at - slack) + 1 / self.per_second
        if self.quota:
            self.quota.add(turn.sent_at)

    def record_response(self, turn: Turn, now: float) -> None:
        """Learn from an accepted request: the time beyond a quick response may have passed on its way to the vendor."""
        tuning, took = self.tuning, now - turn.sent_at
        self.quick = self.quick or took
        self.quick += (took - self.quick) * (tuning.quicker_weight if took < self.quick else tuning.slower_weight)
        delay = max(0.0, took - self.quick)
        self.delay += (delay - self.delay) * tuning.delay_weight
        if self.quota and delay > 0:
            most = tuning.most_delay_share * self.quota.seconds
            self.quota.correct_arrival(turn, turn.sent_at + delay * min(1.0, most / max(self.delay, most)))

    def learn(self, turn: Turn, open_for: float, now: float, pause: float, retry_after: float) -> None:
        """Learn from a refusal. The gate was open for ``open_for`` seconds before the request went out.

        The gate closes for ``pause`` seconds; ``retry_after`` are those the vendor named, if it did.
        """
        if self.quota is None:
            self._learn_quota(turn.number, guess_period(open_for, retry_after))
        else:
            self._correct_quota(self.quota, turn, open_for)
        self.next_at = now + pause
        self.grow_from = now + pause + (self._hold_seconds(self.quota) if self.quota else 0.0)
        self.steps = 0

    def learn_from_earlier(self, accepted: int) -> None:
        """Learn from the refusal of a request that went out before the one that closed the gate."""
        if self.quota is not None and not self.quota.arrivals and accepted < self.quota.requests:
            self.quota.requests = max(accepted, 1)
            self._follow_quota()

    def _learn_quota(self, accepted: int, seconds: float) -> None:
        tuning, accepted = self.tuning, max(accepted, 1)
        rate = accepted / seconds
        agrees = self.suspected / tuning.agree_factor <= rate <= self.suspected * tuning.agree_factor
        self.suspected, self.agreements = rate, self.agreements + 1 if agrees else 0
        if accepted >= tuning.enough_accepted or self.agreements >= (1 if accepted >= tuning.handful else 3):
            self.quota = SlidingWindow(accepted, seconds * tuning.margin)
            self._follow_quota()

    def _correct_quota(self, quota: SlidingWindow, turn: Turn, open_for: float) -> None:
        """The quota, or what was tried beyond it, is too high."""
        tuning, accepted = self.tuning, quota.count_before(turn)
        soon = open_for < tuning.soon_periods * quota.seconds
        if 0 < self.steps < tuning.steps_to_changed:  # the proven quota still holds
            quota.requests, self.hold_factor = self.proven, min(2 * self.hold_factor, tuning.most_hold_factor)
        elif self.steps:
            quota.requests, self.hold_factor = min(max(accepted, self.proven), quota.requests), 1.0
        elif soon and 2 * accepted < quota.requests:  # far less than the quota: the limit has changed
            quota.requests, self.hold_factor = max(1, accepted, quota.requests // 2), 1.0
        else:
            doubled = min(2 * self.lengthen_share, tuning.most_lengthen_share)
            self.lengthen_share = doubled if soon else tuning.lengthen_share
            quota.seconds *= 1 + self.lengthen_share
        self._follow_quota()

    def _hold_seconds(self, quota: SlidingWindow) -> float:
        held = min(self.tuning.hold_periods * quota.seconds, self.tuning.most_hold_seconds)
        return self.hold_factor * max(2 * quota.seconds, held)

    def _follow_quota(self) -> None:
        assert self.quota is not None  # noqa: S101 - only a learned quota sets the rate
        self.per_second = self.quota.requests / self.quota.seconds

    def _grow(self, now: float) -> None:
        self.grow_from = self.grow_from or now
        if now <= self.grow_from or self.per_second >= UNLIMITED:
            return
        if self.quota is not None:
            self._try_more(self.quota, now)
            return
        doublings = min((now - self.grow_from) / self.tuning.doubling_seconds, self.tuning.most_doublings)
        self.per_second = min(UNLIMITED, self.per_second * 2**doublings)
        self.grow_from = now

    def _try_more(self, quota: SlidingWindow, now: float) -> None:
        """Take one step, and no more than one however long nothing was sent."""
        self.proven = self.proven if self.steps else quota.requests
        share = min(self.tuning.growth_share * 2.0 ** min(self.steps, 10), self.tuning.most_growth_share)
        quota.requests += max(1, int(quota.requests * share))
        self.steps += 1
        self.grow_from = now + quota.seconds
        self._follow_quota()


def guess_period(open_for: float, retry_after: float) -> float:
    """The period of a limit in seconds: it was used up in ``open_for`` seconds and is free after ``retry_after``.

    Vendors round the pause up to whole seconds, so the period lies within a second below the sum of the two. A round
    period in there is a better guess than the sum. The next refusal corrects a wrong guess.
    """
    longest = max(open_for + retry_after, 0.01)
    fitting = [seconds for seconds in ROUND_PERIODS if longest - 1 <= seconds <= longest]
    return fitting[-1] if fitting else longest
