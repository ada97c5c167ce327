"""Which50: the whole history of a contact, ``contacts/{contactId}/communications``, and its contact lists.

No filter, no paging, no order: one call answers with everything. ``Status`` is the *last* status, so a record changes
after its event: read recent windows again, and the newest version wins. Nobody has verified this module against the
live service. UNVERIFIED above all: how calls are signed (see ``auth``), whether ``Id`` is unique (so it is not relied
upon), how errors look, and whether a contact list comes in one piece (so it is checked against its ``Count``).

Source: the help pages of the API (app.which50.com/Which50API/documentation, crawls of 2024-05 and 2025-11, read
2026-11).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any
from urllib.parse import quote

from airflow_provider_interactions import contract
from airflow_provider_interactions.contract import Contact, Fetch, Pace, Page, Query, Request, Response, Vendor
from airflow_provider_interactions.errors import (
    BadResponse,
    ConfigError,
    ContactFailed,
    ContactNotFound,
    Incomplete,
    RequestRejected,
    VendorError,
)
from airflow_provider_interactions.vendors.shared import json
from airflow_provider_interactions.vendors.which50 import responses
from airflow_provider_interactions.vendors.which50.about import ABOUT
from airflow_provider_interactions.vendors.which50.auth import Settings, auth
from airflow_provider_interactions.vendors.which50.errors import NO_ROUTE, classify
from airflow_provider_interactions.vendors.which50.mapping import map_records
from airflow_provider_interactions.window import Window

ACCEPT = {"json": "application/json", "xml": "application/xml"}

#: The route as the help page prints it: what errors show instead of a contact's id.
ROUTE = "/contacts/{contactId}/communications"


#: What IIS and ASP.NET refuse in a path although it is percent-encoded (unverified for this vendor): with 404 for a
#: slash, a plus or a percent sign, with 400 for the others.
_REFUSED = frozenset("/\\+%&*:<>?")

_NO_SEGMENT = (
    "the vendor's web server does not take this contact's id in a path, because of a character such as / or +. If that "
    "is so for all contacts, check that the host ends in /Which50API; else ask the vendor to allow it"
)


class Options(contract.Options, frozen=True, kw_only=True):
    """``contact_lists``: ids of the contact lists whose contacts to list (default: all). ``page_size`` has no use."""

    contact_lists: tuple[int | str, ...] | None = None


def spell_contact_id(text: str, _: str = "contact_id") -> str | None:
    """A contact's encrypted id (EncContactId) as it is. Its alphabet is not published."""
    # A segment of dots would be taken for another path, however it is encoded.
    return text if text.strip() and text.isprintable() and set(text) != {"."} else None


async def pages(fetch: Fetch, query: Query[Settings, Options], window: Window) -> AsyncGenerator[Page, None]:  # noqa: ARG001 - unfiltered
    """The whole history as one page; raises ContactNotFound for 404."""
    path = f"/contacts/{quote(query.contact.id, safe='')}/communications"
    try:
        records, occurred = await fetch(_build_request(path, query.settings), responses.read_interactions)
    except VendorError as error:
        raise _explain_error(error, query.contact.id) from None
    yield Page(records, occurred)


async def contacts(fetch: Fetch, settings: Settings, options: Options) -> AsyncGenerator[Sequence[Contact], None]:
    """The contacts of each list, each list checked against its Count; raises Incomplete when fewer come."""
    lists = await fetch(probe(settings), _read_lists)
    for one in _choose_lists(lists, options.contact_lists):
        path = f"/contactLists/{quote(one['Id'], safe='')}/contacts"
        rows = await fetch(_build_request(path, settings), _read_rows)
        _refuse_fewer(one, len(rows))
        yield [_read_contact(row["EncContactId"]) for row in rows]


def _read_lists(response: Response) -> list[dict[str, Any]]:
    rows = responses.read_values(response, "ContactsList", ("Id", "Count"), "the list of contact lists")
    if any(not (row["Id"] or "").strip() for row in rows):
        msg = "a contact list comes without its Id"
        raise BadResponse(msg)
    return [{"Id": json.spell_integer(row["Id"].strip()), "Count": _read_count(row["Count"])} for row in rows]


def _read_count(said: str | None) -> int | None:
    """How many contacts a list has; None where it does not say; raises BadResponse for what cannot be read."""
    return None if said is None else json.read_count(json.spell_integer(said), "the Count of a contact list")


def _read_rows(response: Response) -> list[dict[str, Any]]:
    return responses.read_values(response, "Contact", ("EncContactId",), "the contact list")


def probe(settings: Settings) -> Request:
    """The cheapest call that proves the credentials: the contact lists."""
    return _build_request("/contactLists", settings)


def _build_request(path: str, settings: Settings) -> Request:
    return Request("GET", path, headers={"Accept": ACCEPT[settings.response_format]})


def _explain_error(error: VendorError, contact_id: str) -> VendorError:
    error.path = ROUTE
    if not isinstance(error, RequestRejected):
        return error
    if _REFUSED & set(contact_id) and (error.status == 400 or error.code == NO_ROUTE):
        return ContactFailed(_NO_SEGMENT, vendor=error.vendor, path=ROUTE, status=error.status)
    if error.status == 404 and error.code != NO_ROUTE:
        return ContactNotFound("there is no such contact", vendor=error.vendor, path=ROUTE, status=404)
    return error


def _choose_lists(lists: list[dict[str, Any]], ids: Sequence[int | str] | None) -> list[dict[str, Any]]:
    if ids is None:
        return lists
    known = {one["Id"]: one for one in lists}
    wanted = list(dict.fromkeys(map(str, ids)))
    unknown = [one for one in wanted if one not in known]
    if unknown:
        msg = f"which50: the option contact_lists names lists that do not exist: {', '.join(unknown)}."
        raise ConfigError(msg)
    return [known[one] for one in wanted]


def _refuse_fewer(one: dict[str, Any], got: int) -> None:
    count = one["Count"]
    if count is not None and got < count:
        msg = (
            f"contact list {one['Id']} answered with {got} contacts where its Count says {count}. Perhaps the vendor "
            "sends lists in pages, which it does not document: give the contacts as a list or a file instead"
        )
        raise Incomplete(msg)


def _read_contact(encrypted: str | None) -> Contact:
    if not encrypted:
        msg = "a contact of a list comes without its EncContactId"
        raise BadResponse(msg)
    return VENDOR.contact(encrypted)


VENDOR = Vendor(
    about=ABOUT,
    settings=Settings,
    options=Options,
    identifier=spell_contact_id,
    identifiers="its encrypted id, EncContactId (kind contact_id)",
    pages=pages,
    map_records=map_records,
    auth=auth,
    classify=classify,
    probe=probe,
    contacts=contacts,
    filters_by_date=False,
    # One call a contact against a server without published limits: few at once, out of courtesy.
    pace=Pace(concurrency=4, source="none published (app.which50.com documentation, read 2026-11)"),
)
