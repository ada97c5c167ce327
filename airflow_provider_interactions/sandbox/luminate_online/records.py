"""Luminate's interactions: the records as the vendor would send them, and the facts they amount to.

A record's fields are texts, None (a nil element) or "" (an empty one); ``note`` is a list of such records.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, NamedTuple

import msgspec

from airflow_provider_interactions.sandbox.expected import Fact
from airflow_provider_interactions.sandbox.luminate_online.fields import NAME, clean, draw_fields, get_contact_id
from airflow_provider_interactions.sandbox.page_size import Maximum
from airflow_provider_interactions.sandbox.world import (
    Event,
    World,
    find_index,
    get_events,
    get_person,
    get_shape,
    get_tag,
    pick,
)

#: custom types start here in all samples and clients seen; no page makes it a rule
_CUSTOM = 1000
_MILLISECOND = 1000


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How this sandbox's Luminate differs from the default; undocumented behaviour is a choice here."""

    api_key: str = "sandbox-api-key"
    login_name: str = "api_admin"
    #: with characters that must be escaped in a form body
    login_password: str = "sandbox~secret+with&odd=chars%"  # noqa: S105  made up for the sandbox
    #: what the connection asks for; the server's own default is xml
    response_format: Literal["xml", "json"] = "xml"
    #: types that occur in the world; those from 1000 on are custom and public
    types: tuple[int, ...] = (0, 1, 6, 12, 34, 1000, 1001, 1021, 1030)
    #: custom types that occur but are not public; listInteractions refuses them
    private_types: tuple[int, ...] = (1040,)
    #: no maximum of list_page_size is documented; several take turns from page to page (null: none)
    max_page_size: Maximum = None
    #: pages before ``max_page_size`` applies
    max_page_size_after: int = 0
    #: a list_page_size above the maximum: silently lowered, or refused with code 50
    above_maximum: Literal["cap", "refuse"] = "cap"
    #: whether an interaction at the very instant end_date is listed; undocumented
    end_inclusive: bool = True
    #: from the second page on there is one row more: at the beginning of the requested range, which moves all others
    #: by one place, or an hour after the world's end
    rows_arrive: Literal["never", "early", "late"] = "never"
    #: how many rows at the beginning of the requested range are gone from the second page on
    rows_leave: int = 0
    #: methods that the site does not have: code 6
    without_methods: tuple[str, ...] = ()
    #: most members that getGroupMembers gives, and it has no pages
    group_cap: int = 1000
    #: facts: which identifier is the contact id (the sandbox lists its contacts by cons_id)
    identifier: Literal["cons_id", "member_id", "primary_email"] = "cons_id"
    #: facts: with the notes of standard types, as a client that asks getInteraction for each sees them
    standard_notes: bool = False


class Record(NamedTuple):
    """One interaction: its instant (whole milliseconds), its number in the history, its type, and all its fields."""

    at_us: int
    number: int
    native_type: int
    fields: dict[str, Any]

    @property
    def listed_fields(self) -> dict[str, Any]:
        """The fields as listings show them: only custom types with their notes ("getUserInteractions")."""
        left_out = set() if is_custom(self.native_type) else {"note"}
        return {name: value for name, value in self.fields.items() if name not in left_out}


def is_custom(native_type: int) -> bool:
    """Whether a site has made the type itself."""
    return native_type >= _CUSTOM


def get_identifiers(world: World, index: int) -> dict[str, str]:
    """What a constituent can be asked by, in the order of precedence ("getInteraction")."""
    return {
        "cons_id": get_contact_id(world, index),
        "member_id": f"M-{get_tag(index)}",
        "primary_email": get_person(world, index).email,
    }


def find_contact(world: World, kind: str, text: str) -> int | None:
    """The constituent with this identifier, if there is one; addresses in either case."""
    bare = text.lower().removesuffix("@example.org") if kind == "primary_email" else text
    index = find_index(world, bare[-len(get_tag(0)) :])
    if index is None:
        return None
    own = get_identifiers(world, index)[kind]
    return index if own == (text.lower() if kind == "primary_email" else text) else None


@lru_cache(maxsize=1024)
def list_records(world: World, options: Options, index: int) -> tuple[Record, ...]:
    """A constituent's records by creation date. Ask with `get_shape` to share the cache."""
    return tuple(sorted(create_record(world, options, index, event) for event in get_events(world, NAME, index)))


def list_facts(world: World, options: Options, index: int) -> list[Fact]:
    """A constituent's interactions as the canonical table must hold them."""
    contact = get_identifiers(world, index)[options.identifier]
    return [_build_fact(options, contact, record) for record in list_records(world, options, index)]


def _build_fact(options: Options, contact: str, record: Record) -> Fact:
    values = {
        name: clean(value)
        for name, value in (record.fields if options.standard_notes else record.listed_fields).items()
    }
    columns = {"interactionId", "interactionTypeId", "creationDate", "subject", "count"}
    return Fact(
        vendor=NAME,
        contact_id=contact,
        interaction_id=values["interactionId"],
        occurred_at=record.at_us,
        native_type=values["interactionTypeId"],
        subject=values.get("subject"),
        count=int(values["count"]) if values.get("count") else None,
        attributes={name: value for name, value in values.items() if name not in columns},
    )


def create_record(world: World, options: Options, index: int, event: Event, native_type: int | None = None) -> Record:
    """The interaction that an event of a constituent is; ``native_type`` instead of a drawn one."""
    key = (NAME, get_shape(world, index), event.number)
    at_us = event.at_us - event.at_us % _MILLISECOND
    if native_type is None:
        native_type = pick(world, options.types + options.private_types, *key, "type")
    return Record(at_us, event.number, native_type, draw_fields(world, index, native_type, at_us, event.number))
