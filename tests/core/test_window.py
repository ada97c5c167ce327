"""Windows: half-open, in UTC, cut without a gap or an overlap."""

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.window import Window, read_instant, zulu

TICK = timedelta(microseconds=1)
BERLIN = ZoneInfo("Europe/Berlin")

instants = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 28), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
spans = st.timedeltas(TICK, timedelta(days=400))
windows = st.builds(
    lambda start, span: Window(start, start + min(span, datetime(9999, 12, 29, tzinfo=UTC) - start)), instants, spans
)


@given(windows, st.integers(1, 40), st.timedeltas(timedelta(0), timedelta(hours=1)))
def test_pieces_tile_the_window_exactly(window, parts, more):
    span = (window.end - window.start) / parts + TICK + more
    pieces = list(window.split(span))
    assert pieces[0].start == window.start
    assert pieces[-1].end == window.end
    assert all(left.end == right.start for left, right in pairwise(pieces))
    assert all(piece.end - piece.start <= span for piece in pieces)
    assert all(window.start <= piece.start and piece.end <= window.end for piece in pieces)


@given(windows, st.timedeltas(TICK, timedelta(days=5)))
def test_neighbours_share_no_instant(window, width):
    after = Window(window.end, window.end + min(width, datetime.max.replace(tzinfo=UTC) - window.end))
    for moment in (window.start, window.end - TICK, window.end, after.end - TICK):
        assert (moment in window) + (moment in after) == 1
    assert window.start in window
    assert window.end not in window


@given(windows, st.data())
def test_an_instant_lies_in_exactly_one_piece(window, data):
    moment = data.draw(st.datetimes(window.start.replace(tzinfo=None), (window.end - TICK).replace(tzinfo=None)))
    moment = moment.replace(tzinfo=UTC)
    pieces = window.split((window.end - window.start) / 7 + TICK)
    assert sum(moment in piece for piece in pieces) == 1


@given(instants, st.timedeltas(TICK, timedelta(days=9)))
def test_the_days_of_a_window_cover_it_and_no_more(start, span):
    window = Window(start, start + span) if start.year < 9999 else Window(start - span, start)
    days = window.list_days()
    assert days == sorted(set(days))
    assert all(Window.day(day).end > window.start and Window.day(day).start < window.end for day in days)
    assert window.start.date() == days[0]
    assert (window.end - TICK).date() == days[-1]


@given(windows, windows)
def test_a_slug_is_unique_and_needs_no_escaping(window, other):
    assert (window.slug == other.slug) == (window == other)
    assert set(window.slug) <= set("0123456789TZ.-")


@given(instants, instants)
def test_slugs_of_whole_seconds_sort_by_time(one, other):
    one, other = (moment.replace(microsecond=0) for moment in (one, other))
    hour = timedelta(hours=1)
    assert (one < other) == (Window(one, one + hour).slug < Window(other, other + hour).slug)


def test_the_slug_is_a_public_name():
    assert Window.of("2026-01-01", "2026-01-02").slug == "20260101T000000Z-20260102T000000Z"
    assert str(Window.of("2026-01-01", "2026-01-02")) == "[2026-01-01T00:00:00Z, 2026-01-02T00:00:00Z)"


@given(instants, st.integers(-1439, 1439))
def test_offsets_become_utc(moment, minutes):
    local = moment.astimezone(timezone(timedelta(minutes=minutes)))
    window = Window.of(local.isoformat(), local + timedelta(hours=1))
    assert window == Window(moment, moment + timedelta(hours=1))
    assert window.start.tzinfo is UTC


def test_a_local_day_across_a_change_of_clocks_is_an_hour_shorter_or_longer():
    spring = Window(datetime(2026, 3, 29, tzinfo=BERLIN), datetime(2026, 3, 30, tzinfo=BERLIN))
    autumn = Window(datetime(2026, 10, 25, tzinfo=BERLIN), datetime(2026, 10, 26, tzinfo=BERLIN))
    assert (spring.end - spring.start, autumn.end - autumn.start) == (timedelta(hours=23), timedelta(hours=25))
    assert len(list(autumn.split(timedelta(hours=1)))) == 25


def test_the_hour_that_comes_twice_is_told_apart_by_its_fold():
    first = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)
    window = Window(first, first.replace(fold=1))
    assert window.end - window.start == timedelta(hours=1)


def test_airflows_pendulum_instants_become_plain_ones_that_can_be_encoded():
    window = Window(pendulum.datetime(2026, 1, 1, tz="Europe/Berlin"), pendulum.datetime(2026, 1, 2))
    assert type(window.start) is type(window.end) is datetime
    assert msgspec.json.decode(msgspec.json.encode(window.start)) == "2025-12-31T23:00:00Z"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T10:00:00Z", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        (" 2026-01-31T10:00:00.000001+02:00 ", datetime(2026, 1, 31, 8, 0, 0, 1, tzinfo=UTC)),
        ("2026-01-31T10:00:00-05:30", datetime(2026, 1, 31, 15, 30, tzinfo=UTC)),
        ("20260131T100000Z", datetime(2026, 1, 31, 10, tzinfo=UTC)),
    ],
)
def test_texts_that_are_instants(text, meant):
    assert read_instant(text) == meant


