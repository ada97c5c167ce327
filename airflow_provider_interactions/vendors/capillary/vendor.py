"""Capillary: the resource ``customer(s)/interaction`` of its API v2 and v1.1.

Neither version filters by date: v2 sends the whole history at once, v1.1 page by page (its ``start_date`` and
``end_date`` have no published format or zone, so they are not used). The same message comes under ``phone`` and
``sms`` with one id; ``phone`` is yielded last, so that its repeats are the ones dropped. A message's status changes
after it was sent. The API cannot list all customers, so contacts must be given. A call can take 30 seconds before the
gateway gives up, so do not time out sooner. The vendor's bulk way is its data export ("Messages"). Nobody has verified
this module against the live service; what the pages leave open is read both ways, and each such place says so.

Sources: "Get Customer Interactions" in its editions for v2 and v1.1, "Rate limits" (docs.capillarytech.com/reference,
read 2026-11); the v1.1 documentation (github.com/capillary, read 2026-11).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Literal

import pyarrow as pa

from airflow_provider_interactions import contract
from airflow_provider_interactions.contract import (
    Contact,
    Fetch,
    Pace,
    Page,
    PageRule,
    Query,
    Request,
    Response,
    Vendor,
)
from airflow_provider_interactions.errors import BadResponse, Incomplete, Stalled
from airflow_provider_interactions.instants import Instants
from airflow_provider_interactions.schema import INSTANT
from airflow_provider_interactions.vendors.capillary import responses, vocabulary
from airflow_provider_interactions.vendors.capillary.about import ABOUT
from airflow_provider_interactions.vendors.capillary.auth import JSON, Settings, auth
from airflow_provider_interactions.vendors.capillary.errors import classify
from airflow_provider_interactions.vendors.capillary.fields import write_context
from airflow_provider_interactions.vendors.capillary.identity import Sight, inspect_records
from airflow_provider_interactions.vendors.capillary.mapping import map_records
from airflow_provider_interactions.vendors.capillary.paging import Paging
from airflow_provider_interactions.vendors.capillary.responses import Entry
from airflow_provider_interactions.vendors.shared.encoding import to_utf8
from airflow_provider_interactions.window import Window

PATHS = {"v2": "/v2/customers/interaction", "v1.1": "/v1.1/customer/interaction"}

#: v1.1: the documented default of ``limit``. No maximum is published.
PAGE_SIZE = 50

#: v1.1: pages of one customer after which the server is assumed never to end.
MAX_PAGES = 10_000

#: The message that has a key, by what makes it that message.
Owners = dict[tuple[str | None, ...], tuple[str | None, ...]]

#: An address that cannot exist (RFC 6761, section 6.4).
NOBODY = "nobody@connection-test.invalid"


class Options(contract.Options, frozen=True, kw_only=True):
    """``network`` and ``type``: the vendor's filters (default: none), see its page for their values.

    ``page_size``: ``limit`` of v1.1 (default 50); v2 has no pages. ``check_counts``: fail with Incomplete when a
    channel lists fewer messages than its ``count`` says, which is how a cut history would show (unverified, so it can
    be switched off; not checked under the filter ``type``).
    """

    network: Literal["facebook", "twitter", "foursquare", "capillary"] | None = None
    type: str | None = None
    check_counts: bool = True


@dataclass(frozen=True, slots=True)
class _Answer:
    """One response's channels, and the offset where the next one starts, empty after the last."""

    entries: Sequence[Entry]
    cursor: str = ""


def page_rule(settings: Settings, options: Options) -> PageRule:
    """v2: the whole history at once. v1.1: pages that overlap by a row and do not say which is the last one."""
    if settings.api == "v2":
        return PageRule()
    return PageRule(_choose_page_size(options), overlap=1, marks_end=False)


