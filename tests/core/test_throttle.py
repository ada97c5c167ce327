"""How near the throttle comes to limits that it has to learn, in the virtual time of an event loop."""

import asyncio
import math
import random
import selectors
from dataclasses import dataclass, field

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from airflow_provider_interactions import contract
from airflow_provider_interactions.errors import Throttled
from airflow_provider_interactions.http.rate_limit import LearnedRate
from airflow_provider_interactions.http.rate_tuning import UNLIMITED, RateTuning
from airflow_provider_interactions.http.sliding_window import SlidingWindow, Turn
from airflow_provider_interactions.http.throttle import Throttle
from airflow_provider_interactions.sandbox import RateLimit
from airflow_provider_interactions.sandbox.rate_limiters import create_limiter

#: What a real run's timers and network blur; in seconds.
LATE_TIMER, JITTER = 0.002, 0.004

#: Now and then the whole machine is busy with something else for so many seconds.
STALL, STALLS = 0.1, 0.0003


class Loop(asyncio.SelectorEventLoop):
    """Waits are skipped: whenever nothing can run, the clock goes to the next timer, and a little past it."""

    def __init__(self, seed=0):
        super().__init__(self.Selector())
        self.now, self.stalled, self.dice = 1000.0, 0.0, random.Random(seed)
        self._selector.loop = self

    class Selector(selectors.SelectSelector):
        def select(self, timeout=None):
            if timeout:
                stall = STALL if self.loop.dice.random() < STALLS else 0.0
                self.loop.now += timeout + stall + self.loop.dice.random() * LATE_TIMER
                self.loop.stalled += stall
            return super().select(0) if timeout is None else []  # nothing comes from a network

    def time(self):
        return self.now

    def awake(self):
        """The time without that of stalls."""
        return self.now - self.stalled


def sliding(most, seconds, *, refused_count=False):
    """The sandbox's own limiter."""
    return create_limiter(RateLimit(most, seconds, refused_count=refused_count))


def bucket(most, seconds, *, burst=None, refused_count=False):
    """The sandbox's own limiter; as much as the whole limit may be taken at once unless ``burst`` is set."""
    return create_limiter(RateLimit(most, seconds, kind="token_bucket", burst=burst, refused_count=refused_count))


@dataclass
class Fixed:
    """No more than ``most`` between one full stretch of the vendor's clock and the next."""

    most: int
    seconds: float
    number: float = -1.0
    seen: int = 0

    def admit(self, now):
        number = now // self.seconds
        if number != self.number:
            self.number, self.seen = number, 0
        self.seen += 1
        return self.seen <= self.most

    def seconds_to_wait(self, now):
        return (self.number + 1) * self.seconds - now


@dataclass
class Vendor:
    """What one vendor saw. Its pauses are whole seconds, as the header wants them.

    ``outward`` is the share of the latency before it decides. The rest follows, unless it ``refuses_at_once``.
    ``news`` is the seconds until a refusal of one task can be known to the others.
    """

    limit: object
    latency: float = 0.02
    outward: float = 0.25
    refuses_at_once: bool = False
    news: float = 0.0
    accepted: int = 0
    refused: int = 0
    in_pause: int = 0
    pause_until: float = 0.0
    known_at: float = float("inf")
    first: float = 0.0
    last: float = 0.0

    async def answer(self, loop):
        sent_at = loop.awake()
        await asyncio.sleep(self.latency * self.outward + loop.dice.random() * JITTER)
        now = loop.time()
        self.first = self.first or now
        # What was sent before the refusal came back, or before the news of it could reach the task, is no offence.
        self.in_pause += now < self.pause_until and sent_at > self.known_at + self.news
        admitted = self.limit.admit(now)
        if not admitted:
            self.refused += 1
            whole = max(1, math.ceil(self.limit.seconds_to_wait(now)))
            if now >= self.pause_until:
                self.known_at = float("inf")
            self.pause_until = max(self.pause_until, now + whole)
        if admitted or not self.refuses_at_once:
            await asyncio.sleep(self.latency * (1 - self.outward) + loop.dice.random() * JITTER)
        if not admitted:
            self.known_at = min(self.known_at, loop.awake())
            raise Throttled("slower", retry_after=whole)
        self.accepted += 1
        self.last = loop.time()


