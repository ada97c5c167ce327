"""Capillary's answers: the choice of messages, and the two shapes with the oddities of the vendor's samples.

Sources: "Get Customer Interactions" in its editions for v2 and v1.1 (docs.capillarytech.com/reference), the older v1.1
and v2 documentation (capillary.github.io), read 2026-11.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from airflow_provider_interactions.sandbox.capillary.options import CHANNELS, NAME, Form, Options
from airflow_provider_interactions.sandbox.capillary.people import (
    get_contact_id,
    get_customer_id,
    get_external_id,
    relabel,
)
from airflow_provider_interactions.sandbox.capillary.records import BREAK, Message, list_messages, write_message
from airflow_provider_interactions.sandbox.world import World, draw, draw_chance, get_person, get_shape, pick

_FOREVER = 2**62


class Query(NamedTuple):
    """Which messages are asked for."""

    type: str | None = None
    network: str | None = None
    #: None: all of them
    limit: int | None = None
    offset: int = 0


class Entry(NamedTuple):
    """A channel with the chosen messages and their count."""

    channel: str
    messages: Sequence[Message]
    number: int


def encode_history(world: World, options: Options, form: Form, index: int, query: Query) -> bytes:
    """The JSON of a contact who can be read."""
    source = get_shape(world, index)
    return relabel(_encode_shape(world, options, form, source, query), source, index)


def encode(value: object, *, ascii_only: bool = False) -> bytes:
    """JSON in UTF-8, with raw line breaks where the values ask for them."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only)
    return text.replace(BREAK, "\n").replace(r"\ue000", "\n").encode()


@lru_cache(maxsize=512)
def _encode_shape(world: World, options: Options, form: Form, index: int, query: Query) -> bytes:
    entries = _list_entries(world, options, index, query)
    write = _write_v2 if form == "v2" else _write_v11
    # ASCII escapes and characters as themselves both occur in JSON writers; readers must not care.
    return encode(
        write(world, options, form, index, entries, query), ascii_only=draw_chance(world, 2, NAME, "ascii", index)
    )


def _list_entries(world: World, options: Options, index: int, query: Query) -> list[Entry]:
    if query.network not in {None, "capillary"}:
        return []
    entries, before = [], 0
    gone = options.rows_leave if query.offset else 0
    end = _FOREVER if query.limit is None else query.offset + query.limit
    for channel in _list_channels(options, query):
        every = _choose_messages(channel, list_messages(world, options, index))
        whole = every[gone:]
        page = whole[max(0, query.offset - before) : max(0, end - before)]
        entries.append(Entry(channel, page, len(whole if options.count == "channel" else page)))
        if options.paging == "total":
            before, gone = before + len(whole), max(0, gone - len(every))
    return entries


def _list_channels(options: Options, query: Query) -> list[str]:
    """Every channel is listed, with messages or without."""
    known = dict.fromkeys((*CHANNELS, *options.types))
    return [channel for channel in known if not options.type_filters or query.type in {None, channel}]


def _choose_messages(channel: str, messages: Sequence[Message]) -> list[Message]:
    """A channel's messages: ``phone`` lists those of ``sms`` too, with the same ids ("Get Customer Interactions")."""
    names = {"phone", "sms"} if channel == "phone" else {channel}
    return [message for message in messages if message.channel in names]


def _write_v2(
    world: World, options: Options, _: Form, index: int, entries: list[Entry], query: Query
) -> dict[str, Any]:
    interaction = [_write_v2_entry(options, entry) for entry in entries]
    # A warning also has "status": false, and is not a failure (a sample of the older v2 documentation).
    warned = draw_chance(world, 3, NAME, "warning", index)
    warnings = [{"status": False, "code": 8050, "message": "Accounts were combined."}] if warned else []
    no_errors: tuple[dict[str, Any], ...] = ({}, {"errors": None}, {"errors": []})
    errors = pick(world, no_errors, NAME, "no errors", index)
    return {"name": query.network or "capillary", "interaction": interaction, "warnings": warnings, **errors}


