"""Blackbaud Luminate Online: the methods getUserInteractions and listInteractions of ``SRConsAPI``.

One call returns a page of one constituent's interactions, filtered by creation time. Notes come with custom interaction
types only; those of standard types need the option ``details``, one more call for each row. Edits of an interaction do
not change its creation time, so a window sees them only when it is read again; ``updated_at`` is then the time of the
last edit. This module is not verified against the live service. Where the pages are silent, both readings are handled
and marked.

Sources: the pages of getUserInteractions, getInteraction, listInteractions, getGroupMembers and "Common Parameters"
(open.convio.com/api/apidoc, read 2026-11).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import pyarrow as pa

from airflow_provider_interactions.contract import (
    Contact,
    Fetch,
    Pace,
    Page,
    Query,
    Response,
    Vendor,
)
from airflow_provider_interactions.errors import BadResponse, ConfigError, ContactError, Incomplete, RequestRejected
from airflow_provider_interactions.instants import Instants
from airflow_provider_interactions.vendors.luminate_online import responses
from airflow_provider_interactions.vendors.luminate_online.about import ABOUT
from airflow_provider_interactions.vendors.luminate_online.auth import Settings, auth
from airflow_provider_interactions.vendors.luminate_online.errors import classify
from airflow_provider_interactions.vendors.luminate_online.mapping import (
    EVERYONE,
    map_records,
    read_time,
    spell_constituent,
)
from airflow_provider_interactions.vendors.luminate_online.paging import Paging
from airflow_provider_interactions.vendors.luminate_online.requests import (
    PAGE_SIZE,
    Options,
    ask_page,
    build_request,
    choose_method,
    name_contact,
    page_rule,
    probe,
    queries,
    spell_identifier,
)
from airflow_provider_interactions.vendors.luminate_online.responses import Answer, Get
from airflow_provider_interactions.vendors.shared.columns import read_instants
from airflow_provider_interactions.window import Window

log = logging.getLogger(__name__)

#: Codes with which a site says that it has no such method, or does not allow it ("Error Codes").
NO_METHOD = frozenset({"6", "14"})

#: "getGroupMembers": up to 1000 members, and no paging.
MAX_MEMBERS = 1000

#: Standard interaction types have small ids, custom ones start here in every sample seen (not a documented rule).
FIRST_CUSTOM_TYPE = 1000


@dataclass(frozen=True, slots=True)
class _Seen:
    """What paging needs to know of a record."""

    id: str | None
    created: str | None
    standard: bool
    person: Any

    def is_of(self, other: _Seen) -> bool:
        """Whether both are one interaction, of one constituent as far as they say."""
        people = {spell_constituent(one.person) for one in (self, other)} - {""}
        return (self.id, self.created) == (other.id, other.created) and len(people) < 2


async def pages(fetch: Fetch, query: Query[Settings, Options], window: Window) -> AsyncGenerator[Page, None]:
    """Page by record offset until nothing new comes, or a short page is taken as the last one.

    No maximum page size is documented, so that decision depends on the pages that the run has seen; see ``page_cap``.
    Pages overlap by one record, because a row that is deleted meanwhile would hide another one; see ``paging``.
    """
    paging, details = Paging(query.options.page_size or PAGE_SIZE, query.page_cap), _wants_details(query)
    while not paging.ended:
        answer = await fetch(ask_page(query, window, paging), partial(_read_page, choose_method(query)))
        total = responses.read_number(answer.rest, "totalNumberResults")
        at = _read_occurred(answer)
        names, begins = _name_records(answer, at), not paging.offset
        fresh = paging.take(answer.records, names, total)
        if fresh is None:  # rows are missing between two pages: request an earlier page again
            continue
        if paging.short and query.page_cap.believes(
            paging.short, partial(_read_rest, query, window, paging.keep_last())
        ):
            paging.end_early()
        records, at = [answer.records[n] for n in fresh], at.take(pa.array(fresh, pa.int64()))
        if details:
            seen = [answer.values[n] for n in fresh]
            inside = [moment is None or moment in window for moment in Instants(at)]
            records, details = await _fetch_details(fetch, query, records, seen, inside)
        if records or begins or not paging.ended:
            # Going back asks for an offset twice, so pages are numbered; ``paging`` detects repeats.
            cursor = "" if paging.ended else str(paging.pages)
            yield Page(records, Instants(at), cursor=cursor, total=total)


async def contacts(fetch: Fetch, settings: Settings, options: Options) -> AsyncGenerator[Sequence[Contact], None]:
    """The members of a group; raises Incomplete if the vendor's limit cuts the list."""
    if options.group_id is None:
        msg = "luminate_online: the option group_id is empty. Name the group whose members are the contacts."
        raise ConfigError(msg)
    form = {"group_id": str(options.group_id), "fields": "cons_id", "max_number": str(MAX_MEMBERS)}
    answer = await fetch(build_request("getGroupMembers", settings, form), _read_members)
    got, total = len(answer.records), responses.read_number(answer.rest, "total_number")
    if not got and total is None:
        msg = "the list has neither members nor their number, so it is not known whether the group is empty"
        raise BadResponse(msg)
    if got < total if total is not None else got >= MAX_MEMBERS:
        msg = (
            f"the vendor lists {got} of the group's {total or 'unknown number of'} members and pages no further. "
            "Split the group, or give the contacts as a list or a file exported from the site"
        )
        raise Incomplete(msg)
    yield [VENDOR.contact(cons_id) for cons_id in answer.values]


