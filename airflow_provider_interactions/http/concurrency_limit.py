"""How many requests in flight a vendor accepts at one time, learned from its refusals. Times are the event loop's.

A refusal for concurrency says nothing about a rate. It lowers the requests in flight to those that were admitted. After
a while more are tried, one at first, then faster and faster, because another task of the connection may have ended.
Each attempt that fails doubles the time until the next one.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Seconds without a refusal after which more are tried: at first, and at most.
HOLD_SECONDS, MOST_HOLD_SECONDS = 30.0, 480.0

#: Seconds between two steps while more are tried.
STEP_SECONDS = 1.0

#: At least this share of the requests in flight counts as admitted: during a pause a vendor may refuse all of them.
ADMITTED_SHARE = 0.125


@dataclass(slots=True)
class LearnedConcurrency:
    """The most requests in flight; without a bound until a refusal teaches one.

    ``crowd`` is the most that were in flight at the current refusals, ``proven`` the limit before attempts at more.
    """

    most: float = float("inf")
    crowd: int = 0
    proven: float = 0.0
    hold_seconds: float = HOLD_SECONDS
    step: float = 1.0
    more_at: float = float("inf")

    def learn(self, in_flight: int, now: float, pause: float) -> None:
        """Learn from the refusal that closes the gate; ``in_flight`` counts that request, too."""
        self.crowd, before = 0, self.proven
        self.learn_from_earlier(in_flight)
        in_vain = self.step > 1 and before - 1 <= self.most <= before + 1
        self.hold_seconds = min(2 * self.hold_seconds, MOST_HOLD_SECONDS) if in_vain else HOLD_SECONDS
        self.proven, self.step, self.more_at = self.most, 1.0, now + pause + self.hold_seconds

    def learn_from_earlier(self, in_flight: int) -> None:
        """Learn from another refused request that was sent before the pause: the least crowded one of all counts."""
        self.crowd = max(self.crowd, in_flight)
        self.most = min(self.most, max(1.0, in_flight - 1, self.crowd * ADMITTED_SHARE))
        self.proven = min(self.proven, self.most)

    def grow(self, now: float) -> float:
        """Allow more if it is time for that; returns the most requests in flight at a time."""
        if now >= self.more_at:
            self.most += self.step
            self.step *= 2
            self.more_at = now + STEP_SECONDS
        return self.most
