"""Microsoft Dynamics 365 Marketing: the action ``msdyncrm_LoadInteractionsPublic`` and the Dataverse Web API.

One call answers for one contact and one interaction type, so a contact costs 40 calls by default. Microsoft removed
outbound marketing, which owned the action, from its cloud in May 2026: there the action answers 404. Whoever still
has an environment with the service, or a stand-in for it, can read it with this module. Nobody has verified this
module against the live service; what the pages leave open is read both ways, and each such place says so.

Sources: the action's page "Retrieve interactions for a contact using code" (edition of 2021-01-06); "Compose HTTP
requests and handle errors", "Service protection API limits", "Page results" (learn.microsoft.com, read 2026-11).
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Iterator
from datetime import date, timedelta
from functools import cache

import msgspec

from airflow_provider_interactions import contract
from airflow_provider_interactions.contract import (
    Contact,
    Fetch,
    Pace,
    Page,
    PageRule,
    Query,
    Request,
    Vendor,
)
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.vendors.dynamics_marketing import responses
from airflow_provider_interactions.vendors.dynamics_marketing.about import ABOUT
from airflow_provider_interactions.vendors.dynamics_marketing.auth import Settings, auth
from airflow_provider_interactions.vendors.dynamics_marketing.contacts import contacts
from airflow_provider_interactions.vendors.dynamics_marketing.errors import classify
from airflow_provider_interactions.vendors.dynamics_marketing.mapping import map_records
from airflow_provider_interactions.vendors.dynamics_marketing.vocabulary import OLDER, TYPES
from airflow_provider_interactions.vendors.shared.dataverse import HEADERS
from airflow_provider_interactions.vendors.shared.guids import spell_guid
from airflow_provider_interactions.window import Window

log = logging.getLogger(__name__)

#: Days that are asked for before and after a window's own days, see ``choose_days``.
MARGIN = timedelta(days=3)


class Options(contract.Options, frozen=True, kw_only=True):
    """``types``: interaction types to ask for (default: the 40 documented ones); ``page_size``: the action's ``Top``.

    ``contact_filter``: an OData filter for the listing of contacts, for example ``statecode eq 0``.
    """

    types: tuple[str, ...] = TYPES
    contact_filter: str | None = None

    def __post_init__(self) -> None:
        if not self.types:
            msg = "dynamics_marketing: the option types is empty. Name at least one interaction type, or leave it out."
            raise ConfigError(msg)
        unknown = sorted(set(self.types) - {*TYPES, *OLDER})
        if unknown:
            log.warning("dynamics_marketing: not among the documented interaction types: %s", ", ".join(unknown))


def queries(person: Contact, settings: Settings, options: Options) -> Iterator[Query[Settings, Options]]:
    """One question per interaction type: the action takes exactly one."""
    return (Query(person, settings, options, native_type) for native_type in dict.fromkeys(options.types))


def page_rule(settings: Settings, options: Options) -> PageRule:  # noqa: ARG001 - the action's version is the same
    """Pages of ``page_size`` rows; without it of the action's own size, which is unpublished: taken as large enough."""
    return PageRule(options.page_size, margin=MARGIN)


async def pages(fetch: Fetch, query: Query[Settings, Options], window: Window) -> AsyncGenerator[Page, None]:
    """Follow SkipToken until the response has none."""
    cursor = ""
    while True:
        # Keep only the page of the response: many of these generators wait at the yield.
        page = await fetch(_ask(query, window, cursor), responses.read_page)
        cursor = page.cursor
        yield page
        del page
        if not cursor:
            return


def probe(settings: Settings) -> Request:
    """The cheapest call that proves the credentials: who am I."""
    return Request("GET", f"/api/data/{settings.api_version}/WhoAmI", headers=HEADERS)


def presence(settings: Settings) -> Request:
    """Call the action for a contact that does not exist. WhoAmI still works after the action was removed (May 2026).

    Unverified: what the action answers about an unknown contact, so every answer but "no such action" is accepted.
    """
    nobody = Contact("00000000-0000-0000-0000-000000000000", "contact_id")
    return _ask(Query(nobody, settings, Options(), TYPES[0]), Window.of("2020-01-01", "2020-01-02"), "")


def _ask(query: Query[Settings, Options], window: Window, cursor: str) -> Request:
    first, last = _spell_days(window)
    body: dict[str, str | int] = {
        "ContactId": query.contact.id,
        "InteractionType": query.native_type or "",
        "DateFrom": first,
        "DateTo": last,
    }
    if query.options.page_size is not None:
        body["Top"] = query.options.page_size
    if cursor:
        body["SkipToken"] = cursor
    url = f"/api/data/{query.settings.api_version}/msdyncrm_LoadInteractionsPublic"
    return Request("POST", url, headers=HEADERS, body=msgspec.json.encode(body))


@cache  # a run asks about one window, a million times
def _spell_days(window: Window) -> tuple[str, str]:
    first, last = choose_days(window)
    return f"{first:%m-%d-%Y}", f"{last:%m-%d-%Y}"


def choose_days(window: Window) -> tuple[date, date]:
    """DateFrom and DateTo that hold the window under every reading the page leaves open.

    Unverified: the zone of the dates (so a day more on either side) and whether DateTo is inclusive (so one more).
    """
    last = window.end - timedelta(microseconds=1)
    return _shift_day(window.start.date(), -1), _shift_day(last.date(), 2)


def _shift_day(day: date, days: int) -> date:
    return date.fromordinal(min(max(day.toordinal() + days, 1), date.max.toordinal()))


VENDOR = Vendor(
    about=ABOUT,
    settings=Settings,
    options=Options,
    identifier=lambda text, _: spell_guid(text),
    identifiers="the GUID of its contactid (kind contact_id)",
    queries=queries,
    page_rule=page_rule,
    pages=pages,
    map_records=map_records,
    auth=auth,
    classify=classify,
    probe=probe,
    presence=presence,
    contacts=contacts,
    # "Service protection API limits" (2026-11): per user and web server 6,000 requests in 300 s, 52 at once "or
    # higher"; real environments are reported to differ, so the engine also learns from refusals.
    pace=Pace(concurrency=52, requests=6000, seconds=300, source="learn.microsoft.com, api-limits, 2026-11"),
)
