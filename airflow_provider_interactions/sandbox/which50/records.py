"""Which50's contacts, their interactions, and the facts these amount to.

Source: the help page of ``contacts/{contactId}/communications`` (app.which50.com/Which50API/documentation, read
2026-11).
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from hashlib import sha256
from typing import Any, Literal, NamedTuple

import msgspec

from airflow_provider_interactions.sandbox import museum
from airflow_provider_interactions.sandbox.expected import Fact
from airflow_provider_interactions.sandbox.which50.times import Moment, get_irish_minutes
from airflow_provider_interactions.sandbox.world import (
    SECOND,
    Event,
    World,
    draw,
    draw_hex,
    draw_oddity,
    find_index,
    get_events,
    get_shape,
    get_tag,
    pick,
    retag,
    to_datetime,
)

NAME = "which50"
#: the types the endpoint's page names; its "etc." says that there are more
TYPES = ("Email", "SMS", "LandingPage", "Event", "WebForm", "Competition")

_UNNAMED_TYPES = ("PushMessage", "Anruf 📞")
# Each status follows the one before it; the page says only that the last one is shown.
_LIVES = {
    "Email": ("Queued", "Sent", "Delivered", "Opened", "Clicked"),
    "SMS": ("Sent", "Delivered", "Réponse reçue"),
    "LandingPage": ("Visited", "Link clicked", "Submitted"),
    "Event": ("Invited", "Registered", "Attended"),
    "WebForm": ("Opened", "Submitted"),
    "Competition": ("Entered", "Won 🏆"),
}
_REALISTIC_LIVES = _LIVES | {
    "SMS": ("Sent", "Delivered", "Replied"),
    "Competition": ("Entered", "Entered", "Entered", "Won"),
}
_TITLES = (
    "Frühlings-Newsletter 🌷", 'Sale <50% & "more"', "Fáilte go Baile Átha Cliath", "友達紹介キャンペーン", "", None,
    "two\nlines\tand ]]> an end", "Newsletter",
)  # fmt: skip
_CAMPAIGNS = ("Frühjahr & Sommer", "Black Friday 🖤", "Win-back 'Q1'", "新規", "", "Loyalty <gold>")
_NOTES = ("sent by a journey ✉️", "<none> & nothing", None, "mobile")
_FAR_OFFSETS = (-300, 330, 120, -570, 840, 0, 60)
_ASSETS = 12
# The first eight or nine of a history sit on the edges of windows and must stay there.
_EDGES = 9
# Four alphabets, since none is documented: three that must be percent-encoded, and one of 32 hex digits.
_DRESSES = ("{head}/{tag}+{tail}==", "{head}%2F{tag}/{tail}=", "{head}{tag}", "{head}+{tag}%{tail}")
_TAG = re.compile(r"(?=([0-9]{12}))")
_ID = re.compile(rb'"interaction_id":"([0-9a-f]{32})"')


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How this sandbox's Which50 behaves; nearly all of it is undocumented and a choice."""

    #: no scheme was found published: a fixed bearer token, a key in a named header, Basic, or a token grant
    auth: Literal["bearer", "header", "basic", "client_credentials", "password"] = "bearer"
    #: what bearer and header present
    token: str = "sandbox~token+with/odd=chars%"  # noqa: S105  made up for the sandbox
    header: str = "X-Api-Key"
    #: what Basic and the password grant present
    username: str = "api user@sandbox.example"
    password: str = "sandbox:pass&word%+"  # noqa: S105  made up for the sandbox
    client_id: str = "sandbox-client"
    client_secret: str = "sandbox~secret+with&odd=chars%"  # noqa: S105  made up for the sandbox
    #: seconds until the token of a grant expires
    token_seconds: float = 3599.0
    #: types that occur in the world, next to a few that no page names
    types: tuple[str, ...] = TYPES
    #: leave members without a value out instead of sending null
    omit_nulls: bool = False
    #: the offset of all times; None: Irish time, and some records with others
    offset_minutes: int | None = None
    #: added to the Count of every contact list, which then differs from the number of its contacts
    count_off_by: int = 0