async def _read_rest(
    query: Query[Settings, Options], window: Window, paging: Paging, fetch: Fetch
) -> list[datetime | None]:
    """The instants of the rows after the last page that was read; empty if rows have moved, which proves nothing."""
    answer = await fetch(ask_page(query, window, paging), partial(_read_page, choose_method(query)))
    at = _read_occurred(answer)
    names = _name_records(answer, at)
    if not paging.continues(names):
        return []
    return [one for name, one in zip(names, Instants(at), strict=True) if name not in paging.seen]


def _read_page(method: str, response: Response) -> Answer[_Seen]:
    return responses.read(response, method, "interaction", "the page", _inspect)


def _read_members(response: Response) -> Answer[str]:
    return responses.read(response, "getGroupMembers", "member", "the list", _read_cons_id)


def _inspect(get: Get) -> _Seen:
    kind = get("interactionTypeId")
    known = isinstance(kind, str) and kind.isascii() and kind.isdecimal()
    standard = known and int(kind) < FIRST_CUSTOM_TYPE and get("note") is None
    found, created = get("interactionId"), get("creationDate")
    named = found if isinstance(found, str) else None
    return _Seen(named, created if isinstance(created, str) else None, standard, get("consId"))


def _read_occurred(answer: Answer[_Seen]) -> pa.TimestampArray:
    return read_instants(pa.array([one.created for one in answer.values], pa.string()), read_time)


def _name_records(answer: Answer[_Seen], at: pa.TimestampArray) -> list[str]:
    """A name for each row, however it is written. An id is not enough: rows may share it, or it is a placeholder."""
    rows = zip(answer.values, at.cast(pa.int64()).to_pylist(), answer.records, strict=True)
    return [f"{one.id} {tick}" if one.id else hashlib.sha256(record).hexdigest() for one, tick, record in rows]


def _wants_details(query: Query[Settings, Options]) -> bool:
    return bool(query.options.details) and query.contact.kind != EVERYONE


async def _fetch_details(
    fetch: Fetch,
    query: Query[Settings, Options],
    records: list[bytes],
    seen: Sequence[_Seen],
    inside: Sequence[bool],
) -> tuple[list[bytes], bool]:
    """The records, with notes for those of standard types in the window, and whether the site has such notes."""
    found = list(records)
    for n, one in enumerate(seen):
        if one.standard and one.id and inside[n]:
            try:
                found[n] = await _fetch_detail(fetch, query, records[n], one)
            except RequestRejected as refusal:
                if refusal.code not in NO_METHOD:
                    raise
                log.warning(
                    "luminate_online: this site does not answer getInteraction (code %s), so interactions of standard "
                    "types come without their notes",
                    refusal.code,
                )
                return found, False
    return found, True


async def _fetch_detail(fetch: Fetch, query: Query[Settings, Options], record: bytes, listed: _Seen) -> bytes:
    """The same interaction with its note; the unchanged record if the vendor has nothing to add."""
    form = {**name_contact(query.contact), "interaction_id": str(listed.id)}
    try:
        answer = await fetch(
            build_request("getInteraction", query.settings, form), partial(_read_page, "getInteraction")
        )
    except ContactError:
        return record
    return answer.records[0] if [one.is_of(listed) for one in answer.values] == [True] else record


def _read_cons_id(get: Get) -> str:
    found = get("cons_id")
    if not isinstance(found, str):
        msg = "a member of the group comes without its cons_id"
        raise BadResponse(msg)
    return found


VENDOR = Vendor(
    about=ABOUT,
    settings=Settings,
    options=Options,
    identifier=spell_identifier,
    identifiers="cons_id (digits), member_id or email, or as * of kind everyone for the bulk route",
    queries=queries,
    page_rule=page_rule,
    pages=pages,
    map_records=map_records,
    auth=auth,
    classify=classify,
    probe=probe,
    contacts=contacts,
    thorough={"details": True},
    # No limit on calls is published for this API; figures such as 5 a second belong to SKY API, another product.
    # Public scripts make one call at a time and pause out of courtesy, hence so few at once.
    pace=Pace(concurrency=4, source="none published (open.convio.com, read 2026-11)"),
)
