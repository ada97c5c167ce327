"""The parameters of listings: dates, filters and pages.

Sources: the pages of getUserInteractions and listInteractions (open.convio.com/api/apidoc, read 2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from airflow_provider_interactions.sandbox.luminate_online.fields import clean
from airflow_provider_interactions.sandbox.luminate_online.records import Options, Record
from airflow_provider_interactions.sandbox.luminate_online.responses import RefusedError
from airflow_provider_interactions.sandbox.page_size import choose_maximum
from airflow_provider_interactions.sandbox.vendor import Site
from airflow_provider_interactions.sandbox.world import to_micros

LIST_PARAMETERS = frozenset(
    {
        "begin_date", "end_date", "interaction_subject", "interaction_type_id", "list_ascending", "list_page_size",
        "list_record_offset",
    }
)  # fmt: skip

_DEFAULT_SIZE = 25
_FOREVER = 2**62
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,9}")


class Criteria(NamedTuple):
    """Which interactions a listing is about, from ``low_us`` (inclusive) to ``high_us`` (exclusive)."""

    low_us: int
    high_us: int
    native_type: int | None
    subject: str | None

    def match(self, record: Record) -> bool:
        """Whether the record belongs to the listing."""
        return (
            self.low_us <= record.at_us < self.high_us
            and self.native_type in {None, record.native_type}
            and self.subject in {None, clean(record.fields.get("subject"))}
        )


class Page(NamedTuple):
    """Which part of a listing is shown."""

    offset: int
    size: int


def read_criteria(options: Options, asked: Mapping[str, str]) -> Criteria:
    """The filters of a call."""
    low = _read_instant(asked["begin_date"]) if asked.get("begin_date") else -_FOREVER
    high = _read_instant(asked["end_date"]) if asked.get("end_date") else _FOREVER
    if high < low:
        raise RefusedError(25, "Invalid date range: begin_date is after end_date.")
    subject = asked.get("interaction_subject") or None
    return Criteria(low, high + options.end_inclusive, _read_type(options, asked), subject)


def read_page(site: Site, asked: Mapping[str, str]) -> Page:
    """The page of a call."""
    options, maximum = site.options, choose_maximum(site, site.options.max_page_size, site.options.max_page_size_after)
    if (asked.get("list_ascending") or "true") != "true":
        raise RefusedError(50, "Invalid list criteria: the sandbox lists in ascending order only.")
    size = read_number(asked, "list_page_size", _DEFAULT_SIZE)
    if size < 1:
        raise RefusedError(50, "Invalid list criteria: list_page_size must be 1 or more.")
    most = size if maximum is None else maximum
    if size > most and options.above_maximum == "refuse":
        raise RefusedError(50, f"Invalid list criteria: list_page_size must not exceed {most}.")
    return Page(read_number(asked, "list_record_offset", 0), min(size, most))


def read_number(asked: Mapping[str, str], name: str, default: int, code: int = 50) -> int:
    """A parameter that must be a number from 0."""
    text = asked.get(name) or str(default)
    if not _NUMBER.fullmatch(text):
        raise RefusedError(code, f"The parameter {name} must be a number from 0.")
    return int(text)


def _read_type(options: Options, asked: Mapping[str, str]) -> int | None:
    if not asked.get("interaction_type_id"):
        return None
    number = read_number(asked, "interaction_type_id", 0, code=26)
    if number not in options.types + options.private_types:
        raise RefusedError(26, f"Invalid interaction type: {number}.")
    return number


def _read_instant(text: str) -> int:
    """Microseconds of an xsd:dateTime. A plus that was not encoded has become a blank, and is refused here."""
    try:
        return to_micros(datetime.fromisoformat(text if _DATE.fullmatch(text) else ""))
    except ValueError as error:
        message = f"Invalid date range: '{text}' is not an ISO 8601 date and time with an offset."
        raise RefusedError(25, message) from error
