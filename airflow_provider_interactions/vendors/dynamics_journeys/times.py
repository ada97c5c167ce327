"""The times of the tables: ISO 8601, and the United States' spelling of exports to CSV.

That CSV files spell times as ``3/1/2026 12:00:00 PM`` is known of the predecessor only (Microsoft's Power BI template
reads its files with the locale en-US), and so is the order of month and day. No page says in which zone they are; all
else that Dataverse writes is in UTC, so a time without a zone is read as UTC. Unverified.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.vendors.shared.columns import read_instants, replace_by_null
from airflow_provider_interactions.vendors.shared.dataverse import read_time

_US = (
    r"^\s*(?P<month>1[0-2]|0?[1-9])/(?P<day>3[01]|[12]\d|0?[1-9])/(?P<year>\d{4})"
    r"[, ]\s*(?P<hour>\d{1,2}):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d)(?P<rest>\.\d{1,9})?)?"
    r"\s*(?P<half>[AaPp][Mm])?\s*Z?\s*$"
)


def read_timestamps(texts: pa.StringArray) -> pa.TimestampArray:
    """Texts as instants in UTC, null where a text is not a time of either spelling.

    Digits beyond microseconds are cut, never rounded.
    """
    return read_instants(spell_times(texts), read_time)


def spell_times(texts: pa.StringArray) -> pa.StringArray:
    """Times of the United States' spelling as ISO 8601 in UTC; other texts as they are.

    The month comes first. A time that has no such reading, such as 31/1/2026, stays as it is.
    """
    if not pc.any(pc.match_substring(texts, "/")).as_py():
        return texts
    parts = pc.extract_regex(texts, _US)
    month, day, year, hour, minute, second, rest, half = (
        pc.struct_field(parts, name) for name in ("month", "day", "year", "hour", "minute", "second", "rest", "half")
    )
    date = pc.binary_join_element_wise(year, _pad(month), _pad(day), "-")
    clock = pc.binary_join_element_wise(_pad(_spell_hours(hour, half)), minute, _pad(second), ":")
    spelled = pc.binary_join_element_wise(pc.binary_join_element_wise(date, clock, "T"), rest, "Z", "")
    return pc.coalesce(spelled, texts)


def _pad(numbers: pa.StringArray) -> pa.StringArray:
    return pc.utf8_lpad(numbers, 2, "0")


def _spell_hours(hours: pa.StringArray, halves: pa.StringArray) -> pa.StringArray:
    """Hours of 24; null where the clock has no such hour, as 13 PM."""
    number, half = hours.cast(pa.int8()), pc.utf8_upper(halves)
    whole = pc.equal(half, "")
    of_twelve = pc.if_else(pc.equal(number, 12), pa.scalar(0, pa.int8()), number)
    twice = pc.if_else(pc.equal(half, "PM"), pc.add(of_twelve, pa.scalar(12, pa.int8())), of_twelve)
    fits = pc.if_else(whole, pc.less(number, 24), pc.and_(pc.greater(number, 0), pc.less_equal(number, 12)))
    return replace_by_null(pc.if_else(whole, number, twice), pc.invert(fits)).cast(pa.string())
