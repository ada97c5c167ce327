"""Facts: what a correct canonical table must contain, and a digest to compare two collections of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One interaction, as every tool that reads the vendor correctly must see it."""

    vendor: str
    contact_id: str
    interaction_id: str
    #: microseconds since 1970-01-01T00:00:00Z
    occurred_at: int
    native_type: str | None = None
    status: str | None = None
    subject: str | None = None
    campaign_id: str | None = None
    campaign_name: str | None = None
    message_id: str | None = None
    count: int | None = None
    #: the vendor's own version of the record
    revision: int | None = None
    #: every field of the vendor's record that has no column above, verbatim
    attributes: dict[str, Any] = {}


class Selection(NamedTuple):
    """Which facts are meant: ``start_us <= occurred_at < end_us``, and equal to each filter that is set."""

    start_us: int
    end_us: int
    contact: str | None = None
    type: str | None = None
    #: the contact's state: True only active contacts, False only inactive ones
    active: bool | None = None
    #: the time that was read, from and to; None: that of the facts. A vendor may move an interaction to another time,
    #: and who has not read the new time knows only the old one
    read: tuple[int, int] | None = None


class Expected(NamedTuple):
    """The oracle's answer: how many interactions, their digest, and how many contacts have at least one."""

    interactions: int
    digest: str
    contacts: int


def encode_fact(fact: Fact) -> bytes:
    """UTF-8 JSON of a fact: sorted keys, no spaces, characters as themselves."""
    fields = msgspec.structs.asdict(fact)
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest_lines(lines: Iterable[bytes]) -> str:
    """64 hex digits: the sum of the lines' SHA-256 numbers modulo 2**256.

    A sum does not depend on order and, unlike exclusive or, changes when a row is doubled.
    """
    total = sum(int.from_bytes(sha256(text).digest(), "big") for text in lines)
    return f"{total % 2**256:064x}"


def digest(facts: Iterable[Fact]) -> str:
    """The digest of facts, for example of facts that a test built from a table."""
    return digest_lines(map(encode_fact, facts))
