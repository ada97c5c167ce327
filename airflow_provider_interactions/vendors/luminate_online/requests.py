"""What is sent to the API: options, identifiers, and the calls."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from airflow_provider_interactions import contract
from airflow_provider_interactions.contract import Contact, PageRule, Query, Request
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.vendors.luminate_online.auth import Settings
from airflow_provider_interactions.vendors.luminate_online.mapping import EVERYONE
from airflow_provider_interactions.vendors.luminate_online.paging import Paging
from airflow_provider_interactions.window import Window, zulu

#: Records of a page. No maximum is documented; up to 500 were seen in public code for sister methods.
PAGE_SIZE = 200

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


def spell_identifier(text: str, kind: str) -> str | None:
    """A constituent's identifier, or ``*`` of kind everyone, stripped of blanks, a number also of leading zeros."""
    found = text.strip()
    if kind == "cons_id":
        found = found.lstrip("0") or found[-1:]
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


def probe(settings: Settings) -> Request:
    """The cheapest call that proves the credentials: one constituent that hardly exists.

    The vendor checks address, key and login before it looks for the constituent, so ContactNotFound (code 16) is
    success.
    """
    return build_request("getUserInteractions", settings, {"cons_id": "1", "list_page_size": "1"})


def choose_range(window: Window) -> tuple[str, str]:
    """begin_date and end_date that include the window, whichever way the vendor reads them.

    Unverified: whether the ends are inclusive, and whether fractions of a second count. So both are whole seconds, and
    the first is one second early. They have an explicit zone, because the vendor's default is unknown.
    """
    begin, end = max(window.start, FIRST).replace(microsecond=0), min(window.end, LAST)
    later = timedelta(seconds=1) if end.microsecond else timedelta(0)
    return zulu(begin - timedelta(seconds=1)), zulu(end.replace(microsecond=0) + later)


def build_request(method: str, settings: Settings, form: dict[str, str]) -> Request:
    """A call of a method of the API."""
    common = {"method": method, "v": "1.0", "response_format": settings.response_format}
    return Request("POST", "/SRConsAPI", form={**common, **form})


def ask_page(query: Query[Settings, Options], window: Window, paging: Paging) -> Request:
    """The call for the page at which ``paging`` is."""
    begin, end = choose_range(window)
    form = {
        **name_contact(query.contact),
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
    return build_request(choose_method(query), query.settings, form)


def choose_method(query: Query[Settings, Options]) -> str:
    """The method for one constituent, or the one for everyone."""
    return "listInteractions" if query.contact.kind == EVERYONE else "getUserInteractions"


def name_contact(person: Contact) -> dict[str, str]:
    """The parameter that names a constituent; none for everyone."""
    return {} if person.kind == EVERYONE else {PARAMETERS[person.kind]: person.id}
