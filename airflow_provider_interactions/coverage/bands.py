"""What a window's counts can be expected to be, by those of the weeks before.

The expectation is the median of the former windows. Their spread is the median absolute deviation (MAD) times 1.4826,
which for a normal distribution is the standard deviation. One unusual former window moves neither of them. Former
windows can be equal by chance, so the band has a least width, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from math import sqrt
from statistics import median

from airflow_provider_interactions.coverage.cells import count_rejects
from airflow_provider_interactions.coverage.index import Entry
from airflow_provider_interactions.window import Window

#: How many former windows a band needs. With fewer, nothing is unusual.
NEEDED = 4

#: How far back former windows count. Eight windows of each weekday, if windows are days.
PAST = timedelta(weeks=8)

#: Former windows of a length of more than a week that count.
LONG_WINDOWS = 8

DAY, WEEK = timedelta(days=1), timedelta(weeks=1)

#: By how much clocks change in summer.
CLOCK_CHANGE = timedelta(hours=1)

#: MAD of a normal distribution to its standard deviation.
SIGMA = 1.4826

#: Half of the band's width, in standard deviations of the former windows.
WIDTH = 5

#: The least half of the band of rows, as a share of the median; and in standard deviations of a pure random count,
#: which is the root of its mean (Poisson).
LEAST_SHARE, LEAST_RANDOM = 0.25, 4

#: The least rise of the share of rejects, and the least number of them.
LEAST_RISE, LEAST_REJECTS = 0.01, 5


def find_unusual_count(window: Entry, others: Iterable[Entry]) -> str | None:
    """A sentence if the rows of a window are outside of the band of former windows of the same time of the week."""
    former = [one.counts.canonical for one in find_former(window, others) if is_same_weekday(window, one)]
    if len(former) < NEEDED:
        return None
    middle = median(former)
    half = max(WIDTH * find_spread(former), LEAST_SHARE * middle, LEAST_RANDOM * sqrt(middle + 1))
    rows = window.counts.canonical
    if abs(rows - middle) <= half:
        return None
    return (
        f"{_name(window)}: {rows:,} rows, expected {max(0, middle - half):,.0f} to {middle + half:,.0f} "
        f"by {len(former)} former windows"
    )


def find_rising_rejects(window: Entry, others: Iterable[Entry]) -> str | None:
    """A sentence if a larger share of a window's records was rejected than of the former windows' records."""
    former = [share for one in find_former(window, others) if (share := find_share(one)) is not None]
    share, rejects = find_share(window), count_rejects(window.counts)
    if len(former) < NEEDED or share is None or rejects < LEAST_REJECTS:
        return None
    middle = median(former)
    if share <= middle + max(WIDTH * find_spread(former), LEAST_RISE):
        return None
    return (
        f"{_name(window)}: {share:.1%} of the records are rejected ({rejects:,}), {middle:.1%} of those of "
        f"{len(former)} former windows"
    )


def find_former(window: Entry, others: Iterable[Entry]) -> list[Entry]:
    """The windows of the same length in the weeks before. Leaves out those that could not ask for some contacts."""
    length = window.end - window.start
    past = PAST if length <= WEEK else LONG_WINDOWS * length
    return [
        one
        for one in others
        if one.end - one.start == length and window.start - past <= one.start < window.start and not one.counts.failed
    ]


def is_same_weekday(window: Entry, former: Entry) -> bool:
    """Whether both begin at the same time of the week. Windows longer than a week all do.

    Days of a time zone begin an hour earlier or later, in UTC, once its clocks have changed.
    """
    length = window.end - window.start
    tolerance = CLOCK_CHANGE if length >= DAY else timedelta(0)
    return length > WEEK or (window.start - former.start + tolerance) % WEEK <= 2 * tolerance


def find_share(window: Entry) -> float | None:
    """The share of a window's records that is rejected; None if it has none."""
    counts = window.counts
    records = counts.landed + counts.undated
    return count_rejects(counts) / records if records else None


def find_spread(values: Sequence[float]) -> float:
    """The standard deviation by the median absolute deviation."""
    middle = median(values)
    return SIGMA * median(abs(value - middle) for value in values)


def _name(window: Entry) -> str:
    return f"{window.vendor}, window {Window(window.start, window.end)}"
