"""What Which50's interaction types mean in the canonical table.

Source: the help page of ``contacts/{contactId}/communications`` (app.which50.com/Which50API/documentation, read
2026-11). Its list of types ends in "etc.", so the set is open.
"""

from __future__ import annotations

from airflow_provider_interactions.vendors.shared.statuses import map_status

KINDS: dict[str, tuple[str, str]] = {
    "email": ("email", "sent"),
    "sms": ("sms", "sent"),
    "landingpage": ("web", "visited"),
    "event": ("event", "registered"),
    "webform": ("form", "submitted"),
    "competition": ("form", "submitted"),
}


def map_type(native_type: str, status: str | None) -> tuple[str, str]:
    """Channel and action of a type; letters in either case, blanks left out. A message's action is its last status."""
    channel, action = KINDS.get("".join(native_type.split()).lower(), ("other", "other"))
    return channel, map_status(status) if action == "sent" else action
