"""Unreadable records: how many are too many, and how a message lists their reasons."""

from __future__ import annotations

from collections.abc import Mapping

#: A step fails if it rejects more records than this number, and also a larger share than the next one.
ALLOWED = 10

#: The share of all records that may be rejected.
SHARE = 0.05

#: Why a record is rejected that the vendor sent for another contact than the one it names. Answers about a person do
#: not show such a record.
ANOTHER_CONTACT = "it names another contact than the one asked for"

#: The number of reasons that a message names.
SHOWN = 5


def are_too_many(rejects: int, came: int, share: float, *, none_left: bool) -> bool:
    """Whether the step must fail. If no record was readable (``none_left``), even a few rejected ones are too many."""
    return rejects > share * came and (rejects > ALLOWED or none_left)


def list_reasons(reasons: Mapping[str, int]) -> str:
    """The most frequent reasons with their counts. A reason names a field, never its value."""
    by_count = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    named = [f"{reason} ({count:,})" for reason, count in by_count[:SHOWN]]
    more = len(by_count) - len(named)
    return "; ".join([*named, *([f"{more} other reasons"] if more else [])])


def explain_way_on(*, none_left: bool) -> str:
    """The end of a message: how to continue without the rejected records."""
    return f"{'set rejects_share to 1' if none_left else 'raise rejects_share'} to go on without them"
