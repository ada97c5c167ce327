"""The most rows that a server puts on a page, as it may change from one request to the next."""

from __future__ import annotations

from airflow_provider_interactions.sandbox.vendor import Site

#: One maximum, several that take turns from page to page, or none. None in a list is a page without a maximum.
Maximum = int | tuple[int | None, ...] | None


def choose_maximum(site: Site, maximum: Maximum, after: int) -> int | None:
    """The maximum of the page that is asked for now; none for the first ``after`` pages since the start or a reset."""
    number = site.counts["pages"] - after
    site.counts["pages"] += 1
    if number < 0:
        return None
    return maximum[number % len(maximum)] if isinstance(maximum, tuple) else maximum
