"""``msdyncrm_LoadInteractionsPublic``.

Source: "Retrieve interactions for a contact using code" (edition of 2021-01-06; deleted on 2026-03-05). That the token
of an answer goes back as ``SkipToken`` is an inference from the two names; most of what the page leaves open is an
option.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from airflow_provider_interactions.sandbox.dynamics_marketing.errors import get_service_root, refuse, reply
from airflow_provider_interactions.sandbox.dynamics_marketing.fields import TYPES
from airflow_provider_interactions.sandbox.dynamics_marketing.records import (
    NAME,
    Options,
    Record,
    find_contact,
    list_records,
)
from airflow_provider_interactions.sandbox.faults import get_fault
from airflow_provider_interactions.sandbox.vendor import Site
from airflow_provider_interactions.sandbox.world import DAY, World, draw, get_shape, pick, retag, to_micros

ACTION = "msdyncrm_LoadInteractionsPublic"

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DATE = re.compile(r"(\d\d)-(\d\d)-(\d{4})")
_MINUTE = 60_000_000
_FOREVER = 2**62
# Renamed between the editions of 2020 and 2021; that the service goes on answering to the old name is an inference.
_ALIASES = {"EmailContainsBlacklistedLinks": "EmailContainsBlockListedLinks"}
_SEGMENT_CODES = {"no_code": None}


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The action's input; names and types are the page's."""

    ContactId: str
    InteractionType: str
    DateFrom: str | None = None
    DateTo: str | None = None
    Top: int | None = None
    SkipToken: str | None = None


class Query(NamedTuple):
    """A checked request: which records, from ``low_us`` (inclusive) to ``high_us`` (exclusive)."""

    contact: int | None
    native_type: str
    low_us: int
    high_us: int
    top: int
    offset: int


class RejectedError(Exception):
    """A request that is answered with an error: status, code, text."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status, self.code, self.text = status, code, text


async def load_interactions(site: Site, request: web.Request) -> web.Response:
    """Answer the action."""
    gone = refuse_removed(site, request)
    if gone is not None:
        return gone
    try:
        _check_headers(request)
        asked = _read_parameters(await request.read())
        query = _check_parameters(site, asked)
    except RejectedError as rejected:
        return refuse(request, rejected.status, rejected.code, rejected.text)
    return _answer(site, request, asked, query)


def refuse_removed(site: Site, request: web.Request) -> web.Response | None:
    """The 404 that is expected since outbound marketing was removed in May 2026; its code varies."""
    rule = get_fault("removed")
    if rule is None and not site.options.removed:
        return None
    code = (rule.code if rule else None) or "0x8006088a"
    text = f"Resource not found for the segment '{ACTION}'."
    return refuse(request, 404, _SEGMENT_CODES.get(rule.variant if rule else "plain", code), text)


def _check_headers(request: web.Request) -> None:
    """Demand the four headers that the action's page (2021-01-06) prints."""
    if request.content_type != "application/json":
        raise RejectedError(415, "", "The content type must be application/json.")
    accept = request.headers.get("Accept", "")
    if "json" not in accept and "*/*" not in accept:
        raise RejectedError(406, "", "Only application/json can be answered.")
    for name in ("OData-Version", "OData-MaxVersion"):
        if request.headers.get(name) != "4.0":
            raise RejectedError(400, "0x80060888", f"The header {name} must be 4.0.")


def _read_parameters(body: bytes) -> Parameters:
    try:
        return msgspec.json.decode(body, type=Parameters)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        text = f"Error identified in Payload provided by the user for Entity :'', the inner message is: {error}"
        raise RejectedError(400, "0x80048d19", text) from error


def _check_parameters(site: Site, asked: Parameters) -> Query:
    if not _GUID.fullmatch(asked.ContactId):
        raise RejectedError(
            400, "0x80040265", "ContactId is not a GUID: 32 digits with dashes and no braces are expected."
        )
    if asked.Top is not None and asked.Top < 0:
        raise RejectedError(400, "0x80040265", "Top must not be negative.")
    low, high = _read_range(site.options, asked)
    top = min(asked.Top or site.options.page_size, site.options.page_size)
    query = Query(_find_contact(site, asked), _check_type(site.options, asked), low, high, top, 0)
    return query._replace(offset=_read_offset(site.world, asked, query))


def _find_contact(site: Site, asked: Parameters) -> int | None:
    index = find_contact(site.world, asked.ContactId)
    if index is None and site.options.unknown_contact == "error":
        raise RejectedError(404, "0x80040217", f"contact With Id = {asked.ContactId} Does Not Exist")
    return index


