"""The seeded world behind all sandbox vendors: who exists and when something happened.

Everything is a pure function of (seed, names, numbers), so it does not matter in which order, process or
thread it is asked. All instants are integers: microseconds since 1970-01-01T00:00:00Z.

Scale: a contact's history depends on its *shape* only. With fewer shapes than contacts, contacts share
histories and differ in their *tag*, twelve decimal digits inside every id. A vendor may therefore encode
bytes once per shape and replace one tag by another (see `retag`); nothing is generated up front.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple, TypeVar

from airflow_provider_interactions.sandbox import museum
from airflow_provider_interactions.sandbox.config import SandboxConfig

T = TypeVar("T")

SECOND = 1_000_000
DAY = 86_400 * SECOND
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DEFAULT_SHAPES = 16

_TAGS = 10**12
# Prime to 10**12, so that multiplying permutes the tags: no two contacts share one.
_STEP = 999_983
_SHIFT = 314_159_265_358
_STEP_INVERSE = pow(_STEP, -1, _TAGS)

GIVEN_NAMES = (
    "Anna",
    "Björn",
    "Chloé",
    "Dörte",
    "Ewa",
    "Françoise",
    "Güler",
    "Håkon",
    "Íris",
    "José",
    "李雷",
    "Ольга",
)
FAMILY_NAMES = (
    "Müller",
    "O'Brien",
    "Nuñez",
    "Łukasz",
    "Šimić",
    "Þórsdóttir",
    "Smith-Jones",
    "山田",
    "Иванова",
)


@dataclass(frozen=True, slots=True)
class World:
    """The few numbers from which everything follows."""

    seed: int
    contacts: int
    start_us: int
    days: int
    per_contact: int | None
    shapes: int
    #: looks like an ordinary organisation's, without hard texts and times
    realistic: bool = False

    @property
    def end_us(self) -> int:
        """First instant after the world."""
        return self.start_us + self.days * DAY


class Event(NamedTuple):
    """Something happened to a contact: its number in the contact's history, and when."""

    number: int
    at_us: int


class Person(NamedTuple):
    """A contact's personal data; addresses carry the contact's tag, so they are unique."""

    first: str
    last: str
    email: str
    mobile: str


def create_world(config: SandboxConfig) -> World:
    """The world a config describes."""
    start = datetime.strptime(config.start, "%Y-%m-%d").replace(tzinfo=UTC)
    shapes = config.shapes or (config.contacts if config.per_contact is None else DEFAULT_SHAPES)
    return World(
        config.seed,
        config.contacts,
        to_micros(start),
        config.days,
        config.per_contact,
        min(shapes, config.contacts),
        config.realistic,
    )


