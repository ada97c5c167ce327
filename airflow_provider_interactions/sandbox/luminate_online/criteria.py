"""The parameters of listings: dates, filters, order and pages.

Sources: the pages of getUserInteractions and listInteractions (open.convio.com/api/apidoc, read 2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from airflow_provider_interactions.sandbox.luminate_online.answers import RefusedError
from airflow_provider_interactions.sandbox.luminate_online.fields import CENTRAL, clean
from airflow_provider_interactions.sandbox.luminate_online.records import Options, Record
from airflow_provider_interactions.sandbox.world import micros

LIST_PARAMETERS = frozenset(
    {
        "begin_date", "end_date", "interaction_subject", "interaction_type_id", "list_ascending", "list_category_id",
        "list_filter_column", "list_filter_text", "list_page_offset", "list_page_size", "list_record_offset",
        "list_sort_column",
    }
)  # fmt: skip

_DEFAULT_SIZE = 25
_FOREVER = 2**62
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,9}")
_ZONES: dict[str, tzinfo] = {"central": CENTRAL, "utc": UTC}
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


class Chosen(NamedTuple):
    """Which interactions a listing is about, from ``low_us`` (inclusive) to ``high_us`` (exclusive)."""

    low_us: int
    high_us: int
    native_type: int | None
    subject: str | None
    category: str | None

    def takes(self, record: Record) -> bool:
        """Whether the record belongs to the listing."""
        return (
            self.low_us <= record.at_us < self.high_us
            and self.native_type in {None, record.native_type}
            and self.subject in {None, clean(record.fields.get("subject"))}
            and self.category in {None, clean(record.fields.get("categoryId"))}
        )


class Page(NamedTuple):
    """Which part of a listing is shown."""

    ascending: bool
    offset: int
    size: int


def chosen_by(options: Options, asked: Mapping[str, str]) -> Chosen:
    """The filters of a call."""
    if asked.get("list_filter_column") or asked.get("list_filter_text"):
        raise RefusedError(50, "Invalid list criteria: the sandbox knows no column to filter by.")
    category = asked.get("list_category_id") and str(whole_number(asked, "list_category_id", 0))
    return Chosen(
        *_range(options, asked), _type(options, asked), asked.get("interaction_subject") or None, category or None
    )


def page_of(options: Options, asked: Mapping[str, str]) -> Page:
    """The order and the page of a call."""
    if asked.get("list_sort_column", "") not in {"", "creationDate"}:
        raise RefusedError(50, "Invalid list criteria: the sandbox sorts by creationDate only.")
    ascending = _TRUTH.get(asked.get("list_ascending") or "true")
    if ascending is None:
        raise RefusedError(50, "Invalid list criteria: list_ascending must be true or false.")
    size = _size(options, whole_number(asked, "list_page_size", _DEFAULT_SIZE))
    return Page(ascending, _offset(asked, size), size)


def whole_number(asked: Mapping[str, str], name: str, default: int, code: int = 50) -> int:
    """A parameter that must be a number from 0."""
    text = asked.get(name) or str(default)
    if not _NUMBER.fullmatch(text):
        raise RefusedError(code, f"The parameter {name} must be a number from 0.")
    return int(text)


def _size(options: Options, size: int) -> int:
    if size < 1:
        raise RefusedError(50, "Invalid list criteria: list_page_size must be 1 or more.")
    if options.max_page_size is None or size <= options.max_page_size:
        return size
    if options.above_maximum == "refuse":
        raise RefusedError(50, f"Invalid list criteria: list_page_size must not exceed {options.max_page_size}.")
    return options.max_page_size


def _offset(asked: Mapping[str, str], size: int) -> int:
    if asked.get("list_page_offset") and asked.get("list_record_offset"):
        raise RefusedError(
            50, "Invalid list criteria: only one of list_record_offset and list_page_offset may be used."
        )
    return whole_number(asked, "list_record_offset", 0) or whole_number(asked, "list_page_offset", 0) * size


def _type(options: Options, asked: Mapping[str, str]) -> int | None:
    if not asked.get("interaction_type_id"):
        return None
    number = whole_number(asked, "interaction_type_id", 0, code=26)
    if number not in options.types + options.private_types:
        raise RefusedError(26, f"Invalid interaction type: {number}.")
    return number


def _range(options: Options, asked: Mapping[str, str]) -> tuple[int, int]:
    low = _instant(options, asked["begin_date"]) if asked.get("begin_date") else -_FOREVER
    high = _instant(options, asked["end_date"]) if asked.get("end_date") else _FOREVER
    if high < low:
        raise RefusedError(25, "Invalid date range: begin_date is after end_date.")
    return low, high + options.end_inclusive


def _instant(options: Options, text: str) -> int:
    """Microseconds of an xsd:dateTime. A plus that was not encoded has become a blank, and is refused here."""
    found = _DATE.fullmatch(text)
    try:
        value = datetime.fromisoformat(text) if found else None
    except ValueError:
        value = None
    if value is not None and value.tzinfo is None and options.naive_dates in _ZONES:
        value = value.replace(tzinfo=_ZONES[options.naive_dates])
    if value is None or value.tzinfo is None:
        raise RefusedError(25, f"Invalid date range: '{text}' is not an ISO 8601 date and time with an offset.")
    return micros(value)
