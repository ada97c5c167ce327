"""Capillary's customers: their identifiers and ids, and which of them cannot be read."""

from __future__ import annotations

import re
from typing import Literal

from airflow_provider_interactions.sandbox.capillary.options import Options
from airflow_provider_interactions.sandbox.world import World, find_index, get_person, get_shape, get_tag, retag

Standing = Literal["known", "unknown", "deleted"]

# Message ids have 13 digits, too few for a tag: contacts differ in 8 digits there.
_CODES = 10**8
_STEP = 99_989
_SHIFT = 31_415_926
_FORMS = {"mobile": r"\s*\+?999(\d{12})", "email": r"c\.(\d{12})@example\.org", "external_id": r"EXT-(\d{12})"}


def get_contact_id(world: World, index: int) -> str:
    """The mobile number in the vendor's spelling: country code first, no plus sign."""
    return get_person(world, index).mobile.removeprefix("+")


def get_external_id(index: int) -> str:
    """The customer's id in the brand's own systems."""
    return f"EXT-{get_tag(index)}"


def get_customer_id(index: int) -> int:
    """Capillary's own id of the customer: nine digits."""
    return int(f"2{_get_code(index)}")


def get_message_id(index: int, number: int) -> int:
    """Thirteen digits, unique among all messages (for up to 10,000 a contact and 10**8 contacts)."""
    return int(f"1{number:04d}{_get_code(index)}")


def find_contact(world: World, name: str, value: str) -> int | None:
    """The contact with this identifier, if there is one."""
    found = re.fullmatch(_FORMS[name], value, re.ASCII)
    return find_index(world, found[1]) if found else None


def get_standing(world: World, options: Options, index: int) -> Standing:
    """Whether the contact's history can be read, and if not, why."""
    base, scaled = get_shape(world, index), world.per_contact is not None
    unknown = options.unknown if options.unknown is not None else () if scaled else (2,)
    deleted = options.deleted if options.deleted is not None else () if scaled else (6,)
    if base in unknown:
        return "unknown"
    return "deleted" if base in deleted else "known"


def relabel(body: bytes, source: int, target: int) -> bytes:
    """Bytes made for contact ``source``, as they are for ``target`` of the same shape: tags and numeric ids."""
    if source == target:
        return body
    # The code alone could turn up inside other digits; of all runs of digits, only ids have this length and beginning.
    # The literal comes first and is looked at from behind, which lets the search skip what holds no code.
    ids = rb"%s(?!\d)(?:(?<=\D1\d{12})|(?<=\D2\d{8}))" % _get_code(source).encode()
    return re.sub(ids, _get_code(target).encode(), retag(body, source, target))


def _get_code(index: int) -> str:
    return f"{(index * _STEP + _SHIFT) % _CODES:08d}"