@dataclass
class OneAtATime(Vendor):
    """A vendor who looks at one request after the other, and takes a while for each."""

    look: float = 0.001
    free_at: float = 0.0
    waited: list = field(default_factory=list)

    async def answer(self, loop):
        begins = max(loop.time(), self.free_at)
        self.waited.append(begins - loop.time())
        self.free_at = begins + self.look
        await asyncio.sleep(self.free_at - loop.time() + self.latency)
        self.accepted += 1


@dataclass
class SlowAtFirst(Vendor):
    """A vendor who has to wake up."""

    async def answer(self, loop):
        await asyncio.sleep(10.0 if loop.time() < 1005 else self.latency)
        self.accepted += 1
        self.last = loop.time()


async def work(throttle, vendor, left, loop):
    """Take requests until there are none left; refused ones again."""
    while left:
        left.pop()
        while True:
            try:
                async with throttle.acquire() as turn:
                    await vendor.answer(loop)
                    throttle.record_success(turn)
                    break
            except Throttled:
                continue


def run(vendor, count, tasks=1, seed=0, tuning=None):
    """``tasks`` connections of their own, each with 52 requests in flight, share the vendor and the work."""

    async def all_of_them():
        loop, left = asyncio.get_running_loop(), list(range(count))
        throttles = [Throttle.start(contract.Pace(52), tuning=tuning) for _ in range(tasks)]
        await asyncio.gather(*(work(throttle, vendor, left, loop) for throttle in throttles for _ in range(52)))

    with asyncio.Runner(loop_factory=lambda: Loop(seed)) as runner:
        runner.run(all_of_them())
    assert vendor.accepted == count
    return vendor


#: Limits, and the requests a second that they come to.
LIMITS = {
    "sliding": (lambda: sliding(100, 1.0), 100),
    "refused ones count": (lambda: sliding(100, 1.0, refused_count=True), 100),
    "sliding, ten seconds": (lambda: sliding(1000, 10.0), 100),
    "sliding, a minute": (lambda: sliding(1500, 60.0), 25),
    "fixed": (lambda: Fixed(100, 1.0), 100),
    "bucket": (lambda: bucket(100, 1.0, burst=30), 100),
    "bucket, whole limit": (lambda: bucket(100, 1.0), 100),
    "bucket, refused ones count": (lambda: bucket(100, 1.0, refused_count=True), 100),
}


#: Requests and seconds, and how many requests a run sends.
RATES = {
    "100/s": (100, 1.0, 6000),
    "20/s": (20, 1.0, 6000),
    "300/min": (300, 60.0, 9000),
    "6000/h": (6000, 3600.0, 12000),
}

#: Where the latency is spent, and whether a refusal comes sooner than an answer does.
WAYS = {
    "evenly": {},
    "on the way there": {"outward": 0.99},
    "for answers only": {"outward": 0.01, "refuses_at_once": True},
}


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("kind", [sliding, bucket])
@pytest.mark.parametrize("refused_count", [False, True])
def test_a_hidden_limit_is_nearly_used_up(rate, kind, refused_count):
    most, seconds, count = RATES[rate]
    seen = run(Vendor(kind(most, seconds, refused_count=refused_count), 0.05), count)
    assert seen.accepted / (seen.last - seen.first) >= 0.97 * most / seconds
    # The first refusal finds up to 52 requests in flight, so that little is left for later ones.
    assert seen.refused <= (0.01 if seconds < 60 else 0.015) * count
    assert seen.in_pause == 0


@given(
    st.sampled_from(list(RATES)),
    st.sampled_from([sliding, bucket]),
    st.booleans(),
    st.sampled_from([0.005, 0.05]),
    st.sampled_from(list(WAYS)),
    st.integers(0, 1000),
)
@settings(max_examples=20, deadline=None, phases=[Phase.explicit, Phase.generate])
def test_whatever_stalls_a_hidden_limit_is_mostly_used_up(rate, kind, refused_count, latency, way, seed):
    most, seconds, count = RATES[rate]
    seen = run(Vendor(kind(most, seconds, refused_count=refused_count), latency, **WAYS[way]), count, seed=seed)
    assert seen.accepted / (seen.last - seen.first) >= 0.93 * most / seconds
    assert seen.refused <= 0.025 * count
    # A client that stalls has sent what arrives up to a latency late: at most what was in flight.
    assert seen.in_pause <= 16


