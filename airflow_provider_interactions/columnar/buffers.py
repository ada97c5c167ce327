"""A page's records and instants without a Python object for each: a text with cuts, and an Arrow array.

Both read like any other sequence, so whoever reads a page need not know of them. What lands many pages, and must be
fast, asks the functions below, which take any sequence.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, overload

import numpy as np
import pyarrow as pa

from airflow_provider_interactions.schema import INSTANT
from airflow_provider_interactions.window import Window

Array = np.ndarray[Any, Any]
One = TypeVar("One")

#: Bytes of texts in one array. Arrow's offsets are 32-bit integers, which end at 2 GiB.
MOST = 1024 * 1024 * 1024

_EPOCH, _TICK = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


class _Alike(Sequence[One]):
    """Equal to any sequence of the same items."""

    __slots__ = ()

    @abstractmethod
    def item(self, at: int) -> One:
        """The item at a number from 0 on."""

    @overload
    def __getitem__(self, at: int) -> One: ...
    @overload
    def __getitem__(self, at: slice) -> list[One]: ...
    def __getitem__(self, at: int | slice) -> One | list[One]:
        if isinstance(at, slice):
            return [self.item(n) for n in range(*at.indices(len(self)))]
        return self.item(range(len(self))[at])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as of lists


@dataclass(frozen=True, slots=True, eq=False)
class Slices(_Alike[bytes]):
    """Records that lie in one text, in order: ``bounds`` are where the first begins and ends, the second, and so on."""

    text: bytes | memoryview
    bounds: Array

    def __len__(self) -> int:
        return len(self.bounds) // 2

    def item(self, at: int) -> bytes:
        """One record."""
        return bytes(self.text[self.bounds[2 * at] : self.bounds[2 * at + 1]])


@dataclass(frozen=True, slots=True, eq=False)
class Instants(_Alike[datetime | None]):
    """Instants, in UTC and microseconds, None for null."""

    values: pa.TimestampArray

    def __len__(self) -> int:
        return len(self.values)

    def item(self, at: int) -> datetime | None:
        """One instant."""
        found: datetime | None = self.values[at].as_py()
        return found and found.astimezone(UTC)


def joined(records: Sequence[Any]) -> Slices:
    """Records, given as anything that lets its bytes be read, one after the other in a text of their own."""
    ends = np.cumsum(np.fromiter(map(len, records), np.int64, len(records)))
    bounds = np.zeros(2 * len(records), np.int64)
    bounds[1::2], bounds[2::2] = ends, ends[:-1]
    return Slices(b"".join(records), bounds)


def size(records: Sequence[bytes]) -> int:
    """Bytes that records take in memory."""
    return len(records.text) if isinstance(records, Slices) else sum(map(len, records))


def pieces(text: bytes | Array, cuts: Array, kind: pa.DataType) -> pa.Array:
    """The pieces of a text between cuts, which are 32-bit integers."""
    return pa.Array.from_buffers(kind, max(0, len(cuts) - 1), [None, pa.py_buffer(cuts), pa.py_buffer(text)])


def payloads(pages: Sequence[Sequence[bytes]], most: int = MOST) -> pa.ChunkedArray:
    """The records of several pages, in chunks of texts of at most so many bytes, or of one page."""
    groups: list[list[Slices]] = []
    held = 0
    for page in pages:
        records = page if isinstance(page, Slices) else joined(page)
        held += len(records.text)
        if not groups or held > most:
            groups.append([])
            held = len(records.text)
        groups[-1].append(records)
    return pa.chunked_array(map(_payloads, groups), pa.binary())


def _payloads(slices: Sequence[Slices]) -> pa.BinaryArray:
    shifts = np.cumsum([0, *(len(page.text) for page in slices)])
    bounds = np.concatenate([page.bounds + shift for page, shift in zip(slices, shifts, strict=False)])
    text = b"".join(page.text for page in slices)
    found = pieces(text, bounds.astype(np.int32), pa.binary())
    return found.take(pa.array(np.arange(0, len(bounds), 2, dtype=np.int32)))


def moments(pages: Sequence[Sequence[datetime | None]]) -> pa.TimestampArray:
    """The instants of several pages."""
    return pa.concat_arrays([page.values if isinstance(page, Instants) else pa.array(page, INSTANT) for page in pages])


def lack_time(occurred: Sequence[datetime | None]) -> bool:
    """Whether an instant is missing."""
    return bool(occurred.values.null_count) if isinstance(occurred, Instants) else None in occurred


def within(
    window: Window, records: Sequence[bytes], occurred: Sequence[datetime | None]
) -> tuple[Sequence[bytes], Sequence[datetime | None]]:
    """The records of a window with their instants, and those whose instant cannot be read."""
    kept = _inside(window, occurred)
    if kept is None:
        return records, occurred
    return _chosen(records, kept), _chosen(occurred, kept)


def _inside(window: Window, occurred: Sequence[datetime | None]) -> Array | None:
    """Numbers of those inside, and of those that cannot be read; None for all."""
    if not isinstance(occurred, Instants):
        kept = [n for n, at in enumerate(occurred) if at is None or at in window]
        return np.array(kept, np.int64) if len(kept) < len(occurred) else None
    start, end = ((moment - _EPOCH) // _TICK for moment in (window.start, window.end))
    known = occurred.values.view(pa.int64())
    ticks = (known.fill_null(start) if known.null_count else known).to_numpy()
    if not len(ticks) or (ticks.min() >= start and ticks.max() < end):
        return None
    return np.flatnonzero((ticks >= start) & (ticks < end))


def _chosen(items: Sequence[Any], numbers: Array) -> Sequence[Any]:
    if isinstance(items, Slices):
        return Slices(items.text, items.bounds.reshape(-1, 2)[numbers].ravel())
    if isinstance(items, Instants):
        return Instants(items.values.take(pa.array(numbers)))
    return [items[n] for n in numbers]
