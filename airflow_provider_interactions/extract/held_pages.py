"""Pages that are held in memory until they are worth a table."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_interactions.extract.raw_table import PageRows

#: Records, pages, or bytes of records, after which what is held becomes a table.
HELD_ROWS, HELD_PAGES, HELD_BYTES = 8_192, 1_000, 32 * 1024 * 1024

#: The same of records that are encrypted: each table changes files of keys, if its contacts are new.
HELD_ENCRYPTED = 65_536


@dataclass(slots=True)
class HeldPages:
    """Pages that wait to become a table, larger ones where rows are encrypted."""

    encrypted: bool
    _pages: list[PageRows] = field(default_factory=list)
    _rows: int = 0
    _bytes: int = 0

    def add(self, page: PageRows) -> None:
        """Hold a page, if it has records."""
        if page.records:
            self._pages.append(page)
            self._rows += len(page.records)
            self._bytes += sum(map(len, page.records))

    @property
    def full(self) -> bool:
        """Whether what is held is enough for a table."""
        most = HELD_ENCRYPTED if self.encrypted else HELD_ROWS
        return self._rows >= most or len(self._pages) >= HELD_PAGES or self._bytes >= HELD_BYTES

    def take(self) -> list[PageRows]:
        """The pages that were held, and hold none."""
        pages, self._pages, self._rows, self._bytes = self._pages, [], 0, 0
        return pages
