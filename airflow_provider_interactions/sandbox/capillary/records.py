"""Capillary's messages: the fields as either API sends them, and the facts they amount to.

Sources: the samples of "Get Customer Interactions" (docs.capillarytech.com/reference) and of the older v1.1
documentation (capillary.github.io), read 2026-11.
"""

from __future__ import annotations

import json
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from airflow_provider_interactions.sandbox import museum
from airflow_provider_interactions.sandbox.capillary.options import NAME, Api, Form, Malformed, Options
from airflow_provider_interactions.sandbox.capillary.people import (
    get_contact_id,
    get_customer_id,
    get_message_id,
    get_standing,
)
from airflow_provider_interactions.sandbox.expected import Fact
from airflow_provider_interactions.sandbox.world import (
    SECOND,
    Event,
    World,
    draw,
    draw_chance,
    draw_oddity,
    get_events,
    get_person,
    get_shape,
    pick,
    to_datetime,
)

#: replaced by a line break that is sent raw, inside a JSON string
BREAK = "\ue000"

# None: the field is sent without a value, "": left out, "null": the word.
_SUBJECTS = (
    "Rewards redeemed",
    "Ihr Einmalpasswort für die Punkteeinlösung: ••••",
    "🎁 200 points — just for you 👩‍👩‍👧",
    'Say "hello" to C:\\Rewards & more <b>50%</b>',
    "ポイント交換のお知らせ",
    "Zażółć gęślą jaźń\nžluťoučký kůň",
    "null",
    "",
    None,
)
_STATUSES = (
    "DELIVERED", "DELIVERED", "DELIVERED", "OPENED", "CLICKED", "SENT", "NOT-DELIVERED", "SOFT_BOUNCED",
    "FAILED", "GTW_NOT_FOUND", "QUEUED_AT_GATEWAY", None,
)  # fmt: skip
_ARRIVED = frozenset({"DELIVERED", "OPENED", "CLICKED"})
_ABSURD_YEAR: dict[bool, str] = {True: "15-06-45837 02:56:40", False: "45837-06-15 02:56:40"}
_COLUMNS = frozenset({"id", "subject", "status", "campaignId", "campaign_id", "deliveredTime", "delivered_time"})


class Message(NamedTuple):
    """One message: the true instants (microseconds since the epoch, whole seconds) and its values."""

    at_us: int
    channel: str
    id: int | None
    receiver: str
    subject: str | None
    status: str | None
    campaign: int
    delivered_us: int | None
    user: int
    malformed: frozenset[Malformed]
    #: decides the small differences between messages
    drawn: int
    unknown: dict[str, Any]


def choose_form(world: World, options: Options, api: Api, index: int) -> Form:
    """The shape in which a path of this API answers about a contact."""
    if (api == "v2") != options.swapped:
        return "v2"
    if options.edition == "both":
        return "2025" if get_shape(world, index) % 2 == 0 else "2013"
    return options.edition


@lru_cache(maxsize=1024)
def list_messages(world: World, options: Options, index: int) -> tuple[Message, ...]:
    """A contact's messages, in no order of time. Ask with `get_shape` to share the cache."""
    if "no_id" in options.malformed and world.shapes < world.contacts:
        message = "no_id needs a history of each contact's own: digests of made-up ids cannot be relabelled"
        raise ValueError(message)
    if get_standing(world, options, index) != "known":
        return ()
    return tuple(_create_message(world, options, index, event) for event in get_events(world, NAME, index))


def write_message(options: Options, form: Form, message: Message) -> dict[str, Any]:
    """A message as the API of this form writes it."""
    write = {"v2": _write_v2, "2013": _write_old, "2025": _write_new}[form]
    written = write(options, message) | message.unknown
    if message.id is None:
        del written["id"]
    return written


def list_facts(world: World, options: Options, index: int) -> list[Fact]:
    """A contact's interactions as the canonical table must hold them, read through ``options.api``."""
    form = choose_form(world, options, options.api, index)
    return [
        _build_fact(world, options, form, index, message)
        for message in list_messages(world, options, index)
        if "five_digit_year" not in message.malformed
    ]


def _create_message(world: World, options: Options, index: int, event: Event) -> Message:
    key = (NAME, get_shape(world, index), event.number)
    channel = pick(world, options.types, *key, "channel")
    at_us = event.at_us - event.at_us % SECOND
    status = pick(world, _STATUSES, *key, "status")
    malformed = _draw_malformed(world, options, channel, *key)
    who = get_person(world, index).email if channel.startswith("email") else get_contact_id(world, index)
    late = draw(world, *key, "late") % 3 * 10 * SECOND
    return Message(
        at_us=at_us,
        channel=channel,
        id=None if "no_id" in malformed else get_message_id(index, event.number),
        receiver=f"{BREAK}{who}{BREAK}" if "raw_line_break" in malformed else who,
        subject=pick(world, museum.REWARDS if world.realistic else _SUBJECTS, *key, "subject"),
        status=status,
        # Campaigns recur across contacts; a message outside of campaigns has -1, as has one without a user.
        campaign=-1 if draw_chance(world, 3, *key, "solo") else 267_560 + draw(world, *key, "campaign") % 12,
        delivered_us=at_us + late if status in _ARRIVED else None,
        user=-1 if draw_chance(world, 5, *key, "nobody") else get_customer_id(index),
        malformed=malformed,
        drawn=draw(world, *key, "details"),
        unknown=_draw_unknown(world, *key),
    )


