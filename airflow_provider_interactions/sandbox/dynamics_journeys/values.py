"""The values of columns, drawn by name and type."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow_provider_interactions.sandbox.dynamics_journeys import realistic
from airflow_provider_interactions.sandbox.dynamics_marketing.records import NAME as MARKETING
from airflow_provider_interactions.sandbox.world import (
    World,
    draw,
    draw_guid,
    draw_oddity,
    get_person,
    get_shape,
    to_datetime,
)

_CHANNELS = ("WhatsApp", "Viber")
_TEXTS: dict[str, tuple[str, ...]] = {
    "ChannelType": _CHANNELS,
    "Platform": ("Android", "IOS"),
    "Country": ("DE", "IE"),
    "Text": ("STOP", "Ja, gerne 🎟"),
    "City": ("Zürich", "Kraków", "東京", "Tromsø"),
    "CountryIsoCode": ("DE", "IE", "JP"),
    "SearchPhrase": ("", 'best "quoted" back\\slash', "größe 50% & more, or less", "tab\there", "two\nlines"),
    "UsageType": ("CustomerJourney", "TestSend"),
    "EmailDomain": ("example.org",),
    "BounceCategory": ("100", "Mailbox full"),
}
#: columns that hold what a person is called or reached by
_PERSONAL = {
    **dict.fromkeys(("RecipientPhoneNumber", "Recipient", "UserContactPoint"), "mobile"),
    **dict.fromkeys(("EmailAddressUsed", "EmailAddress"), "email"),
    "ContactFirstName": "first",
    "ContactLastName": "last",
}
_LINKS = frozenset(
    {
        *("Link", "OriginalLink", "OriginalUrl", "OriginalContentLink", "TargetUrl", "PageUrl", "PageAddress"),
        *("ReferrerUri", "BlacklistedLink", "FormsProSurveyLinkUrl"),
    }
)
#: names of e-mail clients, browsers and the like by their GUIDs, some of those that map-guids.md (ci-docs) lists
CLIENTS: dict[str, dict[str, str]] = {
    "EmailClientId": {
        "391123ee-6312-4dcf-9e2d-9027022804d8": "Gmail",
        "89945e01-90e2-408f-ac99-cd46b19e51d8": "Outlook",
    },
    "BrowserId": {
        "a8a2dc38-6acd-42c3-999b-5599e31aca3b": "Chrome",
        "e54ffd0f-c94d-435f-8a97-407c634cbda1": "Safari",
        "807c4a91-d194-443b-8052-5a4f2945fba0": "Firefox",
    },
    "OperatingSystemId": {
        "2fd14342-0556-42bf-a155-7f1343ce16df": "Windows",
        "cc324703-9d00-4cf9-bee7-fa65b373841d": "iOS",
        "6b6b81d0-ef01-4b4d-8430-675dc31ae27d": "Android",
    },
    "DeviceTypeId": {
        "aa1519ed-8c2b-4c96-b658-a63f0bd02332": "Desktop",
        "f8c82bd5-e602-454e-bfb4-326e60daafda": "Mobile",
    },
}
#: ids come from pools of this size, so that journeys and messages recur
_POOL = 12


def draw_value(world: World, index: int, name: str, kind: str, at_us: int, *key: object) -> Any:
    """The value of one column of one row, None where it has none."""
    if draw_oddity(world, 14, *key, name, "null"):
        return None
    # In a realistic world, what a row says of its link belongs together.
    drawn = draw(world, *key, "link" if world.realistic and name in realistic.OF_LINK else name)
    if name in CLIENTS and not draw_oddity(world, 5, *key, name, "unlisted"):
        return _draw_client(world, index, name, drawn)
    if kind == "g" or (name.endswith("Id") and name not in {"PageId", "VisitorId", "SessionId"}):
        # The old action's journeys and messages are the same ones.
        return draw_guid(world, MARKETING, name, drawn % _POOL)
    if kind == "t":
        return to_datetime(at_us) + timedelta(hours=1 + drawn % 48)
    if kind == "s":
        return _draw_text(world, index, name, drawn)
    return {"b": drawn % 2 == 0, "d": drawn % 500 / 4 + 0.125}.get(kind, drawn % 100)


def show_as_text(value: Any) -> str:
    """A value as a CSV file shows it; times as the United States write them, cut to whole seconds."""
    if isinstance(value, datetime):
        return f"{value.month}/{value.day}/{value.year} {value.hour % 12 or 12}:{value:%M:%S %p}"
    return str(value)


def _draw_client(world: World, index: int, name: str, drawn: int) -> str:
    if world.realistic:
        return realistic.choose_client(CLIENTS[name], name, _get_home(world, index))
    return list(CLIENTS[name])[drawn % len(CLIENTS[name])]


def _draw_text(world: World, index: int, name: str, drawn: int) -> str | None:
    person = get_person(world, index)._asdict()
    if name in _PERSONAL:
        return str(person[_PERSONAL[name]])
    if world.realistic:
        return realistic.choose_text("Link" if name in _LINKS else name, _get_home(world, index), drawn)
    if name in _TEXTS:
        return _TEXTS[name][drawn % len(_TEXTS[name])]
    if name in _LINKS:
        return f"https://shop.example.org/ä?utm_source=mail&id={drawn % 97}#top"
    return f"{name} №{drawn % 997} ✓"


def _get_home(world: World, index: int) -> int:
    """The contact's own number: it decides the place and the device, here as in the old action."""
    return draw(world, MARKETING, "home", get_shape(world, index))