def to_micros(instant: datetime) -> int:
    """Microseconds since the epoch of an aware datetime, without passing through floats."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def to_datetime(at_us: int) -> datetime:
    """The aware UTC datetime of microseconds since the epoch."""
    return EPOCH + timedelta(microseconds=at_us)


def draw(world: World, *parts: object) -> int:
    """64 bits that depend on the seed and the parts alone."""
    text = f"{world.seed}\x1f" + "\x1f".join(map(str, parts))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def pick(world: World, among: Sequence[T], *parts: object) -> T:
    """One of ``among``, drawn."""
    return among[draw(world, *parts) % len(among)]


def draw_chance(world: World, one_in: int, *parts: object) -> bool:
    """True once in ``one_in`` draws."""
    return draw(world, *parts) % one_in == 0


def draw_oddity(world: World, one_in: int, *parts: object) -> bool:
    """True once in ``one_in`` draws; never in a realistic world."""
    return not world.realistic and draw_chance(world, one_in, *parts)


def draw_hex(world: World, *parts: object, digits: int = 32) -> str:
    """Lower-case hex digits, up to 64 of them."""
    text = f"{world.seed}\x1fid\x1f" + "\x1f".join(map(str, parts))
    return blake2b(text.encode(), digest_size=32).hexdigest()[:digits]


def format_guid(digits: str) -> str:
    """Thirty-two hex digits in GUID form."""
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def draw_guid(world: World, *parts: object) -> str:
    """A lower-case dashed GUID."""
    return format_guid(draw_hex(world, *parts))


def get_shape(world: World, index: int) -> int:
    """The contact whose history this contact shares (itself, unless shapes are fewer than contacts)."""
    return index % world.shapes


def get_tag(index: int) -> str:
    """Twelve decimal digits, different for each contact; the only difference between contacts of a shape."""
    return f"{(index * _STEP + _SHIFT) % _TAGS:012d}"


def find_index(world: World, text: str) -> int | None:
    """The contact whose tag this is, if there is one."""
    if len(text) != len(get_tag(0)) or not (text.isascii() and text.isdigit()):
        return None
    index = (int(text) - _SHIFT) * _STEP_INVERSE % _TAGS
    return index if index < world.contacts else None


def retag(body: bytes, source: int, target: int) -> bytes:
    """Bytes made for contact ``source``, as they are for ``target`` of the same shape."""
    return body if source == target else body.replace(get_tag(source).encode(), get_tag(target).encode())


def draw_tagged_guid(world: World, index: int, *parts: object) -> str:
    """A GUID whose last group is the contact's tag: unique per contact, equal in a shape but for the tag."""
    return format_guid(draw_hex(world, get_shape(world, index), *parts, digits=20) + get_tag(index))


def is_active(world: World, index: int) -> bool:
    """False for about one contact in seven (Dataverse: statecode 1), who still has a history."""
    return not draw_chance(world, 7, "inactive", index)


def get_person(world: World, index: int) -> Person:
    """Name and addresses of a contact; the same for all of a shape, but for the tag."""
    base = get_shape(world, index)
    first = pick(world, museum.GIVEN_NAMES if world.realistic else GIVEN_NAMES, "first", base)
    last = pick(world, museum.FAMILY_NAMES if world.realistic else FAMILY_NAMES, "last", base)
    return Person(first, last, f"c.{get_tag(index)}@example.org", f"+999{get_tag(index)}")


@lru_cache(maxsize=2048)
def get_events(world: World, vendor: str, index: int) -> tuple[Event, ...]:
    """A contact's history at a vendor, in no order of time. Ask with `get_shape` to share the cache."""
    base = get_shape(world, index)
    count = _draw_count(world, vendor, base)
    return tuple(Event(number, _draw_instant(world, vendor, base, number)) for number in range(count))


def _draw_count(world: World, vendor: str, base: int) -> int:
    if world.per_contact is not None:
        return world.per_contact
    # The second contact never has anything, so that even the smallest world shows an empty history.
    if base == 1 or draw_chance(world, 8, vendor, "nothing", base):
        return 0
    return 4 + draw(world, vendor, "count", base) % 56


def _draw_instant(world: World, vendor: str, base: int, number: int) -> int:
    if world.realistic:
        # On a whole second between 7 in the morning and 10 at night.
        day = world.start_us + draw(world, vendor, "day", base, number) % world.days * DAY
        return day + (7 * 3600 + draw(world, vendor, "at", base, number) % (15 * 3600)) * SECOND
    # The first eight of a history sit on the edges where windows are cut; the next shares the eighth's instant.
    day = world.start_us + draw(world, vendor, "day", base, number) % world.days * DAY
    noon = world.start_us + draw(world, vendor, "tie", base) % world.days * DAY + DAY // 2
    edges = (
        day, day + DAY - 1, day + DAY - SECOND, world.start_us, world.end_us - 1, world.end_us - SECOND, day + 1,
        noon, noon,
    )  # fmt: skip
    if number < len(edges):
        return edges[number]
    free = world.start_us + draw(world, vendor, "at", base, number) % (world.days * DAY)
    # Most clocks of the vendors tick in seconds; a third of the instants keep their microseconds.
    return free if draw_chance(world, 3, vendor, "fine", base, number) else free - free % SECOND
