"""What exists in a window, computed from the world and never from served bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from airflow_provider_interactions.sandbox.expected import Expected, Fact, Selection, digest_lines, encode_fact
from airflow_provider_interactions.sandbox.vendor import Site, Vendor
from airflow_provider_interactions.sandbox.world import World, get_shape, is_active, to_micros

_DAY_ONLY = re.compile(r"\d{4}-\d\d-\d\d")


def parse_instant(text: str | datetime) -> int:
    """Microseconds since the epoch of an aware datetime, an ISO text with an offset, or a day (midnight UTC)."""
    if isinstance(text, str) and _DAY_ONLY.fullmatch(text):
        return to_micros(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC))
    # A query string turns an unescaped "+" into a blank; reading it back is kinder than an error.
    value = datetime.fromisoformat(text.replace(" ", "+")) if isinstance(text, str) else text
    if value.tzinfo is None:
        message = "an instant needs an offset, e.g. 2026-01-01T00:00:00Z"
        raise ValueError(message)
    return to_micros(value)


def encode_facts(vendor: Vendor, site: Site, chosen: Selection) -> Iterator[bytes]:
    """Lines of the chosen facts, contact by contact where the vendor keeps them so."""
    if vendor.all_facts is not None:
        yield from (encode_fact(fact) for fact in _choose_facts(vendor.all_facts(site, chosen), chosen))
        return
    for index in _choose_contacts(vendor, site.world, chosen):
        yield from _encode_contact(vendor, site.world, site.options, chosen, index)


def compute_expected(vendor: Vendor, site: Site, chosen: Selection) -> Expected:
    """Count and digest of the chosen facts, in one pass and little memory."""
    if vendor.all_facts is not None:
        return _sum_facts(_choose_facts(vendor.all_facts(site, chosen), chosen))
    interactions = contacts = total = 0
    for index in _choose_contacts(vendor, site.world, chosen):
        lines = _encode_contact(vendor, site.world, site.options, chosen, index)
        interactions += len(lines)
        contacts += bool(lines)
        total += int(digest_lines(lines), 16)
    return Expected(interactions, f"{total % 2**256:064x}", contacts)


def _choose_facts(facts: Iterable[Fact], chosen: Selection) -> Iterator[Fact]:
    if chosen.active is not None:
        message = "this vendor has no active contacts: leave active out"
        raise ValueError(message)
    for fact in facts:
        same = chosen.contact in {None, fact.contact_id} and chosen.type in {None, fact.native_type}
        if same and chosen.start_us <= fact.occurred_at < chosen.end_us:
            yield fact


def _sum_facts(facts: Iterable[Fact]) -> Expected:
    interactions = total = 0
    contacts: set[str] = set()
    for fact in facts:
        interactions += 1
        contacts.add(fact.contact_id)
        total += int(digest_lines([encode_fact(fact)]), 16)
    return Expected(interactions, f"{total % 2**256:064x}", len(contacts))


def _choose_contacts(vendor: Vendor, world: World, chosen: Selection) -> Iterator[int]:
    for index in range(world.contacts):
        if chosen.contact is not None and vendor.contact_id(world, index) != chosen.contact:
            continue
        if chosen.active is None or is_active(world, index) == chosen.active:
            yield index


def _encode_contact(vendor: Vendor, world: World, options: Any, chosen: Selection, index: int) -> list[bytes]:
    source = get_shape(world, index)
    body = _encode_shape(vendor.facts, world, options, source, chosen.start_us, chosen.end_us, chosen.type)
    return vendor.relabel(body, source, index).split(b"\n") if body else []


@lru_cache(maxsize=256)
def _encode_shape(
    facts: Callable[[World, Any, int], Sequence[Fact]],
    world: World,
    options: Any,
    index: int,
    start_us: int,
    end_us: int,
    native_type: str | None,
) -> bytes:
    # JSON never holds a raw line break, so lines can be joined and split again after the tag is replaced.
    return b"\n".join(
        encode_fact(fact)
        for fact in facts(world, options, index)
        if start_us <= fact.occurred_at < end_us and native_type in {None, fact.native_type}
    )
