"""Tasks of one account divide its limit: real throttles and ledgers, in the virtual time of an event loop."""

import asyncio
from dataclasses import dataclass, field
from functools import partial

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from airflow_provider_interactions import contract
from airflow_provider_interactions.errors import Throttled
from airflow_provider_interactions.http.shared_limit import SharedLimit, Sharing
from airflow_provider_interactions.http.shares import FENCE, AccountLimit
from airflow_provider_interactions.http.throttle import Throttle
from tests.core.test_throttle import Loop, Vendor, bucket, sliding


@dataclass
class Store:
    """A store that compares and swaps. While it is away, every call fails after a while."""

    seconds: float = 2.0
    glance: float = 0.2
    takes: float = 0.03
    compares: bool = True
    data: bytes = b""
    version: int = 0
    away: bool = False
    calls: int = 0

    def read(self):
        return self.data, str(self.version) if self.data else ""

    def swap(self, data, version):
        if self.compares and version != (str(self.version) if self.data else ""):
            return None
        self.data, self.version = data, self.version + 1
        return str(self.version)

    def check(self):
        return self.swap(self.data, "never") is None

    async def call(self, what, *arguments):
        """One call over a network: half of its time before it counts, half after it."""
        self.calls += 1
        dice = asyncio.get_running_loop().dice
        await asyncio.sleep(self.takes * dice.random())
        if self.away:
            raise ConnectionError
        result = what(*arguments)
        await asyncio.sleep(self.takes * dice.random())
        return result


@dataclass
class Task:
    """One task of the account: its clock, when it comes, and how it ends.

    From ``stalls_at`` on, its calls of the store get no answer for ``stalls_for`` seconds.
    """

    comes: float = 0.0
    requests: int = 10**9
    ahead: bool = False
    most: int = 52
    clock: float = 0.0
    dies: float = float("inf")
    stalls_at: float = float("inf")
    stalls_for: float = 0.0
    throttle: Throttle = None
    sent: list = field(default_factory=list)
    joined: bool = False

    async def run(self, name, vendor, store, pace, until):
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self.comes)
        self.throttle = Throttle.start(contract.Pace(min(self.most, pace.concurrency), pace.requests, pace.seconds))
        limit = AccountLimit(pace.concurrency, min(self.most, pace.concurrency))
        shared = SharedLimit(
            Sharing(store, self.ahead),
            limit,
            self.throttle,
            "a vendor",
            call=partial(self.call, store),
            unix=lambda: loop.time() + self.clock,
            name=name,
            dice=loop.dice,
        )
        left = [None] * min(self.requests, 10**6)
        self.joined = await shared.join()
        keeping = asyncio.create_task(shared.keep() if self.joined else asyncio.sleep(0))
        working = [asyncio.create_task(self.work(vendor, left, until)) for _ in range(self.most)]
        await asyncio.wait(working, timeout=self.dies - loop.time() + 1000)
        open_ones = [one for one in working if not one.done()]
        for one in (keeping, *open_ones):
            one.cancel()
        await asyncio.gather(keeping, *open_ones, return_exceptions=True)
        if self.joined and not open_ones:
            await shared.leave()

    async def call(self, store, what, *arguments):
        now = asyncio.get_running_loop().time() - 1000
        if self.stalls_at < now < self.stalls_at + self.stalls_for:
            await asyncio.sleep(self.stalls_at + self.stalls_for - now)
        return await store.call(what, *arguments)

    async def work(self, vendor, left, until):
        loop = asyncio.get_running_loop()
        while left and loop.time() < 1000 + until:
            left.pop()
            while True:
                try:
                    async with self.throttle.acquire() as turn:
                        self.sent.append(loop.time() - 1000)
                        await vendor.answer(loop)
                        self.throttle.record_success(turn)
                        break
                except Throttled:
                    if loop.time() >= 1000 + until:
                        return

    def rate(self, begin, end):
        return sum(begin <= at < end for at in self.sent) / (end - begin)


