"""Alerts: what is unusual about a normalized window is said once, and nothing usual is."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_interactions.alerts import KINDS
from airflow_provider_interactions.coverage import alerts as module
from airflow_provider_interactions.coverage.alerts import MOST, find_alerts
from airflow_provider_interactions.coverage.bands import (
    LEAST_REJECTS,
    NEEDED,
    find_rising_rejects,
    find_spread,
    find_unusual_count,
)
from airflow_provider_interactions.coverage.drift import LEARNED
from airflow_provider_interactions.coverage.index import Entry
from airflow_provider_interactions.lake.manifest import Counts
from airflow_provider_interactions.lake.names import LONGEST, join_names, show_name, show_names
from airflow_provider_interactions.lake.names import MOST as MOST_NAMES
from airflow_provider_interactions.lake.paths import name_seen
from airflow_provider_interactions.normalize.parts import normalize_split, publish_parts, split_raw
from airflow_provider_interactions.window import Window

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def day(number):
    return Window(FIRST + number * DAY, FIRST + (number + 1) * DAY)


def entry(start, rows, *, length=DAY, **counts):
    known = {"landed": rows, "canonical": rows, **counts}
    return Entry("", "", None, "which50", "acme", start, start + length, start, Counts(**known), 0, "")


def weeks(rows, *, length=DAY, step=7 * DAY, **counts):
    """Windows a step apart, the last one before the first of January."""
    return [entry(FIRST - (n + 1) * step, one, length=length, **counts) for n, one in enumerate(reversed(rows))]


def records(desk, number, count, **fields):
    """Different records of a day."""
    at = f"{day(number).start:%Y-%m-%dT10:00:00Z}"
    return [desk.record(InteractionId=f"{n + 1:032x}", Timestamp=at, **fields) for n in range(count)]


def normalize_day(desk, number, count=1, **fields):
    return desk.normalize(*records(desk, number, count, **fields), window=day(number))


class TestBand:
    @pytest.mark.parametrize("rows", [0, 10, 300, 5_000])
    def test_a_count_far_from_former_ones_is_unusual(self, rows):
        found = find_unusual_count(entry(FIRST, rows), weeks([1_000, 1_010, 990, 1_005]))
        assert found == (
            f"which50, window [2026-01-01T00:00:00Z, 2026-01-02T00:00:00Z): {rows:,} rows, expected 752 to 1,253 by 4 "
            "former windows"
        )

    @pytest.mark.parametrize("rows", [760, 1_000, 1_240])
    def test_a_count_near_to_them_is_not(self, rows):
        assert find_unusual_count(entry(FIRST, rows), weeks([1_000, 1_010, 990, 1_005])) is None

    def test_few_former_windows_say_nothing(self):
        assert find_unusual_count(entry(FIRST, 0), weeks([1_000] * (NEEDED - 1))) is None
        assert find_unusual_count(entry(FIRST, 0), weeks([1_000] * NEEDED)) is not None

    def test_one_unusual_former_window_does_not_widen_the_band(self):
        assert find_unusual_count(entry(FIRST, 2_000), weeks([1_000, 1_010, 90_000, 990, 1_005])) is not None

    def test_weekdays_are_apart(self):
        every_day = weeks([10, 10, 1_000, 1_000, 1_000, 1_000, 1_000] * 8, step=DAY)
        assert find_unusual_count(entry(FIRST, 10), every_day) is None
        assert find_unusual_count(entry(FIRST, 1_000), every_day) is not None
        assert find_unusual_count(entry(FIRST + 2 * DAY, 1_000), [*every_day, entry(FIRST, 10)]) is None

    def test_what_does_not_compare_is_left_out(self):
        former = weeks([1_000] * 8)
        others = [
            *weeks([5] * 50, length=HOUR, step=HOUR),
            *weeks([5] * 8, failed=1),
            *[entry(FIRST + n * 7 * DAY, 5) for n in range(8)],
            *[entry(FIRST - n * 7 * DAY, 5) for n in range(20, 40)],
        ]
        assert find_unusual_count(entry(FIRST, 5), others) is None
        assert "by 8 former" in find_unusual_count(entry(FIRST, 5), [*former, *others])

    def test_hours_compare_with_the_same_hour_and_long_windows_with_each_other(self):
        begins = [(FIRST - n * 7 * DAY, hour) for n in range(1, 6) for hour in (0, 1, 9)]
        hours = [entry(start + hour * HOUR, 10 * hour, length=HOUR) for start, hour in begins]
        assert find_unusual_count(entry(FIRST, 0, length=HOUR), hours) is None
        assert find_unusual_count(entry(FIRST, 90, length=HOUR), hours) is not None
        long = weeks([1_000] * 5, length=28 * DAY, step=28 * DAY)
        assert find_unusual_count(entry(FIRST, 0, length=28 * DAY), long) is not None

    def test_days_of_a_zone_whose_clocks_changed_compare(self):
        former = [entry(one.start + HOUR, 1_000) for one in weeks([0] * 5)]
        assert find_unusual_count(entry(FIRST, 0), former) is not None

    @given(st.lists(st.integers(0, 10**7), min_size=NEEDED, max_size=8))
    def test_the_median_itself_is_never_unusual(self, rows):
        middle = sorted(rows)[len(rows) // 2]
        if len(rows) % 2:
            assert find_unusual_count(entry(FIRST, middle), weeks(rows)) is None

    @given(st.integers(0, 10**6), st.integers(NEEDED, 8))
    def test_random_counts_of_one_mean_are_usual(self, mean, number):
        """Three standard deviations of a random count, when all former ones were equal by chance."""
        for sign in (-1, 1):
            rows = max(0, int(mean + sign * 3 * mean**0.5))
            assert find_unusual_count(entry(FIRST, rows), weeks([mean] * number)) is None

    @given(st.lists(st.floats(-1e6, 1e6), min_size=1))
    def test_the_spread_is_that_of_the_distances(self, values):
        assert find_spread(values) >= 0
        assert find_spread([values[0]] * 5) == 0


class TestRejects:
    def test_a_rising_share(self):
        former = weeks([1_000] * 5, step=DAY, canonical=998, rejected=2)
        found = find_rising_rejects(entry(FIRST, 1_000, canonical=960, rejected=40), former)
        assert found is not None
        assert "4.0% of the records are rejected (40), 0.2% of those of 5 former windows" in found
        assert find_rising_rejects(entry(FIRST, 1_000, rejected=11), former) is None
        assert find_rising_rejects(entry(FIRST, 10_000, rejected=20), former) is None

    def test_records_without_a_readable_time_are_rejects(self):
        assert find_rising_rejects(entry(FIRST, 1_000, undated=40), weeks([1_000] * 5, step=DAY)) is not None

    def test_a_vendor_that_always_sends_unreadable_records(self):
        former = weeks([1_000] * 6, step=DAY, rejected=200)
        assert find_rising_rejects(entry(FIRST, 1_000, rejected=205), former) is None
        assert find_rising_rejects(entry(FIRST, 1_000, rejected=215), former) is not None

    def test_too_little_to_say(self):
        many = entry(FIRST, 10, rejected=10)
        assert find_rising_rejects(many, weeks([1_000] * (NEEDED - 1), step=DAY)) is None
        assert find_rising_rejects(many, weeks([0] * 8, step=DAY)) is None, "windows without records have no share"
        assert find_rising_rejects(entry(FIRST, 0), weeks([1_000] * 5, step=DAY)) is None
        assert find_rising_rejects(entry(FIRST, 10, rejected=LEAST_REJECTS - 1), weeks([1_000] * 5, step=DAY)) is None


def drift(desk, manifest):
    return [alert.message.partition("): ")[2] for alert in find_alerts(desk.lake, manifest, ["drift"])]


class TestDrift:
    def test_a_new_field_is_told_once_when_fields_are_known(self, any_desk):
        for number in range(LEARNED):
            assert drift(any_desk, normalize_day(any_desk, number, Browser="x", **{f"F{number}": 1})) == []
        assert drift(any_desk, normalize_day(any_desk, LEARNED, Browser="x", F0=1)) == []
        fresh = normalize_day(any_desk, LEARNED + 1, Consent="yes", Area=1)
        assert drift(any_desk, fresh) == ["new fields: Area, Consent"]
        assert drift(any_desk, fresh) == []
        assert drift(any_desk, normalize_day(any_desk, LEARNED + 2, Consent="yes", Area=1)) == []

    def test_a_type_that_the_vendor_does_not_document_is_new_at_once(self, any_desk):
        assert drift(any_desk, normalize_day(any_desk, 0)) == [], "a documented one is not"
        fresh = normalize_day(any_desk, 1, InteractionType="EmailTeleported")
        assert drift(any_desk, fresh) == ["new native types: EmailTeleported"]
        assert drift(any_desk, normalize_day(any_desk, 2, InteractionType="EmailTeleported")) == []

    def test_accounts_are_apart(self, desk):
        fresh = normalize_day(desk, 1, InteractionType="EmailTeleported")
        other = msgspec.structs.replace(fresh, account="other")
        assert drift(desk, fresh) == drift(desk, other) != []

    def test_types_without_documentation_are_learned(self, desk):
        known = normalize_day(desk, 0)
        for number in range(LEARNED):
            luminate = msgspec.structs.replace(known, vendor="luminate_online", types=("10", f"1{number}"))
            assert drift(desk, luminate) == []
        assert drift(desk, msgspec.structs.replace(luminate, types=("77",))) == ["new native types: 77"]

    def test_windows_without_records_teach_nothing(self, desk):
        for number in range(LEARNED + 2):
            drift(desk, desk.normalize(window=day(number)))
        assert drift(desk, normalize_day(desk, LEARNED + 3, Browser="x")) == []

    def test_fields_of_records_that_are_rejected_or_repeated_count(self, desk):
        one = desk.record(Browser="x", Timestamp="2026-01-01T10:00:00Z")
        bad = desk.record(Timestamp="yesterday", Area=1)
        assert desk.normalize(one, one, bad, window=day(0)).fields == ("Area", "Browser")

    def test_parts_of_a_window_have_the_names_of_the_whole(self, desk):
        raw = desk.land(*records(desk, 0, 3, A=1), *[desk.record(InteractionType="EmailOpened", B=1)], window=day(0))
        split = split_raw(desk.lake, raw, 1)
        parts = [normalize_split(desk.lake, part, FIRST) for part in split]
        whole = publish_parts(desk.lake, split, parts, None, timedelta(0), FIRST)
        assert (whole.types, whole.fields) == (("EmailOpened", "EmailSent"), ("A", "B"))

    def test_there_is_a_most(self, desk):
        for number in range(LEARNED):
            drift(desk, normalize_day(desk, number))
        flood = {f"Field{n:04}": n for n in range(MOST_NAMES + 100)}
        [message] = drift(desk, normalize_day(desk, LEARNED, **flood))
        assert message.count("Field") == MOST_NAMES
        assert drift(desk, normalize_day(desk, LEARNED + 1, Other=1)) == []
        assert desk.lake.size(name_seen("dynamics_marketing", "acme")) < MOST_NAMES * (LONGEST + 10)


class TestNames:
    @pytest.mark.parametrize(
        "name",
        [
            *("jane@example.org", "bill@microsoft.com", "sha256:jane@example.org", "jane@example.org\0"),
            *("call +61412345678", "3f2504e0-4f89-11d3-9a0c-0305e82c3301"),
        ],
    )
    def test_what_may_be_a_person_is_a_digest(self, name):
        shown = show_name(name)
        assert shown.startswith("sha256:")
        assert name not in shown
        assert show_name(shown) == shown

    @pytest.mark.parametrize("name", ["Browser", "utm_source", "@odata.etag", "by@OData.Community.Display.V1", "Größe"])
    def test_names_of_fields_stay(self, name):
        assert show_name(name) == name

    @given(st.text(st.characters()) | st.text("ab\n\x1b\ud800\u202e@.123456"))
    def test_any_name_can_be_shown(self, name):
        shown = show_name(name)
        assert shown.isprintable()
        assert len(shown) <= LONGEST
        assert json.loads(json.dumps(shown)) == show_name(shown)

    @given(st.lists(st.lists(st.text(max_size=4))))
    def test_joined_names_are_those_of_the_whole(self, several):
        assert join_names(map(show_names, several)) == show_names(name for names in several for name in names)


class TestRun:
    def test_a_window_is_compared_with_those_in_the_lake(self, any_desk, caplog):
        for number in (0, 7, 14, 21):
            assert find_alerts(any_desk.lake, normalize_day(any_desk, number, 40), KINDS) == []
        bad = [any_desk.record(InteractionId=f"{n:032x}", Timestamp="yesterday") for n in range(6)]
        window = any_desk.normalize(*records(any_desk, 28, 130), *bad, window=day(28))
        found = find_alerts(any_desk.lake, window, KINDS)
        assert [alert.kind for alert in found] == ["count", "rejects"]
        assert [record.message for record in caplog.records if record.levelname == "WARNING"][-2:] == [
            alert.message for alert in found
        ]
        assert [alert.kind for alert in find_alerts(any_desk.lake, window, ["rejects"])] == ["rejects"]
        assert find_alerts(any_desk.lake, window, []) == []

    def test_every_window_of_a_wide_run_but_those_that_were_read_again(self, desk):
        for number in range(28):
            normalize_day(desk, number, 40)
        for number in (28, 29, 30):
            normalize_day(desk, number)
        wide = msgspec.structs.replace(
            normalize_day(desk, 28), window_end=day(30).end, windows=3, width=DAY, counts=Counts(), late=0
        )
        assert len(find_alerts(desk.lake, wide, ["count"])) == 3
        again = msgspec.structs.replace(wide, late=2)
        [alert] = find_alerts(desk.lake, again, ["count"])
        assert "2026-01-31" in alert.message

    def test_only_so_many(self, desk, monkeypatch, caplog):
        monkeypatch.setitem(module._BANDS, "count", lambda window, _: f"unusual {window.start}")
        first, *_ = [normalize_day(desk, number) for number in range(MOST + 5)]
        wide = msgspec.structs.replace(first, window_end=day(MOST + 4).end, windows=MOST + 5, width=DAY)
        assert len(find_alerts(desk.lake, wide, ["count"])) == MOST
        assert "5 further alerts" in caplog.text

    def test_a_lake_that_cannot_be_read_fails_nothing(self, desk, caplog):
        manifest = normalize_day(desk, 0)
        desk.lake.write("seen", b"a file where a folder belongs")
        assert find_alerts(desk.lake, manifest, ["drift"]) == []
        assert "was not checked for alerts" in caplog.text

    def test_what_was_seen_may_be_damaged(self, desk):
        manifest = normalize_day(desk, 0)
        desk.lake.write(name_seen(manifest.vendor, manifest.account), b"{")
        assert find_alerts(desk.lake, manifest, ["drift"]) == []
        assert find_alerts(desk.lake, manifest, ["drift"]) == []
