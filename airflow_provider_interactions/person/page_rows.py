"""Read the rows of an answer for its page: once to count them, once in order of time. Memory holds a few rows."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.person.counts import Person
from airflow_provider_interactions.person.files import LAST, Row
from airflow_provider_interactions.person.words import localize

#: Rows read at once.
ROWS = 200

#: The columns that a vendor may leave empty, in words. The page says which of them a system never fills.
OPTIONAL = {
    "status": "a status",
    "subject": "a subject",
    "campaign_name": "the name of a campaign",
    "message_id": "which message it was",
    "delivered_at": "the time of delivery",
    "updated_at": "the time of the last change",
}

#: A period of the timeline: year and month, or None for records without a readable time.
Month = tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Subject:
    """One identifier at one system: what came of asking, and where its rows begin in the answer's Parquet file."""

    vendor: str
    account: str
    contact: Contact
    found: Person
    first_row: int

    @property
    def rows(self) -> int:
        """Its rows in the file."""
        return self.found.interactions + self.found.rejected


def place_subjects(
    vendor: str, account: str, contacts: Iterable[Contact], people: Iterable[Person], first_row: int = 0
) -> list[Subject]:
    """The identifiers of one system, in the order in which their rows were written, from a row of the file on."""
    subjects = []
    for contact, person in zip(contacts, people, strict=True):
        subjects.append(Subject(vendor, account, contact, person, first_row))
        first_row += subjects[-1].rows
    return subjects


@dataclass(slots=True)
class PageCounts:
    """What the file holds of some subjects."""

    days: Counter[tuple[int, int, int]] = field(default_factory=Counter)
    undated: int = 0
    actions: dict[str, Counter[str]] = field(default_factory=dict)
    rejects: Counter[str] = field(default_factory=Counter)
    filled: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """All rows."""
        return self.days.total() + self.undated

    def count_month(self, month: Month) -> int:
        """The rows of a month."""
        return sum(n for day, n in self.days.items() if day[:2] == month) if month else self.undated

    def add(self, row: Row, system: tuple[str, str], zone: ZoneInfo) -> None:
        """Count one row."""
        at = row["occurred_at"] and localize(row["occurred_at"], zone)
        if at:
            self.days[at.year, at.month, at.day] += 1
        else:
            self.undated += 1
        if row["rejected"] is not None:
            self.rejects[row["rejected"]] += 1
            return
        self.actions.setdefault(row["channel"], Counter())[row["action"]] += 1
        self.filled.setdefault(system, set()).update(name for name in OPTIONAL if row[name] is not None)


def count_rows(file: pq.ParquetFile, subjects: Iterable[Subject], zone: ZoneInfo) -> PageCounts:
    """Count the rows of subjects by day (in the zone), channel, action, and reason to reject."""
    counts = PageCounts()
    for subject in subjects:
        columns = ["occurred_at", "channel", "action", "rejected", *OPTIONAL]
        for row in _read_subject(file, subject, columns):
            counts.add(row, (subject.vendor, subject.account), zone)
    return counts


def read_in_order(file: pq.ParquetFile, subjects: Sequence[Subject]) -> Iterator[Row]:
    """The rows of subjects in order of time, those without a readable time last."""
    return heapq.merge(*(_read_subject(file, subject) for subject in subjects), key=_read_time)


def _read_time(row: Row) -> datetime:
    return row["occurred_at"] or LAST


def find_month(row: Row, zone: ZoneInfo) -> Month:
    """The month of a row in a zone."""
    at = row["occurred_at"] and localize(row["occurred_at"], zone)
    return (at.year, at.month) if at else None


def _read_subject(file: pq.ParquetFile, subject: Subject, columns: list[str] | None = None) -> Iterator[Row]:
    """The rows of a subject, from the row groups that hold them."""
    first, last = subject.first_row, subject.first_row + subject.rows
    start = 0
    for group in range(file.num_row_groups):
        end = start + file.metadata.row_group(group).num_rows
        if start < last and end > first:
            yield from _read_group(file, group, max(first - start, 0), min(last, end) - start, columns)
        start = end


def _read_group(file: pq.ParquetFile, group: int, first: int, last: int, columns: Any) -> Iterator[Row]:
    place = 0
    for batch in file.iter_batches(ROWS, row_groups=[group], columns=columns):
        part = batch.slice(max(first - place, 0), max(last - max(place, first), 0))
        yield from part.to_pylist()
        place += batch.num_rows
        if place >= last:
            return
