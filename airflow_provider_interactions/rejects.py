"""Records that cannot be read: how many are too many, and how a message counts their reasons."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_interactions.contract import Asked, Interaction, Vendor
from airflow_provider_interactions.errors import RecordRejected
from airflow_provider_interactions.schema import ACTIONS, CHANNELS

#: More rejected records than both of these fail a step: so many, and so large a share of those that came.
ALLOWED, SHARE = 10, 0.05

#: Reasons that a message names.
SHOWN = 5


def are_too_many(rejected: int, came: int, share: float, *, none_left: bool) -> bool:
    """Whether a step must not go on. ``none_left``: no record could be read, which fails even a handful of them."""
    return rejected > share * came and (rejected > ALLOWED or none_left)


def list_reasons(reasons: Mapping[str, int]) -> str:
    """The most frequent reasons with their counts. A reason names a field, never its value."""
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{reason} ({count:,})" for reason, count in ordered[:SHOWN]]
    more = len(ordered) - len(shown)
    return "; ".join([*shown, *([f"{more} other reasons"] if more else [])])


def explain_way_on(*, none_left: bool) -> str:
    """How to go on without them, for a message."""
    return f"{'set rejects_share to 1' if none_left else 'raise rejects_share'} to go on without them"


def read_record(vendor: Vendor, payload: bytes, asked: Asked) -> Interaction:
    """Read one record; raises RecordRejected, also for a channel or an action that the table does not know."""
    row = vendor.interaction(payload, asked)
    if row.channel not in CHANNELS or row.action not in ACTIONS:
        reason = f"the vendor module maps to an unknown channel or action ({row.channel}, {row.action})"
        raise RecordRejected(reason)
    return row
