"""When a failed request is sent again, and what Retry-After means."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_interactions.contract import Response
from airflow_provider_interactions.errors import AuthRejected, BadResponse, RequestRejected, Throttled, Unavailable
from airflow_provider_interactions.http.retry import (
    CLOCKS_APART,
    LONGEST_WAIT,
    Limits,
    Tries,
    compute_backoff,
    is_odd,
    read_retry_after,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def build_response(value):
    return Response(429, {"retry-after": value}, b"")


def spell_delays(now):
    """Anything a Retry-After may hold: seconds, dates around now, garbage."""
    dates = st.timedeltas(timedelta(-400), timedelta(400)).map(lambda off: format_datetime(now + off, usegmt=True))
    numbers = st.one_of(st.integers(-(10**6), 10**6), st.floats(-100, 100)).map(str)
    return st.one_of(st.none(), numbers, dates, st.text(max_size=20))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("", None),
        ("0", 0.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("-3", None),
        ("soon", None),
        ("²", None),
        (".", None),
        ("1,199.97", None),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30.0),
        ("Thu, 01 Jan 2026 00:00:30 -0000", 30.0),
        ("Thu, 01 Jan 2026 01:00:30 +0100", 30.0),
        ("Wed, 31 Dec 2025 23:59:00 GMT", 0.0),
        ("Thu, 41 Jan 2026 00:00:30 GMT", None),
    ],
)
def test_retry_after_in_all_its_spellings(value, seconds):
    assert read_retry_after(build_response(value), NOW) == seconds


@given(st.integers(0, 10**9))
def test_retry_after_in_seconds(seconds):
    assert read_retry_after(build_response(str(seconds)), NOW) == min(seconds, LONGEST_WAIT)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1)), st.timedeltas(timedelta(-9), timedelta(9)))  # noqa: DTZ001
def test_retry_after_as_a_date(moment, ahead):
    now = moment.replace(microsecond=0, tzinfo=UTC)
    when = (now + ahead).replace(microsecond=0)
    wait = (when - now).total_seconds()
    assert read_retry_after(build_response(format_datetime(when, usegmt=True)), now) == max(
        0.0, min(wait, LONGEST_WAIT)
    )


@given(st.one_of(st.text(max_size=40), st.text("0123456789 :,+-.GMTJanFebThu", max_size=40)))
def test_any_retry_after_is_a_time_or_nothing(value):
    seconds = read_retry_after(build_response(value), NOW)
    assert seconds is None or seconds >= 0


def test_without_a_retry_after():
    assert read_retry_after(Response(503, {}, b""), NOW) is None


@given(st.lists(spell_delays(NOW), min_size=8, max_size=8), st.floats(0.01, 2), st.floats(2, 60))
def test_pauses_never_fall_below_the_own_schedule(values, first, last):
    tries = Tries(Limits(first_wait=first, last_wait=last, patience=LONGEST_WAIT))
    for n, value in enumerate(values):
        asked = None if value is None else read_retry_after(build_response(value), NOW)
        pause = tries.pause_after(Unavailable("x", retry_after=asked))
        assert pause >= max(min(last, first * 2**n), asked or 0.0)
        assert pause <= max(last + first, asked or 0.0)


@given(st.integers(1, 10**6))
def test_the_backoff_has_an_end(failed):
    assert compute_backoff(failed, Limits()) <= Limits().last_wait


@given(st.integers(-80_000, 80_000), st.integers(0, 80_000))
def test_a_clock_that_is_wrong_does_not_change_a_pause(wrong, pause):
    """The vendor's date is read by the vendor's own clock."""
    headers = {"date": format_datetime(NOW, usegmt=True)}
    headers["retry-after"] = format_datetime(NOW + timedelta(seconds=pause), usegmt=True)
    assert read_retry_after(Response(503, headers, b""), NOW + timedelta(seconds=wrong)) == pause


@pytest.mark.parametrize("date", ["", "soon", "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_vendor_whose_clock_is_of_no_use(date):
    headers = {"date": date, "retry-after": "Thu, 01 Jan 2026 00:00:30 GMT"}
    assert read_retry_after(Response(503, headers, b""), NOW) == 30
    assert CLOCKS_APART < LONGEST_WAIT


def test_what_is_retried_is_a_function_of_the_error():
    def pause(error, **limits):
        return Tries(Limits(patience=60, **limits)).pause_after(error)

    assert 0.5 <= pause(Unavailable("x")) <= 1.0
    assert pause(Unavailable("x", retry_after=2.5)) == 2.5
    assert pause(Unavailable("x", retry_after=61)) is False
    assert 0.5 <= pause(BadResponse("x")) <= 1.0
    assert 0.5 <= pause(RequestRejected("x", status=302)) <= 1.0
    assert pause(BadResponse("x"), odd_tries=1) is False
    others = [AuthRejected("x"), RequestRejected("x", status=400), BadResponse("x", lasting=True), ValueError()]
    assert not any(map(pause, [*others, Throttled("x", retry_after=1)]))
    assert not any(map(is_odd, others))


def test_a_retry_after_without_end_is_a_week():
    assert read_retry_after(build_response("9" * 400), NOW) == LONGEST_WAIT
    assert read_retry_after(build_response("Fri, 31 Dec 9999 23:59:59 GMT"), NOW) == LONGEST_WAIT
