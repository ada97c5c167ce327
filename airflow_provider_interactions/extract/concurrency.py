"""Many streams in flight, read one after the other: the order of their start, whatever the order of the answers.

Memory stays bounded: at most ``width`` streams are open, and while unread items weigh ``most`` no stream goes on but
the one whose turn it is, so nothing can lock up. A stream awaits the ``Go`` it is handed before it makes more.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

Key = TypeVar("Key")
Item = TypeVar("Item")

#: Wait until there is room for more unread items.
Go = Callable[[], Awaitable[None]]

#: Items that one stream may have handed over before they are read.
AHEAD = 2


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """A stream is over, in peace or by an error that the reader has to judge."""

    error: BaseException | None = None


@dataclass(slots=True)
class _Room:
    """How much unread items weigh, and who waits until they weigh less."""

    most: float
    held: int = 0
    first: Any = None
    waiting: OrderedDict[Any, asyncio.Future[None]] = field(default_factory=OrderedDict)

    async def wait(self, stream: object) -> None:
        while self.held >= self.most and stream is not self.first:
            place = self.waiting[stream] = asyncio.get_running_loop().create_future()
            await place

    def give(self, weight: int, first: object) -> None:
        """An item was read. To wake everybody each time would cost more than all the rest."""
        self.held -= weight
        self.first = first
        _wake(self.waiting.pop(first, None))
        for _ in range(AHEAD):
            if self.waiting and self.held < self.most:
                _wake(self.waiting.popitem(last=False)[1])


def _wake(place: asyncio.Future[None] | None) -> None:
    if place is not None and not place.done():
        place.set_result(None)


@dataclass(slots=True, eq=False)
class _Stream(Generic[Key, Item]):
    key: Key
    queue: asyncio.Queue[tuple[Item | StreamEnd, int]] = field(default_factory=lambda: asyncio.Queue(AHEAD))
    task: asyncio.Task[None] | None = None


def _alike(_: object) -> int:
    return 1


async def stream_in_order(
    keys: Iterable[Key],
    open_stream: Callable[[Key, Go], AsyncGenerator[Item, None]],
    width: int,
    most: float = float("inf"),
    weigh: Callable[[Item], int] = _alike,
) -> AsyncGenerator[tuple[Key, Item | StreamEnd], None]:
    """Yield every item of every stream, stream by stream in the order of ``keys``, each closed by a ``StreamEnd``."""
    waiting: deque[_Stream[Key, Item]] = deque()
    upcoming, room = iter(keys), _Room(most)
    try:
        while True:
            while len(waiting) < width and (key := next(upcoming, None)) is not None:
                waiting.append(_start(_Stream(key), open_stream, room, weigh))
            if not waiting:
                return
            stream = waiting[0]
            room.give(0, stream)
            item: Item | StreamEnd | None = None
            while not isinstance(item, StreamEnd):
                item, weight = await stream.queue.get()
                room.give(weight, stream)
                yield stream.key, item
            waiting.popleft()
    finally:
        await _stop(waiting)


def _start(
    stream: _Stream[Key, Item],
    open_stream: Callable[[Key, Go], AsyncGenerator[Item, None]],
    room: _Room,
    weigh: Callable[[Item], int],
) -> _Stream[Key, Item]:
    items = open_stream(stream.key, lambda: room.wait(stream))
    stream.task = asyncio.create_task(_pump(stream, items, room, weigh))
    return stream


async def _pump(
    stream: _Stream[Key, Item], items: AsyncGenerator[Item, None], room: _Room, weigh: Callable[[Item], int]
) -> None:
    end = StreamEnd()
    try:
        async with aclosing(items):
            async for item in items:
                weight = weigh(item)
                room.held += weight
                await stream.queue.put((item, weight))
    except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
        raise  # the loop itself knows what to do with these
    except BaseException as error:  # noqa: BLE001 - the reader gets it in its turn, also what a signal's handler raised
        end = StreamEnd(error)
    await stream.queue.put((end, 0))


async def _stop(streams: Iterable[_Stream[Key, Item]]) -> None:
    tasks = [stream.task for stream in streams if stream.task is not None]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
