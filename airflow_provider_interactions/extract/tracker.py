"""Count what an extraction gets, note the outcome of each contact, save checkpoints and report progress."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic

from msgspec.structs import replace

from airflow_provider_interactions.columnar.buffers import lack_time, within
from airflow_provider_interactions.contract import Contact, Page, Query
from airflow_provider_interactions.errors import (
    BadResponse,
    ContactError,
    ContactUnanswered,
    Incomplete,
    Stalled,
    TooManyRejects,
    Unavailable,
    VendorError,
)
from airflow_provider_interactions.extract.checkpoint import EVERY, SHARE, Tally
from airflow_provider_interactions.extract.job import Job, Progress
from airflow_provider_interactions.extract.outcomes import Outcome, judge_rows
from airflow_provider_interactions.extract.raw_writer import RawWriter
from airflow_provider_interactions.extract.unanswered import are_too_many_unanswered
from airflow_provider_interactions.http.client import Client
from airflow_provider_interactions.lake.manifest import OUTCOMES, Counts
from airflow_provider_interactions.mapping import build_batch, map_batch
from airflow_provider_interactions.rejects import are_too_many, explain_way_on, list_reasons

log = logging.getLogger(__name__)

#: Seconds between two progress reports while no contact finishes.
LOOK = 1.0


@dataclass(slots=True)
class Question:
    """A query in progress: whether it is its contact's last, and how many requests it has taken so far."""

    query: Query
    last: bool
    requests: int = 0


class Tracker:
    """Counts records, and notes a contact's outcome when its last query has ended."""

    def __init__(self, job: Job, writer: RawWriter, client: Client) -> None:
        self.job, self.writer, self.client = job, writer, client
        self.now = writer.state.tally
        self.before = self.now.sent
        self.outcomes = Counter(outcome.outcome for outcome in writer.outcomes)

    def land_page(self, query: Query, page: Page) -> None:
        """Write the records of the window. The job says what happens to records without a readable time."""
        records, occurred = page.records, page.occurred
        if self.job.keeps == "dated" and lack_time(occurred):
            records, occurred = self._reject_undated(query, page)
        if self.job.keeps != "everything":
            records, occurred = within(self.job.window, records, occurred)
        self.now.received += len(page.records)
        self.now.rows += len(records)
        self.now.fetched += len(records)
        self.writer.add(query, records, occurred, page.context)

    def _reject_undated(self, query: Query, page: Page) -> tuple[list[bytes], list[datetime | None]]:
        """A page without the records whose time cannot be read.

        They are rejected here: once for what was fetched, however many windows will be cut from the rest of it.
        """
        records, times = list(page.records), list(page.occurred)
        unknown = [n for n, at in enumerate(times) if at is None]
        raw = build_batch([records[n] for n in unknown], query.contact, query.native_type or "", page.context)
        found = map_batch(raw, self.job.vendor)
        for place, at in zip(found.places.to_pylist(), found.rows.column("occurred_at").to_pylist(), strict=True):
            times[unknown[place]] = at
        bad = {unknown[place]: reason for place, reason in found.rejected.items()}
        self.writer.reject(query, [records[n] for n in bad], list(bad.values()), page.context)
        kept = [n for n in range(len(records)) if n not in bad]
        self.now.undated += len(bad)
        self.now.reasons = dict(Counter(self.now.reasons) + Counter(bad.values()))
        return [records[n] for n in kept], [times[n] for n in kept]

    def check_undated(self) -> None:
        """Warn of records whose time cannot be read; raises TooManyRejects for too large a share of all that came."""
        count, came = self.now.undated, self.now.received
        if not count:
            return
        summary = (
            f"{count} of {came} records of {self.job.vendor.name}, asked for window {self.job.window}, have no time "
            f"that can be read: {list_reasons(self.now.reasons)}. Their bytes are in {self.writer.undated[0].path}"
        )
        if are_too_many(count, came, self.job.rejects_share, none_left=count == came):
            reason = f"{summary}; {explain_way_on(none_left=count == came)}."
            raise TooManyRejects(reason)
        log.warning("%s.", summary)

    def finish_query(self, question: Question, error: BaseException | None) -> None:
        """One query is over; raises its error unless it only says that the contact is not there."""
        self.now.requests += question.requests
        contact = question.query.contact
        if isinstance(error, ContactError) and self.job.on_missing != "fail":
            self._miss(contact, error)
        elif error is not None:
            raise with_window(error, self.job, contact)
        if question.last:
            self._note_outcome(contact)

    def _miss(self, contact: Contact, error: ContactError) -> None:
        """Note that the contact has no answer; raises the last failure when too many get none."""
        if isinstance(error, ContactUnanswered) and (self.now.missing or ("",))[0] != error.outcome:
            self.now.unanswered += 1
            if error.__cause__ and are_too_many_unanswered(self.now.unanswered, len(self.job.whole_list)):
                # The vendor is at fault, so the contacts noted so far get another chance as well.
                with self.writer.drop_checkpoint_on(Unavailable):
                    raise with_window(error.__cause__, self.job, contact)
        self.now.missing = (error.outcome, error.message)

    def _note_outcome(self, contact: Contact) -> None:
        outcome, reason = self.now.missing or (judge_rows(self.now.rows), None)
        self.writer.add_outcome(Outcome(contact.id, contact.kind, outcome, self.now.rows, self.now.requests, reason))
        self.outcomes[outcome] += 1
        self.now.rows, self.now.requests, self.now.missing = 0, 0, None
        self.report()

    def report(self) -> None:
        """Call the job's progress function, if there is one."""
        if self.job.progress is not None:
            requests, _, throttled = self._count_sent()
            done, pause = self.outcomes.total(), self.client.throttle.paused_until - asyncio.get_running_loop().time()
            until = datetime.now(UTC) + timedelta(seconds=pause) if pause > 0 else None
            self.job.progress(
                Progress(len(self.job.contacts), done, self.now.fetched, requests, throttled, paused_until=until)
            )

    def _count_sent(self) -> tuple[int, int, int]:
        """Requests, retries and refusals, those of earlier tries included."""
        sent, before = self.client.counters, self.before
        return before[0] + sent.requests, before[1] + sent.retries, before[2] + sent.throttled

    def state(self) -> Tally:
        """The counts that a retry continues from."""
        return replace(self.now, sent=self._count_sent())

    def counts(self) -> Counts:
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


