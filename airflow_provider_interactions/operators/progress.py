"""A line of progress every few seconds: counts and rates, nothing about a person."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_interactions.extract import Progress

#: Seconds between two lines.
EVERY = 5.0


def reporter(
    say: Callable[[str], None], label: str, *, every: float = EVERY, clock: Callable[[], float] = time.monotonic
) -> Callable[[Progress], None]:
    """Make the function an extraction calls after each contact; it speaks at most once in ``every`` seconds."""
    began = spoken = clock()

    def report(progress: Progress) -> None:
        nonlocal spoken
        now = clock()
        if now - spoken >= every:
            spoken = now
            say(f"{label}: {line(progress, now - began)}")

    return report


def line(progress: Progress, seconds: float) -> str:
    """How far, how fast, how long still. ``seconds`` have passed since the beginning."""
    share = progress.done / progress.contacts
    left = seconds / share - seconds if share else 0
    return (
        f"{progress.done:,} of {progress.contacts:,} contacts ({share:.0%}), {progress.rows:,} records, "
        f"{progress.requests:,} requests ({progress.requests / max(seconds, 1e-9):,.0f}/s), "
        f"throttled {progress.throttled:,} times, about {left:,.0f} s left"
    )
