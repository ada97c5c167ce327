"""Log a line of progress every few seconds: counts and rates, no personal data."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, timedelta

from airflow_provider_interactions.extract.job import Progress

#: Seconds between two lines.
EVERY = 5.0


def make_reporter(
    log: Callable[[str], None], label: str, *, every: float = EVERY, clock: Callable[[], float] = time.monotonic
) -> Callable[[Progress], None]:
    """Make the function that an extraction calls to report progress. It logs at most once in ``every`` seconds."""
    start = last = clock()
    first: Progress | None = None

    def report(progress: Progress) -> None:
        nonlocal first, last
        now, first = clock(), first or progress
        if now - last >= every:
            last = now
            log(f"{label}: {format_line(progress, now - start, first)}")

    return report


def format_line(progress: Progress, seconds: float, first: Progress | None = None) -> str:
    """Contacts done, records, requests and their rate, throttling, and the time left or the end of the wait.

    ``first`` is the progress at the start of this try, ``seconds`` ago: a retry continues where the last try ended.
    """
    before = (first.done, first.requests) if first else (0, 0)
    done, requests = progress.done - before[0], progress.requests - before[1]
    share = progress.done / progress.contacts if progress.contacts else 1.0
    parts = [
        f"{progress.done:,} of {progress.contacts:,} contacts ({share:.0%})",
        f"{progress.rows:,} records",
        f"{progress.requests:,} requests ({requests / max(seconds, 1e-9):,.0f}/s)",
        f"throttled {progress.throttled:,} times",
    ]
    if progress.paused_until is not None:
        # Rounded up to a full second, so that the pause is over at the time shown.
        until = (progress.paused_until + timedelta(seconds=1)).astimezone(UTC)
        parts.append(f"waiting until {until:%H:%M:%SZ}, as the vendor asked to slow down")
    elif done:
        left = seconds / done * (progress.contacts - progress.done)
        parts.append(f"about {left:,.0f} s left")
    return ", ".join(parts)
