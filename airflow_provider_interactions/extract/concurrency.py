"""Many questions in flight: work that may end in any order, or streams that are read in the order of their start."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import aclosing, suppress
from typing import Any, TypeVar

Key = TypeVar("Key")
Item = TypeVar("Item")

#: Seconds until the width is looked at again while no work ends.
LOOK = 0.2

#: Items of one stream that wait to be read.
AHEAD = 2


async def run_in_any_order(
    keys: Iterable[Key], work: Callable[[Key], Coroutine[Any, Any, None]], width: Callable[[], int]
) -> AsyncGenerator[tuple[Key, BaseException | None], None]:
    """Do the work for every key; yield each key, with its error if there was one, as soon as its work has ended.

    Work begins in the order of the keys while fewer than ``width()`` keys are begun and not yet read by the caller. The
    width may change: it is looked at whenever work has ended, and every ``LOOK`` seconds.
    """
    upcoming, running = iter(keys), dict[asyncio.Task[None], Key]()
    ended = asyncio.Queue[asyncio.Task[None]]()
    try:
        while True:
            while len(running) < width() and (key := next(upcoming, None)) is not None:
                begun = asyncio.create_task(work(key))
                begun.add_done_callback(ended.put_nowait)
                running[begun] = key
            if not running:
                return
            task = await _take(ended)
            if task is not None:
                yield running.pop(task), task.exception()
    finally:
        await _cancel(running)


async def _take(queue: asyncio.Queue[Item]) -> Item | None:
    with suppress(TimeoutError):
        async with asyncio.timeout(LOOK):
            return await queue.get()
    return None


async def stream_in_order(
    keys: Iterable[Key], open_stream: Callable[[Key], AsyncGenerator[Item, None]], width: int
) -> AsyncGenerator[tuple[Key, Item], None]:
    """Yield every item of every stream, stream by stream in the order of ``keys``; raise an error in its turn."""
    upcoming, streams = iter(keys), deque[tuple[Key, asyncio.Queue[Item | None], asyncio.Task[None]]]()
    try:
        while True:
            while len(streams) < width and (key := next(upcoming, None)) is not None:
                queue = asyncio.Queue[Item | None](AHEAD)
                streams.append((key, queue, asyncio.create_task(_read_ahead(open_stream(key), queue))))
            if not streams:
                return
            key, queue, task = streams[0]
            while (item := await queue.get()) is not None:
                yield key, item
            await task
            streams.popleft()
    finally:
        await _cancel(task for _, _, task in streams)


async def _read_ahead(items: AsyncGenerator[Item, None], queue: asyncio.Queue[Item | None]) -> None:
    """Put every item into the queue, then None. An error waits in the task until the items before it are read."""
    error: BaseException | None = None
    try:
        async with aclosing(items):
            async for item in items:
                await queue.put(item)
    except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as found:  # noqa: BLE001 - raised below; it may come from a signal's handler, too
        error = found
    await queue.put(None)
    if error is not None:
        raise error


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
