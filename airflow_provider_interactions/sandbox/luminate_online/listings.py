"""getUserInteractions, listInteractions and getInteraction.

Sources: the pages of these methods (open.convio.com/api/apidoc, read 2026-11).

Records are encoded once per shape and page; each constituent's own tag is put in before they are sent.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple

from airflow_provider_interactions.sandbox.faults import get_fault
from airflow_provider_interactions.sandbox.luminate_online.criteria import Criteria, Page, read_criteria, read_page
from airflow_provider_interactions.sandbox.luminate_online.fields import NAME, find_number
from airflow_provider_interactions.sandbox.luminate_online.formats import (
    Form,
    encode_document,
    encode_element,
    repeat_element,
)
from airflow_provider_interactions.sandbox.luminate_online.records import (
    Options,
    Record,
    create_record,
    find_contact,
    is_custom,
    list_records,
)
from airflow_provider_interactions.sandbox.luminate_online.responses import RefusedError, get_form
from airflow_provider_interactions.sandbox.vendor import Site
from airflow_provider_interactions.sandbox.world import SECOND, Event, World, draw, get_shape, retag

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
    #: how repeat_element interactions the items up to and with this one stand for
    ends: tuple[int, ...]


def get_user_interactions(site: Site, asked: Mapping[str, str]) -> bytes:
    """A page of one constituent's interactions."""
    index = _find_constituent(site.world, asked)
    criteria, page = read_criteria(site.options, asked), _read_page(site, asked)
    source = get_shape(site.world, index)
    repeat = 1 if get_fault("duplicate") else 0
    body = _encode_own_page(site.world, site.options, source, get_form(asked), criteria, page, repeat)
    return retag(body, source, index)


def list_interactions(site: Site, asked: Mapping[str, str]) -> bytes:
    """A page of everyone's interactions of one public custom type."""
    if not asked.get("interaction_type_id"):
        raise RefusedError(9, "The parameter interaction_type_id is required.")
    criteria, page = read_criteria(site.options, asked), _read_page(site, asked)
    if not is_custom(criteria.native_type or 0) or criteria.native_type in site.options.private_types:
        raise RefusedError(26, "Invalid interaction type: only public custom types are listed.")
    crowd, form = _order_everyone(site.world, site.options, criteria), get_form(asked)
    ranks = _order_ranks(site.world, site.options, criteria, page, crowd.ends[-1] if crowd.ends else 0)
    found = [
        _encode_ranked(site, form, criteria, crowd, rank)
        for rank in _slice_ranks(ranks, page, 1 if get_fault("duplicate") else 0)
    ]
    return encode_document(
        form, "listInteractionsResponse", repeat_element(form, _ITEM, found), _draw_variant(site.world, criteria)
    )


def get_interaction(site: Site, asked: Mapping[str, str]) -> bytes:
    """One interaction with its notes, whatever its type."""
    index, form = _find_constituent(site.world, asked), get_form(asked)
    if not asked.get("interaction_id"):
        raise RefusedError(9, "The parameter interaction_id is required.")
    number, source = find_number(index, asked["interaction_id"]), get_shape(site.world, index)
    found = [record for record in list_records(site.world, site.options, source) if record.number == number]
    if not found:
        raise RefusedError(27, "Invalid interaction.")
    items = [_encode_record(site.world, form, record, noted=True) for record in found]
    return retag(encode_document(form, "getInteractionResponse", repeat_element(form, _ITEM, items)), source, index)


def _find_constituent(world: World, asked: Mapping[str, str]) -> int:
    """The constituent; of several identifiers the first in the order of precedence decides."""
    kind = next((name for name in IDENTIFIERS if asked.get(name)), None)
    if kind is None:
        raise RefusedError(9, "One of cons_id, member_id and primary_email is required.")
    if kind == "primary_email" and asked[kind].lower() == _SHARED_ADDRESS:
        raise RefusedError(8, "More than one constituent matches.")
    index = find_contact(world, kind, asked[kind])
    if index is None:
        raise RefusedError(16, "The constituent was not found.")
    return index


def _read_page(site: Site, asked: Mapping[str, str]) -> Page:
    page = read_page(site, asked)
    return page._replace(offset=0) if get_fault("repeat_cursor") else page