def _write_v2_entry(options: Options, entry: Entry) -> dict[str, Any]:
    head: dict[str, Any] = {"count": entry.number, "name": entry.channel}
    nothing: dict[str, dict[str, Any]] = {"survey": {"surveys": []}, "missed_call": {"usedStatus": False}}
    if not entry.messages and entry.channel in nothing:
        return head | nothing[entry.channel]
    return head | {"messageList": [write_message(options, "v2", message) for message in entry.messages]}


def _write_v11(
    world: World, options: Options, form: Form, index: int, entries: list[Entry], query: Query
) -> dict[str, Any]:
    old = form == "2013"
    status: dict[str, Any] = {"success": "true", "message": "Success"}
    status |= {"response_code": "200"} if old else {"code": 200}
    customer = _write_customer(world, index)
    customer["interactions"] = {"network": _write_networks(world, options, form, index, entries, query)}
    if not old:
        customer["item_status"] = {"success": "true", "code": 1000, "message": "Customer successfully retrieved"}
    return {"response": {"status": status, "customer": customer}}


def _write_customer(world: World, index: int) -> dict[str, Any]:
    return {
        "id": str(get_customer_id(index)),
        "mobile": get_contact_id(world, index),
        "email": get_person(world, index).email,
        "external_id": get_external_id(index),
    }


def _write_networks(world: World, options: Options, form: Form, index: int, entries: list[Entry], query: Query) -> Any:
    if form == "2025":
        kept = [_write_new_entry(options, entry, draw(world, NAME, "empty", index, entry.channel)) for entry in entries]
        return [{"name": query.network or "capillary", "interaction": kept}]
    social = [network for name, network in _SOCIAL.items() if query.network in {None, name} and not query.type]
    old = [_write_old_entry(options, entry) for entry in entries if entry.messages or entry.channel == "survey"]
    # The converter from XML knows no empty list: a network without interactions has no such member, or an empty text.
    member = {"interaction": _collapse(old)} if old else pick(world, ({}, {"interaction": ""}), NAME, "none", index)
    own = [{"name": "capillary", **member}] if query.network in {None, "capillary"} else []
    return _collapse([*social, *own]) or ""


#: no messages, so no interactions for a table of messages
_SOCIAL: dict[str, dict[str, Any]] = {
    "facebook": {
        "name": "facebook",
        "interaction": {
            "type": "checkin",
            "count": "1",
            "locs": {"loc": {"lat": "22.23", "long": "23.33", "time": "2012-3-12 11:33:23"}},
        },
    },
    "twitter": {
        "name": "twitter",
        "interaction": [{"type": "tweet", "count": "10"}, {"type": "retweet", "count": "5"}],
    },
}
_SURVEY: dict[str, Any] = {
    "type": "survey",
    "latest_nps_score": "9",
    "latest_survey_name": "Kundenzufriedenheit",
    "surveys": {"survey": {"name": "Kundenzufriedenheit", "nps_score": "9", "sent_time": "2013-11-20 12:56:55"}},
    "count": "1",
}


def _write_old_entry(options: Options, entry: Entry) -> dict[str, Any]:
    """The older v1.1 documentation: counts are text, members of one are objects."""
    if not entry.messages:
        return _SURVEY
    messages = _collapse([write_message(options, "2013", message) for message in entry.messages])
    return {"type": entry.channel, "count": str(entry.number), "messages": {"message": messages}}


def _write_new_entry(options: Options, entry: Entry, drawn: int) -> dict[str, Any]:
    """The newer page: lists stay lists or not, the word "null", channels without messages."""
    tail = {"last_interaction_time": "null", "used_status": False, "count": entry.number, "type": entry.channel}
    if not entry.messages:
        empty: tuple[dict[str, Any], ...] = ({}, {}, {"messages": {}}, {"messages": ""}, {"messages": {"message": []}})
        return empty[drawn % len(empty)] | tail
    messages = [write_message(options, "2025", message) for message in entry.messages]
    return {"messages": {"message": messages if drawn % 2 else _collapse(messages)}, **tail}


def _collapse(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values