async def pages(fetch: Fetch, query: Query[Settings, Options], window: Window) -> AsyncGenerator[Page, None]:  # noqa: ARG001 - unfiltered
    """One page for each channel of each response, because a record does not name its channel; ``phone`` last of all.

    Raises Stalled when v1.1 repeats a page, Incomplete when fewer messages came than the vendor counts.
    """
    held: list[Page] = []
    owners: Owners = {}
    got: Counter[str] = Counter()
    said: Counter[str] = Counter()
    async with aclosing(_read_answers(fetch, query)) as found:
        async for answer in found:
            counts = Counter[str]()
            for entry in answer.entries:
                got[entry.name] += len(entry.listed)
                counts[entry.name] += entry.count or 0
            said |= counts  # pages repeat a channel's count, but one response may have a channel twice
            for name, page in _split(answer, query.settings.time_zone, owners):
                if name == vocabulary.REPEATED:
                    held.append(page)
                else:
                    yield page
    for page in held:
        yield page
    if query.options.check_counts and query.options.type is None:
        _refuse_fewer(got, said)


def probe(settings: Settings) -> Request:
    """The cheapest call that proves the credentials: the history of an address that cannot exist.

    A response that means ContactNotFound (or another ContactError) is the success.
    """
    return _ask(Contact(NOBODY, "email"), settings, Options(page_size=1), 0)


async def _read_answers(fetch: Fetch, query: Query[Settings, Options]) -> AsyncGenerator[_Answer, None]:
    """v2: the one response. v1.1: page by page. Pages overlap by a row, so that no row is lost between them.

    A row that is deleted meanwhile moves the later ones up, over the border of a page. Then the next page does not
    begin with a known row, and is requested again from a smaller offset.
    """
    if query.settings.api == "v2":
        yield _Answer(await _fetch_entries(fetch, query, 0))
        return
    paging = Paging(_choose_page_size(query.options), query.settings.time_zone, query.page_cap)
    customers = set[str]()
    for _ in range(MAX_PAGES):
        entries = await _fetch_entries(fetch, query, paging.offset)
        customers.update(entry.customer for entry in entries if entry.customer)
        if len(customers) > 1:
            msg = "the pages of one customer are about several customers"
            raise BadResponse(msg)
        if not paging.follows(entries):
            paging.step_back()
            continue
        is_first = not paging.offset and not paging.steps_back
        fresh = paging.advance(entries)
        # The largest limit is not published. A short page may have been cut; a page with nothing new is the end.
        if paging.is_end(entries, fresh) and not is_first:
            _refuse_repeat(entries, paging.size)
            return
        last = not any(entry.count is not None and entry.listed for entry in entries) or (
            paging.short > 0
            and query.page_cap.believes(paging.short, partial(_read_rest, query, paging.keep_last(entries)))
        )
        yield _Answer(fresh, "" if last else paging.cursor)
        if last:
            return
    msg = f"v1.1 did not come to an end within {MAX_PAGES} pages of one customer"
    raise Stalled(msg)


async def _read_rest(query: Query[Settings, Options], paging: Paging, fetch: Fetch) -> Instants:
    """The instants of the rows after the last page that was read; empty if rows have moved, which proves nothing."""
    entries = await _fetch_entries(fetch, query, paging.offset)
    fresh = paging.keep_fresh(entries) if paging.follows(entries) else []
    entries = [entry for entry in fresh if entry.count is not None]
    rows = [(entry.name, record) for entry in entries for record in entry.listed]
    sights = inspect_records([record for _, record in rows], paging.time_zone, [name for name, _ in rows])
    return _to_instants([one.at for one in sights])


def _choose_page_size(options: Options) -> int:
    """Rows of a page: at least two, because one of them is the last row of the page before."""
    return max(2, options.page_size or PAGE_SIZE)


async def _fetch_entries(fetch: Fetch, query: Query[Settings, Options], offset: int) -> list[Entry]:
    request = _ask(query.contact, query.settings, query.options, offset)
    check = query.options.check_counts
    return await fetch(request, lambda response: list(_decode(response, check_counts=check)))