class Record(NamedTuple):
    """One interaction: the fields in the order of the page, and the status before the last one."""

    fields: dict[str, Any]
    earlier_status: str | None

    @property
    def at_us(self) -> int:
        """Microseconds since the epoch; the seventh digit is cut off."""
        moment: Moment = self.fields["Occurred"]
        return moment.ticks // 10

    def get_key(self) -> tuple[str, str | None, str | None, str]:
        """The key of an interaction among those of its contact: type, asset, campaign and instant."""
        at = to_datetime(self.at_us).replace(tzinfo=None).isoformat(timespec="microseconds")
        return self.fields["Interaction"], _spell(self.fields["Id"]), _spell(self.fields.get("CampaignId")), f"{at}Z"


def get_contact_id(world: World, index: int) -> str:
    """The encrypted contact id (EncContactId)."""
    return _draw_template(world, get_shape(world, index)).replace("{tag}", get_tag(index))


@lru_cache(maxsize=4096)
def _draw_template(world: World, base: int) -> str:
    digits = draw_hex(world, NAME, "contact", base, digits=28)
    dress = "{head}{tag}" if world.realistic else _DRESSES[base % len(_DRESSES)]
    return dress.replace("{head}", digits[:20]).replace("{tail}", digits[20:])


def find_contact(world: World, text: str) -> int | None:
    """The contact with exactly this encrypted id, if there is one."""
    candidates = (find_index(world, found[1]) for found in _TAG.finditer(text))
    return next((index for index in candidates if index is not None and get_contact_id(world, index) == text), None)


@lru_cache(maxsize=1024)
def list_records(world: World, options: Options, index: int) -> tuple[Record, ...]:
    """A contact's records, in no order of time. Ask with `get_shape` to share the cache."""
    base, seen, found = get_shape(world, index), set(), []
    for event in get_events(world, NAME, base):
        record = _create_record(world, options, base, event)
        while record.get_key() in seen:
            # Two interactions with the same key would be one row; give one another asset.
            record.fields["Id"] += 1
        seen.add(record.get_key())
        found.append(record)
    return tuple(found)


def list_facts(world: World, options: Options, index: int) -> list[Fact]:
    """A contact's interactions as the canonical table must hold them, each with its last status."""
    contact = get_contact_id(world, index)
    return [_build_fact(contact, record) for record in list_records(world, options, index)]


def _build_fact(contact: str, record: Record) -> Fact:
    fields = record.fields
    return Fact(
        vendor=NAME,
        contact_id=contact,
        interaction_id=_compute_id(contact, record.get_key()),
        occurred_at=record.at_us,
        native_type=fields["Interaction"],
        status=fields.get("Status") or None,
        subject=fields.get("Name") or None,
        campaign_id=_spell(fields.get("CampaignId")),
        campaign_name=fields.get("CampaignName") or None,
        message_id=_spell(fields["Id"]),
        attributes={name: value for name, value in fields.items() if name == "SandboxNote"},
    )


def _spell(number: int | None) -> str | None:
    return None if number is None else str(number)


