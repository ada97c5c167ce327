"""Capillary's two shapes of answer, told apart by the body alone, and taken apart into records.

::

    v1.1   {"response": {"status": {…}, "customer": {"item_status": {…}, "interactions": {"network": [entries]}}}}
    v2     {"name": …, "interaction": [entries], "warnings": […]}   or   {"errors": [{"code": …}]}

The vendor's pages show each under the other's address. v1.1 is XML turned into JSON by a machine: one child is an
object, several are an array, none is "", {} or absent. Sources: "Get Customer Interactions" (docs.capillarytech.com),
the v1.1 documentation (github.com/capillary), both read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from airflow_provider_interactions.errors import BadResponse
from airflow_provider_interactions.vendors import common

Raw = msgspec.Raw

#: Where a record says when it happened, in this order.
TIMES = ("sentDate", "sent_time", "time", "completion_time")

_ABSENT = Raw(b"")
_BOM = b"\xef\xbb\xbf"
# What stands for nothing, after a machine has turned XML into JSON.
_NOTHING = re.compile(rb'(?:null|\{\s*\}|\[\s*\]|"(?:null|(?:\s|\\[nrt])*)")?')
# Shorter than any number by which a customer is known: a code is told in errors.
_CODE = re.compile(r"-?[0-9]{1,6}")
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_CONTROL = re.compile(rb"[\x00-\x1f]")


class Body(msgspec.Struct):
    """The outermost level of either shape."""

    interaction: Raw = _ABSENT
    response: Raw = _ABSENT
    errors: Raw = _ABSENT
    warnings: Raw = _ABSENT


class _Response(msgspec.Struct):
    status: Raw = _ABSENT
    customer: Raw = _ABSENT


class _Status(msgspec.Struct):
    success: Any = None
    code: Any = None
    response_code: Any = None


class _Customer(msgspec.Struct):
    item_status: Raw = _ABSENT
    interactions: Raw = _ABSENT


class _Network(msgspec.Struct):
    interaction: Raw = _ABSENT


class _Entry(msgspec.Struct):
    name: Raw = _ABSENT
    type: Raw = _ABSENT  # the name in v1.1
    count: Raw = _ABSENT
    message_list: Raw = msgspec.field(name="messageList", default=_ABSENT)
    messages: Raw = _ABSENT
    surveys: Raw = _ABSENT
    locs: Raw = _ABSENT


@dataclass(frozen=True, slots=True)
class Entry:
    """One channel of an answer.

    ``listed`` is everything in its containers, ``records`` what of it is an interaction: every message, and whatever
    else has a time. ``count`` is how many messages it says there are, None where it has no container for messages.
    """

    name: str
    records: Sequence[bytes] = ()
    listed: Sequence[bytes] = ()
    count: int | None = None

    def without(self, seen: Container[tuple[str, bytes]]) -> Entry:
        """The same channel without what was seen before, given as pairs of channel and bytes."""
        records, listed = (
            [one for one in some if (self.name, one) not in seen] for some in (self.records, self.listed)
        )
        return replace(self, records=records, listed=listed)


def body(text: bytes) -> Body:
    """The outline of an answer; raises BadResponse when it has neither shape."""
    found: Body = _typed(text, Body)
    if _is_nothing(found.response) and not any(map(bytes, (found.interaction, found.errors, found.warnings))):
        raise BadResponse(_SHAPELESS)
    return found


def fault(found: Body) -> str | None:
    """The code with which an answer says that it failed, empty where it names none, None where it did not fail.

    The flag decides, not the code: resources use different codes for success. Warnings are no failure.
    """
    if not _is_nothing(found.errors):
        codes = [_code(_typed(one, _Status)) for one in several(found.errors) if one[:1] == b"{"]
        return next(filter(None, codes), "")
    for response in several(found.response):
        return _old_fault(response)
    return None


def entries(found: Body) -> Iterator[Entry]:
    """Every channel of an answer, those without a single record included; raises BadResponse."""
    for raw in several(found.interaction):
        yield _entry(raw)
    for response in several(found.response):
        for customer in several(_typed(response, _Response).customer):
            for network in several(inner(_typed(customer, _Customer).interactions, "network")):
                for raw in several(_typed(network, _Network).interaction):
                    yield _entry(raw)


def several(raw: Raw | bytes) -> list[bytes]:
    """An object or an array of them as a list, forms of nothing left out."""
    written = bytes(raw)
    parts = _typed(written, list[Raw]) if written[:1] == b"[" else [written]
    return [part for part in map(bytes, parts) if not _is_nothing(part)]


def inner(raw: Raw | bytes, name: str) -> Raw | bytes:
    """What an object holds under ``name``; the value itself where there is no such level."""
    if bytes(raw)[:1] != b"{":
        return raw
    return _typed(raw, dict[str, Raw]).get(name, raw)  # type: ignore[no-any-return]


def word(raw: Raw | None) -> str | None:
    """A JSON scalar as text; None for every form of nothing, the text "null" included."""
    return None if raw is None or _is_nothing(raw) else common.text(raw)


def sent(record: dict[str, Raw]) -> tuple[str, str] | None:
    """The field that says when a record happened and its text, None where there is none."""
    texts = ((name, word(record.get(name))) for name in TIMES)
    return next(((name, text) for name, text in texts if text is not None), None)


def _old_fault(response: bytes) -> str | None:
    outer = _typed(response, _Response)
    # One sister resource has the flag directly under "response".
    status = _typed(next(iter(several(outer.status)), response), _Status)
    code = _code(status) if _is_false(status.success) else None
    if code not in (None, "", "500"):
        return code
    for customer in several(outer.customer):
        for one in several(_typed(customer, _Customer).item_status):
            item = _typed(one, _Status)
            if _is_false(item.success):
                return _code(item) or code or ""
    return code


def _code(status: _Status) -> str:
    code = status.code if status.code is not None else status.response_code
    found = _CODE.fullmatch(str(code).strip())
    return found[0] if found and code is not None else ""


def _is_false(flag: object) -> bool:
    return flag is False or (isinstance(flag, str) and flag.strip().lower() == "false")


def _entry(raw: bytes) -> Entry:
    entry = _typed(raw, _Entry)
    messages = several(entry.message_list) + several(inner(entry.messages, "message"))
    others = several(inner(entry.surveys, "survey")) + several(inner(entry.locs, "loc"))
    counts = bytes(entry.message_list) not in (b"", b"null") or bytes(entry.messages) not in (b"", b"null")
    return Entry(
        name=word(entry.name) or word(entry.type) or "",
        records=[*messages, *filter(_has_time, others)],
        listed=[*messages, *others],
        count=_number(entry.count) if counts else None,
    )


def _has_time(record: bytes) -> bool:
    return record[:1] == b"{" and sent(_typed(record, dict[str, Raw])) is not None


def _number(raw: Raw) -> int:
    text = word(raw) or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _is_nothing(raw: Raw | bytes) -> bool:
    return _NOTHING.fullmatch(bytes(raw)) is not None


def _typed(text: bytes | Raw, kind: Any) -> Any:
    try:
        return msgspec.json.decode(text, type=kind)
    except common.UNREADABLE:
        pass
    try:
        return msgspec.json.decode(mended(bytes(text)), type=kind)
    except common.UNREADABLE:
        raise BadResponse(_SHAPELESS) from None


def mended(text: bytes) -> bytes:
    """JSON whose strings held raw control characters or half surrogate pairs: escaped, and replaced by U+FFFD.

    The vendor's own v1.1 sample breaks lines inside strings; a short message cut at its limit can end in half an emoji.
    """
    strings = _STRING.sub(lambda string: _CONTROL.sub(_escaped, string[0]), text.removeprefix(_BOM))
    return common.mended(strings)


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % found[0][0]


_SHAPELESS = "the answer has neither of the two documented shapes"
