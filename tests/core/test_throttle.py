"""How near the throttle comes to limits that it has to learn, in the virtual time of an event loop."""

import asyncio
import random
import selectors
from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from airflow_provider_interactions import contract
from airflow_provider_interactions.errors import Throttled
from airflow_provider_interactions.http.rate_limit import UNLIMITED, LearnedRate, RateTuning, SlidingWindow, Turn
from airflow_provider_interactions.http.throttle import Throttle

#: What a real run's timers and network blur; in seconds.
LATE_TIMER, JITTER = 0.002, 0.004

#: Now and then the whole machine is busy with something else for so many seconds.
STALL, STALLS = 0.1, 0.0003


class Loop(asyncio.SelectorEventLoop):
    """Waits are skipped: whenever nothing can run, the clock goes to the next timer, and a little past it."""

    def __init__(self, seed=0):
        super().__init__(self.Selector())
        self.now, self.dice = 1000.0, random.Random(seed)
        self._selector.loop = self

    class Selector(selectors.SelectSelector):
        def select(self, timeout=None):
            if timeout:
                stall = STALL if self.loop.dice.random() < STALLS else 0.0
                self.loop.now += timeout + stall + self.loop.dice.random() * LATE_TIMER
            return super().select(0)

    def time(self):
        return self.now


@dataclass
class Sliding:
    """No more than ``most`` in any stretch of ``seconds``; refused ones may count too."""

    most: int
    seconds: float
    refused_count: bool = False
    seen: deque = field(default_factory=deque)

    def wait(self, now):
        while self.seen and self.seen[0] <= now - self.seconds:
            self.seen.popleft()
        free = len(self.seen) < self.most
        if free or self.refused_count:
            self.seen.append(now)
            if len(self.seen) > self.most:
                self.seen.popleft()
        return 0.0 if free else self.seen[0] + self.seconds - now


@dataclass
class Fixed:
    """No more than ``most`` between one full stretch of the vendor's clock and the next."""

    most: int
    seconds: float
    number: float = -1.0
    seen: int = 0

    def wait(self, now):
        number = now // self.seconds
        if number != self.number:
            self.number, self.seen = number, 0
        self.seen += 1
        return 0.0 if self.seen <= self.most else (number + 1) * self.seconds - now


@dataclass
class Bucket:
    """Tokens flow in evenly; as many as flow in during ``burst`` seconds may be taken at once."""

    most: int
    seconds: float
    burst: float = 0.3
    held: float | None = None
    at: float = 0.0

    def wait(self, now):
        per_second = self.most / self.seconds
        full = per_second * self.burst
        self.held = full if self.held is None else min(full, self.held + (now - self.at) * per_second)
        self.at = now
        if self.held >= 1:
            self.held -= 1
            return 0.0
        return (1 - self.held) / per_second


@dataclass
class Vendor:
    """What one vendor saw. Its pauses are whole seconds, as the header wants them."""

    limit: object
    latency: float = 0.02
    accepted: int = 0
    refused: int = 0
    in_pause: int = 0
    pause_from: float = 0.0
    pause_until: float = 0.0
    first: float = 0.0
    last: float = 0.0

    async def answer(self, loop):
        await asyncio.sleep(self.latency / 4 + loop.dice.random() * JITTER)
        now = loop.time()
        self.first = self.first or now
        # Requests on their way when the pause began could not know of it.
        self.in_pause += self.pause_from + self.latency + 2 * JITTER + 0.02 < now < self.pause_until
        wait = self.limit.wait(now)
        await asyncio.sleep(self.latency * 3 / 4 + loop.dice.random() * JITTER)
        if wait > 0:
            self.refused += 1
            whole = max(1.0, -(-wait // 1))
            if now >= self.pause_until:
                self.pause_from, self.pause_until = now, now + whole
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


LIMITS = {
    "sliding": lambda: Sliding(100, 1.0),
    "refused ones count": lambda: Sliding(100, 1.0, refused_count=True),
    "sliding, ten seconds": lambda: Sliding(1000, 10.0),
    "sliding, a minute": lambda: Sliding(1500, 60.0),
    "fixed": lambda: Fixed(100, 1.0),
    "bucket": lambda: Bucket(100, 1.0),
}


@pytest.mark.parametrize("name", [name for name in LIMITS if name != "bucket"])
def test_a_hidden_limit_is_nearly_used_up(name):
    used = []
    for seed in range(2):
        limit = LIMITS[name]()
        seen = run(Vendor(limit), 6000, seed=seed)
        used.append(seen.accepted / (seen.last - seen.first) / (limit.most / limit.seconds))
        assert seen.refused <= 0.01 * 6000
        assert seen.in_pause == 0
    # A machine that stalls at the wrong moment costs a second refusal, and with it a pause.
    assert sum(used) / len(used) >= 0.96
    assert min(used) >= 0.94


@pytest.mark.parametrize("name", LIMITS)
def test_tasks_side_by_side_settle_without_knowing_of_each_other(name):
    limit = LIMITS[name]()
    seen = run(Vendor(limit), 9000, tasks=3)
    # A bucket names a pause a hundred times too long at first, which is made up for little by little.
    assert seen.accepted / (seen.last - seen.first) >= (0.5 if name == "bucket" else 0.75) * limit.most / limit.seconds
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
    seen = run(Vendor(Sliding(most, seconds, counted), latency), 400, seed=seed)
    assert seen.refused <= 400


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 0.5)), max_size=60), st.integers(1, 20), st.floats(0.1, 2))
def test_a_quota_never_lets_more_arrive_in_its_stretch(steps, most, seconds):
    """However late requests turn out to have arrived: nothing goes out while so many arrived within the stretch."""
    quota, now, arrived = SlidingWindow(most, seconds), 100.0, []
    for step, late in steps:
        now += step
        if quota.seconds_to_wait(now) <= 0:
            assert sum(now - seconds < at for at in arrived) < most
            turn = Turn(len(arrived), now)
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
    found.seconds_to_wait(1.0)
    found.seconds_to_wait(1.0 + seconds)
    assert 100 <= found.per_second <= UNLIMITED if quota is None else found.quota.seconds == 1.0


@dataclass
class Changing:
    """Limits that follow each other: seconds, and the limit for that long; the last one stays."""

    parts: list
    began: float = 0.0

    def wait(self, now):
        self.began = self.began or now
        at = now - self.began
        for seconds, limit in self.parts[:-1]:
            if at < seconds:
                return limit.wait(now)
            at -= seconds
        return self.parts[-1][1].wait(now)


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
    times = response_times(Vendor(Changing([(9, Sliding(30, 1.0)), (0, Sliding(300, 1.0))])), 80)
    assert between(times, 60, 80) >= 0.85 * 300


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(5, 80), st.sampled_from([1.0, 2.0])), max_size=4),
    st.integers(20, 80),
    st.integers(0, 1000),
)
@settings(max_examples=6, deadline=None, phases=[Phase.generate])
def test_after_any_limits_the_rate_comes_back(parts, last, seed):
    """In bounded time: what was learned holds for a while, then more is tried, each step larger than the one before."""
    limits = [(seconds, Sliding(most, stretch)) for seconds, most, stretch in parts]
    over = sum(seconds for seconds, _ in limits)
    times = response_times(Vendor(Changing([*limits, (0, Sliding(last, 1.0))])), over + 260, seed=seed)
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
