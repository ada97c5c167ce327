"""One window, many contacts: ask the vendor, guard the answers, land them. The pipeline on one screen.

extract(job)  ->  queries of each contact  ->  vendor.pages(fetch, …)  ->  guards  ->  Landing  ->  Manifest
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from time import monotonic
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from airflow_provider_interactions import __version__
from airflow_provider_interactions.contract import (
    Contact,
    Credentials,
    Options,
    Page,
    Query,
    Request,
    Response,
    Vendor,
)
from airflow_provider_interactions.errors import ContactError, Incomplete, Stalled, VendorError
from airflow_provider_interactions.http import Client, Limits, connect
from airflow_provider_interactions.journal import AGE, EVERY, SHARE, Journal, State, Tally, expire
from airflow_provider_interactions.lake import Lake, Place
from airflow_provider_interactions.land import Landing
from airflow_provider_interactions.manifest import OUTCOMES, Counts, Manifest
from airflow_provider_interactions.ordered import Ended, Go, in_order
from airflow_provider_interactions.window import Window

#: Queries opened per request in flight, so that a slow answer at the front does not idle the others.
OPEN_PER_REQUEST = 4

#: Bytes of records that wait for their turn, however many queries are open.
UNREAD_BYTES = 16 * 1024 * 1024


#: Seconds between two looks at how far an extraction is, while no contact ends.
LOOK = 1.0

#: How long a history that was fetched whole serves windows that ended before, for vendors that cannot filter by date.
HISTORY_AGE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an extraction is; ``rows`` are records in the window.

    ``paused_until`` (aware) is when the vendor may be asked again, where it has asked to be left alone until then.
    """

    contacts: int
    done: int
    rows: int
    requests: int
    throttled: int
    paused_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """Everything one extraction needs. ``contacts`` are asked in this order; ``batch`` of ``batches`` of the window.

    ``on_missing`` says what a contact that the vendor cannot answer for means: ``record`` notes it as an outcome,
    ``fail`` ends the extraction. ``concurrency`` overrides the vendor's requests in flight. ``history_age`` is for
    vendors that cannot filter by date: how old a history in the lake may be to be cut instead of asked for again;
    zero asks anew. ``resume`` names the run: a later extraction with the same name and everything else the same goes
    on where this one ended, however it ended, unless it was left alone for ``resume_age``; None leaves nothing behind
    on a failure. ``extracted_at`` is the instant (aware) that every row of this extraction carries.
    """

    vendor: Vendor
    credentials: Credentials
    lake: Lake
    window: Window
    contacts: Sequence[Contact]
    options: Options
    batch: int = 0
    batches: int = 1
    concurrency: int | None = None
    history_age: timedelta = HISTORY_AGE
    on_missing: Literal["record", "fail"] = "record"
    limits: Limits | None = None
    progress: Callable[[Progress], None] | None = None
    resume: str | None = None
    resume_age: timedelta = AGE
    extracted_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def place(self) -> Place:
        """Where its files go."""
        return Place(self.vendor.name, self.credentials.account, self.window)


def extract(job: Job) -> Manifest:
    """Land every interaction of the job's contacts in its window; raises what the vendor's answers mean.

    The manifest names the files, which nothing refers to until ``land.publish``. On any error no file is left.
    """
    if job.vendor.filters_by_date:
        return asyncio.run(land_pages(job))
    from airflow_provider_interactions.history import cut  # noqa: PLC0415 - it builds on this module

    return cut(job)


def interactions(job: Job) -> Iterator[tuple[Query, Page]]:
    """The same pages without a lake, one after the other, as a plain generator for use outside an event loop."""
    with asyncio.Runner() as runner:
        pages = _all_pages(job)
        try:
            while (found := runner.run(_next(pages))) is not None:
                yield found
        finally:
            runner.run(pages.aclose())


async def land_pages(job: Job, folder: str = "") -> Manifest:
    """Ask the vendor and land what it says; ``folder`` is where, the window's raw folder unless given."""
    async with connect(job.vendor, job.credentials, concurrency=job.concurrency, limits=job.limits) as client:
        with _landing(job, folder) as landing:
            tally = _Counting(job, landing, client)
            saver = _Saver(landing, tally)
            questions = islice(_questions(job), landing.state.questions, None)
            async with _watched(tally), aclosing(_answers(questions, job, client)) as answers:
                async for question, item in answers:
                    if isinstance(item, Ended):
                        tally.end(question, item.error)
                        await saver.ended()
                    else:
                        tally.take(question.query, item)
                    if landing.full:
                        await asyncio.to_thread(landing.flush)
            manifest = await asyncio.to_thread(landing.finish, tally.counts())
            await saver.finished()
            return manifest


