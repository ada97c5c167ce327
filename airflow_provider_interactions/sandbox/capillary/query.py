"""Read a request for interactions: the customer, and which messages.

Sources: "Get Customer Interactions" in its editions for v2 and v1.1 (docs.capillarytech.com/reference), the older v1.1
documentation (capillary.github.io), read 2026-11. How a bad value is answered is an inference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from airflow_provider_interactions.sandbox.capillary.bodies import Query
from airflow_provider_interactions.sandbox.capillary.people import find_contact
from airflow_provider_interactions.sandbox.faults import get_fault
from airflow_provider_interactions.sandbox.page_size import choose_maximum
from airflow_provider_interactions.sandbox.vendor import Site
from airflow_provider_interactions.sandbox.world import World

_IDENTIFIERS = ("mobile", "email", "external_id")
_NETWORKS = {"facebook", "twitter", "foursquare", "capillary"}
_DEFAULT_LIMIT = 50


class RejectedError(Exception):
    """A request that is refused as a whole: the body's code and the text. 1015 is a code of an item."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


def read_identifier(world: World, api: str, query: Mapping[str, str]) -> tuple[str, str, int | None]:
    """The identifier's name and value, and the contact it belongs to."""
    if api == "v2":
        name, value = query.get("identifierName", ""), query.get("identifierValue", "")
    else:
        name = next((name for name in _IDENTIFIERS if query.get(name)), "")
        value = query.get(name, "")
    if not name or not value:
        raise RejectedError(403 if api == "v2" else 1015, "No identifier of a customer was given.")
    if name not in _IDENTIFIERS:
        raise RejectedError(400, f"Invalid identifier: {name}")
    return name, value, find_contact(world, name, value)


def read_query(query: Mapping[str, str]) -> Query:
    """What is asked of v2: no paging."""
    network = query.get("network") or None
    if network is not None and network not in _NETWORKS:
        raise RejectedError(400, f"Invalid network: {network}")
    return Query(type=query.get("type") or None, network=network)


def read_paged_query(site: Site, query: Mapping[str, str]) -> Query:
    """What is asked of v1.1. Plays the faults ``repeat_cursor`` and ``duplicate``."""
    limit, offset = _read_number(query, "limit", _DEFAULT_LIMIT), _read_number(query, "offset", 0)
    maximum = choose_maximum(site, site.options.limit_max, site.options.limit_max_after)
    limit = limit if maximum is None else min(limit, maximum)
    if get_fault("repeat_cursor"):
        offset = 0
    repeat = 1 if offset and get_fault("duplicate") else 0
    return read_query(query)._replace(limit=limit + repeat, offset=offset - repeat)


def _read_number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, "") or str(default)
    if not re.fullmatch("[0-9]{1,9}", text):
        raise RejectedError(400, f"Invalid {name}: {text}")
    return int(text)
