"""The values of Luminate's interactions and notes.

Names and order of fields are those of the sample on the page of getUserInteractions (open.convio.com/api/apidoc, read
2026-11).
"""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_interactions.sandbox import museum
from airflow_provider_interactions.sandbox.world import (
    DAY,
    World,
    draw,
    draw_oddity,
    get_shape,
    get_tag,
    pick,
    to_datetime,
)

NAME = "luminate_online"

#: the sample carries -06:00 in winter, one of getRegistration -05:00; that this is US Central is an inference
CENTRAL = ZoneInfo("America/Chicago")
_ADMINISTRATOR = "1001001"
#: with the tag sixteen digits, from either side of 2**53
_FIRST_ID = 9000
# A subject has 80 characters at most, a note 1500 (pages "logInteraction" and "Constituent error codes").
_SUBJECTS = (
    "Sample Subject 0",
    "Adopted a dog 🐕",
    'Q&A: "5 < 6" & <b>more</b>',
    "Größe, Łódź, 東京",
    "null",
    "É" * 80,
    "<![CDATA[ not really ]]>",
)
_TEXTS = (
    "Lorem ipsum dolor sit amet, consetetur sadipscing 0",
    "First line\nsecond line\twith a tab",
    "Merci beaucoup 💐 & à bientôt",
    "she said: 'no' \\ \"yes\" </text>",
    "ü" * 1500,
)
#: fields that no record lacks; the others are absent, nil or empty now and then
_ALWAYS = frozenset({"interactionId", "interactionTypeId", "consId", "creationDate", "noteId"})


def get_contact_id(_: World, index: int) -> str:
    """The constituent's cons_id: digits only, below 2**53."""
    return f"1{get_tag(index)}"


def draw_fields(world: World, index: int, native_type: int, at_us: int, number: int) -> dict[str, Any]:
    """All fields of a constituent's interaction of this number, with every note it has."""
    key = (NAME, get_shape(world, index), number)
    fields = _vary_fields(world, _draw_interaction(world, index, native_type, at_us, *key), *key)
    # Several notes are in no sample; that the element can repeat is an inference.
    numbers = (1,) if world.realistic else (1, 1, 1, 1, 1, 0, 2, 3)
    notes = [
        _vary_fields(world, _draw_note(world, index, at_us, order, *key), *key, order)
        for order in range(pick(world, numbers, *key, "notes"))
    ]
    if notes:
        fields["note"] = notes
    if draw_oddity(world, 9, *key, "unknown"):
        fields["sandboxField"] = "9007199254740993 ключ 🚀"
    return fields


def clean(value: Any) -> Any:
    """A field as it is meant: text without white space around it, and None for nil and for empty."""
    if isinstance(value, list):
        return [{name: clean(inner) for name, inner in note.items()} for note in value]
    return (value or "").strip() or None


def find_number(index: int, text: str) -> int | None:
    """The number, in a constituent's history, of the interaction with this id; None if it is not of that kind."""
    prefix = text.removesuffix(get_tag(index))
    number = int(prefix) - _FIRST_ID if prefix.isdecimal() and len(prefix) < 10 else 0
    return number if text == _format_id(index, number) else None


def _draw_interaction(world: World, index: int, native_type: int, at_us: int, *key: Any) -> dict[str, str]:
    contact = get_contact_id(world, index)
    subjects = museum.SUBJECTS if world.realistic else _SUBJECTS
    category, reference, creator, subject, count = _split_draw(draw(world, *key), 5, 4, 2, len(subjects), 3)
    return {
        "interactionId": _format_id(index, key[-1]),
        "interactionTypeId": str(native_type),
        "categoryId": str(1000 + category),
        "referenceId": str(reference),
        "consId": contact,
        "createdBy": (contact, _ADMINISTRATOR)[creator],
        "creationDate": _format_date(at_us),
        "subject": subjects[subject],
        "count": str(1 + count),
    }


def _draw_note(world: World, index: int, at_us: int, order: int, *key: Any) -> dict[str, str]:
    subjects, texts = (museum.SUBJECTS, museum.NOTES) if world.realistic else (_SUBJECTS, _TEXTS)
    subject, text, later = _split_draw(draw(world, *key, order), len(subjects), len(texts), 3 * DAY)
    return {
        "categoryId": "1000",
        "typeOfConsNote": "normal",
        "consId": get_contact_id(world, index),
        "createdBy": _ADMINISTRATOR,
        "creationDate": _format_date(at_us),
        "interactionId": _format_id(index, key[-1]),
        "modifiedBy": _ADMINISTRATOR,
        "modifiedDate": _format_date(at_us + later),
        "noteId": f"{7000 + 4 * key[-1] + order}{get_tag(index)}",
        "subject": subjects[subject],
        "text": texts[text],
        "type": "comment",
    }


def _split_draw(drawn: int, *bases: int) -> list[int]:
    """Independent numbers below each of the bases, out of one draw."""
    found = []
    for base in bases:
        drawn, digit = divmod(drawn, base)
        found.append(digit)
    return found


def _format_id(index: int, number: int) -> str:
    return f"{_FIRST_ID + number}{get_tag(index)}"


def _format_date(at_us: int) -> str:
    """US Central time with milliseconds and the season's offset."""
    return to_datetime(at_us).astimezone(CENTRAL).isoformat(timespec="milliseconds")


def _vary_fields(world: World, fields: dict[str, str], *key: object) -> dict[str, Any]:
    """Fields as they may arrive: some absent, nil, empty, or with stray white space around them."""
    if world.realistic:
        return dict(fields)
    fates = dict(zip(fields, _split_draw(draw(world, *key, "fates"), *(32 for _ in fields)), strict=True))
    absent = {name for name, fate in fates.items() if fate == 0 and name not in _ALWAYS}
    return {name: _vary_value(name, text, fates[name]) for name, text in fields.items() if name not in absent}


def _vary_value(name: str, text: str, fate: int) -> str | None:
    if fate in {1, 2} and name not in _ALWAYS:
        return (None, "")[fate - 1]
    return {3: f"  {text}", 4: f"\t{text}\n"}.get(fate, text)
