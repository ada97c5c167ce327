"""The state of one window of one account, judged from what the lake holds of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from airflow_provider_interactions.coverage.index import Entry
from airflow_provider_interactions.lake.manifest import Counts
from airflow_provider_interactions.window import Window

#: A checkpoint that was saved so recently belongs to a running task. A running extraction saves after each fiftieth of
#: its time, but a vendor may ask for a pause of minutes.
RUNNING_AGE = timedelta(minutes=15)


class State(StrEnum):
    """How complete a window is. The first that applies counts, from the bottom up."""

    #: Every record landed and is a row.
    COMPLETE = "complete"
    #: The vendor was asked and has no record in the window.
    EMPTY = "empty"
    #: Some records cannot be read. They are in ``rejects/``.
    REJECTS = "rejects"
    #: Some contacts could not be answered for.
    PARTIAL = "partial"
    #: The raw window is newer than its canonical rows, or was never normalized.
    STALE = "stale"
    #: No run has asked for the window.
    NEVER = "never"
    #: Since the window was last published, a step's last try failed, or a run left unfinished work.
    FAILED = "failed"
    #: A run of the window saved its progress within the last ``RUNNING_AGE``.
    RUNNING = "running"


class Unfinished(msgspec.Struct, frozen=True):
    """Work on a window that has not been published.

    ``saved_at`` is when an extraction last saved its progress, or when the try of a step failed (UTC).
    """

    window: Window
    saved_at: datetime
    has_failed: bool = False


class Cell(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One window of one account. All instants are in UTC; ``bytes`` are of the canonical files, or of the raw ones.

    ``manifest`` is the path of the window's newest manifest in the lake, empty if it has none. ``extracted_at`` is when
    the shown rows were asked for, and ``published_at`` when their manifest was published. ``newer_history`` is when the
    account's histories were last fetched, if that is later and the same was asked for: cutting the window from it
    again may find records that came late. Only vendors that cannot filter by date have histories. ``rejects`` are
    records that cannot be read.
    """

    vendor: str
    account: str
    start: datetime
    end: datetime
    state: State
    manifest: str = ""
    counts: Counts = msgspec.field(default_factory=Counts)
    rows: int = 0
    rejects: int = 0
    bytes: int = 0
    extracted_at: datetime | None = None
    published_at: datetime | None = None
    newer_history: datetime | None = None

    @property
    def window(self) -> Window:
        """The window."""
        return Window(self.start, self.end)


def judge(entry: Entry, raw: Entry | None, unfinished: Sequence[Unfinished], now: datetime) -> State:
    """The state of a window. ``raw`` is its raw manifest if that is not the one that was normalized."""
    left = [one for one in unfinished if entry.published_at is None or one.saved_at > entry.published_at]
    return judge_unfinished(left, now) or _judge_published(entry.counts, is_stale=raw is not None)


def judge_unfinished(unfinished: Sequence[Unfinished], now: datetime) -> State | None:
    """Whether a window's unfinished extractions are running or have failed; None if it has none."""
    if not unfinished:
        return None
    last = max(unfinished, key=lambda one: one.saved_at)
    return State.RUNNING if not last.has_failed and now - last.saved_at < RUNNING_AGE else State.FAILED


def _judge_published(counts: Counts, *, is_stale: bool) -> State:
    if is_stale:
        return State.STALE
    if counts.failed:
        return State.PARTIAL
    if count_rejects(counts):
        return State.REJECTS
    return State.COMPLETE if counts.landed else State.EMPTY


def count_rejects(counts: Counts) -> int:
    """Records that could not be read, whichever step rejected them."""
    return counts.rejected + counts.undated