@pytest.mark.parametrize("name", ["sliding, ten seconds", "sliding, a minute", "fixed"])
def test_other_windows_are_nearly_used_up(name):
    limit, per_second = LIMITS[name]
    for seed in range(2):
        seen = run(Vendor(limit()), 6000, seed=seed)
        assert seen.accepted / (seen.last - seen.first) >= 0.97 * per_second
        assert seen.refused <= 0.01 * 6000
        assert seen.in_pause == 0


@pytest.mark.parametrize("name", LIMITS)
def test_tasks_side_by_side_settle_without_knowing_of_each_other(name):
    limit, per_second = LIMITS[name]
    seen = run(Vendor(limit()), 9000, tasks=3)
    # A small bucket names a pause a hundred times too long. It takes a minute until the tasks try more.
    assert seen.accepted / (seen.last - seen.first) >= (0.5 if name == "bucket" else 0.75) * per_second
    assert seen.refused <= 0.03 * 9000


@given(
    st.integers(1, 300),
    st.sampled_from([1.0, 10.0, 60.0]),
    st.floats(0.001, 2.0),
    st.booleans(),
    st.integers(0, 1000),
)
@settings(max_examples=30, deadline=None)
def test_whatever_the_limit_all_is_accepted_in_the_end(most, seconds, latency, counted, seed):
    seen = run(Vendor(sliding(most, seconds, refused_count=counted), latency), 400, seed=seed)
    assert seen.refused <= 400


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 0.5)), max_size=60), st.integers(1, 20), st.floats(0.1, 2))
def test_a_quota_never_lets_more_arrive_in_its_stretch(steps, most, seconds):
    """However late requests turn out to have arrived: nothing goes out while so many arrived within the stretch."""
    quota, now, arrived = SlidingWindow(most, seconds), 100.0, []
    for step, late in steps:
        now += step
        if quota.seconds_to_wait(now) <= 0:
            assert sum(now - seconds < at for at in arrived) < most
            turn = Turn(now)
            quota.add(now)
            quota.correct_arrival(turn, now + late)
            arrived.append(now + late)


def test_requests_in_flight_do_not_gather_in_crowds():
    seen = run(OneAtATime(None, latency=0.1), 4000)
    crowded = run(OneAtATime(None, latency=0.1), 4000, tuning=RateTuning(even_share=0.0))
    waited, otherwise = (sum(one.waited[1000:]) / 3000 for one in (seen, crowded))
    assert waited < otherwise / 2


def test_a_slow_answer_does_not_hold_back_those_that_follow():
    seen = run(SlowAtFirst(None, latency=0.1), 1000)
    assert seen.last - 1010 < 2 * (1000 * 0.1 / 52 + 0.5)


@pytest.mark.parametrize("seconds", [0.5, 120.0, 1e9])
@pytest.mark.parametrize("quota", [None, SlidingWindow(10, 1.0)])
def test_a_rate_grows_within_bounds_however_long_no_response_came(quota, seconds):
    found = LearnedRate(quota=quota and SlidingWindow(10, 1.0))
    found.per_second = found.tuning.first_rate if quota is None else 10.0
    found.seconds_to_wait(1.0)
    found.seconds_to_wait(1.0 + seconds)
    assert 100 <= found.per_second <= UNLIMITED if quota is None else 10.0 < found.per_second <= 11.1


@dataclass
class Changing:
    """Limits that follow each other: seconds, and the limit for that long; the last one stays."""

    parts: list
    began: float = 0.0

    def current(self, now):
        self.began = self.began or now
        at = now - self.began
        for seconds, limit in self.parts[:-1]:
            if at < seconds:
                return limit
            at -= seconds
        return self.parts[-1][1]

    def admit(self, now):
        return self.current(now).admit(now)

    def seconds_to_wait(self, now):
        return self.current(now).seconds_to_wait(now)


