"""Paging by offset through a list that may change meanwhile: each page begins a row before the end of the last one.

A row that is deleted moves the later ones up, over the border of a page. Then a page does not begin with a known row.
It is requested again from smaller and smaller offsets until it does.

The largest ``limit`` is not published, so a server may cut pages. A short page is either the last one, or it was cut;
``page_cap`` decides which.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from airflow_provider_interactions.errors import Incomplete
from airflow_provider_interactions.page_cap import PageCap
from airflow_provider_interactions.vendors.capillary.identity import inspect_records
from airflow_provider_interactions.vendors.capillary.responses import Entry

#: How many times pages of one customer may be requested again.
MAX_STEPS_BACK = 50

#: A channel's name, and what identifies a record in it.
Row = tuple[object, ...]


@dataclass(slots=True)
class Paging:
    """Where the next page of a customer starts, in rows, and which rows are known.

    ``short`` is how many rows the last page had, if it had fewer than asked for and may be the last one; else 0.
    """

    size: int
    time_zone: str
    cap: PageCap = field(default_factory=PageCap)
    short: int = 0
    repeated_last: bool = False
    offset: int = 0
    back: int = 1
    steps_back: int = 0
    counts_by_channel: bool = False
    overlaps: bool = False
    seen: set[Row] = field(default_factory=set)
    got: Counter[str] = field(default_factory=Counter)

    def follows(self, entries: Sequence[Entry]) -> bool:
        """Whether a page begins with a known row: in all channels together, or in each if the server counts so."""
        some = [entry for entry in _list_messages(entries) if entry.listed]
        if not self.offset:
            self.counts_by_channel = sum(len(entry.listed) for entry in some) > self.size
        firsts = some if self.counts_by_channel else some[:1]
        if self.overlaps and not some:
            return False  # the row that is known is gone, and others may have moved before it
        begins_anew = not self.offset or not self.overlaps  # a page of one row cannot overlap the next one
        return begins_anew or self.seen.issuperset(
            row for entry in firsts for row in self._identify(entry.name, entry.listed[:1])
        )

    def step_back(self) -> None:
        """Ask from further before; raises Incomplete when that was needed too often."""
        self.steps_back += 1
        self.offset, self.back = max(0, self.offset - self.back), self.back * 2
        if self.steps_back > MAX_STEPS_BACK:
            msg = (
                "rows of one customer were deleted again and again while v1.1 was paging through them. Run the task "
                "again, set the extra's api to v2, or set the option page_size above the longest history"
            )
            raise Incomplete(msg)

    def advance(self, entries: Sequence[Entry]) -> list[Entry]:
        """What is new on a page, which is known from now on; the next page starts at its last row."""
        fresh = self.keep_fresh(entries)
        self.seen.update(row for entry in fresh for row in self._identify(entry.name, entry.listed))
        self.got.update({entry.name: len(entry.listed) for entry in fresh})
        sizes = [len(entry.listed) for entry in _list_messages(entries)]
        rows = max(sizes, default=0) if self.counts_by_channel else sum(sizes)
        self._note_page(rows, entries, is_fresh=any(entry.listed for entry in _list_messages(fresh)))
        # A page that is too long may have begun before the place it was asked for.
        self.offset, self.back = self.offset + max(min(rows, self.size) - 1, 1), 1
        self.overlaps = rows > 1
        return fresh

    @property
    def cursor(self) -> str:
        """The place of the next page, another text each time, also where it is a place that was asked for before."""
        return f"{self.offset}-{self.steps_back}" if self.steps_back else str(self.offset)

    def is_end(self, entries: Sequence[Entry], fresh: Sequence[Entry]) -> bool:
        """Whether a page brought nothing new. After steps back only one that ends with a row that was the last one.

        A server that may cut pages after one row has to send none, or the same one again.
        """
        if any(entry.listed for entry in fresh):
            self.repeated_last = False
            return False
        most = max((len(entry.listed) for entry in _list_messages(entries)), default=0)
        if most == 1 and not self.cap.evidence.steady and not self.repeated_last:
            self.repeated_last = True
            return False
        return not self.steps_back or most <= 1

    def keep_fresh(self, entries: Sequence[Entry]) -> list[Entry]:
        """The channels of a page with the rows that are not known."""
        return list(map(self._keep_fresh, entries))

    def _keep_fresh(self, entry: Entry) -> Entry:
        rows = dict(zip(entry.listed, self._identify(entry.name, entry.listed), strict=True))
        return entry.keep(lambda record: rows[record] not in self.seen)

    def keep_last(self, entries: Sequence[Entry]) -> Paging:
        """The same place in the list, with only the last page's last rows known: enough to read what follows."""
        last = {row for entry in entries for row in self._identify(entry.name, entry.listed[-1:])}
        return replace(self, seen=last)

    def _note_page(self, rows: int, entries: Sequence[Entry], *, is_fresh: bool) -> None:
        """Learn from a page. One that counts more than came, in all of a channel, cannot be the last one."""
        self.cap.note_page(rows)
        if self.short and is_fresh:
            self.cap.note_cut(self.short)
        elif self.short:
            self.cap.note_end(self.short, is_proven=not rows)
        counts_more = any((entry.count or 0) > self.got[entry.name] for entry in _list_messages(entries))
        self.short = rows if is_fresh and rows < self.size and not counts_more else 0

    def _identify(self, channel: str, records: Sequence[bytes]) -> list[Row]:
        """What rows are known by."""
        sights = zip(records, inspect_records(records, self.time_zone, [channel] * len(records)), strict=True)
        return [(channel, record) if one.key is None else (channel, one.key, one.identity) for record, one in sights]


def _list_messages(entries: Sequence[Entry]) -> list[Entry]:
    """Channels with a list of messages: surveys and check-ins are on every page."""
    return [entry for entry in entries if entry.count is not None]
