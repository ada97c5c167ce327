"""The answer to a request in numbers. Airflow, its logs and its metadata see these numbers and nothing else."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import msgspec

from airflow_provider_interactions.errors import Unreconciled
from airflow_provider_interactions.lake.manifest import Counts, File, Manifest
from airflow_provider_interactions.person.files import PersonRecords
from airflow_provider_interactions.window import Window


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of one person. ``contact`` is the person's first place in the given list, from 1.

    It is not an identifier, because identifiers are personal data. A person who is in the list twice is counted once.

    ``records`` = ``interactions`` + ``rejected`` + ``repeated`` (copies) + ``left_out`` (other types).
    """

    contact: int
    outcome: str
    reason: str | None
    records: int
    interactions: int
    rejected: int
    repeated: int
    left_out: int
    first: datetime | None
    last: datetime | None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a request, in numbers. It does not identify the people.

    ``channels`` counts interactions by channel and by the vendor's type. ``rejects`` counts unreadable records by
    reason. Times are in UTC; ``window_start`` and ``window_end`` are None for all time. Paths start at the lake's root.
    """

    vendor: str
    account: str
    asked_at: datetime
    window_start: datetime | None
    window_end: datetime | None
    counts: Counts
    left_out: int
    first: datetime | None
    last: datetime | None
    channels: dict[str, dict[str, int]]
    rejects: dict[str, int]
    people: tuple[Person, ...]
    parquet: File
    lines: File
    page: File
    summary: str


class Files(NamedTuple):
    """The files of an answer. Each holds the same records."""

    parquet: File
    lines: File
    page: File


@dataclass(slots=True)
class Totals:
    """The counts of all people."""

    people: list[Person] = field(default_factory=list)
    channels: dict[str, Counter[str]] = field(default_factory=dict)
    rejects: Counter[str] = field(default_factory=Counter)

    def add(self, place: int, person: PersonRecords) -> None:
        """Add the records of the person at a place in the list."""
        self.people.append(_summarize_person(place, person))
        for row in person.interactions:
            self.channels.setdefault(row["channel"], Counter())[row["native_type"]] += 1
        self.rejects.update(row["rejected"] for row in person.rejects)

    def sum(self, name: str) -> int:
        """The sum of one count over all people."""
        return sum(getattr(person, name) for person in self.people)


def _summarize_person(n: int, person: PersonRecords) -> Person:
    times = [row["occurred_at"] for row in person.interactions]
    return Person(
        contact=n,
        outcome=person.outcome,
        reason=person.reason,
        records=person.records,
        interactions=len(times),
        rejected=len(person.rejects),
        repeated=person.repeated,
        left_out=person.left_out,
        first=min(times, default=None),
        last=max(times, default=None),
    )


def build_answer(manifest: Manifest, window: Window | None, totals: Totals, files: Files, summary: str) -> Answer:
    """Sum up all people. Raises Unreconciled if a record is unaccounted for. ``window`` None means all time."""
    counts = Counts(
        canonical=totals.sum("interactions"), rejected=totals.sum("rejected"), repeated=totals.sum("repeated")
    )
    _reconcile(manifest, totals, files)
    return Answer(
        vendor=manifest.vendor,
        account=manifest.account,
        asked_at=manifest.extracted_at,
        window_start=window.start if window else None,
        window_end=window.end if window else None,
        counts=manifest.counts + counts,
        left_out=totals.sum("left_out"),
        first=min((person.first for person in totals.people if person.first), default=None),
        last=max((person.last for person in totals.people if person.last), default=None),
        channels={channel: dict(types.most_common()) for channel, types in sorted(totals.channels.items())},
        rejects=dict(totals.rejects.most_common()),
        people=tuple(totals.people),
        parquet=files.parquet,
        lines=files.lines,
        page=files.page,
        summary=summary,
    )


def _reconcile(manifest: Manifest, totals: Totals, files: Files) -> None:
    """Raise Unreconciled unless each record is in the files, or counted as repeated or left out."""
    parts = sum(totals.sum(name) for name in ("interactions", "rejected", "repeated", "left_out"))
    rows = totals.sum("interactions") + totals.sum("rejected")
    if manifest.counts.landed != parts or any(file.rows != rows for file in files):
        held = ", ".join(str(file.rows) for file in files)
        msg = (
            f"The vendor sent {manifest.counts.landed} records, {parts} are accounted for, and the files hold {held}, "
            "so the answer was discarded. Please report this as a defect."
        )
        raise Unreconciled(msg)
