"""The windows of a command in a time zone: days of its calendar, one after the other."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.shell.windows import choose_bounds, choose_windows, read_ends

ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo"]
)
DAYS = st.dates(date(2015, 1, 1), date(2027, 12, 31))


def midnight(day, zone):
    return datetime.combine(day, time.min, ZoneInfo(zone)).astimezone(UTC)


@given(zone=ZONES, first=DAYS, days=st.integers(1, 400))
def test_days_begin_at_midnight_of_the_time_zone(zone, first, days):
    found = choose_windows(None, f"{first}", f"{first + timedelta(days=days)}", "1d", zone)
    assert [one.start for one in found] == [midnight(first + timedelta(days=n), zone) for n in range(days)]
    assert [one.end for one in found[:-1]] == [one.start for one in found[1:]]
    assert found[-1].end == midnight(first + timedelta(days=days), zone)
    assert choose_windows(f"{first}", None, None, "1d", zone) == found[:1]


@given(zone=ZONES, first=DAYS, hours=st.integers(1, 30))
def test_hours_are_those_of_the_clock_that_never_changes(zone, first, hours):
    found = choose_windows(None, f"{first}", f"{first + timedelta(days=5)}", f"{hours}h", zone)
    whole = midnight(first, zone), midnight(first + timedelta(days=5), zone)
    assert (found[0].start, found[-1].end) == whole
    assert [one.end for one in found[:-1]] == [one.start for one in found[1:]]
    if hours % 24:
        assert {one.end - one.start for one in found[:-1]} <= {timedelta(hours=hours)}


def test_a_day_on_which_clocks_change_is_longer():
    [window] = choose_windows("2026-10-25", None, None, "1d", "Europe/Berlin")
    assert window.end - window.start == timedelta(hours=25)


@given(month=st.integers(0, 99), day=st.integers(29, 99))
def test_a_day_that_no_calendar_has_is_refused(month, day):
    text = f"2026-{month:02}-{day:02}"
    try:
        date.fromisoformat(text)
    except ValueError:
        for read in (
            lambda: choose_windows(text, None, None),
            lambda: choose_windows(None, text, "2027-01-01"),
            lambda: choose_bounds(text, "2027-01-01"),
            lambda: read_ends(None, text, "Europe/Berlin"),
        ):
            with pytest.raises(ConfigError):
                read()
