"""The organisation's contacts, listed through the Web API.

Source: "Page results" (learn.microsoft.com, read 2026-11). The last page is the one without a next link, so whatever
else says that there is more, or that rows are missing, must not be overlooked there.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any
from urllib.parse import urljoin, urlsplit

import msgspec

from airflow_provider_interactions.contract import MOST_EMPTY_PAGES, Contact, Fetch, Request, Response
from airflow_provider_interactions.errors import BadResponse, Incomplete, Stalled
from airflow_provider_interactions.vendors.dynamics_marketing import errors, responses
from airflow_provider_interactions.vendors.dynamics_marketing.auth import Settings
from airflow_provider_interactions.vendors.shared import encoding, json
from airflow_provider_interactions.vendors.shared.dataverse import HEADERS
from airflow_provider_interactions.vendors.shared.guids import spell_guid

#: "Page results" (2026-11): 5,000 rows is both the default and the maximum of odata.maxpagesize.
MAX_CONTACTS_A_PAGE = 5000

_ROOT = "/api/data/"
_WHAT = "the list of contacts"
_MORE, _COOKIE = "@Microsoft.Dynamics.CRM.morerecords", "@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"


class _Row(msgspec.Struct):
    contactid: str


class _Rows(msgspec.Struct):
    value: list[_Row]
    next_link: str | None = msgspec.field(name="@odata.nextLink", default=None)
    count: float | str | None = msgspec.field(name="@odata.count", default=None)


async def contacts(fetch: Fetch, settings: Settings, options: Any) -> AsyncGenerator[Sequence[Contact], None]:
    """List every contact of the organisation through the Web API, the next link followed byte for byte."""
    request, seen, listed, count = _ask_first(settings, options), set(), 0, 0
    empty = 0
    while True:
        rows = await fetch(request, _read_rows)
        empty = 0 if rows.value else empty + 1
        listed, count = listed + len(rows.value), max(count, _read_count(rows))
        yield [_read_contact(row) for row in rows.value]
        if not rows.next_link:
            break
        if rows.next_link in seen:
            msg = "the list of contacts links to a page that was read before, so it would never end"
            raise Stalled(msg)
        if empty == MOST_EMPTY_PAGES:
            msg = f"the list of contacts had {empty} empty pages in a row and still links to more. Look at its filter"
            raise Stalled(msg)
        seen.add(rows.next_link)
        request = Request("GET", follow_link(request.url, rows.next_link), headers=request.headers)
    if listed < count:
        msg = f"the list of contacts ended after {listed} rows, although it counts {count}. Nothing was handed on"
        raise Incomplete(msg)


def follow_link(url: str, link: str) -> str:
    """A link that is a full address, unchanged; a relative link joined to the URL of its page.

    The Web API's root is below the connection's host, so what a link has before it is cut off.
    """
    if link.startswith("//") or _has_scheme(link):
        return link
    if link.startswith("/"):
        return link[max(link.find(_ROOT), 0) :]
    path, mark, query = link.partition("?")
    joined = urljoin(urlsplit(url)._replace(query="").geturl(), path)
    return f"{joined}{mark}{query}"


def _read_contact(row: _Row) -> Contact:
    found = spell_guid(row.contactid)
    if found is None:
        msg = "a row of the list of contacts has a contactid that is not a GUID"
        raise BadResponse(msg)
    return Contact(found)


def _has_scheme(link: str) -> bool:
    try:
        return bool(urlsplit(link).scheme)
    except ValueError:  # not an address: the request for it raises the error
        return True


def _ask_first(settings: Settings, options: Any) -> Request:
    query = {"$select": "contactid", "$orderby": "contactid"}
    if options.contact_filter:
        query["$filter"] = options.contact_filter
    size = min(options.page_size or MAX_CONTACTS_A_PAGE, MAX_CONTACTS_A_PAGE)
    headers = {**HEADERS, "Prefer": f"odata.maxpagesize={size}"}
    return Request("GET", f"{_ROOT}{settings.api_version}/contacts", query=query, headers=headers)


def _read_rows(response: Response) -> _Rows:
    """The rows of a page; raises BadResponse, also where it has no next link and yet says that there is more."""
    body = encoding.to_utf8(response)
    members = json.read_members(body, _WHAT)
    errors.refuse_error(members)
    rows: _Rows = json.decode(body, _Rows, _WHAT)
    if body.count(b'"contactid"') > len(rows.value):
        msg = f"{_WHAT} names a contactid twice in one row"
        raise BadResponse(msg)
    if not rows.next_link:
        # A cookie that comes with a plain "no more" belongs to the last page itself.
        ended = bytes(members.get(_MORE, b"")) == b"false"
        responses.refuse_unknown_cursors(members, (_COOKIE,) if ended else ())
    return rows


def _read_count(rows: _Rows) -> int:
    """The rows of the whole list, as far as the vendor says: it counts no further than 5,000, and -1 is unknown."""
    if rows.count in (None, -1, "-1"):
        return 0
    return json.read_count(rows.count, f"{_WHAT}'s count")
