"""How many requests a second one connection may send: what the vendor documents, and what its refusals teach.

A limit is a number of requests in any *period* of a length. Times are the event loop's, in seconds.

- Before the first refusal, requests go out at even intervals, faster and faster.
- A refusal closes the gate. When it opens again, the responses to earlier requests are there and show how many the
  vendor accepted. From then on, requests go out evenly at that rate, and no period has more of them.
- A vendor may count in a window, so that as many pass in each period. Or in a bucket: then as many pass at once, and
  after that only what flows in. A bucket's first refusal teaches too high a rate; later ones measure the flow.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil

from airflow_provider_interactions.http.rate_tuning import UNLIMITED, RateTuning
from airflow_provider_interactions.http.shares import LONGEST_HANDOVER, Report
from airflow_provider_interactions.http.sliding_window import SlidingWindow, Turn
from airflow_provider_interactions.http.stretch import SHORT_PERIODS, Stretch, guess_limit

#: Seconds between two looks at what only another task can change: the share of the limit, or what all learned.
LOOK_AGAIN = 0.02

#: So many requests more than its part count as none: what is in a period varies by one or two.
FEW = 2


@dataclass(slots=True)
class LearnedRate:
    """The requests per second of one connection: even intervals, and the quota that refusals taught, if any.

    ``quick`` is the seconds of a quick response, ``delay`` what others usually take longer. ``seen_rate`` is what the
    last refusal showed, ``agreements`` how many in a row showed about the same. ``flow`` is how many
    requests a second the vendor counted between refusals, as measured from ``counted`` in ``counted_for`` seconds.
    ``proven`` is the rate that held before the current attempt at more, and zero while there is no attempt.

    All rates are those of the account. ``share`` is the part of them that this task may use, and ``quota`` keeps that
    part. ``period`` is the period of the limit in seconds. For ``lesson_seconds`` after a pause, the tasks of the
    account find out together what they learn; after that, each learns for itself. A task that was not refused itself
    waits for that until ``lesson_until``. ``recent`` are the last requests, as long as no limit is known.
    """

    tuning: RateTuning = field(default_factory=RateTuning)
    quota: SlidingWindow | None = None
    per_second: float = field(init=False)
    stretch: Stretch = field(default_factory=Stretch)
    earlier: Stretch | None = None
    seen_rate: float = 0.0
    flow: float = 0.0
    counted: int = 0
    counted_for: float = 0.0
    agreements: int = 0
    next_at: float = 0.0
    grow_from: float = 0.0
    quick: float = 0.0
    delay: float = 0.0
    lower_share: float = field(init=False)
    growth_share: float = field(init=False)
    proven: float = 0.0
    hold_factor: float = 1.0
    share: float = 1.0
    period: float = 0.0
    lesson_seconds: float = 0.0
    lesson_until: float = 0.0
    recent: SlidingWindow = field(default_factory=lambda: SlidingWindow(1, SHORT_PERIODS[-1]))

    def __post_init__(self) -> None:
        self.per_second, self.lower_share = self.tuning.first_rate, self.tuning.lower_share / 2
        self.growth_share = self.tuning.growth_share

    def seconds_to_wait(self, now: float) -> float:
        """Seconds until the next request may go out; zero or less if it may."""
        if not self.share or self.awaits_lesson(now):
            return LOOK_AGAIN
        if now >= self.stretch.reopens_at:
            self.learn(self.stretch)
        if not self.stretch.refused:
            self._grow(now)
        return max(self.next_at - now, self.quota.seconds_to_wait(now) if self.quota else 0.0)

    def awaits_lesson(self, now: float) -> bool:
        """Whether the pause is over, or another task's, and what all tasks learn from it is not known yet."""
        opened_for = now - self.stretch.reopens_at
        return now < self.lesson_until or 0 <= opened_for < self.lesson_seconds

    def record_sent(self, turn: Turn) -> None:
        """Count a request that goes out."""
        self.stretch.opened_at = self.stretch.opened_at or turn.sent_at
        slack = self.tuning.slack_share * self.quota.seconds if self.quota else self.tuning.first_slack
        self.next_at = max(self.next_at, turn.sent_at - slack) + 1 / (self.per_second * self.share)
        if self.quota:
            self.quota.add(turn.sent_at)
        else:
            self.recent.forget(turn.sent_at)
            self.recent.add(turn.sent_at)

    def record_response(self, turn: Turn, now: float) -> None:
        """Learn from an accepted request: the time beyond a quick response may have passed on its way to the vendor."""
        tuning, took = self.tuning, now - turn.sent_at
        if turn.sent_at >= self.stretch.opened_at:
            self.stretch.accepted += 1
            self.stretch.accepted_by_all += 1 / (self.share or 1.0)
        self.quick = self.quick or took
        self.quick = min(took, self.quick + (took - self.quick) * tuning.slower_weight)
        delay = max(0.0, took - self.quick)
        self.delay += (delay - self.delay) * tuning.delay_weight
        if self.quota and delay > 0:
            most = tuning.most_delay_share * self.quota.seconds
            self.quota.correct_arrival(turn, turn.sent_at + delay * min(1.0, most / max(self.delay, most)))

    def record_refusal(self, turn: Turn, retry_after: float, reopens_at: float) -> None:
        """Count a refused request. The gate is closed until ``reopens_at``; only then it is known what to learn."""
        if turn.sent_at < self.stretch.opened_at:
            return
        if not self.stretch.refused:
            self.stretch.refused_at, self.stretch.retry_after = turn.sent_at, retry_after
            self.stretch.last = self._count_last(turn.sent_at)
        self.stretch.refused += 1
        self.stretch.reopens_at = self.next_at = reopens_at

    @property
    def explores(self) -> bool:
        """Whether it still grows towards a limit that it does not know."""
        return self.quota is None and self.per_second < UNLIMITED

    def use_share(self, share: float, now: float) -> None:
        """Use another part of the account's rate, from 0 to 1."""
        if share > self.share:
            self.next_at = min(self.next_at, now + 1 / (self.per_second * share))
        self.share = share
        if self.quota and share:
            self._set_rate(self.quota, self.per_second)

    def used_share(self, now: float) -> float:
        """The part of the account's limit that this task has used up in the current period, if that is short."""
        if not self.quota or self.period > LONGEST_HANDOVER:
            return 0.0
        return max(0, self.quota.count(now) - FEW) / max(1.0, self.per_second * self.period)

    def report(self) -> Report:
        """What this task has seen since the gate opened."""
        seen = self.stretch
        last = seen.last if seen.refused or not self.recent.arrivals else self._count_last(self.recent.arrivals[-1])
        return Report(seen.accepted, seen.refused, max(0.0, seen.open_for), seen.retry_after, last)

    def _count_last(self, end: float) -> tuple[int, int]:
        short, longer = (self.recent.count_before(end, seconds) for seconds in SHORT_PERIODS)
        return short, longer

    def learn(self, seen: Stretch) -> None:
        """Learn from what was accepted and refused until the gate closed."""
        self._compare_rates(seen)
        same = self.earlier is not None and self._measure_flow(self.earlier, seen)
        if self.quota is None:
            self._learn_quota(seen)
        else:
            self._correct_rate(self.quota, seen, same=same)
        hold = max(2 * self.quota.seconds, self.tuning.hold_seconds) if self.quota else 0.0
        self.grow_from = seen.reopens_at + self.hold_factor * hold
        self.proven, self.growth_share = 0.0, self.tuning.growth_share
        self.earlier, self.stretch = seen, Stretch(seen.reopens_at)

    def _compare_rates(self, seen: Stretch) -> None:
        """Count how often in a row refusals showed about the same rate."""
        rate, factor = seen.accepted / max(seen.open_for + seen.retry_after, 0.01), self.tuning.agree_factor
        agrees = self.seen_rate / factor <= rate <= self.seen_rate * factor
        self.seen_rate, self.agreements = rate, self.agreements + 1 if agrees else 0

    def _measure_flow(self, earlier: Stretch, seen: Stretch) -> bool:
        """Measure the flow between two refusals, as if refused requests counted, too; returns if it is as before."""
        tuning, seconds = self.tuning, max(seen.refused_at - earlier.refused_at, 0.01)
        counted, expected = max(seen.accepted + earlier.refused - 1, 1), self.flow * seconds
        same = abs(counted - expected) <= max(tuning.same_requests, tuning.same_share * expected)
        self.counted, self.counted_for = self.counted * same + counted, self.counted_for * same + seconds
        self.flow = self.counted / self.counted_for
        return same

    def _learn_quota(self, seen: Stretch) -> None:
        tuning, accepted = self.tuning, max(seen.accepted, 1)
        agree = self.agreements >= (1 if accepted >= tuning.handful else 3)
        many = accepted >= tuning.handful and seen.refused >= tuning.enough_refused
        if agree or many or accepted >= tuning.enough_accepted:
            requests, seconds = guess_limit(accepted, seen)
            self.quota, self.period = SlidingWindow(requests, seconds), seconds
            self._set_rate(self.quota, requests / seconds * (1 - tuning.margin))
        else:
            self.per_second = min(self.per_second, tuning.first_rate)

    def _correct_rate(self, quota: SlidingWindow, seen: Stretch, *, same: bool) -> None:
        """The rate, or what was tried beyond it, is too high.

        Where tasks learn together, one early refusal may come from a task that had not heard of the last lesson.
        """
        tuning, rate = self.tuning, self.per_second
        soon = seen.open_for < tuning.soon_periods * quota.seconds
        lower = rate * (1 - tuning.lower_share)
        if self.proven:
            self.hold_factor = min(2 * self.hold_factor, tuning.most_hold_factor)
            self._set_rate(quota, self.proven)
        elif same and seen.open_for < tuning.flow_periods * quota.seconds:
            self._set_rate(quota, min(lower, self.flow * (1 + tuning.flow_surplus)))
        elif soon and 2 * seen.accepted < quota.requests / self.share and (self.agreements or not self.lesson_seconds):
            at_least = 0.0 if self.agreements else rate / 2
            self.hold_factor = 1.0
            self._set_rate(quota, min(lower, max(self.flow, at_least)))
        else:
            doubled = min(2 * self.lower_share, tuning.most_lower_share)
            self.lower_share = doubled if soon else tuning.lower_share
            self._set_rate(quota, rate * (1 - self.lower_share))

    def _set_rate(self, quota: SlidingWindow, rate: float) -> None:
        """Follow a rate: a period has a whole number of requests, so its length gives way.

        For a part of a limit it only gets longer: in a period, all parts together then have no more than the limit.
        """
        self.per_second, part = rate, rate * self.share
        fit = round if self.share == 1 else ceil
        quota.requests = max(1, fit(part * self.period))
        quota.seconds = quota.requests / part
        self.period = quota.seconds if self.share == 1 else self.period

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
        if self.proven:
            self.growth_share, self.hold_factor = min(2 * self.growth_share, self.tuning.most_growth_share), 1.0
        self.proven = self.per_second
        self._set_rate(quota, self.proven * (1 + self.growth_share))
        self.grow_from = now + 1.1 * quota.seconds / self.growth_share
