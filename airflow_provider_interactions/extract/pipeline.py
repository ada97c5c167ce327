"""One window, many contacts: query the vendor, guard the pages, write them. The pipeline on one screen.

extract(job)  ->  queries of each contact  ->  vendor.pages(fetch, …)  ->  guards  ->  RawWriter  ->  Manifest
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing
from dataclasses import replace
from itertools import islice
from typing import Any

from airflow_provider_interactions.columnar.buffers import size
from airflow_provider_interactions.contract import (
    MOST_EMPTY_PAGES,
    Contact,
    Page,
    Query,
    Request,
    Response,
    T,
)
from airflow_provider_interactions.errors import ConfigError, Incomplete, Stalled, TooManyRejects, Unreconciled
from airflow_provider_interactions.extract.checkpoint import Checkpoint, Tally, expire_checkpoints
from airflow_provider_interactions.extract.concurrency import Go, StreamEnd, stream_in_order
from airflow_provider_interactions.extract.job import Job, check_known, open_checkpoints
from airflow_provider_interactions.extract.last_pages import (
    PagesCut,
    confirm_last_pages,
    open_page_cap,
    refuse_cut_pages,
)
from airflow_provider_interactions.extract.raw_writer import RawWriter
from airflow_provider_interactions.extract.tracker import (
    CheckpointTimer,
    Question,
    Tracker,
    report_progress,
    with_window,
)
from airflow_provider_interactions.extract.unanswered import Witnesses
from airflow_provider_interactions.http.client import Client, connect
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.page_cap import PageCap

log = logging.getLogger(__name__)

#: Open queries per request in flight, so that a slow response at the front does not idle the others.
OPEN_PER_REQUEST = 4

#: Bytes of records that wait for their turn, however many queries are open.
UNREAD_BYTES = 16 * 1024 * 1024

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
    async with connect(job.vendor, job.credentials, concurrency=job.concurrency, limits=job.limits) as client:
        fresh: Checkpoint | None = None
        while True:
            writer = _open_writer(job, folder, fresh)
            sent = writer.state.tally.sent
            try:
                with writer, writer.drop_checkpoint_on(PagesCut):
                    return await _land_pages(job, client, writer)
            except PagesCut:
                log.warning(_STARTS_OVER, job.vendor.name, job.window)
                known = writer.state.pages.start_over()
                fresh = Checkpoint(extracted_at=job.extracted_at, tally=Tally(sent=sent), pages=known)


async def _land_pages(job: Job, client: Client, writer: RawWriter) -> Manifest:
    tracker, page_cap = Tracker(job, writer, client), open_page_cap(job, writer.state.pages)
    saver, witnesses = CheckpointTimer(writer, tracker), Witnesses(job, writer, client)
    questions = islice(_list_questions(job, page_cap), writer.state.questions, None)
    async with (
        report_progress(tracker),
        aclosing(_stream_answers(questions, job, client, witnesses.note_answer)) as answers,
    ):
        async for question, item in answers:
            if isinstance(item, StreamEnd):
                tracker.finish_query(question, await witnesses.judge_failure(question.query, item.error))
                await saver.count_question()
            else:
                tracker.land_page(question.query, item)
            if writer.full:
                await asyncio.to_thread(writer.flush)
            refuse_cut_pages(page_cap)
        await confirm_last_pages(page_cap, client.fetch, job)
    await asyncio.to_thread(writer.flush_rejects)
    with writer.drop_checkpoint_on(ConfigError, TooManyRejects, Unreconciled):
        tracker.check_undated()
        counts = tracker.counts()
        check_known(job, counts)
        manifest = await asyncio.to_thread(writer.finish, counts)
    await saver.save_finished()
    return manifest


def _open_writer(job: Job, folder: str, fresh: Checkpoint | None) -> RawWriter:
    """A new writer, or one that continues the checkpoint of an earlier try of the same run unless ``fresh`` is given.

    A finished checkpoint is used again, unless the task was cleared since.
    """
    if job.resume is None:
        state = fresh or Checkpoint(extracted_at=job.extracted_at)
        return RawWriter(job.lake, job.place, state, job.batch, job.batches, folder, asked=job.asked)
    store = open_checkpoints(job)
    expire_checkpoints(job.lake, job.place, job.extracted_at, job.resume_age)
    found = None if fresh else store.load(job.extracted_at, job.resume_age)
    if found and found[0].finished and found[0].generation != job.generation:
        store.drop()
        found = None
    state, rows, outcomes = found or (fresh or Checkpoint(extracted_at=job.extracted_at), [], [])
    state.generation = job.generation
    writer = RawWriter(job.lake, job.place, state, job.batch, job.batches, folder, store, job.asked)
    writer.restore(rows, outcomes)
    return writer


def _list_questions(job: Job, page_cap: PageCap | None = None) -> Iterator[Question]:
    """Every query of every contact, in order. Without a ``page_cap`` each one confirms its last page."""
    for contact in job.contacts:
        queries = list(job.vendor.queries(contact, job.credentials.settings, job.options))
        for n, query in enumerate(queries, start=1):
            yield Question(replace(query, page_cap=page_cap) if page_cap else query, last=n == len(queries))


def _stream_answers(
    questions: Iterable[Question], job: Job, client: Client, note: Callable[[Contact], None] = lambda _: None
) -> AsyncGenerator[tuple[Question, Page | StreamEnd], None]:
    width = max(2, client.throttle.most * OPEN_PER_REQUEST)
    return stream_in_order(questions, _guard_query(job, client, note), width, UNREAD_BYTES, _measure_page)


def _measure_page(page: Page) -> int:
    return size(page.records)


def _guard_query(
    job: Job, client: Client, note: Callable[[Contact], None]
) -> Callable[[Question, Go], AsyncGenerator[Page, None]]:
    def pages(question: Question, go: Go) -> AsyncGenerator[Page, None]:
        async def fetch_and_count(request: Request, decode: Callable[[Response], T], /) -> T:
            await go()
            question.requests += 1
            answer = await client.fetch(request, decode)
            note(question.query.contact)
            return answer

        return guard_pages(job.vendor.pages(fetch_and_count, question.query, job.window), job.vendor.name)

    return pages


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
                msg = "the vendor handed out the same page cursor twice, which would never end"
                raise Stalled(msg, vendor=vendor)
            if empty == MOST_EMPTY_PAGES:
                msg = f"the vendor sent {empty} empty pages in a row and still hands out a cursor"
                raise Stalled(msg, vendor=vendor)
            cursors.add(page.cursor)
    if declared is not None and received < declared:
        msg = f"{received} records came where the vendor declared {declared}"
        raise Incomplete(msg, vendor=vendor)


async def _stream_pages(job: Job) -> AsyncGenerator[tuple[Query, Page], None]:
    async with (
        connect(job.vendor, job.credentials, concurrency=job.concurrency, limits=job.limits) as client,
        aclosing(_stream_answers(_list_questions(job), job, client)) as answers,
    ):
        async for question, item in answers:
            if isinstance(item, Page):
                yield question.query, item
            elif item.error is not None:
                raise with_window(item.error, job, question.query.contact)


async def _take_next(pages: AsyncGenerator[Any, None]) -> Any:
    return await anext(pages, None)
