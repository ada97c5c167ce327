"""Capillary's two shapes of response, recognized by the body alone, and split into records.

::

    v1.1   {"response": {"status": {…}, "customer": {"item_status": {…}, "interactions": {"network": [entries]}}}}
    v2     {"name": …, "interaction": [entries], "warnings": […]}   or   {"errors": [{"code": …}]}

The vendor's pages show each shape at the other's address. v1.1 is XML that a program has turned into JSON: one child is
an object, several are an array, none is "", {} or absent. Sources: "Get Customer Interactions"
(docs.capillarytech.com), the v1.1 documentation (github.com/capillary), both read 2026-11.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from airflow_provider_interactions.errors import UNREADABLE, BadResponse
from airflow_provider_interactions.vendors.capillary.values import (
    ABSENT,
    SHAPELESS,
    Raw,
    decode_as,
    is_nothing,
    read_word,
    to_list,
    unwrap,
)
from airflow_provider_interactions.vendors.shared import json

#: Where a record says when it happened, in this order.
TIMES = ("sentDate", "sent_time", "time", "completion_time")

#: Entries that only count something, or only carry a flag, in the vendor's samples.
_LISTLESS = frozenset({"survey", "missed_call", "tweet", "retweet", "like", "comment", "mention"})
#: For these, a number above zero comes without a list (sample of the v1.1 documentation).
_COUNTED_ONLY = _LISTLESS - {"survey", "missed_call"}


#: Names, in lower case, of members that report a failure, and words of a flag that says so.
_FAILURES = frozenset({"error", "errors", "exception", "fault"})
_FLAGS = frozenset({"success", "status"})
_NO = frozenset({b"false", b"no", b"0", b"failed", b"failure", b"error"})

_HIDDEN = "the response has records where none are documented"


class Body(msgspec.Struct):
    """The outermost level of either shape."""

    interaction: Raw = ABSENT
    response: Raw = ABSENT
    errors: Raw = ABSENT
    warnings: Raw = ABSENT


class Envelope(msgspec.Struct):
    """What v1.1 has under ``response``."""

    status: Raw = ABSENT
    customer: Raw = ABSENT


class Customer(msgspec.Struct):
    """A customer of v1.1."""

    id: Raw = ABSENT
    item_status: Raw = ABSENT
    interactions: Raw = ABSENT


class _Interactions(msgspec.Struct):
    network: Raw = ABSENT


class _Network(msgspec.Struct):
    name: Raw = ABSENT
    interaction: Raw = ABSENT


class _Entry(msgspec.Struct):
    name: Raw = ABSENT
    type: Raw = ABSENT  # the name in v1.1
    count: Raw = ABSENT
    message_list: Raw = msgspec.field(name="messageList", default=ABSENT)
    messages: Raw = ABSENT
    surveys: Raw = ABSENT
    locs: Raw = ABSENT


#: The members of a channel that are read.
_READ = frozenset(("name", "type", "count", "messageList", "messages", "surveys", "locs"))


@dataclass(frozen=True, slots=True)
class Entry:
    """One channel of a response.

    ``listed`` is everything in its containers. ``records`` are the interactions in it: every message, and everything
    else with a time. ``count`` is the number of messages that it declares, None if it has no container for messages.
    ``customer`` is the id that v1.1 gives of the customer, empty if it gives none.
    """

    name: str
    records: Sequence[bytes] = ()
    listed: Sequence[bytes] = ()
    count: int | None = None
    customer: str = ""

    def keep(self, wanted: Callable[[bytes], bool]) -> Entry:
        """The same channel with only the wanted records."""
        records, listed = (list(filter(wanted, some)) for some in (self.records, self.listed))
        return replace(self, records=records, listed=listed)


def read_body(text: bytes) -> Body:
    """The outline of a response; raises BadResponse if it has neither shape. Warnings alone are not a shape."""
    found: Body = decode_as(text, Body)
    if is_nothing(found.response) and is_nothing(found.errors) and not bytes(found.interaction):
        raise BadResponse(SHAPELESS)
    if bytes(found.interaction) and is_nothing(found.errors):
        _refuse_failure(text)
    return found


def _refuse_failure(text: bytes | Raw) -> None:
    """Raise BadResponse if members beside the channels report a failure, or hold records."""
    for name, value in decode_as(text, dict[str, Raw]).items():
        is_error = name != "errors" and name.lower() in _FAILURES and not is_nothing(value)
        if is_error or (name.lower() in _FLAGS and bytes(value).strip(b'"').lower() in _NO):
            msg = "the response reports a failure beside its channels"
            raise BadResponse(msg)
        if name not in Body.__struct_fields__ and _hides_records(value):
            raise BadResponse(_HIDDEN)


def _hides_records(value: bytes | Raw, levels: int = 3) -> bool:
    """Whether a member that is not read holds something with a time."""
    for one in to_list(value) if levels else ():
        if _has_time(one):
            return True
        members = decode_as(one, dict[str, Raw]).values() if one[:1] == b"{" else [one] if one[:1] == b"[" else ()
        if any(_hides_records(member, levels - 1) for member in members):
            return True
    return False


def list_entries(found: Body, *, check_counts: bool = True) -> Iterator[Entry]:
    """Every channel of a response, also channels without records.

    Raises BadResponse if a container is missing, is null, or is empty although there is a count.
    """
    if bytes(found.interaction):
        if bytes(found.interaction)[:1] != b"[":  # only v1.1 was XML once, where a single child is not an array
            raise BadResponse(SHAPELESS)
        yield from (_read_entry(raw, check_counts=check_counts) for raw in to_list(found.interaction))
    elif not is_nothing(found.response):
        for raw in to_list(found.response):
            yield from _list_old_entries(decode_as(raw, Envelope), check_counts=check_counts)
    else:
        raise BadResponse(SHAPELESS)


def _list_old_entries(response: Envelope, *, check_counts: bool) -> Iterator[Entry]:
    customers = to_list(response.customer)
    if not customers:
        msg = "the response says success and has no customer"
        raise BadResponse(msg)
    if len(customers) > 1:
        msg = "the response is about several customers, but one was asked for"
        raise BadResponse(msg)
    customer = decode_as(customers[0], Customer)
    who = json.spell_integer((_read_scalar(customer.id) or "").strip())
    for network in _list_networks(customer.interactions):
        for raw in to_list(network):
            yield replace(_read_entry(raw, check_counts=check_counts), customer=who)


def _list_networks(interactions: Raw) -> Iterator[Raw]:
    """The entries of each network of a customer. A network with only a name has none."""
    if is_nothing(_require_present(interactions)):
        return
    for raw in to_list(_require_present(decode_as(interactions, _Interactions).network)):
        network = decode_as(raw, _Network)
        if bytes(network.interaction):
            yield _require_present(network.interaction)
        elif decode_as(raw, dict[str, Raw]).keys() != {"name"}:
            raise BadResponse(SHAPELESS)


def _require_present(container: Raw) -> Raw:
    """Return the container; raises BadResponse if it is absent or null, because that does not mean "empty"."""
    if bytes(container) in (b"", b"null", b'"null"'):
        raise BadResponse(SHAPELESS)
    return container


def _read_entry(raw: bytes, *, check_counts: bool) -> Entry:
    entry = decode_as(raw, _Entry)
    if any(_hides_records(value) for name, value in decode_as(raw, dict[str, Raw]).items() if name not in _READ):
        raise BadResponse(_HIDDEN)
    messages = to_list(entry.message_list) + to_list(unwrap(entry.messages, "message"))
    others = to_list(unwrap(entry.surveys, "survey")) + to_list(unwrap(entry.locs, "loc"))
    name, count = _read_name(entry), _read_count(entry.count)
    lists = (entry.message_list, unwrap(entry.messages, "message"))
    is_listed = any(bytes(one) not in (b"", b"null") for one in lists)
    if check_counts and not is_listed:
        _refuse_unlisted(name.lower(), count, len(others), others_listed=any(map(bytes, (entry.surveys, entry.locs))))
    return Entry(
        name=name,
        records=[*messages, *filter(_has_time, others)],
        listed=[*messages, *others],
        count=(count or 0) if is_listed else None,
    )


def _refuse_unlisted(name: str, count: int | None, others: int, *, others_listed: bool) -> None:
    """Raise BadResponse if a channel counts messages that it does not list, or has neither count nor list."""
    if count is None and not others_listed and name not in _LISTLESS:
        msg = "a channel has neither a count nor a list of messages"
        raise BadResponse(msg)
    if (count or 0) > others and name not in _COUNTED_ONLY:
        msg = "a channel counts messages and does not list them"
        raise BadResponse(msg)


def _read_name(entry: _Entry) -> str:
    return (_read_scalar(entry.name) or _read_scalar(entry.type) or "").strip()


def _read_scalar(raw: Raw) -> str | None:
    try:
        return read_word(raw)
    except UNREADABLE:
        raise BadResponse(SHAPELESS) from None


def _read_count(raw: Raw) -> int | None:
    """The declared number, None if there is none; raises BadResponse if it cannot be read as a number."""
    return None if is_nothing(raw) else json.read_count(decode_as(raw, Any), "a channel's count")


def _has_time(record: bytes) -> bool:
    if record[:1] != b"{":
        return False
    fields = decode_as(record, dict[str, Raw])
    return any(read_word(fields.get(name)) is not None for name in TIMES)
