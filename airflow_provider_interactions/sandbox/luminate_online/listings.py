"""getUserInteractions, listInteractions and getInteraction.

Sources: the pages of these methods (open.convio.com/api/apidoc, read 2026-11).

Records are encoded once per shape and page, and carry another constituent's tag when they are sent.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple

from airflow_provider_interactions.sandbox.faults import active_fault
from airflow_provider_interactions.sandbox.luminate_online.answers import RefusedError, form_of
from airflow_provider_interactions.sandbox.luminate_online.criteria import Chosen, Page, chosen_by, page_of
from airflow_provider_interactions.sandbox.luminate_online.fields import NAME, interaction_number
from airflow_provider_interactions.sandbox.luminate_online.records import (
    Options,
    Record,
    contact_index,
    history,
    is_custom,
    record_at,
)
from airflow_provider_interactions.sandbox.luminate_online.wire import Form, document, element, many
from airflow_provider_interactions.sandbox.vendor import Site
from airflow_provider_interactions.sandbox.world import SECOND, Event, World, draw, retag, shape

#: in the order of precedence (page "getInteraction"; that it holds for getUserInteractions is an inference)
IDENTIFIERS = ("cons_id", "member_id", "primary_email")
#: an address that several constituents share
_SHARED_ADDRESS = "household@example.org"
_ITEM = "interaction"
_MILLISECOND = 1000
_LATE_US = 3600 * SECOND


class Crowd(NamedTuple):
    """Everyone's interactions in their order: (shape, position in its history), each once per constituent of it."""

    items: tuple[tuple[int, int], ...]
    #: how many interactions the items up to and with this one stand for
    ends: tuple[int, ...]


def get_user_interactions(site: Site, asked: Mapping[str, str]) -> bytes:
    """A page of one constituent's interactions."""
    index = _identified(site.world, asked)
    chosen, page = chosen_by(site.options, asked), _page(site.options, asked)
    source = shape(site.world, index)
    repeat = 1 if active_fault("duplicate") else 0
    body = _own_page(site.world, site.options, source, form_of(asked), chosen, page, repeat)
    return retag(body, source, index)


def list_interactions(site: Site, asked: Mapping[str, str]) -> bytes:
    """A page of everyone's interactions of one public custom type."""
    if not asked.get("interaction_type_id"):
        raise RefusedError(9, "The parameter interaction_type_id is required.")
    chosen, page = chosen_by(site.options, asked), _page(site.options, asked)
    if not is_custom(chosen.native_type or 0) or chosen.native_type in site.options.private_types:
        raise RefusedError(26, "Invalid interaction type: only public custom types are listed.")
    crowd, form = _crowd(site.world, site.options, chosen), form_of(asked)
    ranks = _ranks(site.world, site.options, chosen, page, crowd.ends[-1] if crowd.ends else 0)
    found = [
        _of_crowd(site, form, chosen, crowd, rank) for rank in _cut(ranks, page, 1 if active_fault("duplicate") else 0)
    ]
    return document(form, "listInteractionsResponse", many(form, _ITEM, found), _variant(site.world, chosen))


def get_interaction(site: Site, asked: Mapping[str, str]) -> bytes:
    """One interaction with its notes, whatever its type."""
    index, form = _identified(site.world, asked), form_of(asked)
    if not asked.get("interaction_id"):
        raise RefusedError(9, "The parameter interaction_id is required.")
    number, source = interaction_number(index, asked["interaction_id"]), shape(site.world, index)
    found = [record for record in history(site.world, site.options, source) if record.number == number]
    if not found:
        raise RefusedError(27, "Invalid interaction.")
    items = [_encoded(site.world, form, record, noted=True) for record in found]
    return retag(document(form, "getInteractionResponse", many(form, _ITEM, items)), source, index)


def _identified(world: World, asked: Mapping[str, str]) -> int:
    """The constituent; of several identifiers the first in the order of precedence decides."""
    kind = next((name for name in IDENTIFIERS if asked.get(name)), None)
    if kind is None:
        raise RefusedError(9, "One of cons_id, member_id and primary_email is required.")
    if kind == "primary_email" and asked[kind].lower() == _SHARED_ADDRESS:
        raise RefusedError(8, "More than one constituent matches.")
    index = contact_index(world, kind, asked[kind])
    if index is None:
        raise RefusedError(16, "The constituent was not found.")
    return index


