"""One window, many contacts: query the vendor, guard the pages, write them. The pipeline on one screen.

extract(job)  ->  queries of each contact  ->  vendor.pages(fetch, …)  ->  guards  ->  RawWriter  ->  Manifest
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

import pyarrow as pa

from airflow_provider_interactions.contract import (
    MOST_EMPTY_PAGES,
    Contact,
    Page,
    Query,
    Request,
    Response,
    T,
)
from airflow_provider_interactions.errors import (
    ConfigError,
    Incomplete,
    Stalled,
    TooManyRejects,
    Unavailable,
    Unreconciled,
    VendorError,
)
from airflow_provider_interactions.extract.checkpoint import Checkpoint, Tally
from airflow_provider_interactions.extract.concurrency import run_in_any_order, stream_in_order
from airflow_provider_interactions.extract.encrypt import create_keys
from airflow_provider_interactions.extract.job import Job, check_known
from airflow_provider_interactions.extract.last_pages import (
    PagesCut,
    confirm_last_pages,
    open_page_cap,
    refuse_cut_pages,
)
from airflow_provider_interactions.extract.open_contacts import OpenContact, Question
from airflow_provider_interactions.extract.outcomes import Answer
from airflow_provider_interactions.extract.resume import open_writer
from airflow_provider_interactions.extract.timers import CheckpointTimer, report_progress
from airflow_provider_interactions.extract.tracker import (
    Tracker,
    with_window,
)
from airflow_provider_interactions.extract.unanswered import Witnesses
from airflow_provider_interactions.extract.undated import check_undated
from airflow_provider_interactions.http.client import Client, connect
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.page_cap import PageCap

log = logging.getLogger(__name__)

#: For so many requests in flight, one more question is open, so that another request is ready when one ends; and the
#: least number of these.
SPARE, LEAST_SPARE = 8, 3

#: Questions that may wait for a retry, for each request in flight, while others are asked instead.
RETRYING_PER_REQUEST = 8

_STARTS_OVER = (
    "%s, window %s: pages that were believed to be the last ones of their contacts may have been cut by the server. "
    "The run drops what it has, starts over and confirms such pages. To avoid this, set the option page_size to the "
    "most that the vendor gives."
)


def fetch_pages(job: Job) -> Iterator[tuple[Query, Page]]:
    """The vendor's pages without a lake, one after the other, as a plain generator for use outside an event loop."""
    with asyncio.Runner() as runner:
        pages = _stream_pages(job)
        try:
            while (found := runner.run(_take_next(pages))) is not None:
                yield found
        finally:
            runner.run(pages.aclose())


async def land_pages(job: Job, folder: str = "") -> Manifest:
    """Query the vendor and write its records to ``folder``; default: the window's raw folder.

    Starts over when pages that were believed to be the last ones may have been cut, see ``page_cap``.
    """
    connection = connect(
        job.vendor, job.credentials, concurrency=job.concurrency, limits=job.limits, sharing=job.sharing
    )
    async with connection as client:
        fresh: Checkpoint | None = None
        while True:
            writer, rows, answers = open_writer(job, folder, fresh)
            sent = writer.state.tally.sent
            try:
                await asyncio.to_thread(create_keys, job.lake, job.vendor.name, job.contacts)
                with writer, writer.drop_checkpoint_on(PagesCut):
                    return await _land_pages(Tracker(job, writer, client), rows, answers)
            except PagesCut:
                log.warning(_STARTS_OVER, job.vendor.name, job.window)
                known = writer.state.pages.start_over()
                fresh = Checkpoint(extracted_at=job.extracted_at, tally=Tally(sent=sent), pages=known)


async def _land_pages(tracker: Tracker, rows: Sequence[pa.Table], answers: Sequence[Answer]) -> Manifest:
    """Ask what has no answer yet; ``rows`` and ``answers`` are those of a checkpoint."""
    job, writer = tracker.job, tracker.writer
    page_cap = open_page_cap(job, writer.state.pages)
    contacts = _list_contacts(job, page_cap)
    questions = _open_questions(tracker, chain(tracker.restore(contacts, rows, answers), contacts))
    async with report_progress(tracker):
        await _ask_all(questions, tracker, page_cap)
        await confirm_last_pages(page_cap, tracker.client.fetch, job)
    await asyncio.to_thread(writer.flush_rejects)
    with writer.drop_checkpoint_on(ConfigError, TooManyRejects, Unreconciled):
        check_undated(job, tracker.now, writer.undated_files)
        counts = tracker.build_counts()
        check_known(job, counts)
        manifest = await asyncio.to_thread(writer.finish, counts)
    await asyncio.to_thread(writer.save_finished, tracker.build_tally())
    return manifest