def _landing(job: Job, folder: str) -> Landing:
    """A fresh landing, or the one that an earlier try of the same run left unfinished."""
    if job.resume is None:
        return Landing(job.lake, job.place, State(extracted_at=job.extracted_at), job.batch, job.batches, folder)
    journal = journal_of(job)
    expire(job.lake, job.place, job.extracted_at, job.resume_age)
    found = journal.load(job.extracted_at, job.resume_age)
    state, rows, outcomes = found or (State(extracted_at=job.extracted_at), [], [])
    landing = Landing(job.lake, job.place, state, job.batch, job.batches, folder, journal)
    landing.restore(rows, outcomes)
    return landing


def journal_of(job: Job) -> Journal:
    """The journal of an extraction, found by everything that decides its rows and what is made of them."""
    contacts = [(contact.kind, contact.id) for contact in job.contacts]
    options = msgspec.to_builtins(job.options)
    facts = [__version__, job.resume, job.batch, job.batches, job.credentials.host, job.on_missing, options, contacts]
    return Journal.of(job.lake, job.place, facts)


@dataclass(slots=True)
class _Saver:
    """Saves a landing that has a journal: often enough that a failure costs little, seldom enough to cost little."""

    landing: Landing
    tally: _Counting
    questions: int = 0
    began: float = field(default_factory=monotonic)
    saved: float = field(default_factory=monotonic)

    async def ended(self) -> None:
        """One more question is answered."""
        self.questions += 1
        now = monotonic()
        if self.landing.journal is None or now - self.saved < max(EVERY, SHARE * (now - self.began)):
            return
        self.saved = now
        await asyncio.to_thread(self.landing.save, self.landing.state.questions + self.questions, self.tally.state())
        self.questions = 0

    async def finished(self) -> None:
        """All questions are answered, and all files written."""
        await asyncio.to_thread(self.landing.end, self.landing.state.questions + self.questions, self.tally.state())


@dataclass(slots=True)
class _Question:
    """A query on its way: whether it is its contact's last, and how many requests it took so far."""

    query: Query
    last: bool
    requests: int = 0


class _Counting:
    """Counts what comes, and judges each contact when its last query has ended."""

    def __init__(self, job: Job, landing: Landing, client: Client) -> None:
        self.job, self.landing, self.client = job, landing, client
        self.now = landing.state.tally
        self.before = self.now.sent
        self.outcomes = Counter(outcome.outcome for outcome in landing.outcomes)

    def take(self, query: Query, page: Page) -> None:
        """Keep the records of the window, and those whose time cannot be read: normalize judges them."""
        window, records, occurred = self.job.window, page.records, page.occurred
        self.now.received += len(records)
        if not _all_within(window, occurred):
            kept = [n for n, at in enumerate(occurred) if at is None or window.start <= at < window.end]
            records, occurred = [records[n] for n in kept], [occurred[n] for n in kept]
        self.now.rows += len(records)
        self.now.fetched += len(records)
        self.landing.add(query, records, occurred, page.context)

    def end(self, question: _Question, error: Exception | None) -> None:
        """One query is over; raises its error unless it only says that the contact is not there."""
        self.now.requests += question.requests
        if isinstance(error, ContactError) and self.job.on_missing == "record":
            self.now.missing = (error.outcome, error.message)
        elif error is not None:
            raise _placed(error, self.job)
        if question.last:
            self._judge(question.query.contact)

    def _judge(self, contact: Contact) -> None:
        found = ("ok" if self.now.rows else "empty", None)
        outcome, reason = self.now.missing or found
        self.landing.outcome(contact, outcome, self.now.rows, self.now.requests, reason)
        self.outcomes[outcome] += 1
        self.now.rows, self.now.requests, self.now.missing = 0, 0, None
        self.tell()

    def tell(self) -> None:
        """Say how far it is, to whoever wants to know."""
        if self.job.progress is not None:
            requests, _, throttled = self._sent()
            done, pause = self.outcomes.total(), self.client.pacer.paused_until - asyncio.get_running_loop().time()
            until = datetime.now(UTC) + timedelta(seconds=pause) if pause > 0 else None
            self.job.progress(
                Progress(len(self.job.contacts), done, self.now.fetched, requests, throttled, paused_until=until)
            )

    def _sent(self) -> tuple[int, int, int]:
        """Requests, retries and refusals, those of earlier tries included."""
        sent, before = self.client.counters, self.before
        return before[0] + sent.requests, before[1] + sent.retries, before[2] + sent.throttled

    def state(self) -> Tally:
        """What a later try has to know to go on counting."""
        return replace(self.now, sent=self._sent())

    def counts(self) -> Counts:
        """What the manifest says, without ``landed``, which only the writer knows."""
        requests, retries, throttled = self._sent()
        return Counts(
            received=self.now.received,
            outside=self.now.received - self.now.fetched,
            fetched=self.now.fetched,
            contacts=len(self.job.contacts),
            requests=requests,
            retries=retries,
            throttled=throttled,
            **{name: self.outcomes[name] for name in OUTCOMES},
        )


