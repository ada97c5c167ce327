"""When to retry a failed request, and after how long: decided from errors and headers alone.

Two kinds of failure may be temporary. A *fault* (Unavailable) is retried up to ``Limits.tries``. An *odd* response,
which has another shape than documented or redirects elsewhere, is retried up to ``Limits.odd_tries``, then believed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from airflow_provider_interactions.errors import BadResponse, RequestRejected, Unavailable
from airflow_provider_interactions.http.rate_tuning import RateTuning

if TYPE_CHECKING:
    from airflow_provider_interactions.contract import Response

#: Bytes of one decoded body. The largest documented page is far below; more is a fault or an attack.
BODY_LIMIT = 256 * 1024 * 1024

#: Bytes of all bodies that are being read at one time.
BODIES_LIMIT = 2 * BODY_LIMIT

#: Seconds of a week: a longer Retry-After counts as this, which is more than any run waits.
LONGEST_WAIT = 7 * 86_400.0

#: Seconds by which the vendor's clock may differ from ours; a Date header beyond that is ignored.
CLOCKS_APART = 86_400.0


@dataclass(frozen=True, slots=True)
class Limits:
    """When to give up. ``timeout`` is the seconds of one attempt, ``tries`` the failed attempts at one request.

    After ``odd_tries`` odd responses the last one is believed. The defaults outlast a vendor that is away for a minute:
    0.5 + 1 + 2 + 4 + 8 + 16 + 30 seconds lie between eight tries.

    ``patience`` is how many seconds a vendor may refuse a request for its rate limit before the run ends with
    Throttled. One pause that is longer than ``longest_pause`` ends the run at once, so that the task can be deferred.
    ``first_wait`` is the seconds before the first retry of a fault, doubled each time up to ``last_wait``.
    ``body`` and ``bodies`` are the most bytes of one response, and of all that are being read at one time. ``rate``
    is how the vendor's rate limit is learned.
    """

    timeout: float = 120.0
    tries: int = 8
    odd_tries: int = 4
    patience: float = 1800.0
    longest_pause: float = float("inf")
    first_wait: float = 0.5
    last_wait: float = 30.0
    body: int = BODY_LIMIT
    bodies: int = BODIES_LIMIT
    rate: RateTuning = field(default_factory=RateTuning)

    @property
    def most_pause(self) -> float:
        """Seconds of a pause up to which the run waits; after a longer one the task comes back."""
        return min(self.patience, self.longest_pause)


@dataclass(slots=True)
class Tries:
    """The tries at one request: how many failed, and how many of those with an odd response."""

    limits: Limits
    failed: int = 0
    odd: int = 0

    def pause_after(self, error: Exception) -> float | bool:
        """Count a failed try; returns the seconds until the next one, or False to raise the error."""
        self.failed += 1
        self.odd += is_odd(error)
        if not (isinstance(error, Unavailable) or is_odd(error)) or self.odd >= self.limits.odd_tries:
            return False
        asked = error.retry_after or 0.0 if isinstance(error, Unavailable) else 0.0
        jitter = random.uniform(0, self.limits.first_wait)  # noqa: S311 - no secret depends on it
        backoff = compute_backoff(self.failed, self.limits) + jitter
        return max(asked, backoff) if asked <= self.limits.most_pause else False


def compute_backoff(failed: int, limits: Limits) -> float:
    """The least seconds to wait after so many failed tries, whatever the vendor says."""
    return min(limits.last_wait, limits.first_wait * 2.0 ** min(failed - 1, 64))


def is_odd(error: Exception) -> bool:
    """Whether the vendor sent a response that it does not document, which may be temporary."""
    if isinstance(error, BadResponse):
        return not error.lasting
    return isinstance(error, RequestRejected) and 300 <= (error.status or 0) < 400


def read_retry_after(response: Response, now: datetime | None = None) -> float | None:
    """The Retry-After header, seconds or an HTTP date, in seconds from now. None if absent or neither.

    A date is compared with the response's own Date, so that this machine's clock may be wrong.
    """
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.replace(".", "", 1).isdigit():
        return min(float(value), LONGEST_WAIT)
    when = _parse_date(value)
    if when is None:
        return None
    wait = (when - _read_vendor_clock(response, now or datetime.now(UTC))).total_seconds()
    return min(max(0.0, wait), LONGEST_WAIT)


def _read_vendor_clock(response: Response, now: datetime) -> datetime:
    clock = _parse_date(response.headers.get("date", ""))
    return clock if clock is not None and abs((clock - now).total_seconds()) <= CLOCKS_APART else now


def _parse_date(value: str) -> datetime | None:
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)
