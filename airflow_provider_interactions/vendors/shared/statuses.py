"""What the last status of a message means in the canonical table, for all vendors whose rows carry one.

Capillary's pages show its statuses (v1.1 and v2, read 2026-11). Which50's page shows none; that it uses the same words
is unverified.
"""

from __future__ import annotations

#: Actions by status: letters in either case, anything but letters left out. The set of statuses is open.
STATUSES: dict[str, str] = {
    "sent": "sent",
    "delivered": "delivered",
    "opened": "opened",
    "clicked": "clicked",
    "bounced": "bounced",
    "softbounced": "bounced",
    "hardbounced": "bounced",
    "notdelivered": "failed",
    "failed": "failed",
    "gtwnotfound": "failed",
}


def map_status(status: str | None) -> str:
    """The action of a message with this last status: ``sent`` without one, ``other`` for one that is not known."""
    if not status:
        return "sent"
    return STATUSES.get("".join(filter(str.isalpha, status)).lower(), "other")
