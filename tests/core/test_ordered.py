"""Many questions at once: work that ends in any order, streams that are read in the order of their start."""

import asyncio
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_interactions.extract.concurrency import AHEAD, run_in_any_order, stream_in_order


async def collect(streams):
    return [found async for found in streams]


def test_the_order_is_that_of_the_keys_whatever_the_order_of_the_answers():
    async def stream(key):
        for n in range(3):
            await asyncio.sleep(0.001 * (5 - key))  # the first is the slowest
            yield n

    found = asyncio.run(collect(stream_in_order(range(5), stream, 5)))
    assert found == [(key, item) for key in range(5) for item in range(3)]


def test_streams_run_side_by_side():
    running = most = 0

    async def stream(_):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1
        yield 0

    asyncio.run(collect(stream_in_order(range(12), stream, 4)))
    assert most == 4


def test_no_stream_runs_far_ahead_of_the_reader():
    made = dict.fromkeys(range(9), 0)

    async def stream(key):
        for n in range(100):
            made[key] += 1
            yield n

    async def read_one():
        streams = stream_in_order(range(9), stream, 3)
        await anext(streams)
        for _ in range(50):
            await asyncio.sleep(0)
        await streams.aclose()

    asyncio.run(read_one())
    assert made[0] <= AHEAD + 2  # one read, some waiting, one that waits for room
    assert 0 < made[2] <= AHEAD + 1
    assert not any(made[key] for key in range(3, 9))


def test_an_error_is_raised_in_its_turn():
    read = []

    async def stream(key):
        yield key
        if key == 1:
            raise ValueError

    async def read_all():
        async for found in stream_in_order(range(3), stream, 3):
            read.append(found)  # noqa: PERF401 - what was read before the error counts

    with pytest.raises(ValueError):  # noqa: PT011
        asyncio.run(read_all())
    assert read == [(0, 0), (1, 1)]


def test_no_keys_no_work():
    async def stream(key):
        yield key

    async def work(_):
        raise AssertionError

    assert asyncio.run(collect(stream_in_order([], stream, 3))) == []
    assert asyncio.run(collect(run_in_any_order([], work, lambda: 3))) == []


async def read_streams(closed):
    async def stream(key):
        try:
            while True:
                await asyncio.sleep(0.001)
                yield key
        finally:
            closed.append(key)

    async with aclosing(stream_in_order(range(9), stream, 3)) as streams:
        async for found in streams:
            yield found


async def read_work(closed):
    async def work(key):
        try:
            await asyncio.sleep(0.001 if key == 1 else 60)
        finally:
            closed.append(key)

    async with aclosing(run_in_any_order(range(9), work, lambda: 2 + (not closed))) as ended:
        async for found in ended:
            yield found


@pytest.mark.parametrize("read", [read_streams, read_work])
@pytest.mark.parametrize("how", ["close", "cancel"])
def test_whoever_stops_reading_leaves_no_task_and_no_open_stream(how, read):
    closed = []

    async def read_slowly():
        async with aclosing(read(closed)) as streams:
            async for _ in streams:
                await asyncio.sleep(0.01)

    async def stop():
        if how == "close":
            streams = read(closed)
            await anext(streams)
            await streams.aclose()
        else:
            task = asyncio.create_task(read_slowly())
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    assert asyncio.run(stop()) == []
    assert sorted(closed) == [0, 1, 2]


class Alarm(BaseException):
    """As Airflow's time-out of a task is: it strikes in whatever runs."""


def test_what_the_handler_of_a_signal_raised_ends_the_reading():
    async def stream(key):
        yield 0
        if key == 1:
            raise Alarm

    async def work(key):
        if key == 1:
            raise Alarm

    async def read():
        async with asyncio.timeout(5):
            errors = dict([found async for found in run_in_any_order(range(3), work, lambda: 3)])
            assert (errors[0], type(errors[1]), errors[2]) == (None, Alarm, None)
            await collect(stream_in_order(range(3), stream, 3))

    with pytest.raises(Alarm):
        asyncio.run(read())


@given(st.lists(st.integers(0, 20), max_size=40), st.integers(1, 9))
def test_work_ends_in_any_order_and_no_more_than_the_width_is_open(delays, width):
    """Every key once, none before the work is done, none held up by one that takes longer."""
    begun, done, read, most = [], [], [], 0

    async def work(key):
        begun.append(key)
        for _ in range(delays[key]):
            await asyncio.sleep(0)
        done.append(key)
        if delays[key] % 3 == 0:
            raise ValueError(key)

    async def read_all():
        nonlocal most
        async for key, error in run_in_any_order(range(len(delays)), work, lambda: width):
            assert key in done
            assert (error is not None) == (delays[key] % 3 == 0)
            most = max(most, len(begun) - len(read))
            read.append(key)

    asyncio.run(read_all())
    assert begun == list(range(len(delays)))
    assert read == done
    assert most <= width


def test_one_that_never_ends_holds_up_nobody():
    stuck, read = asyncio.Event(), []

    async def work(key):
        if key == 0:
            await stuck.wait()

    async def read_all():
        async for key, _ in run_in_any_order(range(100), work, lambda: 2):
            read.append(key)
            if len(read) == 99:
                stuck.set()

    asyncio.run(read_all())
    assert read == [*range(1, 100), 0]