@dataclass
class Counting(Vendor):
    """A vendor without a limit who counts what is in flight, and when requests came."""

    inside: int = 0
    most_inside: int = 0
    came: list = field(default_factory=list)

    async def answer(self, loop):
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        self.came.append(loop.time())
        try:
            await asyncio.sleep(self.latency + loop.dice.random() * 0.004)
        finally:
            self.inside -= 1

    def most_within(self, seconds):
        """The most requests that came within any so many seconds, until the first task ends."""
        most = first = 0
        for n, at in enumerate(at for at in self.came if at < 1060):
            while self.came[first] <= at - seconds:
                first += 1
            most = max(most, n - first + 1)
        return most


def run(tasks, vendor, *, pace=None, store=None, until=60.0, seed=0, also=None):
    """Run tasks beside each other until all have ended; ``also`` is one more coroutine beside them."""
    pace, store = pace or contract.Pace(52), store or Store()

    async def all_of_them():
        await asyncio.gather(
            *(task.run(f"task {n}", vendor, store, pace, until) for n, task in enumerate(tasks)),
            *([also(store)] if also else ()),
        )

    with asyncio.Runner(loop_factory=lambda: Loop(seed)) as runner:
        runner.run(all_of_them())
    return vendor


tasks = st.builds(
    Task,
    comes=st.floats(0, 20),
    ahead=st.booleans(),
    most=st.sampled_from([4, 52]),
    clock=st.floats(-300, 300),
    dies=st.one_of(st.just(float("inf")), st.floats(1, 40)),
    stalls_at=st.one_of(st.just(float("inf")), st.floats(1, 30)),
    stalls_for=st.floats(1, 30),
)


@given(st.lists(tasks, min_size=1, max_size=5), st.sampled_from([8, 52]), st.integers(0, 1000))
@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.generate])
def test_the_requests_in_flight_of_all_tasks_never_exceed_the_limit(found, places, seed):
    vendor = run(found, Counting(None, latency=0.2), pace=contract.Pace(places), until=40, seed=seed)
    # A task to which the store does not answer when it comes keeps to the limit by itself, beside the others.
    assert vendor.most_inside <= places or not all(task.joined for task in found)
    assert all(task.sent for task in found if task.dies > task.comes + 20 and task.stalls_at > 40)


@given(st.lists(tasks, min_size=1, max_size=4), st.sampled_from([(600, 30.0), (100, 10.0)]), st.integers(0, 1000))
@settings(max_examples=10, deadline=None, phases=[Phase.explicit, Phase.generate])
def test_a_documented_rate_is_kept_by_all_tasks_together(found, documented, seed):
    """Unless one dies, or seems to have: what it had sent is forgotten with it."""
    for task in found:
        task.dies = task.stalls_at = float("inf")
    vendor = run(found, Counting(None, latency=0.05), pace=contract.Pace(52, *documented), until=60, seed=seed)
    assert vendor.most_within(documented[1] - 0.5) <= documented[0]


#: A local disk and S3: seconds between renewals and between glances, the most that half a call takes, and the seconds
#: until the news of a refusal has come to all: a renewal that has begun, the writer's two calls, once more if another
#: task wrote first, a glance, and the reader's call.
STORES = {"disk": (0.2, 0.02, 0.002, 0.08), "s3": (2.0, 0.2, 0.03, 0.5)}


@pytest.mark.parametrize("number", [2, 4])
@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("kind", [sliding, bucket])
@pytest.mark.parametrize("where", STORES)
def test_tasks_learn_a_hidden_limit_together(number, together, kind, where):
    *store, news = STORES[where]
    for seed in range(number - 1):
        found = [Task(comes=0.1 * n if together else 4.0 * n) for n in range(number)]
        seen = run(found, Vendor(kind(100, 1.0), 0.05, news=news), store=Store(*store), seed=seed)
        rates = [task.rate(20, 60) for task in found]
        assert sum(rates) >= 95
        assert min(rates) >= 0.9 * max(rates)
        assert seen.refused <= 0.01 * seen.accepted
        assert seen.in_pause == 0


