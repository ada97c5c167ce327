"""Which50's contact lists and the contacts on them.

Source: the help pages of ``contactLists`` (app.which50.com/Which50API/documentation, read 2026-11). That of a list's
contacts was not found: what it answers with, all in one piece, is an inference.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from airflow_provider_interactions.sandbox.vendor import Site
from airflow_provider_interactions.sandbox.which50.errors import refuse
from airflow_provider_interactions.sandbox.which50.formats import (
    DTO,
    SERIALIZATION,
    reply,
    wants_xml,
    write_collection,
    write_member,
)
from airflow_provider_interactions.sandbox.which50.records import NAME, Options, get_contact_id
from airflow_provider_interactions.sandbox.world import (
    World,
    draw,
    draw_chance,
    draw_oddity,
    get_person,
    get_shape,
    get_tag,
    retag,
)

_COMMON = ' xmlns="http://schemas.datacontract.org/2004/07/W50Common.Model.DTO"'
_SCHEMA = "http://www.w3.org/2001/XMLSchema"
_XML_TYPES = {str: "string", int: "int", bool: "boolean", float: "double"}


class ContactList(NamedTuple):
    """A list that holds about one in ``one_in`` contacts; 0 is none, 1 is all."""

    id: int
    name: str
    one_in: int
    realistic_name: str


_LISTS = {
    entry.id: entry
    for entry in (
        ContactList(101, "Everyone", 1, "All contacts"),
        ContactList(205, "Newsletter 📰", 2, "Newsletter"),
        ContactList(317, "Événements & <Gewinnspiele>", 3, "Family events"),
        ContactList(420, "Nobody yet", 0, "New members"),
    )
}


@lru_cache(maxsize=16)
def list_members(world: World, list_id: int) -> tuple[int, ...]:
    """Indices of the contacts on a list; the lists overlap."""
    one_in = _LISTS[list_id].one_in
    if one_in <= 1:
        return tuple(range(world.contacts * one_in))
    return tuple(index for index in range(world.contacts) if draw_chance(world, one_in, NAME, "member", list_id, index))


async def list_lists(site: Site, request: web.Request) -> web.Response:
    """Answer ``GET contactLists``."""
    rows = [_build_row(site, entry) for entry in _LISTS.values()]
    written = ("".join(write_member(name, row[name]) for name in sorted(row)) for row in rows)
    inner = "".join(f"<ContactsList>{members}</ContactsList>" for members in written)
    return reply(request, msgspec.json.encode(rows), write_collection("ArrayOfContactsList", DTO, inner))


async def list_contacts(site: Site, request: web.Request) -> web.Response:
    """Answer ``GET contactLists/{contactListId}/contacts``: all of them, since no paging is known."""
    text = request.match_info["contactListId"]
    found = _LISTS.get(int(text)) if text.isascii() and text.isdigit() else None
    if found is None:
        return refuse(request, 404, "The specified Contact List was not found.")
    body = _encode_contacts(site.world, site.options, found.id, as_xml=wants_xml(request))
    return reply(request, body, body)


def _build_row(site: Site, entry: ContactList) -> dict[str, Any]:
    count = len(list_members(site.world, entry.id)) + site.options.count_off_by
    name = entry.realistic_name if site.world.realistic else entry.name
    return {"Id": entry.id, "Name": name, "Count": count}


@lru_cache(maxsize=8)
def _encode_contacts(world: World, options: Options, list_id: int, *, as_xml: bool) -> bytes:
    rows = [_encode_contact(world, options, list_id, index, as_xml=as_xml) for index in list_members(world, list_id)]
    return write_collection("ArrayOfContact", DTO, b"".join(rows).decode()) if as_xml else b"[%s]" % b",".join(rows)


def _encode_contact(world: World, options: Options, list_id: int, index: int, *, as_xml: bool) -> bytes:
    """One contact; made once per shape, so that long lists stay cheap."""
    source = get_shape(world, index)
    return retag(_encode_shape(world, options, list_id, source, as_xml=as_xml), source, index)


@lru_cache(maxsize=4096)
def _encode_shape(world: World, options: Options, list_id: int, base: int, *, as_xml: bool) -> bytes:
    values, warnings = _draw_values(world, base), _draw_warnings(world, base)
    if as_xml:
        return _write_contact(get_contact_id(world, base), f"1{get_tag(base)}", list_id, values, warnings).encode()
    row = {
        "EncContactId": get_contact_id(world, base),
        "ListId": list_id,
        "Values": values,
        "ValidationWarnings": warnings,
    }
    kept = {name: value for name, value in row.items() if value is not None or not options.omit_nulls}
    return msgspec.json.encode(kept)


def _draw_values(world: World, base: int) -> dict[str, Any]:
    """A dictionary of field name to anything: the names are those of the customer's own list."""
    who = get_person(world, base)
    return {
        "First Name": who.first,
        "Last Name": who.last,
        "Email": who.email,
        "Mobile": who.mobile,
        "Points": draw(world, NAME, "points", base) % 5000,
        "Newsletter": draw_chance(world, 2, NAME, "newsletter", base),
        "Average gift" if world.realistic else "Größe <cm>": None
        if draw_chance(world, 3, NAME, "size", base)
        else 171.5,
    }


def _draw_warnings(world: World, base: int) -> list[str] | None:
    if draw_oddity(world, 4, NAME, "warned", base):
        return ["Mobile: the number's country is unknown ☎"]
    return None if draw_chance(world, 3, NAME, "no warnings", base) else []


def _write_contact(
    encrypted: str, number: str, list_id: int, values: dict[str, Any], warnings: list[str] | None
) -> str:
    """XML has a numeric Id that JSON lacks; members of the base class come first, in its namespace."""
    return (
        f"<Contact>{write_member('Id', number, _COMMON)}{write_member('ListId', list_id, _COMMON)}"
        f'<Values{_COMMON} xmlns:d3p1="{SERIALIZATION}">{"".join(map(_write_pair, values.items()))}</Values>'
        f"{write_member('EncContactId', encrypted)}{_write_warnings(warnings)}</Contact>"
    )


def _write_pair(item: tuple[str, Any]) -> str:
    name, value = item
    kind = f' xmlns:d5p1="{_SCHEMA}" i:type="d5p1:{_XML_TYPES[type(value)]}"' if value is not None else ""
    return (
        f"<d3p1:KeyValueOfstringanyType>{write_member('d3p1:Key', name)}{write_member('d3p1:Value', value, kind)}"
        "</d3p1:KeyValueOfstringanyType>"
    )


def _write_warnings(warnings: list[str] | None) -> str:
    if warnings is None:
        return write_member("ValidationWarnings", None)
    texts = "".join(write_member("d3p1:string", text) for text in warnings)
    return f'<ValidationWarnings xmlns:d3p1="{SERIALIZATION}">{texts}</ValidationWarnings>'
