"""Canonical Parquet to a database: merged by key, newest wins, in one transaction. One module a target."""

from __future__ import annotations

import msgspec


class Loaded(msgspec.Struct, frozen=True):
    """What a load did. ``rows`` arrived; ``merged`` were the same interaction twice among them.

    ``unchanged`` ones are in the table as they are here, or newer.
    ``inserted`` + ``updated`` + ``unchanged`` + ``merged`` = ``rows``.
    """

    rows: int
    inserted: int
    updated: int
    unchanged: int
    merged: int
