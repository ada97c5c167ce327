"""Reading a request for interactions: who is asked about, and which messages.

Sources: "Get Customer Interactions" in its editions for v2 and v1.1 (docs.capillarytech.com/reference), the older v1.1
documentation (capillary.github.io), read 2026-11. What a bad value is answered with is an inference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from airflow_provider_interactions.sandbox.capillary.bodies import Query
from airflow_provider_interactions.sandbox.capillary.options import Options
from airflow_provider_interactions.sandbox.capillary.people import find
from airflow_provider_interactions.sandbox.faults import active_fault
from airflow_provider_interactions.sandbox.world import World, micros

_OWN = ("mobile", "email", "external_id", "id")
_NAMED = {
    "v1.1": ("email", "mobile", "external_id", "card_number", "card_external_id"),
    "v2": ("email", "mobile", "external_id"),
}
_NETWORKS = {"facebook", "twitter", "foursquare", "capillary"}
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})( \d\d:\d\d:\d\d)?", re.ASCII)
_DEFAULT_LIMIT = 50


class RejectedError(Exception):
    """A request that is refused as a whole: the body's code and the text. 1015 and 1042 are codes of an item."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


def identifier(world: World, api: str, query: Mapping[str, str]) -> tuple[str, str, int | None]:
    """The identifier's name and value, and the contact it belongs to."""
    name, value = query.get("identifierName", ""), query.get("identifierValue", "")
    if api == "v1.1":
        # The page of v1.1 names both ways, its example combines them: ``identifierName=mobile&mobile=…``.
        name = name or next((own for own in _OWN if query.get(own)), "")
        value = query.get(name, "") or value
    if not name or not value:
        raise RejectedError(1015 if api == "v1.1" else 403, "No identifier of a customer was given.")
    if name not in _NAMED[api] and (api == "v2" or name not in _OWN):
        raise RejectedError(1042 if api == "v1.1" else 400, f"Invalid identifier: {name}")
    return name, value, find(world, name, value)


def whole(query: Mapping[str, str]) -> Query:
    """What is asked of v2: no paging and no dates."""
    return Query(type=query.get("type") or None, network=_network(query))


def paged(options: Options, query: Mapping[str, str]) -> Query:
    """What is asked of v1.1. The faults ``repeat_cursor`` and ``duplicate`` are carried out here."""
    limit, offset = _number(query, "limit", _DEFAULT_LIMIT), _number(query, "offset", 0)
    if options.limit_max is not None:
        limit = min(limit, options.limit_max)
    if active_fault("repeat_cursor"):
        offset = 0
    repeat = 1 if offset and active_fault("duplicate") else 0
    asked = whole(query)._replace(limit=limit + repeat, offset=offset - repeat)
    if options.dates == "ignored":
        return asked
    low, high = _day(options, query, "start_date", 0), _day(options, query, "end_date", 1)
    return asked._replace(low_us=asked.low_us if low is None else low, high_us=asked.high_us if high is None else high)


def _network(query: Mapping[str, str]) -> str | None:
    network = query.get("network") or None
    if network is not None and network not in _NETWORKS:
        raise RejectedError(400, f"Invalid network: {network}")
    return network


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, "") or str(default)
    if not re.fullmatch("[0-9]{1,9}", text):
        raise RejectedError(400, f"Invalid {name}: {text}")
    return int(text)


def _day(options: Options, query: Mapping[str, str], name: str, days: int) -> int | None:
    """Microseconds at which the day begins (or ``days`` later) in the server's zone; a time of day is not looked at."""
    text = query.get(name, "")
    found = _DATE.fullmatch(text)
    if not text:
        return None
    try:
        year, month, day = map(int, found.group(1, 2, 3)) if found else (0, 0, 0)
        begin = datetime(year, month, day, tzinfo=ZoneInfo(options.time_zone))
    except ValueError as error:
        raise RejectedError(400, f"Invalid {name}: {text}") from error
    return micros(begin + timedelta(days=days))