def _page(options: Options, asked: Mapping[str, str]) -> Page:
    page = page_of(options, asked)
    return page._replace(offset=0) if active_fault("repeat_cursor") else page


@lru_cache(maxsize=128)
def _own_page(world: World, options: Options, index: int, form: Form, chosen: Chosen, page: Page, repeat: int) -> bytes:
    found = _positions(world, options, index, chosen)
    ranks = _cut(_ranks(world, options, chosen, page, len(found)), page, repeat)
    items = [
        _item(world, options, index, form, found[rank])
        if 0 <= rank < len(found)
        else _arrival(world, options, index, form, chosen)
        for rank in ranks
    ]
    empty = _variant(world, (index, chosen))
    return document(form, "getUserInteractionsResponse", many(form, _ITEM, items), empty)


@lru_cache(maxsize=256)
def _positions(world: World, options: Options, index: int, chosen: Chosen) -> tuple[int, ...]:
    """Positions of the chosen records in a history."""
    return tuple(place for place, record in enumerate(history(world, options, index)) if chosen.takes(record))


@lru_cache(maxsize=32)
def _crowd(world: World, options: Options, chosen: Chosen) -> Crowd:
    found = sorted(
        (history(world, options, base)[place].at_us, base, place)
        for base in range(world.shapes)
        for place in _positions(world, options, base, chosen)
    )
    items = tuple((base, place) for _, base, place in found)
    return Crowd(items, tuple(accumulate(len(range(base, world.contacts, world.shapes)) for base, _ in items)))


def _of_crowd(site: Site, form: Form, chosen: Chosen, crowd: Crowd, rank: int) -> bytes:
    if not 0 <= rank < crowd.ends[-1]:
        return _arrival(site.world, site.options, 0, form, chosen)
    which = bisect_right(crowd.ends, rank)
    base, place = crowd.items[which]
    copies = len(range(base, site.world.contacts, site.world.shapes))
    index = base + (rank - crowd.ends[which] + copies) * site.world.shapes
    return retag(_item(site.world, site.options, base, form, place), base, index)


def _cut(ranks: range, page: Page, repeat: int) -> range:
    return ranks[page.offset - min(repeat, page.offset) : page.offset + page.size]


def _ranks(world: World, options: Options, chosen: Chosen, page: Page, count: int) -> range:
    """Places of all rows in the order asked for; one outside 0 to ``count`` is the row that has arrived."""
    late = chosen.low_us <= world.end_us + _LATE_US < chosen.high_us
    arrived = options.rows_arrive if page.offset else "never"
    left = options.rows_leave if page.offset else 0
    ranks = range(-1 if arrived == "early" else min(left, count), count + (arrived == "late" and late))
    return ranks if page.ascending else ranks[::-1]


def _arrival(world: World, options: Options, index: int, form: Form, chosen: Chosen) -> bytes:
    at_us = world.end_us + _LATE_US
    if options.rows_arrive == "early":
        at_us = -(-max(chosen.low_us, world.start_us) // _MILLISECOND) * _MILLISECOND
    record = record_at(world, options, index, Event(-1, at_us), chosen.native_type)
    return _encoded(world, form, record, noted=False)


@lru_cache(maxsize=16384)
def _item(world: World, options: Options, index: int, form: Form, place: int) -> bytes:
    return _encoded(world, form, history(world, options, index)[place], noted=False)


def _encoded(world: World, form: Form, record: Record, *, noted: bool) -> bytes:
    fields = record.fields if noted else record.listed
    drawn = draw(world, NAME, "writer", record.number)
    # In JSON the order of keys is arbitrary (samples of DataSync's pages), and escapes and characters as themselves
    # both occur in writers.
    fields = _turned(drawn, fields) if form == "json" else fields
    return element(form, _ITEM, fields, ascii_only=drawn % 2 == 0)


def _turned(drawn: int, value: Any) -> Any:
    """Trees with their children in another order."""
    if isinstance(value, list):
        return [_turned(drawn, item) for item in value]
    if not isinstance(value, dict):
        return value
    names = sorted(value, reverse=drawn % 3 == 0)
    first = drawn % len(names)
    return {name: _turned(drawn, value[name]) for name in names[first:] + names[:first]}


def _variant(world: World, about: object) -> int:
    return draw(world, NAME, "empty", about)