def _decode(response: Response, *, check_counts: bool) -> Iterator[Entry]:
    return responses.list_entries(responses.read_body(to_utf8(response)), check_counts=check_counts)


def _split(answer: _Answer, time_zone: str, owners: Owners) -> Iterator[tuple[str, Page]]:
    """A response's pages with the names of their channels; at least one, the last with the cursor."""
    rows = [(entry.name, record) for entry in answer.entries for record in entry.records]
    sights = inspect_records([record for _, record in rows], time_zone, [name for name, _ in rows])
    found: dict[tuple[str, bool], list[tuple[bytes, int | None]]] = {}
    shared = _find_shared(sights, owners)
    for n, ((name, record), one) in enumerate(zip(rows, sights, strict=True)):
        found.setdefault((name, n in shared), []).append((record, one.at))
    for n, ((name, is_shared), some) in enumerate((found or {("", False): []}).items(), start=1):
        written = write_context(name, time_zone, shared=is_shared)
        cursor = answer.cursor if n == len(found) or not found else ""
        yield name, Page([record for record, _ in some], _to_instants([at for _, at in some]), written, cursor)


def _to_instants(ticks: Sequence[int | None]) -> Instants:
    return Instants(pa.array(ticks, pa.int64()).cast(INSTANT))


def _find_shared(sights: Sequence[Sight], owners: Owners) -> set[int]:
    """The numbers of messages that have the key of an earlier message. The message that was sent first keeps it."""
    dated = [(one.at, n, one.key, one.identity) for n, one in enumerate(sights) if one.at is not None and one.key]
    return {
        n
        for _, n, key, identity in sorted(dated, key=lambda row: row[:2])
        if owners.setdefault(key, identity) != identity
    }


def _refuse_repeat(entries: Sequence[Entry], size: int) -> None:
    """Raise Stalled for a page that only repeats messages.

    A page without a message, or with only the overlapping row, is the end, whatever else is on it. So is a page with a
    channel longer than ``limit``, because then this server sends everything at once.
    """
    numbers = [len(entry.listed) for entry in entries if entry.count is not None]
    if 1 < max(numbers, default=0) <= size <= sum(numbers):
        msg = (
            "v1.1 sent the same page twice, so its paging does not work there. Set the extra's api to v2, or the "
            "option page_size above the longest history"
        )
        raise Stalled(msg)


def _refuse_fewer(got: Counter[str], said: Counter[str]) -> None:
    fewer = [name for name, count in said.items() if got[name] < count]
    if fewer:
        msg = (
            f"fewer messages came than the vendor counts, in {len(fewer)} channels of one customer: the vendor seems "
            "to cut long histories. Use its data export for them, or set the option check_counts to false"
        )
        raise Incomplete(msg)


def _ask(person: Contact, settings: Settings, options: Options, offset: int) -> Request:
    filters = {"network": options.network, "type": options.type}
    given = {name: value for name, value in filters.items() if value}
    if settings.api == "v2":
        who = {"identifierName": person.kind, "identifierValue": person.id}
        return Request("GET", PATHS["v2"], query={**who, **given}, headers=JSON)
    paging = {"limit": str(_choose_page_size(options)), "offset": str(offset)}
    query = {"format": "json", person.kind: person.id, **given, **paging}
    return Request("GET", PATHS["v1.1"], query=query, headers=JSON)


VENDOR = Vendor(
    about=ABOUT,
    settings=Settings,
    options=Options,
    identifiers="a mobile number, an email or an external_id, and not be empty",
    page_rule=page_rule,
    pages=pages,
    map_records=map_records,
    auth=auth,
    classify=classify,
    probe=probe,
    filters_by_date=False,
    # "Rate limits" (read 2026-11): demo organisations 100 a minute for each key; production by contract, and this
    # resource has no published figure. Newer endpoint pages say 1,000.
    pace=Pace(concurrency=8, requests=100, seconds=60, source="docs.capillarytech.com, rate-limits, 2026-11"),
)
