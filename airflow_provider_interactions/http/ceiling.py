"""How many requests in flight a vendor takes at one time, as its refusals teach. Times are the event loop's.

A refusal for concurrency says nothing about a rate: it lowers the requests in flight to those that were admitted. After
a while more are tried, one by one at first, then faster and faster, because another task of the connection may have
ended. Each try that fails doubles the time until the next one.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Seconds without a refusal after which more are tried: at first, and at most.
HOLD, LONGEST_HOLD = 30.0, 480.0

#: Seconds between two steps while more are tried.
STEP_SECONDS = 1.0

#: At least this share of the requests in flight is taken for admitted: a vendor may refuse all during a pause.
ADMITTED_SHARE = 0.125


@dataclass(slots=True)
class Ceiling:
    """The most requests in flight; without bound until a refusal teaches one."""

    most: float = float("inf")
    crowd: int = 0
    proven: float = 0.0
    hold: float = HOLD
    step: float = 1.0
    more_at: float = float("inf")

    def refused(self, in_flight: int, now: float, pause: float) -> None:
        """Learn from the first refusal of several, when so many were in flight as its request went out, with it."""
        self.crowd, before = 0, self.proven
        self.refused_too(in_flight)
        in_vain = self.step > 1 and before - 1 <= self.most <= before + 1
        self.hold = min(2 * self.hold, LONGEST_HOLD) if in_vain else HOLD
        self.proven, self.step, self.more_at = self.most, 1.0, now + pause + self.hold

    def refused_too(self, in_flight: int) -> None:
        """Another one that was sent before the pause was refused: of all of them, the least crowded one counts."""
        self.crowd = max(self.crowd, in_flight)
        self.most = min(self.most, max(1.0, in_flight - 1, self.crowd * ADMITTED_SHARE))
        self.proven = min(self.proven, self.most)

    def allows(self, now: float) -> float:
        """The most requests in flight at a time."""
        if now >= self.more_at:
            self.most += self.step
            self.step *= 2
            self.more_at = now + STEP_SECONDS
        return self.most