@asynccontextmanager
async def _watched(tally: _Counting) -> AsyncIterator[None]:
    """Say how far it is every now and then, also while no contact ends: a vendor's pause may take minutes."""

    async def look() -> None:
        while True:
            await asyncio.sleep(LOOK)
            tally.tell()

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


def _all_within(window: Window, occurred: Sequence[datetime | None]) -> bool:
    known = [at for at in occurred if at is not None]
    return not known or (window.start <= min(known) and max(known) < window.end)


def _questions(job: Job) -> Iterator[_Question]:
    """Every query of every contact, in order."""
    for contact in job.contacts:
        queries = list(job.vendor.queries(contact, job.credentials.settings, job.options))
        for n, query in enumerate(queries, start=1):
            yield _Question(query, last=n == len(queries))


def _answers(
    questions: Iterable[_Question], job: Job, client: Client
) -> AsyncGenerator[tuple[_Question, Page | Ended], None]:
    width = max(2, client.pacer.most * OPEN_PER_REQUEST)
    return in_order(questions, _guarded(job, client), width, UNREAD_BYTES, _weight)


def _weight(page: Page) -> int:
    return sum(map(len, page.records))


def _guarded(job: Job, client: Client) -> Callable[[_Question, Go], AsyncGenerator[Page, None]]:
    def pages(question: _Question, go: Go) -> AsyncGenerator[Page, None]:
        async def counted(request: Request) -> Response:
            await go()
            question.requests += 1
            return await client.fetch(request)

        return guard(job.vendor.pages(counted, question.query, job.window), job.vendor.name)

    return pages


async def guard(pages: AsyncGenerator[Page, None], vendor: str) -> AsyncGenerator[Page, None]:
    """Pass pages on; raises Stalled on a cursor that comes twice, Incomplete on fewer records than declared."""
    cursors: set[str] = set()
    received, declared = 0, None
    async with aclosing(pages):
        async for page in pages:
            received += len(page.records)
            declared = page.total if page.total is not None else declared
            yield page
            if page.cursor and page.cursor in cursors:
                msg = "the vendor handed out the same page cursor twice, which would never end"
                raise Stalled(msg, vendor=vendor)
            cursors.add(page.cursor)
    if declared is not None and received < declared:
        msg = f"{received} records came where the vendor declared {declared}"
        raise Incomplete(msg, vendor=vendor)


async def _all_pages(job: Job) -> AsyncGenerator[tuple[Query, Page], None]:
    async with (
        connect(job.vendor, job.credentials, concurrency=job.concurrency, limits=job.limits) as client,
        aclosing(_answers(_questions(job), job, client)) as answers,
    ):
        async for question, item in answers:
            if isinstance(item, Page):
                yield question.query, item
            elif item.error is not None:
                raise _placed(item.error, job)


def _placed(error: Exception, job: Job) -> Exception:
    if isinstance(error, VendorError):
        error.vendor, error.window = error.vendor or job.vendor.name, str(job.window)
    return error


async def _next(pages: AsyncGenerator[Any, None]) -> Any:
    return await anext(pages, None)