def test_a_bucket_of_slow_responses_teaches_its_flow_soon():
    """Each refusal finds many requests on their way, so few refusals must do."""
    found = [Task(comes=4.0 * n) for n in range(4)]
    *store, news = STORES["disk"]
    seen = run(found, Vendor(bucket(100, 1.0), 0.2, news=news), store=Store(*store))
    assert sum(task.rate(20, 60) for task in found) >= 95
    assert seen.refused <= 0.018 * seen.accepted
    assert seen.in_pause == 0


@pytest.mark.parametrize("where", STORES)
@pytest.mark.parametrize("number", [2, 4])
def test_a_run_of_a_minute_uses_nearly_all_of_a_hidden_limit(number, where):
    """With the seconds in which it learns, and those in which one task after the other ends."""
    found = [Task(comes=0.3 * n, requests=6000 // number) for n in range(number)]
    seen = run(found, Vendor(sliding(100, 1.0), 0.05), store=Store(*STORES[where][:3]), until=100)
    assert seen.accepted == 6000
    assert seen.accepted / (seen.last - seen.first) >= 95
    assert seen.refused <= 0.01 * seen.accepted


def test_a_task_that_cannot_renew_stops_before_another_takes_its_part():
    found = [Task(), Task(stalls_at=20.0, stalls_for=25.0)]
    vendor = run(found, Counting(None, latency=0.2), pace=contract.Pace(20), until=80)
    assert vendor.most_inside <= 20
    assert not [at for at in found[1].sent if 20 + FENCE + 0.1 < at < 45]
    assert found[0].rate(36, 45) >= 0.9 * 19 / 0.202
    assert all(task.rate(60, 80) >= 0.8 * 9 / 0.202 for task in found)


def test_what_a_task_has_just_sent_counts_when_it_ends():
    """Its part goes to the others only when the vendor no longer counts it: nothing is refused for that."""
    found = [Task(), Task(), Task(), Task(requests=700)]
    seen = run(found, Vendor(sliding(100, 1.0), 0.05), store=Store(*STORES["disk"][:3]), until=60)
    ended = found[3].sent[-1]
    assert 20 < ended < 40
    assert sum(task.rate(ended - 5, ended + 10) for task in found) >= 95
    assert seen.refused <= 0.006 * seen.accepted


def test_the_part_of_a_task_that_died_goes_to_the_others():
    found = [Task(), Task(dies=20.0)]
    run(found, Counting(None, latency=0.2), pace=contract.Pace(20), until=60)
    assert found[0].rate(40, 60) >= 0.9 * 19 / 0.202


def test_a_request_about_a_person_starts_at_once_and_gets_half():
    backfills, person = [Task(), Task(), Task()], Task(comes=20.0, ahead=True)
    vendor = run([*backfills, person], Counting(None, latency=0.2), until=40)
    assert vendor.most_inside <= 52
    assert person.sent[0] <= 20.5
    assert person.rate(30, 40) >= 0.9 * 26 / 0.202


@pytest.mark.parametrize("store", [Store(away=True), Store(compares=False)])
def test_a_store_that_is_of_no_use_never_holds_up_a_run(store, caplog):
    found = [Task(), Task()]
    run(found, Counting(None, latency=0.2), store=store, until=30)
    assert not any(task.joined for task in found)
    assert all(task.rate(20, 30) >= 0.9 * 52 / 0.202 for task in found)
    assert len([one for one in caplog.records if one.levelname == "WARNING"]) == 2


def test_a_store_that_goes_away_holds_up_a_run_for_seconds_only(caplog):
    async def outage(store):
        await asyncio.sleep(20)
        store.away = True
        await asyncio.sleep(60)
        store.away = False

    found = [Task(), Task()]
    vendor = run(found, Counting(None, latency=0.2), until=100, also=outage)
    assert vendor.most_inside <= 52
    assert all(task.rate(50, 100) >= 0.9 * 25 / 0.202 for task in found)
    assert len([one for one in caplog.records if one.levelname == "WARNING"]) == 2


def test_more_tasks_than_places_have_one_each():
    found = [Task() for _ in range(5)]
    run(found, Counting(None, latency=0.2), pace=contract.Pace(4), until=30)
    assert all(task.rate(20, 30) >= 0.9 / 0.202 for task in found)
