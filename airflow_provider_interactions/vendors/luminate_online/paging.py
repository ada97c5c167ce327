"""Paging by record offset over rows that move: where the next page starts, which records are new, when it ends.

The vendor documents neither a maximum page size nor a "more" flag, so a server may cut a page anywhere. A short page is
either the last one, or it was cut; ``page_cap`` decides which. Each further page begins with the last record of the
page before. If only that record comes, there are no more records. If the page begins with a new record, rows before it
were deleted meanwhile, and others have moved up into the page that was read already. Then an earlier page is requested
again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from airflow_provider_interactions.errors import Incomplete, Stalled
from airflow_provider_interactions.page_cap import PageCap

#: Times that one listing may go back because rows have moved; the steps back double.
MOST_STEPS_BACK = 24

#: Times that one listing may be sent a page that it was sent before.
MOST_REPEATS = 2


@dataclass(slots=True)
class Paging:
    """The state of one listing. ``size`` is in records, at least 2 since pages overlap; ``offset`` is where to read.

    ``short`` is the number of records of the last page, if it had fewer than requested and may be the last one; else 0.
    ``repeated_last`` says that it had only the last known record, on a server that may cut pages after one record. The
    next page then cannot overlap, and ends the listing if it is empty.
    """

    size: int
    cap: PageCap = field(default_factory=PageCap)
    offset: int = 0
    short: int = 0
    repeated_last: bool = False
    ended: bool = False
    last: str = ""
    largest: int = 0
    pages: int = 0
    back: int = 0
    beyond: bool = False
    repeats: int = 0
    seen: set[str] = field(default_factory=set)
    begun: set[str] = field(default_factory=set)
    sent: set[bytes] = field(default_factory=set)
    first_page: Sequence[bytes] = ()

    def __post_init__(self) -> None:
        self.size = max(2, self.size)

    def take(self, records: Sequence[bytes], names: Sequence[str], total: int | None = None) -> list[int] | None:
        """Find the records of a page that have not come before, byte for byte, and move to the next offset.

        ``names`` say which records are the same row, also if they are written differently. Returns None if an earlier
        page must be requested first. Raises Incomplete if rows move too often to know what is missing, Stalled if the
        same page comes again and again.
        """
        self.pages += 1
        if self.offset and not self.repeated_last and not self.continues(names):
            self._step_back(empty=not names)
            return None
        fresh = [name for name in names if name not in self.seen]
        self.ended = self._is_end(names, fresh, total)
        self._note_page(len(names), len(fresh), is_counted=total is not None)
        self.beyond = self.beyond and not fresh
        self.repeated_last = not fresh and not self.ended and len(names) == 1
        self.seen.update(names)
        self.largest = max(self.largest, len(names))
        self.last = names[-1] if names else self.last
        self.begun.update(names[:1])
        self._move_on(len(names))
        return self._find_unsent(records, is_plain=len(fresh) == len(set(names)) == len(records))

    def end_early(self) -> None:
        """End the listing with the last page."""
        self.ended = True

    def keep_last(self) -> Paging:
        """The same place in the listing, with only the last record known. That is enough to read what follows it."""
        return replace(self, seen={self.last}, begun=set(), sent=set(), first_page=())

    def _note_page(self, got: int, fresh: int, *, is_counted: bool) -> None:
        """Learn from a page. If the total is declared, there is nothing to learn."""
        self.cap.note_page(got)
        if self.short and fresh:
            self.cap.note_cut(self.short)
        elif self.short and self.ended:
            self.cap.note_end(self.short, is_proven=not got)
        may_be_last = fresh and got < self.size and not self.ended and not is_counted
        self.short = got if may_be_last else 0

    def _find_unsent(self, records: Sequence[bytes], *, is_plain: bool) -> list[int]:
        """The numbers of records that were not sent before. Most listings have one page, and its rows all differ."""
        if is_plain and self.pages == 1:
            self.first_page = records
            return list(range(len(records)))
        self.sent.update(blake2b(record, digest_size=16).digest() for record in self.first_page)
        self.first_page = ()
        found = []
        for n, record in enumerate(records):
            digest = blake2b(record, digest_size=16).digest()
            if digest not in self.sent:
                self.sent.add(digest)
                found.append(n)
        return found

    def continues(self, names: Sequence[str]) -> bool:
        """Whether a page continues what came before."""
        if self.largest < 2:  # a server that gives one record at a time: pages cannot overlap
            return True
        return bool(names) and names[0] in self.seen

    def _step_back(self, *, empty: bool) -> None:
        self.back += 1
        self.beyond = empty
        if self.back > MOST_STEPS_BACK:
            msg = "rows move between pages faster than they can be read. Try again later, or ask for larger pages"
            raise Incomplete(msg)
        self.offset = max(0, self.offset - 2 ** (self.back - 1))

    def _is_end(self, names: Sequence[str], fresh: Sequence[str], total: int | None) -> bool:
        # More rows than the total says: it is not that of the listing.
        if not names or (total is not None and len(self.seen) + len(fresh) == total and len(names) < self.size):
            return True
        if fresh or names[-1] != self.last:
            return False
        if self.beyond:  # the page after this one had nothing
            return True
        if len(names) > 1:  # a step back may reach so far that a whole page is known, and more follows
            if names[0] in self.begun:
                self._refuse_repeat()
            return False
        return self.repeated_last or self.cap.evidence.steady

    def _refuse_repeat(self) -> None:
        """Count a page that came before: new rows may precede it, or the server ignores the offset."""
        self.repeats += 1
        if self.repeats > MOST_REPEATS:
            msg = "the vendor sends the same page for every offset, so the pages would never end"
            raise Stalled(msg)

    def _move_on(self, got: int) -> None:
        overlap = 1 if self.largest > 1 else 0
        self.offset += max(got - overlap, 0 if self.ended else 1)
