"""The contacts that are being asked for: what came for them so far, in bounded memory.

A contact's rows are written when all of its questions are answered, so they lie together whatever the order of the
answers. Until then they wait in memory, and above a limit in a temporary file on the local disk.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Self

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.contract import Contact, Query
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.extract.outcomes import Answer, Outcome, judge_rows
from airflow_provider_interactions.extract.raw_table import PageRows, pack_rows, unpack_rows

#: Makes a table of some pages.
Build = Callable[[Sequence[PageRows]], pa.Table]

#: Above this many bytes of records, half as many questions as could be in flight are open.
NEARLY_FULL_BYTES = 16 * 1024 * 1024

#: Above this many bytes of records, the largest contacts move to the local disk.
MEMORY_BYTES = 64 * 1024 * 1024


@dataclass(slots=True, eq=False)
class Question:
    """One query about a contact, and what came for it. ``counted`` says whether the counts include it.

    ``restored`` are rows of a checkpoint. ``rejected`` are records without a readable time, with the reasons.
    """

    query: Query
    contact: OpenContact
    answer: Answer
    received: int = 0
    pages: list[PageRows] = field(default_factory=list)
    restored: list[pa.Table] = field(default_factory=list)
    rejected: list[tuple[PageRows, Sequence[str]]] = field(default_factory=list)
    ended: bool = False
    counted: bool = False


@dataclass(slots=True, eq=False)
class OpenContact:
    """A contact and its questions, which are numbered one after the other. ``held`` is bytes of records in memory."""

    contact: Contact
    first: int
    questions: list[Question] = field(default_factory=list)
    held: int = 0
    file: SpillFile | None = None

    @property
    def end(self) -> int:
        """The number after that of its last question."""
        return self.first + len(self.questions)

    @property
    def complete(self) -> bool:
        """Whether all questions are answered."""
        return all(question.ended for question in self.questions)

    def restore(self, answers: dict[int, Answer]) -> None:
        """Take its own out of the answers of a checkpoint."""
        for question in self.questions:
            answer = answers.pop(question.answer.question, None)
            if answer is not None:
                question.answer, question.ended, question.counted = answer, True, True

    def build_outcome(self) -> Outcome:
        """How it went with the contact, when all questions are answered."""
        answers = [question.answer for question in self.questions]
        rows, requests = sum(answer.rows for answer in answers), sum(answer.requests for answer in answers)
        reasons = [answer.missing for answer in answers if answer.missing]
        outcome, reason = reasons[-1] if reasons else (judge_rows(rows), None)
        return Outcome(self.contact.id, self.contact.kind, outcome, rows, requests, reason)

    def read_rows(self, build: Build) -> Iterator[pa.Table]:
        """Its rows, question by question."""
        for question in self.questions:
            if self.file is not None:
                yield from self.file.read(question.answer.question)
            yield from question.restored
            if question.pages:
                yield build(question.pages)


@contextmanager
def _name_folder_on_error() -> Iterator[None]:
    """Raise ConfigError when the local disk takes no more."""
    try:
        yield
    except OSError as wrong:
        msg = (
            f"The folder for temporary files of this machine cannot be written ({wrong.strerror}). It holds the rows "
            "of contacts that are too large for the memory. Make room there, or set TMPDIR."
        )
        raise ConfigError(msg) from wrong


@dataclass(slots=True)
class SpillFile:
    """Rows of one contact on the local disk, in a file without a name: nothing is left of it after a crash."""

    file: IO[bytes]
    places: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    @classmethod
    def create(cls) -> SpillFile:
        """An empty one, in the folder for temporary files (``TMPDIR``)."""
        with _name_folder_on_error():
            return cls(tempfile.TemporaryFile())

    def write(self, question: int, rows: pa.Table) -> None:
        """Append rows of a question; raises ConfigError when the disk takes no more."""
        data = pack_rows(rows)
        with _name_folder_on_error():
            start = self.file.seek(0, os.SEEK_END)
            self.file.write(data)
            self.file.flush()
        self.places.setdefault(question, []).append((start, len(data)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def read(self, question: int) -> Iterator[pa.Table]:
        """The rows of a question, in the order in which they were written."""
        for start, length in self.places.get(question, ()):
            self.file.seek(start)
            yield unpack_rows(self.file.read(length))


@dataclass(slots=True)
class OpenContacts:
    """All contacts that are being asked for, by the number of their first question. ``held`` is bytes in memory."""

    build: Build
    contacts: dict[int, OpenContact] = field(default_factory=dict)
    held: int = 0
    spilling: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def nearly_full(self) -> bool:
        """Whether they hold so much that fewer should be open."""
        return self.held >= NEARLY_FULL_BYTES

    @property
    def full(self) -> bool:
        """Whether they hold more than may be in memory."""
        return self.held >= MEMORY_BYTES

    def open(self, contact: OpenContact) -> None:
        """Its questions are about to be asked."""
        self.contacts[contact.first] = contact

    def add(self, question: Question, page: PageRows) -> None:
        """Keep the rows of one page."""
        question.pages.append(page)
        self._count(question.contact, sum(map(len, page.records)))

    def restore(self, contact: OpenContact, rows: Sequence[pa.Table]) -> None:
        """Keep those rows of a checkpoint that came for a contact."""
        for question in contact.questions:
            if question.answer.rows:
                number = question.answer.question
                mine = [table.filter(pc.equal(table.column("question"), number)) for table in rows]
                question.restored = [table for table in mine if table.num_rows]
                self._count(contact, sum(table.nbytes for table in question.restored))

    async def make_room(self) -> None:
        """Move the largest contacts to the local disk while all of them together hold too much."""
        while self.full:
            async with self.spilling:
                if self.full:
                    await self._spill(max(self.contacts.values(), key=lambda contact: contact.held))

    async def close(self, contact: OpenContact) -> None:
        """All questions of a contact are answered; its rows are still there."""
        del self.contacts[contact.first]
        self._count(contact, -contact.held)
        if contact.file is not None:
            async with self.spilling:  # wait for rows that are on their way to the file
                pass

    async def _spill(self, contact: OpenContact) -> None:
        file = contact.file = contact.file or SpillFile.create()
        waiting = [(question.answer.question, question.restored, question.pages) for question in contact.questions]
        for question in contact.questions:
            question.restored, question.pages = [], []
        self._count(contact, -contact.held)
        await asyncio.to_thread(self._write, file, waiting)

    def _write(self, file: SpillFile, waiting: Sequence[tuple[int, list[pa.Table], list[PageRows]]]) -> None:
        for question, restored, pages in waiting:
            for rows in [*restored, *([self.build(pages)] if pages else [])]:
                file.write(question, rows)

    def _count(self, contact: OpenContact, held: int) -> None:
        contact.held += held
        self.held += held
