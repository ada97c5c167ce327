"""Acme Mail: the events of one person, ``GET /{version}/events?person=…``. The vendor is made up; the module is not.

Its invented page says: a bearer token; ``since`` inclusive, ``until`` exclusive; at most 500 events a page; ``next`` is
the cursor of the next page, null on the last one; 404 with the error ``unknown_person`` for somebody it does not know.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime

import msgspec
import pyarrow as pa

from airflow_provider_interactions import contract, errors
from airflow_provider_interactions.about import About, ask_text
from airflow_provider_interactions.contract import (
    Auth,
    Contact,
    Credentials,
    Fetch,
    Mapped,
    Options,
    Pace,
    Page,
    Query,
    Request,
    Response,
    Vendor,
    classify_by_status,
)
from airflow_provider_interactions.errors import ContactNotFound, VendorError
from airflow_provider_interactions.vendors.shared import json
from airflow_provider_interactions.vendors.shared.auth import require, sign_bearer
from airflow_provider_interactions.vendors.shared.columns import map_words
from airflow_provider_interactions.vendors.shared.records import Records
from airflow_provider_interactions.window import Window, zulu

KINDS = {
    "sent": ("email", "sent"),
    "open": ("email", "opened"),
    "click": ("email", "clicked"),
    "bounce": ("email", "bounced"),
    "unsubscribe": ("email", "unsubscribed"),
}
OTHER = ("other", "other")

ABOUT = About(
    name="acme_mail",
    title="Acme Mail",
    labels={"host": "API URL", "password": "Token"},
    placeholders={"host": "https://api.acme.example"},
    form={"version": ask_text("API version", "The first part of every path. Default: v1.")},
    types=tuple(KINDS),
)


class Settings(contract.Settings, frozen=True, kw_only=True):
    """The connection's extra. ``version`` is the first part of every path."""

    version: str = "v1"


class _Person(msgspec.Struct):
    id: str


class _People(msgspec.Struct):
    people: list[_Person]
    next: str | None = None


class _Events(msgspec.Struct):
    events: list[msgspec.Raw]
    next: str | None = None


class _Event(msgspec.Struct):
    at: str | None = None


class _Error(msgspec.Struct):
    error: str = ""


async def pages(fetch: Fetch, query: Query[Settings, Options], window: Window) -> AsyncGenerator[Page, None]:
    """Follow the cursor until there is none."""
    asked = {"person": query.contact.id, "since": zulu(window.start), "until": zulu(window.end)}
    if query.options.page_size:
        asked["limit"] = str(query.options.page_size)
    cursor: dict[str, str] = {}
    while True:
        request = Request("GET", f"/{query.settings.version}/events", query={**asked, **cursor})
        answer = await fetch(request, lambda response: json.decode(response.body, _Events, "the page of events"))
        records = [bytes(event) for event in answer.events]
        yield Page(records, [_read_occurred(record) for record in records], cursor=answer.next or "")
        if not answer.next:
            return
        cursor = {"cursor": answer.next}


async def contacts(fetch: Fetch, settings: Settings, options: Options) -> AsyncGenerator[Sequence[Contact], None]:  # noqa: ARG001 - none apply
    """Everybody the account knows."""
    cursor: dict[str, str] = {}
    while True:
        request = Request("GET", f"/{settings.version}/people", query=cursor)
        answer = await fetch(request, lambda response: json.decode(response.body, _People, "the page of people"))
        yield [Contact(person.id) for person in answer.people]
        if not answer.next:
            return
        cursor = {"cursor": answer.next}


def map_records(raw: pa.RecordBatch) -> Mapped:
    """Map a raw batch of events to canonical columns."""
    records = Records(raw)
    types = records.require(records.take_text("type"), "type")
    campaign = records.take_members("campaign", ("id", "name"))
    return records.finish(
        {
            "interaction_id": records.require(records.take_text("id"), "id"),
            "occurred_at": records.require(records.take_instant("at", read_time), "at"),
            "native_type": types,
            "channel": map_words(types, lambda word: KINDS.get(word, OTHER)[0]),
            "action": map_words(types, lambda word: KINDS.get(word, OTHER)[1]),
            "subject": records.take_text("subject"),
            "campaign_id": campaign.take_text("id"),
            "campaign_name": campaign.take_text("name"),
        }
    )


def read_time(text: str) -> datetime:
    """An ISO 8601 time; without a zone it is in UTC. Raises ValueError."""
    return datetime.fromisoformat(text)


def auth(credentials: Credentials[Settings]) -> Auth:
    """The connection's password is a token that does not expire."""
    require(ABOUT.name, {"password (the token)": credentials.password})
    return sign_bearer(ABOUT.name, credentials.password)


def classify(response: Response) -> VendorError | None:
    """The error that a response means, None for one to read."""
    if response.status == 404 and _code(response.body) == "unknown_person":
        return ContactNotFound("there is no such person", status=404, code="unknown_person")
    return classify_by_status(response)


def _code(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Error).error
    except errors.UNREADABLE:
        return ""  # a gateway's page: the status alone decides


def probe(settings: Settings) -> Request:
    """The cheapest call that proves the token."""
    return Request("GET", f"/{settings.version}/people", query={"limit": "1"})


def _read_occurred(record: bytes) -> datetime | None:
    try:
        return json.to_utc(read_time(msgspec.json.decode(record, type=_Event).at or ""))
    except (*errors.UNREADABLE, ValueError):
        return None  # normalize judges the record and rejects it with the reason


VENDOR = Vendor(
    about=ABOUT,
    settings=Settings,
    pages=pages,
    map_records=map_records,
    auth=auth,
    classify=classify,
    probe=probe,
    contacts=contacts,
    pace=Pace(concurrency=8, requests=600, seconds=60, source="the invented page"),
)
