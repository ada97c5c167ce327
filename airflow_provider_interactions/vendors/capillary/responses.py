"""Capillary's two shapes of response, recognized by the body alone, and split into records.

::

    v1.1   {"response": {"status": {…}, "customer": {"item_status": {…}, "interactions": {"network": [entries]}}}}
    v2     {"name": …, "interaction": [entries], "warnings": […]}   or   {"errors": [{"code": …}]}

The vendor's pages show each shape at the other's address. v1.1 is XML that a program has turned into JSON: one child is
an object, several are an array, none is "", {} or absent. Sources: "Get Customer Interactions"
(docs.capillarytech.com), the v1.1 documentation (github.com/capillary), both read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from airflow_provider_interactions import errors as airflow_provider_interactions_errors
from airflow_provider_interactions.errors import BadResponse
from airflow_provider_interactions.vendors.shared import json

Raw = msgspec.Raw

#: Where a record says when it happened, in this order.
TIMES = ("sentDate", "sent_time", "time", "completion_time")

_ABSENT = Raw(b"")
_BOM = b"\xef\xbb\xbf"
# Every form of "nothing" that a conversion from XML to JSON leaves.
_NOTHING = re.compile(rb'(?:null|\{\s*\}|\[\s*\]|"(?:null|(?:\s|\\[nrt])*)")?')
# Error messages show the code, so it must be shorter than any identifier of a customer.
_CODE = re.compile(r"-?[0-9]{1,6}")
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_CONTROL = re.compile(rb"[\x00-\x1f]")

#: The words for success and failure that are known, in lower case. Any other word makes the response unreadable.
_FLAGS = {"true": True, "1": True, "yes": True, "y": True, "false": False, "0": False, "no": False, "n": False}

#: Codes of a request's status that do not contradict a response without a flag.
_FINE = ("", "200", "201")

#: Entries that only count something, or only carry a flag, in the vendor's samples.
_LISTLESS = frozenset({"survey", "missed_call", "tweet", "retweet", "like", "comment", "mention"})
#: For these, a number above zero comes without a list (sample of the v1.1 documentation).
_COUNTED_ONLY = _LISTLESS - {"survey", "missed_call"}


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


class _Interactions(msgspec.Struct):
    network: Raw = _ABSENT


class _Network(msgspec.Struct):
    name: Raw = _ABSENT
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
    """One channel of a response.

    ``listed`` is everything in its containers. ``records`` are the interactions in it: every message, and everything
    else with a time. ``count`` is the number of messages that it declares, None if it has no container for messages.
    """

    name: str
    records: Sequence[bytes] = ()
    listed: Sequence[bytes] = ()
    count: int | None = None

    def only(self, wanted: Callable[[bytes], bool]) -> Entry:
        """The same channel with only the wanted records."""
        records, listed = (list(filter(wanted, some)) for some in (self.records, self.listed))
        return replace(self, records=records, listed=listed)


def read_body(text: bytes) -> Body:
    """The outline of a response; raises BadResponse if it has neither shape. Warnings alone are not a shape."""
    found: Body = _decode_as(text, Body)
    if _is_nothing(found.response) and _is_nothing(found.errors) and not bytes(found.interaction):
        raise BadResponse(_SHAPELESS)
    return found


def find_fault(found: Body) -> str | None:
    """The code of a failure that a response reports: empty if it has no code, None if it does not report a failure.

    The flag decides, not the code: resources use different codes for success. Warnings are not failures.
    Raises BadResponse for a flag that is neither a known yes nor a known no.
    """
    if not _is_nothing(found.errors):
        codes = [_read_code(_decode_as(one, _Status)) for one in to_list(found.errors) if one[:1] == b"{"]
        return next(filter(None, codes), "")
    for response in to_list(found.response):
        return _find_old_fault(response)
    return None


def list_entries(found: Body, *, check_counts: bool = True) -> Iterator[Entry]:
    """Every channel of a response, also channels without records.

    Raises BadResponse if a container is missing, is null, or is empty although there is a count.
    """
    if bytes(found.interaction):
        if bytes(found.interaction)[:1] != b"[":  # only v1.1 was XML once, where a single child is not an array
            raise BadResponse(_SHAPELESS)
        yield from (_read_entry(raw, check_counts=check_counts) for raw in to_list(found.interaction))
    elif not _is_nothing(found.response):
        for raw in to_list(found.response):
            yield from _list_old_entries(_decode_as(raw, _Response), check_counts=check_counts)
    else:
        raise BadResponse(_SHAPELESS)


def _list_old_entries(response: _Response, *, check_counts: bool) -> Iterator[Entry]:
    customers = to_list(response.customer)
    if not customers:
        msg = "the response says success and has no customer"
        raise BadResponse(msg)
    for customer in customers:
        for network in _list_networks(_decode_as(customer, _Customer).interactions):
            yield from (_read_entry(raw, check_counts=check_counts) for raw in to_list(network))


def _list_networks(interactions: Raw) -> Iterator[Raw]:
    """The entries of each network of a customer. A network with only a name has none."""
    if _is_nothing(_require_present(interactions)):
        return
    for raw in to_list(_require_present(_decode_as(interactions, _Interactions).network)):
        network = _decode_as(raw, _Network)
        if bytes(network.interaction):
            yield _require_present(network.interaction)
        elif _decode_as(raw, dict[str, Raw]).keys() != {"name"}:
            raise BadResponse(_SHAPELESS)


def _require_present(container: Raw) -> Raw:
    """Return the container; raises BadResponse if it is absent or null, because that does not mean "empty"."""
    if bytes(container) in (b"", b"null", b'"null"'):
        raise BadResponse(_SHAPELESS)
    return container


def to_list(raw: Raw | bytes) -> list[bytes]:
    """An object or an array as a list; an empty form gives an empty list. In an array, empty forms are elements."""
    written = bytes(raw)
    if written[:1] == b"[":
        return list(map(bytes, _decode_as(written, list[Raw])))
    return [] if _is_nothing(written) else [written]


def unwrap(raw: Raw | bytes, name: str) -> Raw | bytes:
    """The member ``name`` of an object; the value itself if there is no such member."""
    if bytes(raw)[:1] != b"{":
        return raw
    return _decode_as(raw, dict[str, Raw]).get(name, raw)  # type: ignore[no-any-return]


def read_word(raw: Raw | None) -> str | None:
    """A JSON scalar as text; None for every empty form, and for the text "null"."""
    return None if raw is None or _is_nothing(raw) else json.read_text(raw)


def _find_old_fault(response: bytes) -> str | None:
    outer = _decode_as(response, _Response)
    # One sister resource has the flag directly under "response".
    status = _decode_as(next(iter(to_list(outer.status)), response), _Status)
    code = _read_code(status) if _has_failed(status) else None
    if code not in (None, "", "500"):
        return code
    for customer in to_list(outer.customer):
        for one in to_list(_decode_as(customer, _Customer).item_status):
            item = _decode_as(one, _Status)
            if _read_flag(item.success) is False:
                return _read_code(item) or code or ""
    return code


def _has_failed(status: _Status) -> bool:
    flag = _read_flag(status.success)
    return not flag if flag is not None else _read_code(status) not in _FINE


def _read_code(status: _Status) -> str:
    code = status.code if status.code is not None else status.response_code
    found = _CODE.fullmatch(str(code).strip())
    return found[0] if found and code is not None else ""


def _read_flag(flag: object) -> bool | None:
    """A flag's meaning, None if it is absent; raises BadResponse for an unknown word."""
    written = json.spell_integer(str(flag).strip().lower())
    if written in ("none", "null", ""):
        return None
    if written not in _FLAGS:
        msg = "the response does not say whether it is a success"
        raise BadResponse(msg)
    return _FLAGS[written]