def _check_type(options: Options, asked: Parameters) -> str:
    name = _ALIASES.get(asked.InteractionType, asked.InteractionType)
    if name not in TYPES and options.unknown_type == "error":
        raise RejectedError(400, "0x80040265", f"Interaction type '{name}' is not supported.")
    return name


def _read_range(options: Options, asked: Parameters) -> tuple[int, int]:
    low = -_FOREVER if asked.DateFrom is None else _read_midnight(options, asked.DateFrom)
    if asked.DateTo is None:
        return low, _FOREVER
    return low, _read_midnight(options, asked.DateTo) + (DAY if options.date_to_inclusive else 0)


def _read_midnight(options: Options, text: str) -> int:
    """Microseconds at which the day ``MM-DD-YYYY`` begins in the server's zone."""
    found = _DATE.fullmatch(text)
    try:
        month, day, year = map(int, found.groups()) if found else (0, 0, 0)
        begin = datetime(year, month, day, tzinfo=UTC)
    except ValueError as error:
        raise RejectedError(400, "0x80040265", "String was not recognized as a valid date, use MM-DD-YYYY.") from error
    return to_micros(begin) - options.zone_offset_minutes * _MINUTE


def build_skip_token(world: World, asked: Parameters, query: Query, offset: int) -> str:
    """The opaque cursor to ``offset`` of this query and no other."""
    key = (asked.ContactId.lower(), query.native_type, query.low_us, query.high_us, offset)
    return base64.b64encode(f"{offset}?{draw(world, NAME, 'skip', *key):016x}~".encode()).decode()


def _read_offset(world: World, asked: Parameters, query: Query) -> int:
    if not asked.SkipToken:
        return 0
    try:
        offset = int(base64.b64decode(asked.SkipToken, validate=True).partition(b"?")[0])
    except (binascii.Error, ValueError):
        offset = -1
    if asked.SkipToken != build_skip_token(world, asked, query, offset):
        raise RejectedError(400, "0x80040265", "The SkipToken does not belong to this query.")
    return offset


def _answer(site: Site, request: web.Request, asked: Parameters, query: Query) -> web.Response:
    repeat = 1 if query.offset and get_fault("duplicate") else 0
    data, following = _encode_data(site, query, repeat)
    cursor = None if following is None else build_skip_token(site.world, asked, query, following)
    if get_fault("repeat_cursor"):
        cursor = asked.SkipToken or build_skip_token(site.world, asked, query, following or 0)
    if get_fault("endless_pages"):
        data, cursor = b'"[]"', build_skip_token(site.world, asked, query, query.offset + 1)
    context = f"{get_service_root(request)}/$metadata#Microsoft.Dynamics.CRM.{ACTION}Response"
    if cursor is None:
        cursor = pick(site.world, (None, None, ""), NAME, "end", query.contact, query.native_type)
    head = msgspec.json.encode({"@odata.context": context})[:-1]
    return reply(request, b'%s,"Data":%s,"NextSkipToken":%s}' % (head, data, msgspec.json.encode(cursor)))


def _encode_data(site: Site, query: Query, repeat: int) -> tuple[bytes, int | None]:
    """The encoded value of Data, and the next offset."""
    if query.contact is None:
        return b"null", None
    source = get_shape(site.world, query.contact)
    data, following = _encode_page(site.world, site.options, query._replace(contact=source), repeat)
    return retag(data, source, query.contact), following


@lru_cache(maxsize=256)
def _encode_page(world: World, options: Options, query: Query, repeat: int) -> tuple[bytes, int | None]:
    found = _select_records(world, options, query._replace(top=0, offset=0))
    end = query.offset + query.top
    records = [record.fields for record in found[query.offset - repeat : end]]
    # ASCII escapes and characters as themselves both occur in JSON writers; readers must not care.
    plain = bool(draw(world, NAME, "escapes", query) % 2)
    if not records:
        return pick(world, (b"null", b'""', b'"[]"'), NAME, "empty", query.contact, query.native_type), None
    text = json.dumps(json.dumps(records, separators=(",", ":"), ensure_ascii=plain), ensure_ascii=plain)
    return text.encode(), end if end < len(found) else None


@lru_cache(maxsize=256)
def _select_records(world: World, options: Options, query: Query) -> tuple[Record, ...]:
    assert query.contact is not None  # noqa: S101  _encode_data has dealt with unknown contacts
    records: Any = list_records(world, options, query.contact).get(query.native_type, ())
    return tuple(record for record in records if query.low_us <= record.at_us < query.high_us)
