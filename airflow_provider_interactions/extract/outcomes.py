"""The outcome of each contact: one row for each, in a file next to the records of a window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import msgspec
import pyarrow as pa

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.lake.manifest import OUTCOMES, Counts, Manifest
from airflow_provider_interactions.lake.pseudonyms import reveal_column
from airflow_provider_interactions.lake.reader import read_window
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.schema import OUTCOMES as COLUMNS


class Answer(msgspec.Struct, array_like=True):
    """The result of one question, by its number: rows in the window, requests, and why it has no response.

    ``missing`` is an outcome and its reason. ``unanswered`` says that the vendor never answered (`ContactUnanswered`).
    """

    question: int
    rows: int = 0
    requests: int = 0
    missing: tuple[str, str] | None = None
    unanswered: bool = False


class Outcome(msgspec.Struct, frozen=True):
    """How it went with one contact: a word of ``OUTCOMES``, its rows in the window, and the requests it took."""

    contact_id: str
    contact_id_kind: str
    outcome: str
    rows: int
    requests: int
    reason: str | None

    @property
    def contact(self) -> Contact:
        """Whose it is."""
        return Contact(self.contact_id, self.contact_id_kind)

    @property
    def is_answered(self) -> bool:
        """Whether the vendor said what it knows of the contact."""
        return self.outcome in ("ok", "empty")

    def within(self, rows: int, requests: int) -> Outcome:
        """The same contact in a part of the window, where it has so many rows."""
        word = judge_rows(rows) if self.is_answered else self.outcome
        return Outcome(self.contact_id, self.contact_id_kind, word, rows, requests, self.reason)


def judge_rows(rows: int) -> str:
    """The outcome of a contact that was answered with so many rows."""
    return "ok" if rows else "empty"


def count_outcomes(outcomes: Iterable[Outcome]) -> Counts:
    """Contacts in all, and by outcome."""
    found = Counter(one.outcome for one in outcomes)
    return Counts(contacts=found.total(), **{name: found[name] for name in OUTCOMES})


def to_batch(outcomes: Sequence[Outcome]) -> pa.RecordBatch:
    """Outcomes as rows of their file."""
    values = {name: [getattr(one, name) for one in outcomes] for name in COLUMNS.names}
    return pa.record_batch(
        [
            pa.array(values[column.name], pa.string()).dictionary_encode()
            if pa.types.is_dictionary(column.type)
            else pa.array(values[column.name], column.type)
            for column in COLUMNS
        ],
        schema=COLUMNS,
    )


def read_outcomes(lake: Lake, raw: Manifest) -> Iterator[Outcome]:
    """Read back the outcomes of a raw window; raises WindowSuperseded where it was replaced."""
    for rows in read_window(lake, raw, raw.outcomes):
        contacts = reveal_column(lake, rows.column("contact_id"))
        for row in rows.set_column(0, COLUMNS.field("contact_id"), contacts).to_pylist():
            yield Outcome(**row)