@dataclass
class Crowded(Vendor):
    """A vendor who admits so many at a time, and more of them later."""

    most: list = field(default_factory=list)
    inside: int = 0

    async def answer(self, loop):
        await asyncio.sleep(self.latency / 4 + loop.dice.random() * JITTER)
        if self.inside >= next(most for until, most in self.most if loop.time() < 1000 + until):
            self.refused += 1
            # As long on its way as any answer: those that were sent before it have left by then.
            await asyncio.sleep(self.latency * 3 / 4 + loop.dice.random() * JITTER)
            raise Throttled("slower", retry_after=1.0, limit="concurrency")
        self.inside += 1
        await asyncio.sleep(self.latency * 3 / 4 + loop.dice.random() * JITTER)
        self.inside -= 1
        self.accepted += 1


def response_times(vendor, seconds, in_flight=52, seed=0):
    """Send requests for so many seconds; returns when the responses came, in seconds from the start."""
    times = []

    async def go(throttle, loop):
        while loop.time() < 1000 + seconds:
            try:
                async with throttle.acquire() as turn:
                    await vendor.answer(loop)
                    throttle.record_success(turn)
                    times.append(loop.time() - 1000)
            except Throttled:
                continue

    async def all_of_them():
        throttle = Throttle.start(contract.Pace(in_flight))
        await asyncio.gather(*(go(throttle, asyncio.get_running_loop()) for _ in range(in_flight)))

    with asyncio.Runner(loop_factory=lambda: Loop(seed)) as runner:
        runner.run(all_of_them())
    return times


def between(times, begin, end):
    return sum(begin <= at < end for at in times) / (end - begin)


def test_a_limit_that_was_for_a_while_is_forgotten():
    times = response_times(Vendor(Changing([(9, sliding(30, 1.0)), (0, sliding(300, 1.0))])), 120)
    assert between(times, 100, 120) >= 0.85 * 300


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(5, 80), st.sampled_from([1.0, 2.0])), max_size=4),
    st.integers(20, 80),
    st.integers(0, 1000),
)
@settings(max_examples=6, deadline=None, phases=[Phase.generate])
def test_after_any_limits_the_rate_comes_back(parts, last, seed):
    """In bounded time: what was learned holds for a while, then more is tried, each step larger than the one before."""
    limits = [(seconds, sliding(most, stretch)) for seconds, most, stretch in parts]
    over = sum(seconds for seconds, _ in limits)
    times = response_times(Vendor(Changing([*limits, (0, sliding(last, 1.0))])), over + 260, seed=seed)
    assert between(times, over + 220, over + 260) >= 0.75 * last


def test_a_refusal_for_concurrency_lowers_the_requests_in_flight_alone():
    vendor = Crowded(None, latency=0.1, most=[(1e9, 10)])
    times = response_times(vendor, 100, in_flight=20)
    assert vendor.refused <= 20
    assert len(times) / 100 >= 0.9 * 10 / 0.104  # jitter takes its share of each round


@pytest.mark.parametrize("few", [1, 2, 10])
def test_more_in_flight_are_tried_again_after_a_while(few):
    vendor = Crowded(None, latency=0.1, most=[(10, few), (1e9, 40)])
    times = response_times(vendor, 70)
    assert between(times, 50, 70) >= 0.9 * 40 / 0.104


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(1, 52)), max_size=4), st.integers(0, 1000))
@settings(max_examples=6, deadline=None, phases=[Phase.generate])
def test_after_any_concurrency_all_places_come_back(parts, seed):
    steps, at = [], 0
    for seconds, most in parts:
        at += seconds
        steps.append((at, most))
    times = response_times(Crowded(None, latency=0.2, most=[*steps, (1e9, 30)]), at + 110, seed=seed)
    assert between(times, at + 90, at + 110) >= 0.8 * 30 / 0.204


def test_a_pause_that_names_no_time_grows_and_is_never_nothing():
    def impatient(throttle):
        """As if the pause were over, and nothing learned."""
        throttle.paused_until, throttle.rate = 0.0, LearnedRate()

    async def refusal(throttle, retry_after):
        impatient(throttle)
        with pytest.raises(Throttled) as caught:
            async with throttle.acquire():
                raise Throttled("slower", retry_after=retry_after)
        return caught.value.retry_after

    async def use():
        throttle = Throttle.start(contract.Pace(4))
        assert [await refusal(throttle, 0.0) for _ in range(9)] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
        impatient(throttle)
        async with throttle.acquire() as turn:
            throttle.record_success(turn)
        assert await refusal(throttle, None) == 1.0
        assert throttle.places >= 1

    asyncio.run(use())
