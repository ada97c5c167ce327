"""Many streams in flight, read one after the other: the order of their start, whatever the order of the answers.

Memory stays bounded: at most ``width`` streams are open, and each may run ahead by ``AHEAD`` items only.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key")
Item = TypeVar("Item")

#: Items one stream may hold before its turn comes.
AHEAD = 2


@dataclass(frozen=True, slots=True)
class Ended:
    """A stream is over, in peace or by an error that the reader has to judge."""

    error: Exception | None = None


@dataclass(slots=True)
class _Stream(Generic[Key, Item]):
    key: Key
    queue: asyncio.Queue[Item | Ended]
    task: asyncio.Task[None]


async def in_order(
    keys: Iterable[Key], open_stream: Callable[[Key], AsyncGenerator[Item, None]], width: int
) -> AsyncGenerator[tuple[Key, Item | Ended], None]:
    """Yield every item of every stream, stream by stream in the order of ``keys``, each closed by an ``Ended``."""
    waiting: deque[_Stream[Key, Item]] = deque()
    upcoming = iter(keys)
    try:
        while True:
            while len(waiting) < width and (key := next(upcoming, None)) is not None:
                waiting.append(_start(key, open_stream))
            if not waiting:
                return
            stream = waiting[0]
            while not isinstance(item := await stream.queue.get(), Ended):
                yield stream.key, item
            waiting.popleft()
            yield stream.key, item
    finally:
        await _stop(waiting)


def _start(key: Key, open_stream: Callable[[Key], AsyncGenerator[Item, None]]) -> _Stream[Key, Item]:
    queue: asyncio.Queue[Item | Ended] = asyncio.Queue(AHEAD)
    return _Stream(key, queue, asyncio.create_task(_pump(open_stream(key), queue)))


async def _pump(items: AsyncGenerator[Item, None], queue: asyncio.Queue[Item | Ended]) -> None:
    end = Ended()
    try:
        async with aclosing(items):
            async for item in items:
                await queue.put(item)
    except Exception as error:  # noqa: BLE001 - not hidden: the reader gets it, in its turn
        end = Ended(error)
    await queue.put(end)


async def _stop(streams: Iterable[_Stream[Key, Item]]) -> None:
    tasks = [stream.task for stream in streams]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