async def _ask_all(questions: Iterable[Question], tracker: Tracker, page_cap: PageCap) -> None:
    """Ask all questions, many at a time, and write what comes; contacts end in any order."""
    job, client, writer = tracker.job, tracker.client, tracker.writer
    timer, witnesses = CheckpointTimer(writer, tracker), Witnesses(job, writer, client)

    async def ask(question: Question) -> None:
        try:
            async with aclosing(_ask(question, job, client, witnesses.note_answer)) as pages:
                async for page in pages:
                    tracker.add_page(question, page)
                    if tracker.open.full:
                        await tracker.open.make_room()
        except Unavailable as error:
            found = await witnesses.judge_failure(question.query, error)
            raise found from found.__cause__

    async with aclosing(run_in_any_order(questions, ask, partial(_count_places, tracker))) as ended:
        async for question, error in ended:
            await tracker.end_question(question, error)
            if writer.full:
                await asyncio.to_thread(writer.flush)
            await timer.save_if_due()
            refuse_cut_pages(page_cap)


def _count_places(tracker: Tracker) -> int:
    """How many questions may be open: those that can be in flight, some more, and those that wait for a retry."""
    throttle, retrying = tracker.client.throttle, tracker.client.retrying
    places = int(throttle.places) // (2 if tracker.open.nearly_full else 1)
    return places + max(LEAST_SPARE, throttle.most // SPARE) + min(retrying, throttle.most * RETRYING_PER_REQUEST)


def _list_contacts(job: Job, page_cap: PageCap | None = None) -> Iterator[OpenContact]:
    """Every contact with its questions, in order. Without a ``page_cap`` each one confirms its last page."""
    number = 0
    for one in job.contacts:
        contact = OpenContact(one, number)
        for asked in job.vendor.queries(one, job.credentials.settings, job.options):
            query = replace(asked, page_cap=page_cap) if page_cap else asked
            contact.questions.append(Question(query, contact, Answer(number)))
            number += 1
        yield contact


def _open_questions(tracker: Tracker, contacts: Iterable[OpenContact]) -> Iterator[Question]:
    """Every question without a result yet."""
    for contact in contacts:
        tracker.open.open(contact)
        yield from [question for question in contact.questions if not question.ended]


def _ask(
    question: Question, job: Job, client: Client, note: Callable[[Contact], None] = lambda _: None
) -> AsyncGenerator[Page, None]:
    async def fetch_and_count(request: Request, decode: Callable[[Response], T], /) -> T:
        question.answer.requests += 1
        response = await client.fetch(request, decode)
        note(question.query.contact)
        return response

    return guard_pages(job.vendor.pages(fetch_and_count, question.query, job.window), job.vendor.name)


async def guard_pages(pages: AsyncGenerator[Page, None], vendor: str) -> AsyncGenerator[Page, None]:
    """Pass pages on; raises Stalled if they would never end, Incomplete on fewer records than declared.

    They would never end after a repeated cursor, or after very many empty pages with a cursor each.
    """
    cursors: set[str] = set()
    received, declared, empty = 0, None, 0
    async with aclosing(pages):
        async for page in pages:
            received += len(page.records)
            empty = empty + 1 if page.cursor and not page.records else 0
            declared = page.total if page.total is not None else declared
            yield page
            if page.cursor and page.cursor in cursors:
                msg = "the vendor sent the same page cursor twice, so the pages would never end"
                raise Stalled(msg, vendor=vendor)
            if empty == MOST_EMPTY_PAGES:
                msg = f"the vendor sent {empty} empty pages in a row, and still sends a cursor"
                raise Stalled(msg, vendor=vendor)
            cursors.add(page.cursor)
    if declared is not None and received < declared:
        msg = f"{received} records came where the vendor declared {declared}"
        raise Incomplete(msg, vendor=vendor)


async def _stream_pages(job: Job) -> AsyncGenerator[tuple[Query, Page], None]:
    questions = (question for contact in _list_contacts(job) for question in contact.questions)
    async with connect(job.vendor, job.credentials, concurrency=job.concurrency, limits=job.limits) as client:

        async def ask(question: Question) -> AsyncGenerator[Page, None]:
            try:
                async with aclosing(_ask(question, job, client)) as pages:
                    async for page in pages:
                        yield page
            except VendorError as error:
                with_window(error, job, question.query.contact)
                raise

        async with aclosing(stream_in_order(questions, ask, max(2, client.throttle.most))) as answers:
            async for question, page in answers:
                yield question.query, page


async def _take_next(pages: AsyncGenerator[Any, None]) -> Any:
    return await anext(pages, None)