@lru_cache(maxsize=128)
def _encode_own_page(
    world: World, options: Options, index: int, form: Form, criteria: Criteria, page: Page, repeat: int
) -> bytes:
    found = _find_positions(world, options, index, criteria)
    ranks = _slice_ranks(_order_ranks(world, options, criteria, page, len(found)), page, repeat)
    items = [
        _encode_item(world, options, index, form, found[rank])
        if 0 <= rank < len(found)
        else _encode_arrival(world, options, index, form, criteria)
        for rank in ranks
    ]
    empty = _draw_variant(world, (index, criteria))
    return encode_document(form, "getUserInteractionsResponse", repeat_element(form, _ITEM, items), empty)


@lru_cache(maxsize=256)
def _find_positions(world: World, options: Options, index: int, criteria: Criteria) -> tuple[int, ...]:
    """Positions of the matching records in a history."""
    return tuple(place for place, record in enumerate(list_records(world, options, index)) if criteria.match(record))


@lru_cache(maxsize=32)
def _order_everyone(world: World, options: Options, criteria: Criteria) -> Crowd:
    found = sorted(
        (list_records(world, options, base)[place].at_us, base, place)
        for base in range(world.shapes)
        for place in _find_positions(world, options, base, criteria)
    )
    items = tuple((base, place) for _, base, place in found)
    return Crowd(items, tuple(accumulate(len(range(base, world.contacts, world.shapes)) for base, _ in items)))


def _encode_ranked(site: Site, form: Form, criteria: Criteria, crowd: Crowd, rank: int) -> bytes:
    if not 0 <= rank < crowd.ends[-1]:
        return _encode_arrival(site.world, site.options, 0, form, criteria)
    which = bisect_right(crowd.ends, rank)
    base, place = crowd.items[which]
    copies = len(range(base, site.world.contacts, site.world.shapes))
    index = base + (rank - crowd.ends[which] + copies) * site.world.shapes
    return retag(_encode_item(site.world, site.options, base, form, place), base, index)


def _slice_ranks(ranks: range, page: Page, repeat: int) -> range:
    return ranks[page.offset - min(repeat, page.offset) : page.offset + page.size]


def _order_ranks(world: World, options: Options, criteria: Criteria, page: Page, count: int) -> range:
    """Places of all rows in the order asked for; one outside 0 to ``count`` is the row that has arrived."""
    late = criteria.low_us <= world.end_us + _LATE_US < criteria.high_us
    arrived = options.rows_arrive if page.offset else "never"
    left = options.rows_leave if page.offset else 0
    return range(-1 if arrived == "early" else min(left, count), count + (arrived == "late" and late))


def _encode_arrival(world: World, options: Options, index: int, form: Form, criteria: Criteria) -> bytes:
    at_us = world.end_us + _LATE_US
    if options.rows_arrive == "early":
        at_us = -(-max(criteria.low_us, world.start_us) // _MILLISECOND) * _MILLISECOND
    record = create_record(world, options, index, Event(-1, at_us), criteria.native_type)
    return _encode_record(world, form, record, noted=False)


@lru_cache(maxsize=16384)
def _encode_item(world: World, options: Options, index: int, form: Form, place: int) -> bytes:
    return _encode_record(world, form, list_records(world, options, index)[place], noted=False)


def _encode_record(world: World, form: Form, record: Record, *, noted: bool) -> bytes:
    fields = record.fields if noted else record.listed_fields
    drawn = draw(world, NAME, "writer", record.number)
    # In JSON the order of keys is arbitrary (samples of DataSync's pages), and escapes and characters as themselves
    # both occur in writers.
    fields = _reorder(drawn, fields) if form == "json" else fields
    return encode_element(form, _ITEM, fields, ascii_only=drawn % 2 == 0)


def _reorder(drawn: int, value: Any) -> Any:
    """Trees with their children in another order."""
    if isinstance(value, list):
        return [_reorder(drawn, item) for item in value]
    if not isinstance(value, dict):
        return value
    names = sorted(value, reverse=drawn % 3 == 0)
    first = drawn % len(names)
    return {name: _reorder(drawn, value[name]) for name in names[first:] + names[:first]}


def _draw_variant(world: World, about: object) -> int:
    return draw(world, NAME, "empty", about)
