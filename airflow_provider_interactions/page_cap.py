"""Learn in a run how many rows a server puts on a page, to recognise a short page as the last one.

A vendor that publishes neither a largest page nor a mark of the last one may cut pages wherever it likes. Then a page
with fewer rows than asked for is the last one, or one that was cut. Another request shows which: after the last page
comes nothing new. This request confirms a short page. Most short pages are believed without it:

- The server is taken to have one cap, or none. So a page with fewer rows than the largest page is the last one, and a
  page of exactly the size at which pages were cut is confirmed always.
- A page as large as the largest one may show the cap: it is confirmed, until four of its size were last pages. So are
  the first three short pages of a run. Both end at a budget, see `Budget`.
- One short page in 128 is confirmed whatever else is known, of the size with the most pages in doubt: more than those
  of its neighbours, as a cap would make them.
- At the end of a run the sizes with most doubt are confirmed: those, and the ones that came again and again after the
  last larger page, as behind a cap that has fallen.

When a confirmation shows that a smaller page than the largest one was cut, the cap changes. Then no short page of this
server is believed any more in this run, and what was believed before is asked for again. The pages of such a server may
even be cut after one row, the one that pages overlap by. So its lists end with a page without any row.

What can be missed: a server that cuts few pages only, each at another size and below its largest page, is found by the
sample alone: one short page in 128 while the run goes on, and at most one in 50 at its end. So is a server that gives
one row now and then right after a larger page, because that row is the one that pages overlap by.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, zip_longest
from typing import Any

import msgspec

#: Asks for what follows a page that was believed to be the last one, with the ``Fetch`` that it is given. Returns the
#: instants (UTC) of the rows that came, None for one that cannot be read.
Rest = Callable[[Any], Awaitable[Sequence[datetime | None]]]


#: A run of fewer contacts confirms every short page: that costs it fewer than 100 requests.
TRUSTING_FROM = 100

#: A confirmation that is due waits for the size with most doubt. With each other page it asks for less.
PATIENCE = 0.98


@dataclass(frozen=True, slots=True)
class Budget:
    """How many short pages are confirmed. The numbers are a choice: 2 % of 600 contacts, and fewer of more.

    ``first`` of a run, and one more for every ``first_every`` short pages; ``large`` where the page was as large as the
    largest one, one more for every ``large_every``, until ``each`` pages of this size were last ones. At the end of a
    run one in ``every``, those before included, but ``last`` at least and ``most_last`` at most.
    """

    first: int = 3
    first_every: int = 128
    large: int = 8
    large_every: int = 256
    each: int = 4
    every: int = 50
    last: int = 2
    most_last: int = 16


class Evidence(msgspec.Struct):
    """What a run has seen of a server's pages. It is kept in the run's checkpoint.

    ``largest`` is the rows of the largest page, ``cut`` those of pages that were cut (0: none), ``believed`` those of
    the largest short page that was believed to be the last one, and at least 1 if a page of nothing but the row that
    pages overlap by was (0: none). ``steady`` is False once the cap changed.
    """

    largest: int = 0
    cut: int = 0
    believed: int = 0
    steady: bool = True

    @property
    def is_refuted(self) -> bool:
        """Whether a page that was believed to be the last one may have been cut."""
        return self.believed > 0 and (not self.steady or 0 < self.cut <= self.believed)

    def start_over(self) -> Evidence:
        """What is still known when everything is asked for again.

        So a run starts over twice at most: for a cap that it learned late, and for one that changes.
        """
        return Evidence(self.largest, self.cut, steady=self.steady and self.cut != 1)


@dataclass(slots=True)
class Doubt:
    """Believed pages of one size since one of that size was confirmed: all, and those after the last larger page."""

    rows: int
    pages: int = 0
    since_larger: int = 0
    rest: Rest | None = None


@dataclass(slots=True)
class PageCap:
    """The pages of one server in one run, shared by all its queries.

    Unless it is ``trusting``, every short page is confirmed.
    """

    evidence: Evidence = field(default_factory=Evidence)
    trusting: bool = False
    budget: Budget = Budget()
    short: int = 0
    confirmed: int = 0
    _ends: Counter[int] = field(default_factory=Counter)
    _doubts: dict[int, Doubt] = field(default_factory=dict)
    _falling: list[int] = field(default_factory=list)  # sizes in doubt without a larger page since, the largest first
    _most: float = 0.0

    def note_page(self, rows: int) -> None:
        """A page came, whatever it means."""
        found = self.evidence
        found.largest = max(found.largest, rows)
        found.steady = found.steady and not 0 < found.cut < rows
        while self._falling and self._falling[-1] < rows:
            self._doubts[self._falling.pop()].since_larger = 0

    def note_cut(self, rows: int) -> None:
        """A short page was not the last one of its list."""
        found = self.evidence
        found.steady = found.steady and found.cut in (0, rows) and rows >= found.largest
        found.cut = rows

    def note_end(self, rows: int, *, is_proven: bool) -> None:
        """A short page was confirmed as the last one of its list.

        It is proven by a page without a row. One that repeats the last row only is believed not to be cut there.
        """
        self._ends[rows] += 1
        if not is_proven and self.evidence.steady:
            self.evidence.believed = max(self.evidence.believed, 1)

    def believes(self, rows: int, rest: Rest) -> bool:
        """Whether a short page, which is noted already, is taken for the last one of its list."""
        if not self.trusting or not self.evidence.steady or rows == self.evidence.cut:
            return False
        self.short += 1
        if self._wants_confirmation(rows):
            self.confirmed += 1
            self._clear_doubt(rows)
            return False
        self.evidence.believed = max(self.evidence.believed, rows)
        self._add_doubt(rows, rest)
        return True

    def list_doubts(self) -> list[Doubt]:
        """What to confirm at the end of a run, as much as the budget allows."""
        allowed = max(self.budget.last, self.short // self.budget.every - self.confirmed)
        falling = sorted((self._doubts[rows] for rows in self._falling), key=lambda one: -one.since_larger)
        most = sorted(self._doubts.values(), key=lambda one: (-self._measure_doubt(one.rows), -one.rows))
        both = {one.rows: one for one in chain(*zip_longest(falling, most)) if one is not None}
        return list(both.values())[: min(allowed, self.budget.most_last)]

    def _wants_confirmation(self, rows: int) -> bool:
        budget = self.budget
        if rows >= self.evidence.largest and self._ends[rows] < budget.each:
            return self.confirmed < budget.large + self.short // budget.large_every
        if self.short <= budget.first:
            return True
        if self.confirmed >= budget.first + self.short // budget.first_every:
            return False
        self._most *= PATIENCE
        return self._measure_doubt(rows) + 1 >= self._most

    def _measure_doubt(self, rows: int) -> int:
        """How many more pages of this size are in doubt than of the neighbouring sizes."""
        before, here, after = (found.pages if (found := self._doubts.get(rows + n)) else 0 for n in (-1, 0, 1))
        return here - max(before, after)

    def _add_doubt(self, rows: int, rest: Rest) -> None:
        doubt = self._doubts.setdefault(rows, Doubt(rows))
        doubt.pages, doubt.since_larger, doubt.rest = doubt.pages + 1, doubt.since_larger + 1, rest
        self._most = max(self._most, self._measure_doubt(rows))
        if self._falling[-1:] != [rows]:
            self._falling.append(rows)

    def _clear_doubt(self, rows: int) -> None:
        if self._doubts.pop(rows, None):
            self._most = max(map(self._measure_doubt, self._doubts), default=0)
        if self._falling[-1:] == [rows]:
            self._falling.pop()
