"""A vendor's documented limits, and how many requests a query takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import ceil

#: The most empty pages in a row, each with a new cursor. After more, the engine assumes that the pages never end. This
#: number is our choice: no vendor documents such pages.
MOST_EMPTY_PAGES = 200


@dataclass(frozen=True, slots=True)
class Pace:
    """A vendor's documented limits: ``concurrency`` requests in flight, ``requests`` in any ``seconds``.

    ``source`` gives page and date. None means that the vendor publishes no such limit.
    """

    concurrency: int
    requests: int | None = None
    seconds: float | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class PageRule:
    """How many requests one query takes, for plans.

    ``rows`` is the most rows of a page, None if a response holds everything. Each further page repeats ``overlap`` rows
    of the one before. ``marks_end`` says whether the vendor marks the last page; if not, another request confirms some
    of the last pages, see ``page_cap``. ``margin`` is the time beyond the window that is asked for as well.
    """

    rows: int | None = None
    overlap: int = 0
    marks_end: bool = True
    margin: timedelta = timedelta(0)

    def count_pages(self, rows: int) -> int:
        """The requests for so many rows, without those that confirm a last page."""
        if self.rows is None or rows <= self.rows:
            return 1
        return 1 + ceil((rows - self.rows) / max(1, self.rows - self.overlap))

    def count_last_rows(self, rows: int) -> int:
        """The rows on the last page of so many."""
        if self.rows is None or rows <= self.rows:
            return rows
        return self.overlap + (rows - self.rows - 1) % max(1, self.rows - self.overlap) + 1
