"""What Capillary's words mean in the canonical table: channels by an entry's name, actions by a message's status.

Source: "Get Customer Interactions", its filter ``type`` and its samples, in the editions of v1.1 and v2 (read 2026-11).
"""

from __future__ import annotations

from airflow_provider_interactions.vendors.shared.statuses import map_status

CHANNELS: dict[str, str] = {
    "email": "email",
    "emailbulk": "email",
    "sms": "sms",
    "phone": "sms",  # the same messages again, under the same ids
    "whatsapp": "whatsapp",
    "line": "line",
    "zalo": "zalo",
    "viber": "viber",
    "missed_call": "voice",
    "survey": "survey",
    "feedback": "survey",
    **dict.fromkeys(("checkin", "like", "comment", "mention", "retweet", "tweet"), "social"),
}

#: Actions of entries whose name says already what the contact did.
ACTIONS: dict[str, str] = {
    "survey": "responded",
    "feedback": "responded",
    "checkin": "checked_in",
    "missed_call": "other",
    **dict.fromkeys(("like", "comment", "mention", "retweet", "tweet"), "responded"),
}

#: The entry that repeats messages of another one.
REPEATED = "phone"


def map_channel(name: str) -> str:
    """The canonical channel of an entry."""
    return CHANNELS.get(name.lower(), "other")


def map_action(name: str, status: str | None) -> str:
    """The canonical action of a record in that entry."""
    return ACTIONS.get(name.lower()) or map_status(status)
