"""A table of a bulk vendor, whatever its format."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import pyarrow as pa

from airflow_provider_interactions.window import Window


@dataclass(frozen=True, slots=True)
class DataFile:
    """A data file of a table. ``tag`` differs whenever the file's rows do.

    All rows are at ``first`` or later, and at ``last`` or earlier (aware); None is unknown.
    """

    path: str
    tag: str
    first: datetime | None = None
    last: datetime | None = None

    def may_hold(self, window: Window) -> bool:
        """Whether the file may hold a row of the window."""
        return (self.first is None or self.first < window.end) and (self.last is None or self.last >= window.start)


class Table(Protocol):
    """One table as it was when it was opened. Every method raises VendorError."""

    @property
    def names(self) -> Sequence[str]:
        """The names of its columns, as far as they are known without reading its files."""

    def list_files(self) -> Sequence[DataFile]:
        """The files with its rows."""

    def count_files(self, window: Window) -> int:
        """How many files may hold rows of a window."""

    def select_files(self, paths: Collection[str]) -> Table:
        """The table with these of its files only; the table itself if its format cannot tell their rows apart."""

    def scan(self, window: Window, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows of a window, and those that are in none, in batches; perhaps rows of other windows, too.

        In no window is a row without an instant, or with one that ``instants.are_unplaced`` says to be a default.

        ``columns`` are the names of the columns to read, None for all. A file may lack some of them.
        """


def choose_names(names: Sequence[str], wanted: Sequence[str] | None) -> list[str] | None:
    """Those of the wanted columns that there are, by their own names; None for all."""
    if wanted is None:
        return None
    found = (find_name(names, column) for column in wanted)
    return list(dict.fromkeys(name for name in found if name))


def find_name(names: Sequence[str], wanted: str) -> str | None:
    """The name of a column, without regard to case; None if there is none."""
    if wanted in names:
        return wanted
    folded = wanted.casefold()
    return next((name for name in names if name.casefold() == folded), None)