@pytest.mark.parametrize(
    ("start", "end", "advice"),
    [
        (datetime(2026, 1, 1), datetime(2026, 1, 2), r"start 2026-01-01T00:00:00 has no time zone.*00:00Z"),  # noqa: DTZ001
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2), r"end 2026-01-02.* has no time zone.*Z"),  # noqa: DTZ001
        ("2026-01-01T00:00:00", "2026-01-02", r"has no time zone. Write for example 2026-01-01T00:00:00Z"),
        ("20260101T000000", "2026-01-02", r"has no time zone"),
        ("2026-01-01", "2026-01-01", r"2026-01-01T00:00:00Z\) is empty. Its end must be later"),
        ("2026-01-02", "2026-01-01", r"2026-01-01T00:00:00Z\) ends before it starts. Its end must be later"),
        ("2026-01-01T02:00:00+02:00", "2026-01-01", "is empty"),
        ("yesterday", "2026-01-01", r"not a valid ISO 8601 time. Write for example 2026-01-31T00:00:00Z"),
        ("", "2026-01-01", "not a valid ISO 8601 time"),
        ("2026-01-01T10:00:00-24:00", "2026-01-09", "not a valid ISO 8601 time"),
        ("2026-01-01T10:00:00[Europe/Berlin]", "2026-01-09", "not a valid ISO 8601 time"),
        ("2026-03-29T02:30:00+01:00", "2026-03-29T02:30:00+02:00", "ends before it starts"),  # summer time
        ("P1D", "2026-01-01", "Write for example 2026-01-31T00:00:00Z"),
        ("2026-01-01/2026-01-02", "2026-01-01", "not an instant"),
        ("10:30", "2026-01-01", "Write for example"),
        ("2026-01-01", "9999-12-31T23:59:59-01:00", "outside the years 1 to 9999"),
    ],
)
def test_what_is_no_window_is_refused_with_what_to_write(start, end, advice):
    with pytest.raises(ConfigError, match=advice):
        Window.of(start, end)


def test_a_window_cannot_be_split_into_nothing():
    with pytest.raises(ConfigError, match="windows of 0:00:00"):
        list(Window.of("2026-01-01", "2026-01-02").split(timedelta(0)))


iso_like = st.text("0123456789-:.TZW+/P dhms", max_size=30)


@given(st.one_of(st.text(max_size=30), iso_like))
def test_any_text_is_an_instant_with_a_zone_or_a_config_error(text):
    try:
        assert read_instant(text).tzinfo is not None
    except ConfigError as refused:
        assert "Write" in str(refused)  # noqa: PT017 - either outcome is right


@given(st.datetimes(timezones=st.timezones()), st.datetimes(timezones=st.timezones()))
def test_any_two_datetimes_are_a_window_or_a_config_error(start, end):
    try:
        window = Window(start, end)
    except ConfigError:
        return
    # Across time zones Python never calls a time inside a change of clocks equal to another one.
    assert (window.start, window.end) == (start.astimezone(UTC), end.astimezone(UTC))
    assert window.start < window.end


@given(st.dates(date(1, 1, 1), date(9999, 12, 30)))
def test_a_day_is_the_bare_dates_window(day):
    window = Window.day(day)
    assert window.list_days() == [day]
    assert window == Window.of(day.isoformat(), zulu(window.end))


@given(st.dates())
def test_a_date_is_midnight_utc(day):
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    assert read_instant(day) == read_instant(day.isoformat()) == midnight
    assert read_instant(pendulum.date(day.year, day.month, day.day)) == midnight
    assert type(read_instant(day)) is datetime


@pytest.mark.parametrize("value", [0, 1767225600, 1767225600.5, True, b"2026-01-01", ["2026-01-01"], timedelta(1)])
def test_anything_else_is_refused_with_what_to_write(value):
    with pytest.raises(ConfigError, match=f"type {type(value).__name__}. Write for example 2026-01-31T00:00:00Z"):
        Window.of(value, "2026-01-02")


@pytest.mark.parametrize("text", ["0", "2026", "202601", "1767225600", "1767225600.5", "1.7e9", "-1"])
def test_a_number_as_text_is_refused(text):
    with pytest.raises(ConfigError, match="is a number, not a time"):
        Window.of("2020-01-01", text)


def test_a_date_without_dashes_is_a_date():
    assert read_instant("20260131") == datetime(2026, 1, 31, tzinfo=UTC)
