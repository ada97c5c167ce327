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
from datetime import date, datetime, timedelta
from functools import cache

import msgspec

from airflow_provider_interactions import contract, errors
from airflow_provider_interactions.contract import (
    Asked,
    Contact,
    Fetch,
    Interaction,
    Pace,
    Page,
    Query,
    Request,
    Vendor,
)
from airflow_provider_interactions.errors import ConfigError, RecordRejected
from airflow_provider_interactions.vendors.dynamics_marketing import responses
from airflow_provider_interactions.vendors.dynamics_marketing.about import ABOUT
from airflow_provider_interactions.vendors.dynamics_marketing.auth import Settings, auth
from airflow_provider_interactions.vendors.dynamics_marketing.contacts import HEADERS, contacts
from airflow_provider_interactions.vendors.dynamics_marketing.errors import classify
from airflow_provider_interactions.vendors.dynamics_marketing.guids import is_placeholder, spell_guid
from airflow_provider_interactions.vendors.dynamics_marketing.vectorized import columns
from airflow_provider_interactions.vendors.dynamics_marketing.vocabulary import OLDER, TYPES, map_type
from airflow_provider_interactions.vendors.shared import json
from airflow_provider_interactions.window import Window

log = logging.getLogger(__name__)


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


async def pages(fetch: Fetch, query: Query[Settings, Options], window: Window) -> AsyncGenerator[Page, None]:
    """Follow SkipToken until the answer has none."""
    cursor = ""
    while True:
        # Nothing of the answer but its page outlives this line: many of these generators wait at the yield.
        page = await fetch(_ask(query, window, cursor), responses.read_page)
        cursor = page.cursor
        yield page
        del page
        if not cursor:
            return


def interaction(payload: bytes, asked: Asked) -> Interaction:
    """Map one record to the canonical columns; raises RecordRejected that names the field."""
    record = json.read_fields(payload)
    # By the data model the Form… and Segment… tables have no interactionType (common-data-model, 2025-01-10).
    native_type = _read_text(record, "InteractionType") or asked.native_type
    channel, action = map_type(native_type)
    echo = () if _read_guid(record, "ContactId") != asked.contact.id else ("ContactId",)
    return Interaction(
        interaction_id=_read_id(record),
        occurred_at=_read_occurred(record),
        channel=channel,
        action=action,
        native_type=_require(native_type, "InteractionType"),
        campaign_id=_read_guid(record, "CustomerJourneyId"),
        message_id=_read_guid(record, "MessageId"),
        attributes=json.collect_attributes(record, (*_COLUMNS, *echo)),
    )


def probe(settings: Settings) -> Request:
    """The cheapest call that proves the credentials: who am I."""
    return Request("GET", f"/api/data/{settings.api_version}/WhoAmI", headers=HEADERS)


_COLUMNS = ("InteractionId", "InteractionType", "Timestamp", "CustomerJourneyId", "MessageId")


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


def _read_occurred(record: dict[str, msgspec.Raw]) -> datetime:
    try:
        at = json.to_utc(msgspec.json.decode(record["Timestamp"], type=datetime | None))
    except KeyError:
        at = None
    except (*errors.UNREADABLE, OverflowError):
        reason = "Timestamp is not a valid ISO 8601 time"
        raise RecordRejected(reason) from None
    return _require(at, "Timestamp")


def _read_id(record: dict[str, msgspec.Raw]) -> str:
    """A record's key. A placeholder is not a key: two records with it would count as one.

    The data model lets every other field be empty, so no digest of them would distinguish two records for certain, or
    stay the same when one of them is filled in later: such a record is rejected and kept.
    """
    found = _require(_read_guid(record, "InteractionId"), "InteractionId")
    if is_placeholder(found):
        reason = "InteractionId is only a placeholder"
        raise RecordRejected(reason)
    return found


def _require(value: contract.T | None, name: str) -> contract.T:
    if not value:
        reason = f"{name} is missing"
        raise RecordRejected(reason)
    return value


def _read_text(record: dict[str, msgspec.Raw], name: str) -> str | None:
    try:
        return json.read_text(record.get(name))
    except errors.UNREADABLE:
        reason = f"{name} is not readable text"
        raise RecordRejected(reason) from None


def _read_guid(record: dict[str, msgspec.Raw], name: str) -> str | None:
    """A GUID-like value in one spelling; other text as it is (types differ between the vendor's own pages)."""
    value = _read_text(record, name)
    return value and (spell_guid(value) or value)


VENDOR = Vendor(
    about=ABOUT,
    settings=Settings,
    options=Options,
    identifier=lambda text, _: spell_guid(text),
    identifiers="the GUID of its contactid (kind contact_id)",
    queries=queries,
    pages=pages,
    interaction=interaction,
    auth=auth,
    classify=classify,
    probe=probe,
    contacts=contacts,
    columns=columns,
    # "Service protection API limits" (2026-11): per user and web server 6,000 requests in 300 s, 52 at once "or
    # higher"; real environments are reported to differ, so the engine also learns from refusals.
    pace=Pace(concurrency=52, requests=6000, seconds=300, source="learn.microsoft.com, api-limits, 2026-11"),
)
