"""The instants of a page's records as one Arrow array, which reads like a list of datetimes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import overload

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.schema import INSTANT
from airflow_provider_interactions.window import ALWAYS, Window


class Instants(Sequence[datetime | None]):
    """Instants in UTC and microseconds, None for null: no Python object for each until somebody asks for it."""

    __slots__ = ("values",)

    def __init__(self, values: pa.TimestampArray) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, at: int) -> datetime | None: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[datetime | None]: ...
    def __getitem__(self, at: int | slice) -> datetime | Sequence[datetime | None] | None:
        if isinstance(at, slice):
            return [self[n] for n in range(*at.indices(len(self)))]
        found: datetime | None = self.values[range(len(self))[at]].as_py()
        return found and found.astimezone(UTC)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as of lists


def to_array(occurred: Sequence[datetime | None]) -> pa.TimestampArray:
    """Any sequence of instants as an Arrow array."""
    return occurred.values if isinstance(occurred, Instants) else pa.array(occurred, INSTANT)


def are_unplaced(values: pa.TimestampArray) -> pa.BooleanArray:
    """Which instants are in no window: unknown ones, and those before 1900 or after 9998, as defaults of systems are.

    A record with such an instant would be outside of each window that anybody asks for, and so nowhere.
    """
    outside = pc.or_(pc.less(values, ALWAYS.start), pc.greater_equal(values, ALWAYS.end))
    return pc.fill_null(outside, fill_value=True)


def keep_window(
    window: Window, records: Sequence[bytes], occurred: Sequence[datetime | None]
) -> tuple[Sequence[bytes], Instants]:
    """The records of a window with their instants, and those whose instant is not known."""
    values = to_array(occurred)
    outside = pc.or_(pc.less(values, window.start), pc.greater_equal(values, window.end))
    if not pc.any(outside).as_py():
        return records, Instants(values)
    kept = pc.indices_nonzero(pc.invert(pc.fill_null(outside, fill_value=False)))
    return [records[n] for n in kept.to_pylist()], Instants(values.take(kept))