def _read_entry(raw: bytes, *, check_counts: bool) -> Entry:
    entry = _decode_as(raw, _Entry)
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
    try:
        return read_word(entry.name) or read_word(entry.type) or ""
    except airflow_provider_interactions_errors.UNREADABLE:
        raise BadResponse(_SHAPELESS) from None


def _read_count(raw: Raw) -> int | None:
    """The declared number, None if there is none; raises BadResponse if it cannot be read as a number."""
    return None if _is_nothing(raw) else json.read_count(_decode_as(raw, Any), "a channel's count")


def _has_time(record: bytes) -> bool:
    if record[:1] != b"{":
        return False
    fields = _decode_as(record, dict[str, Raw])
    return any(read_word(fields.get(name)) is not None for name in TIMES)


def _is_nothing(raw: Raw | bytes) -> bool:
    return _NOTHING.fullmatch(bytes(raw)) is not None


def _decode_as(text: bytes | Raw, kind: Any) -> Any:
    try:
        return _decode_once(bytes(text), kind)
    except airflow_provider_interactions_errors.UNREADABLE:
        pass
    try:
        return _decode_once(mend(bytes(text)), kind)
    except airflow_provider_interactions_errors.UNREADABLE:
        raise BadResponse(_SHAPELESS) from None


def _decode_once(text: bytes, kind: Any) -> Any:
    """Decode; raises BadResponse if an object of a known kind names a member twice."""
    found = msgspec.json.decode(text, type=kind)
    if isinstance(found, msgspec.Struct):
        json.refuse_repeated(text, msgspec.json.decode(text, type=dict[str, Raw]), "the response")
    return found


def mend(text: bytes) -> bytes:
    """JSON whose strings held raw control characters or half surrogate pairs: escaped, and replaced by U+FFFD.

    The vendor's own v1.1 sample has line breaks inside strings. A short message that is cut at its limit can end in
    half an emoji.
    """
    strings = _STRING.sub(lambda string: _CONTROL.sub(_escape, string[0]), text.removeprefix(_BOM))
    return json.mend_surrogates(strings)


def _escape(found: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % found[0][0]


_SHAPELESS = "the response has neither of the two documented shapes"
