"""The values of columns, drawn by name and type."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow_provider_interactions.sandbox.dynamics_journeys.options import NAME
from airflow_provider_interactions.sandbox.dynamics_marketing import realistic
from airflow_provider_interactions.sandbox.dynamics_marketing.records import NAME as MARKETING
from airflow_provider_interactions.sandbox.world import (
    World,
    draw,
    draw_guid,
    draw_oddity,
    get_person,
    get_shape,
    pick,
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
_LINKS = ("Link", "Original", "Page", "Referrer", "TargetUrl", "Blacklisted")
#: ids come from pools of this size, so that journeys and messages recur
_POOL = 12


def draw_value(world: World, index: int, name: str, kind: str, at_us: int, *key: object) -> Any:
    """The value of one column of one row, None where it has none."""
    if draw_oddity(world, 14, *key, name, "null"):
        return None
    drawn = draw(world, *key, name)
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


def _draw_text(world: World, index: int, name: str, drawn: int) -> str:
    person = get_person(world, index)._asdict()
    if name in _PERSONAL:
        return str(person[_PERSONAL[name]])
    if world.realistic:
        return _draw_ordinary(world, index, name, drawn)
    if name in _TEXTS:
        return _TEXTS[name][drawn % len(_TEXTS[name])]
    if name.startswith(_LINKS) and name != "PageId":
        return f"https://shop.example.org/ä?utm_source=mail&id={drawn % 97}#top"
    return f"{name} №{drawn % 997} ✓"


def _draw_ordinary(world: World, index: int, name: str, drawn: int) -> str:
    if name in {"ChannelType", "Platform", "Country"}:
        return pick(world, _TEXTS[name], NAME, name, drawn)
    if name == "Text":
        return ("STOP", "Yes please")[drawn % 2]
    if name.startswith(_LINKS):
        return realistic.choose_text("Link", 0, drawn)
    return realistic.choose_text(name, draw(world, MARKETING, "home", get_shape(world, index)), drawn)
