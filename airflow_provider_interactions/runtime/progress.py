"""A line of progress every few seconds: counts and rates, nothing about a person."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_interactions.extract.job import Progress

#: Seconds between two lines.
EVERY = 5.0


def make_reporter(
    say: Callable[[str], None], label: str, *, every: float = EVERY, clock: Callable[[], float] = time.monotonic
) -> Callable[[Progress], None]:
    """Make the function an extraction calls now and then; it speaks at most once in ``every`` seconds."""
    began = spoken = clock()
    first: Progress | None = None

    def report(progress: Progress) -> None:
        nonlocal first, spoken
        now, first = clock(), first or progress
        if now - spoken >= every:
            spoken = now
            say(f"{label}: {format_line(progress, now - began, first)}")

    return report


def format_line(progress: Progress, seconds: float, first: Progress | None = None) -> str:
    """How far, how fast, how long still, and what it is waiting for.

    ``seconds`` have passed since the beginning, when it was as far as ``first``: a try goes on where another ended.
    """
    before = (first.done, first.requests) if first else (0, 0)
    done, requests = progress.done - before[0], progress.requests - before[1]
    share = progress.done / progress.contacts if progress.contacts else 1.0
    told = [
        f"{progress.done:,} of {progress.contacts:,} contacts ({share:.0%})",
        f"{progress.rows:,} records",
        f"{progress.requests:,} requests ({requests / max(seconds, 1e-9):,.0f}/s)",
        f"throttled {progress.throttled:,} times",
    ]
    if progress.paused_until is not None:
        # Rounded up: asking is over by then.
        until = (progress.paused_until + timedelta(seconds=1)).astimezone(UTC)
        told.append(f"waiting until {until:%H:%M:%SZ}, as the vendor asked to slow down")
    elif done:
        left = seconds / done * (progress.contacts - progress.done)
        told.append(f"about {left:,.0f} s left")
    return ", ".join(told)
