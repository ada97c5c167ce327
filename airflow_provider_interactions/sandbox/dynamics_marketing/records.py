"""Dynamics' interactions: the records as the vendor would send them, and the facts they amount to."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, NamedTuple

import msgspec

from airflow_provider_interactions.sandbox.dynamics_marketing import realistic
from airflow_provider_interactions.sandbox.dynamics_marketing.fields import BARE, FIELDS, GUIDS, NO_JOURNEY, TYPES
from airflow_provider_interactions.sandbox.expected import Fact
from airflow_provider_interactions.sandbox.world import (
    Event,
    World,
    draw,
    draw_chance,
    draw_guid,
    draw_hex,
    draw_oddity,
    draw_tagged_guid,
    find_index,
    format_guid,
    get_events,
    get_person,
    get_shape,
    get_tag,
    pick,
    to_datetime,
)

NAME = "dynamics_marketing"

_TEXTS: dict[str, tuple[str, ...]] = {
    "UsageType": ("CustomerJourney", "TestSend"),
    "EmailDomain": ("example.org",),
    "CountryIsoCode": ("DE", "IE", "JP", "BR"),
    "State": ("Île-de-France", "Bayern", "北海道", "São Paulo"),
    "City": ("Zürich", "Kraków", "Dún Laoghaire", "東京", "Tromsø"),
    "PostalCode": ("00501", "D02 AF30", "80331"),
    "BrowserId": ("chrome", "firefox", "unknown"),
    "BrowserVersion": ("126.0", "99.9.1"),
    "OperatingSystemId": ("windows", "ios"),
    "OperatingSystemVersion": ("10", "17.5"),
    "VisitorAnonymousStatus": ("Known", "Anonymous"),
    "VisitorReturningStatus": ("New", "Returning"),
    "SearchPhrase": ("", 'best "quoted" back\\slash', "größe 50% & más 🎯", "tab\there"),
    "SearchEngineName": ("none", "bing"),
    "VisitDuration": ("0", "00:03:12"),
    "BounceCategory": ("100", "Mailbox full"),
    "RemoteBounce": ("550 5.1.1 <user unknown>", "452 4.2.2 boîte pleine"),
    "BlockedReason": ("DoNotEmail", "Kein Einverständnis"),
    "Result": ("Success", "Failed"),
    "FormName": ("Newsletter 📰", "Contact «form»", "フォーム"),
    "LinkFriendlyName": ("Jetzt kaufen 🛒", "Read more…"),
    "EntityType": ("contact",),
    "Path": ("yes", "no"),
    "DeviceType": ("Mobile", "Desktop"),
}
_LINK = "https://shop.example.org/ä?utm_source=mail&id={number}#top"


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How this sandbox's Dynamics differs from the default; undocumented behaviour is a choice here."""

    tenant_id: str = "8f2c1f0e-55aa-4c1e-9d3b-0a5b7c9d1e2f"
    client_id: str = "3b6e1a52-7d44-4f0c-8a1f-6c2d9e8b7a10"
    #: with characters that must be escaped in a form body
    client_secret: str = "sandbox~secret+with&odd=chars%"  # noqa: S105  made up for the sandbox
    #: seconds; 3599 is the sample of the page "OAuth 2.0 client credentials flow"
    token_seconds: float = 3599.0
    #: types that occur in the world
    types: tuple[str, ...] = TYPES
    #: interactions per answer where Top is absent, 0 or larger; neither default nor maximum is documented
    page_size: int = 500
    #: the zone in which DateFrom and DateTo are days; undocumented
    zone_offset_minutes: int = 0
    #: whether the day DateTo belongs to the range; undocumented
    date_to_inclusive: bool = True
    #: outbound marketing is gone (as everywhere since May 2026): the action answers 404 "segment"
    removed: bool = False
    #: an unknown contact: 404 0x80040217, or an answer without interactions; undocumented
    unknown_contact: Literal["error", "empty"] = "error"
    #: an unknown interaction type: 400 0x80040265, or an answer without interactions; undocumented
    unknown_type: Literal["error", "empty"] = "error"
    #: False: Form* and Segment* records lack InteractionType and OrganizationId, as their tables in the model do
    type_in_every_record: bool = True


class Record(NamedTuple):
    """One interaction: when it happened (microseconds since the epoch), its type, and the vendor's fields."""

    at_us: int
    native_type: str
    fields: dict[str, Any]


def get_contact_id(world: World, index: int) -> str:
    """The contact's GUID, lower case with dashes."""
    return draw_tagged_guid(world, index, NAME, "contact")


def find_contact(world: World, text: str) -> int | None:
    """The contact with this GUID (dashed, either case), if there is one."""
    index = find_index(world, text[-len(get_tag(0)) :])
    return index if index is not None and get_contact_id(world, index) == text.lower() else None


def draw_organization_id(world: World) -> str:
    """The GUID of the one organisation."""
    return draw_guid(world, NAME, "organization")


@lru_cache(maxsize=1024)
def list_records(world: World, options: Options, index: int) -> dict[str, tuple[Record, ...]]:
    """A contact's records by type, in no order of time. Ask with `get_shape` to share the cache."""
    found: dict[str, list[Record]] = {}
    for event in get_events(world, NAME, index):
        record = _create_record(world, options, index, event)
        found.setdefault(record.native_type, []).append(record)
    return {native_type: tuple(records) for native_type, records in found.items()}