@dataclass(slots=True)
class CheckpointTimer:
    """Saves checkpoints: so often that a failure costs little, so rarely that saving costs little."""

    writer: RawWriter
    tally: Tracker
    questions: int = 0
    began: float = field(default_factory=monotonic)
    saved: float = field(default_factory=monotonic)

    async def count_question(self) -> None:
        """One more question is answered."""
        self.questions += 1
        now = monotonic()
        if self.writer.checkpoints is None or now - self.saved < max(EVERY, SHARE * (now - self.began)):
            return
        self.saved = now
        await asyncio.to_thread(self.writer.save, self.writer.state.questions + self.questions, self.tally.state())
        self.questions = 0

    async def save_finished(self) -> None:
        """All questions are answered, and all files written."""
        await asyncio.to_thread(
            self.writer.save_finished, self.writer.state.questions + self.questions, self.tally.state()
        )


@asynccontextmanager
async def report_progress(tally: Tracker) -> AsyncIterator[None]:
    """Report progress every second, also while no contact finishes: a vendor's pause may take minutes."""

    async def look() -> None:
        while True:
            await asyncio.sleep(LOOK)
            tally.report()

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


#: Errors that may be about one contact alone, so that its place in the list is worth knowing.
_ABOUT_ONE = (ContactError, Unavailable, BadResponse, Stalled, Incomplete)


def with_window(error: BaseException, job: Job, contact: Contact) -> BaseException:
    """The same error, which now knows whose and which window's it is, and at which contact's place it came."""
    if isinstance(error, VendorError):
        error.vendor, error.window = error.vendor or job.vendor.name, str(job.window)
    if isinstance(error, _ABOUT_ONE):
        error.place = job.place_of(contact)
    return error