def _compute_id(contact: str, key: tuple[str | None, ...]) -> str:
    text = json.dumps([contact, *key], ensure_ascii=False, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()[:32]


def relabel(body: bytes, source: int, target: int) -> bytes:
    """Facts' lines made for contact ``source``, as they are for ``target``: ids are digests over the contact."""
    if source == target:
        return body
    lines = (before + _hash_key(retag(key, source, target)) + after for before, key, after in _split_lines(body))
    return retag(b"\n".join(lines), source, target)


def _hash_key(key: bytes) -> bytes:
    return sha256(key).hexdigest()[:32].encode()


@lru_cache(maxsize=64)
def _split_lines(body: bytes) -> tuple[tuple[bytes, bytes, bytes], ...]:
    """Each line's part before its interaction id, the text the id is a digest of, and the part after it."""
    found = []
    for line in body.split(b"\n"):
        at, fact = _ID.search(line), msgspec.json.decode(line)
        assert at is not None  # noqa: S101  every line was made by `_build_fact`
        when = to_datetime(fact["occurred_at"]).replace(tzinfo=None).isoformat(timespec="microseconds")
        key = [fact["contact_id"], fact["native_type"], fact["message_id"], fact["campaign_id"], f"{when}Z"]
        found.append((line[: at.start(1)], msgspec.json.encode(key), line[at.end(1) :]))
    return tuple(found)


def _create_record(world: World, options: Options, base: int, event: Event) -> Record:
    key = (NAME, base, event.number)
    kind = pick(world, _UNNAMED_TYPES if draw_oddity(world, 25, *key, "unnamed") else options.types, *key, "type")
    asset, title = _draw_asset(world, kind, *key)
    campaign, campaign_name = _draw_campaign(world, asset if world.realistic else draw(world, *key, "campaign") % 10)
    earlier, status = _draw_statuses(world, kind, *key)
    fields = {
        "Id": _draw_asset_id(world, kind, asset),
        "Interaction": kind,
        "Name": title,
        "Occurred": _draw_occurred(world, options, base, event),
        "Status": status,
        "CampaignId": campaign,
        "CampaignName": campaign_name,
    }
    note = {"SandboxNote": pick(world, _NOTES, *key, "note")} if draw_oddity(world, 9, *key, "unknown") else {}
    kept = {name: value for name, value in (fields | note).items() if value is not None or not options.omit_nulls}
    return Record(kept, earlier)


def _draw_asset(world: World, kind: str, *key: object) -> tuple[int, str | None]:
    """The number of an asset among those of its type, and its title."""
    number = draw(world, *key, "asset")
    if world.realistic:
        titles = museum.TITLES.get(kind, museum.CAMPAIGNS)
        return number % len(titles), titles[number % len(titles)]
    return number % _ASSETS, pick(world, _TITLES, NAME, "title", kind, number % _ASSETS)


def _draw_asset_id(world: World, kind: str, asset: int) -> int:
    # One asset's number does not survive a detour through a float: the page says integer, not how wide.
    return 2**53 + 1 if asset == 0 and not world.realistic else 1 + draw(world, NAME, "asset", kind, asset) % 9000


def _draw_campaign(world: World, number: int) -> tuple[int | None, str | None]:
    """A campaign, or the two ways of having none: null, and the zero of a .NET integer."""
    names = museum.CAMPAIGNS if world.realistic else _CAMPAIGNS
    if number >= len(names):
        return (None, None) if number % 2 else (0, None)
    return 10 + draw(world, NAME, "campaign", number) % 990, names[number]


def _draw_statuses(world: World, kind: str, *key: object) -> tuple[str | None, str | None]:
    """The status before the last one (the same where there was none), and the last one."""
    if draw_oddity(world, 9, *key, "no status"):
        none = pick(world, (None, None, ""), *key, "no status is")
        return none, none
    life = (_REALISTIC_LIVES if world.realistic else _LIVES).get(kind, ("Started", "Done"))
    stage = draw(world, *key, "stage") % len(life)
    return life[max(0, stage - 1)], life[stage]


def _draw_occurred(world: World, options: Options, base: int, event: Event) -> Moment:
    key = (NAME, base, event.number, "occurred")
    if options.offset_minutes is not None:
        offset = options.offset_minutes
    elif draw_oddity(world, 12, *key, "far"):
        offset = pick(world, _FAR_OFFSETS, *key, "offset")
    else:
        offset = get_irish_minutes(event.at_us)
    return Moment(event.at_us * 10 + _draw_fraction(world, event, *key), offset)


def _draw_fraction(world: World, event: Event, *key: object) -> int:
    """Tenths of microseconds to add: a seventh digit, or one to seven digits on a whole second."""
    drawn = draw(world, *key, "fraction")
    if (event.number < _EDGES and not world.realistic) or event.at_us % SECOND:
        return pick(world, (0, 9, 1, 5), *key, "seventh")
    step: int = 10 ** (drawn % 8)
    return drawn % 10_000_000 // step * step
