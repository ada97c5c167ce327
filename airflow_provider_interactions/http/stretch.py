"""What happened between a pause and the next refusal, and the limit that it suggests."""

from __future__ import annotations

from dataclasses import dataclass

#: Vendors document limits over round periods; in seconds.
ROUND_PERIODS = (1.0, 10.0, 60.0, 300.0, 600.0, 3600.0)

#: Shorter ones than the time that it can take to reach the limit: by then, the first requests no longer count.
SHORT_PERIODS = (1.0, 10.0)


@dataclass(slots=True)
class Stretch:
    """The responses to the requests that went out while the gate was open.

    ``refused_at`` is when the first refused one went out, ``retry_after`` what its response named, and ``reopens_at``
    when the pause ends. ``last`` is how many had been sent before it in each of `SHORT_PERIODS`. ``accepted_by_all`` is
    what all tasks of the account had accepted, if each had as many as its part of the rate at that time allowed.
    """

    opened_at: float = 0.0
    accepted: int = 0
    accepted_by_all: float = 0.0
    refused: int = 0
    refused_at: float = 0.0
    retry_after: float = 0.0
    reopens_at: float = float("inf")
    last: tuple[int, int] = (0, 0)

    @property
    def open_for(self) -> float:
        """Seconds until the first refusal."""
        return self.refused_at - self.opened_at


def guess_limit(accepted: int, seen: Stretch) -> tuple[int, float]:
    """The requests of a limit and its period in seconds. The next refusal corrects a wrong guess.

    If the limit was used up since the gate opened, its period is that time and the pause. Vendors round the pause up to
    whole seconds, so the period lies within a second below the sum of the two; a round one in there is a better guess.

    If no round period fits, the rate rose so slowly that a short period was over before: responses may take long, or
    this machine was busy. Then its last requests were accepted, and one more was not.
    """
    longest = max(seen.open_for + seen.retry_after, 0.01)
    fitting = [seconds for seconds in ROUND_PERIODS if longest - 1 <= seconds <= longest]
    if fitting:
        return accepted, fitting[-1]
    short = [
        (requests, seconds)
        for requests, seconds in zip(seen.last, SHORT_PERIODS, strict=True)
        if requests and seen.retry_after - 1 <= seconds <= seen.open_for
    ]
    return short[-1] if short else (accepted, longest)
