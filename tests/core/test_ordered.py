"""Many streams at once, read in the order of their start."""

import asyncio
from contextlib import aclosing

import pytest

from airflow_provider_interactions.extract.concurrency import AHEAD, StreamEnd, stream_in_order


async def collect(streams):
    return [found async for found in streams]


def test_the_order_is_that_of_the_keys_whatever_the_order_of_the_answers():
    async def stream(key, _go):
        for n in range(3):
            await asyncio.sleep(0.001 * (5 - key))  # the first is the slowest
            yield n

    found = asyncio.run(collect(stream_in_order(range(5), stream, 5)))
    assert found == [(key, item) for key in range(5) for item in (0, 1, 2, StreamEnd())]


def test_streams_run_side_by_side():
    running = most = 0

    async def stream(_, _go):
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

    async def stream(key, _go):
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


def test_an_error_is_delivered_in_its_turn_and_ends_its_own_stream_only():
    failure = ValueError("second")

    async def stream(key, _go):
        yield key
        if key == 1:
            raise failure

    found = asyncio.run(collect(stream_in_order(range(3), stream, 3)))
    assert found == [(0, 0), (0, StreamEnd()), (1, 1), (1, StreamEnd(failure)), (2, 2), (2, StreamEnd())]


def test_no_keys_no_streams():
    async def stream(key, _go):
        yield key

    assert asyncio.run(collect(stream_in_order([], stream, 3))) == []


@pytest.mark.parametrize("how", ["close", "cancel"])
def test_whoever_stops_reading_leaves_no_task_and_no_open_stream(how):
    closed = []

    async def stream(key, _go):
        try:
            while True:
                await asyncio.sleep(0.001)
                yield key
        finally:
            closed.append(key)

    async def read():
        async with aclosing(stream_in_order(range(9), stream, 3)) as streams:
            async for _ in streams:
                await asyncio.sleep(0.01)

    async def stop():
        if how == "close":
            streams = stream_in_order(range(9), stream, 3)
            await anext(streams)
            await streams.aclose()
        else:
            task = asyncio.create_task(read())
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    assert asyncio.run(stop()) == []
    assert sorted(closed) == [0, 1, 2]


def test_what_the_handler_of_a_signal_raised_ends_the_reading():
    class Alarm(BaseException):
        """As Airflow's time-out of a task is: it strikes in whatever runs."""

    async def stream(key, _go):
        yield 0
        if key == 1:
            raise Alarm

    async def read():
        async with asyncio.timeout(5):
            return await collect(stream_in_order(range(3), stream, 3))

    errors = {key: item.error for key, item in asyncio.run(read()) if isinstance(item, StreamEnd)}
    assert (errors[0], type(errors[1]), errors[2]) == (None, Alarm, None)