def _draw_malformed(world: World, options: Options, channel: str, *key: object) -> frozenset[Malformed]:
    # A message under both sms and phone is known as one by its id only, so it keeps the id.
    possible = [fault for fault in options.malformed if fault != "no_id" or channel not in {"sms", "phone"}]
    return frozenset(fault for fault in possible if draw_chance(world, 9, *key, fault))


def _draw_unknown(world: World, *key: object) -> dict[str, Any]:
    """Sometimes, a field that nobody has documented. Its number would lose digits as a float."""
    if not draw_oddity(world, 9, *key, "unknown"):
        return {}
    return {"sandboxDetails": {"nested": [1, 2.5, None, True, {"ключ": "значение 🚀"}], "big": 9007199254740993}}


def _write_v2(options: Options, message: Message) -> dict[str, Any]:
    written: dict[str, Any] = {"id": message.id, "receiver": message.receiver}
    written |= _write_optional("subject", message.subject)
    written |= {"campaignId": message.campaign}
    if message.status is not None:
        written["status"] = message.status
    if message.delivered_us is not None:
        zone = options.time_zone if options.false_z else "UTC"
        written["deliveredTime"] = f"{_to_local(message.delivered_us, zone):%Y-%m-%dT%H:%M:%SZ}"
    return written | {"sentDate": _format_sent(options, message, day_first=True), "userId": message.user}


def _write_old(options: Options, message: Message) -> dict[str, Any]:
    """The sample of the older v1.1 documentation: everything is text. Empty members and campaigns are absent."""
    written = {"id": str(message.id), "sender": "noreply@brand.example", "receiver": message.receiver}
    written |= _write_optional("subject", message.subject or "")
    written["sent_time"] = _format_sent(options, message, day_first=False)
    if message.delivered_us is not None:
        written["delivered_time"] = _format_time(options, message.delivered_us)
    return written | _write_optional("status", message.status or "")


def _write_new(options: Options, message: Message) -> dict[str, Any]:
    """The sample of the newer v2 page: numbers here and there, ``reciever``, an empty sender."""
    none = (None, "", "null")[message.drawn % 3]
    delivered = none if message.delivered_us is None else _format_time(options, message.delivered_us)
    return {
        "id": message.id,
        "sender": "",
        "reciever": message.receiver,
        "subject": message.subject,
        "status": message.status or none,
        "sent_time": _format_sent(options, message, day_first=False),
        "delivered_time": delivered,
        "campaign_id": str(message.campaign),
    }


def _write_optional(name: str, value: str | None) -> dict[str, Any]:
    return {} if value == "" else {name: value}


def _to_local(at_us: int, zone: str) -> datetime:
    return to_datetime(at_us).astimezone(ZoneInfo(zone))


def _format_time(options: Options, at_us: int) -> str:
    return f"{_to_local(at_us, options.time_zone):%Y-%m-%d %H:%M:%S}"


def _format_sent(options: Options, message: Message, *, day_first: bool) -> str:
    if "five_digit_year" in message.malformed:
        return _ABSURD_YEAR[day_first]
    at = _to_local(message.at_us, options.time_zone)
    width = 1 if "unpadded_date" in message.malformed else 2
    parts = [f"{at.year}", f"{at.month:0{width}d}", f"{at.day:0{width}d}"]
    return f"{'-'.join(reversed(parts) if day_first else parts)} {at:%H:%M:%S}"


def _build_fact(world: World, options: Options, form: Form, index: int, message: Message) -> Fact:
    sent = write_message(options, form, message)
    campaign = _clean(sent.get("campaignId", sent.get("campaign_id")))
    whose, subject = get_contact_id(world, index), _clean(sent.get("subject"))
    text = sent.get("sentDate", sent.get("sent_time"))
    return Fact(
        vendor=NAME,
        contact_id=whose,
        interaction_id=_clean(sent.get("id")) or _compute_digest([whose, message.channel, text, subject]),
        occurred_at=message.at_us,
        native_type=message.channel,
        status=_clean(sent.get("status")),
        subject=subject,
        campaign_id=None if campaign == "-1" else campaign,
        message_id=_clean(sent.get("id")),
        attributes={name: _restore_breaks(value) for name, value in sent.items() if name not in _COLUMNS},
    )


def _clean(value: object) -> str | None:
    return None if value in {None, "", "null"} else str(value)


def _restore_breaks(value: Any) -> Any:
    return value.replace(BREAK, "\n") if isinstance(value, str) else value


def _compute_digest(parts: list[str | None]) -> str:
    return sha256(json.dumps(parts, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()[:32]
