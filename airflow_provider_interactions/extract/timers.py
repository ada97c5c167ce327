"""What an extraction does every so often: save a checkpoint, and report its progress."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic

from airflow_provider_interactions.extract.checkpoint import EVERY, SHARE
from airflow_provider_interactions.extract.raw_writer import RawWriter
from airflow_provider_interactions.extract.tracker import Tracker

#: Seconds between two progress reports while no contact finishes.
LOOK = 1.0


@dataclass(slots=True)
class CheckpointTimer:
    """Saves checkpoints: so often that a failure costs little, so rarely that saving costs little."""

    writer: RawWriter
    tracker: Tracker
    began: float = field(default_factory=monotonic)
    saved: float = field(default_factory=monotonic)

    async def save_if_due(self) -> None:
        """Save a checkpoint if the last one was long enough ago."""
        now = monotonic()
        if self.writer.checkpoints is None or now - self.saved < max(EVERY, SHARE * (now - self.began)):
            return
        self.saved = now
        early = self.tracker.count_ended()
        await asyncio.to_thread(self.writer.save, early, self.tracker.build_tally())


@asynccontextmanager
async def report_progress(tracker: Tracker) -> AsyncIterator[None]:
    """Report progress every second, also while no contact finishes: a vendor's pause may take minutes."""

    async def look() -> None:
        while True:
            await asyncio.sleep(LOOK)
            tracker.report()

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
