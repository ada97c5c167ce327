"""Count what an extraction gets, and note the outcome of each contact."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from airflow_provider_interactions.contract import Contact, Page
from airflow_provider_interactions.errors import (
    BadResponse,
    ContactError,
    ContactUnanswered,
    Incomplete,
    Stalled,
    Unavailable,
    VendorError,
)
from airflow_provider_interactions.extract.checkpoint import Range, Tally, merge_ranges, select_outside
from airflow_provider_interactions.extract.job import Job, Progress
from airflow_provider_interactions.extract.open_contacts import OpenContact, OpenContacts, Question
from airflow_provider_interactions.extract.outcomes import Answer
from airflow_provider_interactions.extract.raw_table import PageRows
from airflow_provider_interactions.extract.raw_writer import RawWriter
from airflow_provider_interactions.extract.unanswered import are_too_many_unanswered
from airflow_provider_interactions.http.client import Client
from airflow_provider_interactions.instants import are_unplaced, keep_window, to_array
from airflow_provider_interactions.lake.manifest import OUTCOMES, Counts
from airflow_provider_interactions.mapping import build_batch, map_batch
from airflow_provider_interactions.window import ALWAYS

#: Why a record with a readable time is rejected.
NO_WINDOW = "its time is before 1900 or after 9998, so no window would have it"


class Tracker:
    """Counts records. When a contact's last question has ended, writes its rows and notes its outcome.

    The counts that checkpoints keep are of questions whose rows are saved with them; ``rows`` are all that came.
    """

    def __init__(self, job: Job, writer: RawWriter, client: Client) -> None:
        self.job, self.writer, self.client = job, writer, client
        self.now = writer.state.tally
        self.rows = self.now.fetched
        self.before = self.now.sent
        self.open = OpenContacts(writer.build_rows)
        self.outcomes = Counter[str]()
        self.unanswered = set[int]()

    def restore(
        self, contacts: Iterator[OpenContact], rows: Sequence[pa.Table], answers: Sequence[Answer]
    ) -> list[OpenContact]:
        """Continue from a checkpoint: take contacts until no answer is left; returns those that are not complete."""
        known = {answer.question: answer for answer in answers}
        complete, left = list[Range](), list[OpenContact]()
        while known:
            contact = next(contacts)
            contact.restore(known)
            if any(question.answer.unanswered for question in contact.questions):
                self.unanswered.add(contact.first)
            if contact.complete:
                complete.append((contact.first, contact.end))
                self.note_outcome(contact)
            else:
                left.append(contact)
        unfinished = merge_ranges((contact.first, contact.end) for contact in left)
        self.writer.restore([select_outside(table, unfinished) for table in rows], complete)
        for contact in left:
            self.open.restore(contact, rows)
        return left

    def add_page(self, question: Question, page: Page) -> None:
        """Keep the records of the window. The job says what happens to records without a readable time."""
        records, occurred = page.records, page.occurred
        if self.job.keeps == "dated" and pc.any(unplaced := are_unplaced(to_array(occurred))).as_py():
            records, occurred = self._reject_undated(question, page, pc.indices_nonzero(unplaced).to_pylist())
        if self.job.keeps != "everything":
            records, occurred = keep_window(self.job.window, records, occurred)
        question.received += len(page.records)
        question.answer.rows += len(records)
        self.rows += len(records)
        number = question.answer.question
        self.open.add(question, PageRows(question.query, page.context, records, occurred, number))

    def _reject_undated(
        self, question: Question, page: Page, unknown: Sequence[int]
    ) -> tuple[list[bytes], list[datetime | None]]:
        """A page without the records, of those at the places ``unknown``, whose time cannot be read or is in no window.

        They are rejected here: once for what was fetched, however many windows will be cut from the rest of it.
        """
        query, records, times = question.query, list(page.records), list(page.occurred)
        raw = build_batch([records[n] for n in unknown], query.contact, query.native_type or "", page.context)
        found = map_batch(raw, self.job.vendor)
        for place, at in zip(found.places.to_pylist(), found.rows.column("occurred_at").to_pylist(), strict=True):
            times[unknown[place]] = at
        far = [n for n in unknown if (at := times[n]) and at not in ALWAYS and at not in self.job.window]
        bad = dict.fromkeys(far, NO_WINDOW) | {unknown[place]: reason for place, reason in found.rejected.items()}
        if bad:
            rejected = PageRows(query, page.context, [records[n] for n in bad], [None] * len(bad))
            question.rejected.append((rejected, list(bad.values())))
        kept = [n for n in range(len(records)) if n not in bad]
        return [records[n] for n in kept], [times[n] for n in kept]

    async def end_question(self, question: Question, error: BaseException | None) -> None:
        """One question has ended; raises its error unless it only says that the contact is not there."""
        contact = question.contact
        if isinstance(error, ContactError) and self.job.on_missing != "fail":
            self._miss(question, error)
        elif error is not None:
            raise with_window(error, self.job, contact.contact)
        question.ended = True
        if contact.complete:
            await self._complete(contact)

    def _miss(self, question: Question, error: ContactError) -> None:
        """Note that the contact has no answer; raises the last failure when too many get none."""
        question.answer.missing = error.outcome, error.message
        if isinstance(error, ContactUnanswered):
            question.answer.unanswered = True
            self.unanswered.add(question.contact.first)
            if error.__cause__ and are_too_many_unanswered(len(self.unanswered), len(self.job.whole_list)):
                # The vendor is at fault, so the contacts noted so far get another chance as well.
                with self.writer.drop_checkpoint_on(Unavailable):
                    raise with_window(error.__cause__, self.job, question.query.contact)

    async def _complete(self, contact: OpenContact) -> None:
        """Hand the rows of a contact to the writer, and note its outcome."""
        await self.open.close(contact)
        questions = contact.first, contact.end
        if contact.file is not None:
            with contact.file:
                await asyncio.to_thread(self.writer.write_alone, contact.read_rows(self.writer.build_rows), questions)
        else:
            self._add_rows(contact)
            self.writer.complete(questions)
        for question in contact.questions:
            self._count(question)
        self.note_outcome(contact)
        self.report()

    def _add_rows(self, contact: OpenContact) -> None:
        for question in contact.questions:
            for rows in question.restored:
                self.writer.add_restored(rows)
            for page in question.pages:
                self.writer.add_page(page)

    def _count(self, question: Question) -> None:
        """Add a question to the counts, once; the next checkpoint has its answer and its rows."""
        if question.counted:
            return
        question.counted = True
        self.now.received += question.received
        self.now.fetched += question.answer.rows
        for page, reasons in question.rejected:
            self.writer.reject(page, reasons)
            self.now.undated += len(reasons)
            self.now.reasons = dict(Counter(self.now.reasons) + Counter(reasons))
        self.writer.add_answer(question.answer)

    def count_ended(self) -> list[PageRows]:
        """Count questions that have ended before others of their contact; returns their rows, for a checkpoint.

        What lies in a temporary file is saved when its contact is complete.
        """
        contacts = [contact for contact in self.open.contacts.values() if contact.file is None]
        ended = [question for contact in contacts for question in contact.questions if question.ended]
        ready = [question for question in ended if not question.counted]
        for question in ready:
            self._count(question)
        return [page for question in ready for page in question.pages if page.records]

    def note_outcome(self, contact: OpenContact) -> None:
        """Note how it went with a contact, all of whose questions have ended."""
        outcome = contact.build_outcome()
        self.writer.add_outcome(outcome, contact.first)
        self.outcomes[outcome.outcome] += 1

    def report(self) -> None:
        """Call the job's progress function, if there is one."""
        if self.job.progress is not None:
            requests, _, throttled = self._count_sent()
            done, pause = self.outcomes.total(), self.client.throttle.paused_until - asyncio.get_running_loop().time()
            until = datetime.now(UTC) + timedelta(seconds=pause) if pause > 0 else None
            self.job.progress(
                Progress(len(self.job.contacts), done, self.rows, requests, throttled, paused_until=until)
            )

    def _count_sent(self) -> tuple[int, int, int]:
        """Requests, retries and refusals, those of earlier tries included."""
        sent, before = self.client.counters, self.before
        return before[0] + sent.requests, before[1] + sent.retries, before[2] + sent.throttled

    def build_tally(self) -> Tally:
        """The counts that a retry continues from."""
        return replace(self.now, sent=self._count_sent())

    def build_counts(self) -> Counts:
        """The manifest's counts, without ``landed``, which only the writer knows."""
        requests, retries, throttled = self._count_sent()
        return Counts(
            received=self.now.received,
            outside=self.now.received - self.now.undated - self.now.fetched,
            undated=self.now.undated,
            fetched=self.now.fetched,
            contacts=len(self.job.contacts),
            requests=requests,
            retries=retries,
            throttled=throttled,
            **{name: self.outcomes[name] for name in OUTCOMES},
        )


#: Errors that may be about one contact alone, so that its place in the list is worth knowing.
_ABOUT_ONE = (ContactError, Unavailable, BadResponse, Stalled, Incomplete)


def with_window(error: BaseException, job: Job, contact: Contact) -> BaseException:
    """The same error, which now knows whose and which window's it is, and at which contact's place it came."""
    if isinstance(error, VendorError):
        error.vendor, error.window = error.vendor or job.vendor.name, str(job.window)
    if isinstance(error, _ABOUT_ONE):
        error.place = job.find_place(contact)
    return error