def list_facts(world: World, options: Options, index: int) -> list[Fact]:
    """A contact's interactions as the canonical table must hold them."""
    return [
        _build_fact(world, index, record)
        for records in list_records(world, options, index).values()
        for record in records
    ]


def _build_fact(world: World, index: int, record: Record) -> Fact:
    columns = {"InteractionId", "InteractionType", "Timestamp", "CustomerJourneyId", "MessageId", "ContactId"}
    return Fact(
        vendor=NAME,
        contact_id=get_contact_id(world, index),
        interaction_id=_normalize_guid(record.fields["InteractionId"]) or "",
        occurred_at=record.at_us,
        native_type=record.native_type,
        campaign_id=_normalize_guid(record.fields.get("CustomerJourneyId")),
        message_id=_normalize_guid(record.fields.get("MessageId")),
        attributes={name: value for name, value in record.fields.items() if name not in columns},
    )


def _normalize_guid(text: str | None) -> str | None:
    """A GUID in lower case with dashes, however it is written."""
    return None if text is None else format_guid(text.lower().translate({ord(sign): None for sign in "{}-"}))


def _draw_type(world: World, options: Options, base: int, number: int) -> str:
    if world.realistic:
        types = [name for name in realistic.TYPES if name in options.types]
        return pick(world, types or options.types, NAME, base, number)
    # Every other event is of one of the contact's five favourite types, so that some types have many.
    favourite = draw(world, NAME, "favourite", base, draw(world, NAME, "which", base, number) % 5)
    wide = draw(world, NAME, "type", base, number)
    return options.types[(favourite if number % 2 else wide) % len(options.types)]


def _create_record(world: World, options: Options, index: int, event: Event) -> Record:
    base = get_shape(world, index)
    native_type, key = _draw_type(world, options, base, event.number), (NAME, base, event.number)
    typed = options.type_in_every_record or native_type not in BARE
    fields: dict[str, Any] = {"InteractionId": _draw_interaction_id(world, index, *key)}
    if typed:
        fields["InteractionType"] = native_type
    fields["Timestamp"] = _format_time(event.at_us)
    if typed:
        fields["OrganizationId"] = draw_organization_id(world)
    fields["ContactId"] = _vary_guid(world, get_contact_id(world, index), *key, "contact")
    if native_type not in NO_JOURNEY:
        fields["CustomerJourneyId"] = _draw_value(world, index, "CustomerJourneyId", *key)
    for name in ("AccountId", *FIELDS[native_type]):
        if not draw_chance(world, 6 if name in {"AccountId", "MessageId"} else 16, *key, name, "absent"):
            fields[name] = _draw_value(world, index, name, *key)
    return Record(event.at_us, native_type, fields | _draw_unknown(world, *key))


def _draw_interaction_id(world: World, index: int, *key: object) -> str:
    # The only published record has 32 upper-case digits; a third party's client expects braces and dashes
    # too, unverified.
    plain = draw_hex(world, *key, "interaction", digits=20) + get_tag(index)
    if world.realistic:
        return plain.upper()
    return pick(world, (plain.upper(),) * 6 + (format_guid(plain), f"{{{format_guid(plain).upper()}}}"), *key, "dress")


def _vary_guid(world: World, plain: str, *key: object) -> str:
    """A GUID: mostly plain, else in braces, upper case or both, as a third party's client expects; unverified."""
    if world.realistic:
        return plain
    return pick(world, (plain,) * 5 + (f"{{{plain}}}", plain.upper(), f"{{{plain.upper()}}}"), *key, "dress")


def _format_time(at_us: int) -> str:
    """UTC with a Z; whole seconds as in the published record, a fraction only where there is one."""
    return to_datetime(at_us).isoformat().replace("+00:00", "Z")


def _draw_value(world: World, index: int, name: str, *key: object) -> Any:
    if draw_oddity(world, 14, *key, name, "null"):
        return None
    if name in GUIDS or name in {"CustomerJourneyId", "AccountId"}:
        # Ids come from small pools, so that journeys and mails recur across contacts.
        plain = draw_guid(world, NAME, name, draw(world, *key, name) % 12)
        return _vary_guid(world, plain, *key, name)
    return _draw_scalar(world, index, name, draw(world, *key, name))


def _draw_scalar(world: World, index: int, name: str, drawn: int) -> Any:
    if name == "EmailAddressUsed":
        return get_person(world, index).email
    if name == "BoostValue":
        return drawn % 101 - 50
    if name == "Score":
        return drawn % 1000 / 8
    if world.realistic:
        return realistic.choose_text(name, draw(world, NAME, "home", get_shape(world, index)), drawn)
    return _draw_hard_text(name, drawn)


def _draw_hard_text(name: str, drawn: int) -> str:
    if name in _TEXTS:
        return _TEXTS[name][drawn % len(_TEXTS[name])]
    if name.startswith(("Link", "Original", "Page", "Referrer", "Blacklisted")) and name != "PageId":
        return _LINK.format(number=drawn % 97)
    return f"{name} №{drawn % 997} ✓"


def _draw_unknown(world: World, *key: object) -> dict[str, Any]:
    """Sometimes, a field that nobody has documented. Its number would lose digits as a float."""
    if not draw_oddity(world, 9, *key, "unknown"):
        return {}
    return {"SandboxDetails": {"Nested": [1, 2.5, None, True, {"ключ": "значение 🚀"}], "Big": 9007199254740993}}
