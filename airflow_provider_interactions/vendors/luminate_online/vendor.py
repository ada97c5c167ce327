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
import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

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
from airflow_provider_interactions.errors import BadResponse, ConfigError, ContactError, Incomplete, RequestRejected
from airflow_provider_interactions.instants import Instants
from airflow_provider_interactions.vendors.luminate_online import responses
from airflow_provider_interactions.vendors.luminate_online.about import ABOUT
from airflow_provider_interactions.vendors.luminate_online.auth import Settings, auth
from airflow_provider_interactions.vendors.luminate_online.errors import classify
from airflow_provider_interactions.vendors.luminate_online.mapping import EVERYONE, map_records, read_time
from airflow_provider_interactions.vendors.luminate_online.paging import Paging
from airflow_provider_interactions.vendors.luminate_online.responses import Answer, Get
from airflow_provider_interactions.vendors.shared.records import read_instants
from airflow_provider_interactions.window import Window, zulu

log = logging.getLogger(__name__)

#: Records of a page. No maximum is documented; up to 500 were seen in public code for sister methods.
PAGE_SIZE = 200

#: Codes with which a site says that it has no such method, or does not allow it ("Error Codes").
NO_METHOD = frozenset({"6", "14"})

#: "getGroupMembers": up to 1000 members, and no paging.
MAX_MEMBERS = 1000

#: Standard interaction types have small ids, custom ones start here in every sample seen (not a documented rule).
FIRST_CUSTOM_TYPE = 1000

#: The first and last instants that a second may be taken from or need not be added to.
FIRST, LAST = datetime(1, 1, 1, 0, 0, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)

PARAMETERS = {"cons_id": "cons_id", "member_id": "member_id", "email": "primary_email"}

IDENTIFIERS = {
    "cons_id": re.compile(r"[0-9]{1,20}"),
    "member_id": re.compile(r"[^\x00-\x1f\x7f]{1,255}"),
    "email": re.compile(r"[^@\s]{1,255}@[^@\s]{1,255}"),
    EVERYONE: re.compile(r"\*"),
}


class Options(contract.Options, frozen=True, kw_only=True):
    """``types``: interaction type ids to ask for (default: all); ``page_size``: records a page (default 200, least 2).

    ``details``: fetch the note of every interaction of a standard type, one more call a row. ``subject``: only
    interactions with this subject (unverified whether in whole or in part). ``group_id``: the group whose members the
    listing of contacts yields.
    """

    types: tuple[int | str, ...] = ()
    details: bool = False
    subject: str | None = None
    group_id: int | str | None = None

    def __post_init__(self) -> None:
        if not all(str(one).isdecimal() for one in self.types):
            msg = "luminate_online: the option types must hold interaction type ids, which are whole numbers."
            raise ConfigError(msg)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What paging needs to know of a record."""

    id: str | None
    created: str | None
    standard: bool


def spell_identifier(text: str, kind: str) -> str | None:
    """A constituent's identifier, or ``*`` of kind everyone, without the blanks around it."""
    found = text.strip()
    return found if IDENTIFIERS[kind].fullmatch(found) and found.isprintable() else None


def queries(person: Contact, settings: Settings, options: Options) -> Iterator[Query[Settings, Options]]:
    """One query for all types, or one for each type of the options. The bulk route needs types."""
    types: list[str | None] = list(dict.fromkeys(str(int(one)) for one in options.types))
    if person.kind == EVERYONE and not types:
        msg = "luminate_online: for everyone at once, the option types must name public custom interaction types."
        raise ConfigError(msg)
    return (Query(person, settings, options, native_type) for native_type in types or [None])


def page_rule(settings: Settings, options: Options) -> PageRule:  # noqa: ARG001 - both formats have the same pages
    """Pages that overlap by a row and do not say which is the last one."""
    return PageRule(max(2, options.page_size or PAGE_SIZE), overlap=1, marks_end=False)


