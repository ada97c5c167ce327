"""Where tasks of one account keep what they share: one small object that changes by compare and swap."""

from __future__ import annotations

from typing import Protocol


class SharedObject(Protocol):
    """Where the ledger is; ``lake.swap`` has the implementations.

    ``seconds`` lie between two renewals while nothing goes on, ``glance`` between two looks at what others wrote.
    """

    seconds: float
    glance: float

    def read(self) -> tuple[bytes, str]:
        """The content and its version; both empty if there is none."""
        ...

    def swap(self, data: bytes, version: str) -> bool:
        """Replace that version; False if it is another one by now."""
        ...

    def check(self) -> bool:
        """Whether the store compares before it writes."""
        ...
