"""The answer to a request in numbers. Airflow, its logs and its metadata see these numbers and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import msgspec
import pyarrow.compute as pc

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


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What one system has, in numbers. It does not identify the people.

    ``channels`` counts interactions by channel and by the vendor's type. ``rejects`` counts unreadable records by
    reason. Times are in UTC. ``source`` is a sentence if the records do not come from the vendor directly.
    """

    vendor: str
    account: str
    counts: Counts
    left_out: int
    first: datetime | None
    last: datetime | None
    channels: dict[str, dict[str, int]]
    rejects: dict[str, int]
    people: tuple[Person, ...]
    source: str = ""


class Answer(Findings, frozen=True, kw_only=True):
    """The result of a request at one system, in numbers, and its files.

    ``window_start`` and ``window_end`` are None for all time. Paths start at the lake's root.
    """

    asked_at: datetime
    window_start: datetime | None
    window_end: datetime | None
    parquet: File
    lines: File
    page: File
    summary: str


class PersonAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a request for one person at several systems: the sums, each system's numbers, and the files.

    ``gaps`` are sentences that say what was not asked. The rest is as in ``Answer``.
    """

    asked_at: datetime
    window_start: datetime | None
    window_end: datetime | None
    counts: Counts
    first: datetime | None
    last: datetime | None
    systems: tuple[Findings, ...]
    gaps: tuple[str, ...]
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
    times = [batch.column("occurred_at") for batch in person.interactions.batches if batch.num_rows]
    ends = [pc.min_max(column).as_py() for column in times]
    return Person(
        contact=n,
        outcome=person.outcome,
        reason=person.reason,
        records=person.records,
        interactions=len(person.interactions),
        rejected=len(person.rejects),
        repeated=person.repeated,
        left_out=person.left_out,
        first=min((end["min"] for end in ends), default=None),
        last=max((end["max"] for end in ends), default=None),
    )


def build_answer(
    manifest: Manifest, window: Window | None, totals: Totals, files: Files, summary: str, source: str = ""
) -> Answer:
    """Sum up all people. Raises Unreconciled if a record is unaccounted for. ``window`` None means all time."""
    findings = sum_findings(manifest, totals, source)
    _reconcile_files([findings], files)
    return Answer(
        **msgspec.structs.asdict(findings),
        asked_at=manifest.extracted_at,
        window_start=window.start if window else None,
        window_end=window.end if window else None,
        **files._asdict(),
        summary=summary,
    )


def sum_findings(manifest: Manifest, totals: Totals, source: str = "") -> Findings:
    """Sum up the people of one system. Raises Unreconciled if a record is unaccounted for."""
    counts = Counts(
        canonical=totals.sum("interactions"), rejected=totals.sum("rejected"), repeated=totals.sum("repeated")
    )
    parts = sum(totals.sum(name) for name in ("interactions", "rejected", "repeated", "left_out"))
    if manifest.counts.landed != parts:
        msg = (
            f"The vendor sent {manifest.counts.landed} records and {parts} are accounted for, so the answer was "
            "discarded. Please report this as a defect."
        )
        raise Unreconciled(msg)
    return Findings(
        vendor=manifest.vendor,
        account=manifest.account,
        counts=manifest.counts + counts,
        left_out=totals.sum("left_out"),
        first=_find_first(totals.people),
        last=_find_last(totals.people),
        channels={channel: dict(types.most_common()) for channel, types in sorted(totals.channels.items())},
        rejects=dict(totals.rejects.most_common()),
        people=tuple(totals.people),
        source=source,
    )


def sum_person(
    asked_at: datetime,
    window: Window | None,
    findings: Sequence[Findings],
    gaps: Sequence[str],
    files: Files,
    summary: str,
) -> PersonAnswer:
    """Sum up all systems. Raises Unreconciled if the files hold another number of records than was found."""
    _reconcile_files(findings, files)
    return PersonAnswer(
        asked_at=asked_at,
        window_start=window.start if window else None,
        window_end=window.end if window else None,
        counts=sum((found.counts for found in findings), Counts()),
        first=_find_first(findings),
        last=_find_last(findings),
        systems=tuple(findings),
        gaps=tuple(gaps),
        **files._asdict(),
        summary=summary,
    )


def _find_first(parts: Iterable[Person | Findings]) -> datetime | None:
    return min((part.first for part in parts if part.first), default=None)


def _find_last(parts: Iterable[Person | Findings]) -> datetime | None:
    return max((part.last for part in parts if part.last), default=None)


def _reconcile_files(findings: Iterable[Findings], files: Files) -> None:
    """Raise Unreconciled unless each file holds every interaction and every unreadable record."""
    rows = sum(found.counts.canonical + found.counts.rejected for found in findings)
    if any(file.rows != rows for file in files):
        held = ", ".join(str(file.rows) for file in files)
        msg = (
            f"There are {rows} records, but the files hold {held}, so the answer was discarded. Please report this as "
            "a defect."
        )
        raise Unreconciled(msg)