async def pages(fetch: Fetch, query: Query[Settings, Options], window: Window) -> AsyncGenerator[Page, None]:
    """Page by record offset until nothing new comes, or a short page is taken as the last one.

    No maximum page size is documented, so that decision depends on the pages that the run has seen; see ``page_cap``.
    Pages overlap by one record, because a row that is deleted meanwhile would hide another one; see ``paging``.
    """
    paging, details = Paging(query.options.page_size or PAGE_SIZE, query.page_cap), _wants_details(query)
    while not paging.ended:
        answer = await fetch(_ask(query, window, paging), partial(_read_page, _choose_method(query)))
        total = responses.read_number(answer.rest.get("totalNumberResults"), "totalNumberResults")
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
    answer = await fetch(_build_request("getGroupMembers", settings, form), _read_members)
    got, total = len(answer.records), responses.read_number(answer.rest.get("total_number"), "total_number")
    if not got and total is None:
        msg = "the list has neither members nor their number, so that it does not say that the group is empty"
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
    answer = await fetch(_ask(query, window, paging), partial(_read_page, _choose_method(query)))
    at = _read_occurred(answer)
    names = _name_records(answer, at)
    if not paging.continues(names):
        return []
    return [one for name, one in zip(names, Instants(at), strict=True) if name not in paging.seen]


def _read_page(method: str, response: Response) -> Answer[_Seen]:
    return responses.read(response, method, "interaction", "the page", _inspect)


def _read_members(response: Response) -> Answer[str]:
    return responses.read(response, "getGroupMembers", "member", "the list", _read_cons_id)


def probe(settings: Settings) -> Request:
    """The cheapest call that proves the credentials: one constituent that hardly exists.

    The vendor checks address, key and login before it looks for the constituent, so ContactNotFound (code 16) is
    success.
    """
    return _build_request("getUserInteractions", settings, {"cons_id": "1", "list_page_size": "1"})


def choose_range(window: Window) -> tuple[str, str]:
    """begin_date and end_date that include the window, whichever way the vendor reads them.

    Unverified: whether the ends are inclusive, and whether fractions of a second count. So both are whole seconds, and
    the first is one second early. They have an explicit zone, because the vendor's default is unknown.
    """
    begin, end = max(window.start, FIRST).replace(microsecond=0), min(window.end, LAST)
    later = timedelta(seconds=1) if end.microsecond else timedelta(0)
    return zulu(begin - timedelta(seconds=1)), zulu(end.replace(microsecond=0) + later)


def _build_request(method: str, settings: Settings, form: dict[str, str]) -> Request:
    common = {"method": method, "v": "1.0", "response_format": settings.response_format}
    return Request("POST", "/SRConsAPI", form={**common, **form})


def _ask(query: Query[Settings, Options], window: Window, paging: Paging) -> Request:
    begin, end = choose_range(window)
    form = {
        **_name_contact(query.contact),
        "begin_date": begin,
        "end_date": end,
        "list_ascending": "true",  # so that rows that arrive meanwhile come last and move none
        "list_page_size": str(paging.size),
        "list_record_offset": str(paging.offset),
    }
    if query.native_type is not None:
        form["interaction_type_id"] = query.native_type
    if query.options.subject:
        form["interaction_subject"] = query.options.subject
    return _build_request(_choose_method(query), query.settings, form)


def _choose_method(query: Query[Settings, Options]) -> str:
    return "listInteractions" if query.contact.kind == EVERYONE else "getUserInteractions"


def _name_contact(person: Contact) -> dict[str, str]:
    return {} if person.kind == EVERYONE else {PARAMETERS[person.kind]: person.id}


def _inspect(get: Get) -> _Seen:
    kind = get("interactionTypeId")
    known = isinstance(kind, str) and kind.isascii() and kind.isdecimal()
    standard = known and int(kind) < FIRST_CUSTOM_TYPE and get("note") is None
    found, created = get("interactionId"), get("creationDate")
    return _Seen(found if isinstance(found, str) else None, created if isinstance(created, str) else None, standard)


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
                found[n] = await _fetch_detail(fetch, query, records[n], one.id)
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


async def _fetch_detail(fetch: Fetch, query: Query[Settings, Options], record: bytes, interaction_id: str) -> bytes:
    """The same interaction with its note; the unchanged record if the vendor has nothing to add."""
    form = {**_name_contact(query.contact), "interaction_id": interaction_id}
    try:
        answer = await fetch(
            _build_request("getInteraction", query.settings, form), partial(_read_page, "getInteraction")
        )
    except ContactError:
        return record
    return answer.records[0] if [seen.id for seen in answer.values] == [interaction_id] else record


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
