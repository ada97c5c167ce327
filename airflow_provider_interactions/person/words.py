"""Plain words and local times for people who read an answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_interactions.errors import ConfigError

UTC_ZONE = ZoneInfo("UTC")

#: The noun of each channel.
CHANNEL_WORDS = {
    "email": "E-mail",
    "sms": "Text message (SMS)",
    "voice": "Phone call",
    "whatsapp": "WhatsApp message",
    "line": "LINE message",
    "zalo": "Zalo message",
    "viber": "Viber message",
    "push": "Push notification",
    "web": "Web page",
    "form": "Form",
    "event": "Event",
    "survey": "Survey",
    "social": "Social media",
    "journey": "Automated journey",
    "segment": "Membership of a list",
    "crm": "Entry in the customer file",
    "other": "Other",
}

#: The words for each action.
ACTION_WORDS = {
    "sent": "sent",
    "delivered": "delivered",
    "opened": "opened",
    "clicked": "link clicked",
    "bounced": "returned as undeliverable",
    "blocked": "blocked",
    "failed": "failed",
    "forwarded": "forwarded",
    "visited": "visited",
    "submitted": "submitted",
    "registered": "registered",
    "checked_in": "checked in",
    "subscribed": "subscribed",
    "unsubscribed": "unsubscribed",
    "responded": "answered",
    "processed": "processed",
    "noted": "noted",
    "bot_clicked": "link followed by a program instead of the person",
    "cancelled": "cancelled",
    "deleted": "deleted",
    "other": "other",
}

#: What came of asking a system about an identifier.
OUTCOME_WORDS = {
    "ok": "has data",
    "empty": "knows the identifier, but has no record in this period",
    "not_found": "does not know the identifier",
    "deleted": "had the contact and has deleted it",
    "failed": "gave no answer",
}


def find_zone(name: Any) -> ZoneInfo:
    """A time zone by its IANA name; None or empty text means UTC. Raises ConfigError for any other value."""
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, OSError, ValueError, TypeError):  # a folder of the zone database is an OSError
        shown = repr(name)[:60]
        msg = f"time_zone {shown} is not an IANA time zone. Write for example Europe/Vienna; the default is UTC."
        raise ConfigError(msg) from None


def localize(instant: datetime, zone: ZoneInfo) -> datetime:
    """The instant in a zone. The first and the last day that a datetime can hold stay in UTC."""
    try:
        return instant.astimezone(zone)
    except OverflowError:
        return instant.astimezone(UTC)


def show_time(instant: datetime, zone: ZoneInfo) -> str:
    """``2026-01-31 14:05:09 CET``. The zone's abbreviation distinguishes the two hours at the end of summer time."""
    local = localize(instant, zone)
    return f"{local.replace(tzinfo=None).isoformat(' ', 'seconds')} {local.tzname()}"


def describe_event(channel: str, action: str, native_type: str) -> str:
    """What happened, in words: ``E-mail opened``. With the vendor's own word if ours are too general."""
    if "other" not in (channel, action):
        return f"{CHANNEL_WORDS[channel]} {ACTION_WORDS[action]}"
    noun = "Record" if channel == "other" else CHANNEL_WORDS[channel]
    return f"{noun} of type {native_type}"
