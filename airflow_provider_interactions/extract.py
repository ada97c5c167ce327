"""One window, many contacts: ask the vendor, guard the answers, land them. The pipeline on one screen.

extract(job)  ->  queries of each contact  ->  vendor.pages(fetch, …)  ->  guards  ->  Landing  ->  Manifest
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

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
from airflow_provider_interactions.lake import Lake, Place
from airflow_provider_interactions.land import Landing
from airflow_provider_interactions.manifest import OUTCOMES, Counts, Manifest
from airflow_provider_interactions.ordered import Ended, in_order
from airflow_provider_interactions.window import Window

#: Queries opened per request in flight, so that a slow answer at the front does not idle the others.
OPEN_PER_REQUEST = 4


#: How long a history that was fetched whole serves windows that ended before, for vendors that cannot filter by date.
HISTORY_AGE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an extraction is; ``rows`` are records in the window."""

    contacts: int
    done: int
    rows: int
    requests: int
    throttled: int


@dataclass(frozen=True, slots=True)
class Job:
    """Everything one extraction needs. ``contacts`` are asked in this order; ``batch`` of ``batches`` of the window.

    ``on_missing`` says what a contact that the vendor cannot answer for means: ``record`` notes it as an outcome,
    ``fail`` ends the extraction. ``concurrency`` overrides the vendor's requests in flight. ``history_age`` is for
    vendors that cannot filter by date: how old a history in the lake may be to be cut instead of asked for again;
    zero asks anew. ``extracted_at`` is the instant (aware) that every row of this extraction carries.
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
        with Landing(job.lake, job.place, job.extracted_at, job.batch, job.batches, folder) as landing:
            tally = _Tally(job, landing, client)
            async with aclosing(in_order(_questions(job), _guarded(job, client), _width(client))) as answers:
                async for question, item in answers:
                    if isinstance(item, Ended):
                        tally.end(question, item.error)
                    else:
                        tally.take(question.query, item)
                        if landing.full:
                            await asyncio.to_thread(landing.flush)
            return await asyncio.to_thread(landing.finish, tally.counts())


@dataclass(slots=True)
class _Question:
    """A query on its way: whether it is its contact's last, and how many requests it took so far."""

    query: Query
    last: bool
    requests: int = 0


@dataclass(slots=True)
class _Tally:
    """Counts what comes, and judges each contact when its last query has ended."""

    job: Job
    landing: Landing
    client: Client
    received: int = 0
    fetched: int = 0
    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    rows: int = 0
    requests: int = 0
    missing: ContactError | None = None

    def take(self, query: Query, page: Page) -> None:
        """Keep the records of the window, and those whose time cannot be read: normalize judges them."""
        self.received += len(page.records)
        window = self.job.window
        kept = [n for n, at in enumerate(page.occurred) if at is None or at in window]
        records, occurred = page.records, page.occurred
        if len(kept) < len(records):
            records, occurred = [records[n] for n in kept], [occurred[n] for n in kept]
        self.rows += len(records)
        self.fetched += len(records)
        self.landing.add(query, records, occurred, page.context)

    def end(self, question: _Question, error: Exception | None) -> None:
        """One query is over; raises its error unless it only says that the contact is not there."""
        self.requests += question.requests
        if isinstance(error, ContactError) and self.job.on_missing == "record":
            self.missing = error
        elif error is not None:
            raise _placed(error, self.job)
        if question.last:
            self._judge(question.query.contact)

    def _judge(self, contact: Contact) -> None:
        found = "ok" if self.rows else "empty"
        outcome, reason = (self.missing.outcome, self.missing.message) if self.missing else (found, None)
        self.landing.outcome(contact, outcome, self.rows, self.requests, reason)
        self.outcomes[outcome] += 1
        self.rows, self.requests, self.missing = 0, 0, None
        if self.job.progress is not None:
            self.job.progress(self._progress())

    def _progress(self) -> Progress:
        sent = self.client.counters
        done = sum(self.outcomes.values())
        return Progress(len(self.job.contacts), done, self.fetched, sent.requests, sent.throttled)

    def counts(self) -> Counts:
        """What the manifest says, without ``landed``, which only the writer knows."""
        sent = self.client.counters
        return Counts(
            received=self.received,
            outside=self.received - self.fetched,
            fetched=self.fetched,
            contacts=len(self.job.contacts),
            requests=sent.requests,
            retries=sent.retries,
            throttled=sent.throttled,
            **self.outcomes,
        )


def _questions(job: Job) -> Iterator[_Question]:
    """Every query of every contact, in order."""
    for contact in job.contacts:
        queries = list(job.vendor.queries(contact, job.credentials.settings, job.options))
        for n, query in enumerate(queries, start=1):
            yield _Question(query, last=n == len(queries))


def _guarded(job: Job, client: Client) -> Callable[[_Question], AsyncGenerator[Page, None]]:
    def pages(question: _Question) -> AsyncGenerator[Page, None]:
        async def counted(request: Request) -> Response:
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


def _width(client: Client) -> int:
    return max(2, client.pacer.most * OPEN_PER_REQUEST)


async def _all_pages(job: Job) -> AsyncGenerator[tuple[Query, Page], None]:
    async with (
        connect(job.vendor, job.credentials, concurrency=job.concurrency, limits=job.limits) as client,
        aclosing(in_order(_questions(job), _guarded(job, client), _width(client))) as answers,
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
