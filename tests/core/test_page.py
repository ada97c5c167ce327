"""The page of an answer: everything is on it, nothing on it can act, and its counts are those of the other files."""

import json
import re
import tracemalloc
from collections import Counter
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.parquet import Writer
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.person import words
from airflow_provider_interactions.person.counts import Person
from airflow_provider_interactions.person.files import GROUP_BYTES, LAST, PackedRows
from airflow_provider_interactions.person.html import LONGEST
from airflow_provider_interactions.person.page import Cover, write_page
from airflow_provider_interactions.person.page_record import MOST_FIELDS, flatten_json
from airflow_provider_interactions.person.page_rows import ROWS, place_subjects
from airflow_provider_interactions.schema import ACTIONS, ANSWER, CHANNELS

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
COVER = Cover(NOON, "ann")
#: What the page itself is made of. Whatever a vendor sends must add no other element or attribute.
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "dl", "dt", "dd", "br", "bdi", "div"),
    *("table", "thead", "tbody", "tr", "th", "td", "svg", "rect", "ul", "ol", "li", "details", "summary", "time"),
}
ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "class", "id", "open", "datetime", "viewbox"),
    *("preserveaspectratio", "aria-hidden", "width", "height"),
}


class Parsed(HTMLParser):
    """The elements, attributes and texts of a page, by Python's own reader of HTML."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.attributes, self.texts, self.open = Counter(), Counter(), [], []
        self.records = 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements[tag] += 1
        self.attributes.update(name for name, _ in attrs)
        self.records += ("class", "record") in attrs
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def handle_comment(self, data):
        raise AssertionError(data)

    @property
    def text(self):
        return "".join(self.texts)


def make_row(n=0, **given):
    row = {
        **dict.fromkeys(ANSWER.names),
        "vendor": "which50",
        "account": "acme",
        "interaction_id": str(n),
        "contact_id": "c",
        "contact_id_kind": "contact_id",
        "occurred_at": NOON + timedelta(minutes=n),
        "channel": "email",
        "action": "opened",
        "native_type": "Email",
        "attributes": "{}",
        "extracted_at": NOON,
        "context": "{}",
        "record": b"{}",
    }
    return row | given


def make_person(place, interactions, rejected=0, **given):
    plain = {"outcome": "ok", "reason": None, "repeated": 0, "left_out": 0, "first": None, "last": None}
    counts = {"records": interactions + rejected, "interactions": interactions, "rejected": rejected}
    return Person(contact=place, **{**plain, **counts, **given})


def write_rows(lake, groups):
    writer = Writer(lake, "answer.parquet", ANSWER)
    for rows in groups:
        writer.write(pa.RecordBatch.from_pylist(rows, ANSWER))
    return writer.close()


def make_page(lake, *groups, cover=COVER, contacts=None):
    """A page of one person for each group of rows; returns its text and its file."""
    table = write_rows(lake, groups)
    people = [
        make_person(n, sum(row["rejected"] is None for row in rows), sum(row["rejected"] is not None for row in rows))
        for n, rows in enumerate(groups, start=1)
    ]
    contacts = contacts or [Contact(f"c{n}", "contact_id") for n in range(len(people))]
    subjects = place_subjects("which50", "acme", contacts, people)
    page = write_page(lake, "answer.html", table, [[subject] for subject in subjects], cover)
    return lake.read_bytes(page.path).decode(), page


@pytest.fixture
def lake(tmp_path):
    return Lake.at(str(tmp_path / "lake"))


@pytest.fixture(scope="module")
def shared_lake(tmp_path_factory):
    return Lake.at(str(tmp_path_factory.mktemp("lake")))


HOSTILE = st.one_of(
    st.sampled_from(
        [
            "</style><script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            '"><svg/onload=alert(1)>',
            "' onmouseover='alert(1)",
            "</bdi></li></ol></details></body></html>",
            "<!--",
            "]]>",
            "&lt;script&gt;",
            "javascript:alert(1)",
            "\u202egnp.exe\u202c",
            "\u2066\u2067\u2069",
            "a\x00b\x1b[31m",
            "{{ 7 * 7 }}${7*7}",
            "x" * (LONGEST + 1),
            "\ufeff\ufffe\U0010ffff",
        ]
    ),
    st.text(max_size=60),
    st.text(alphabet="<>&\"'=/!- \x00\u202e\u2066\r\n", max_size=40),
)
WORDS = ("subject", "status", "campaign_id", "campaign_name", "message_id", "interaction_id", "native_type", "account")


@given(st.fixed_dictionaries(dict.fromkeys(WORDS, HOSTILE)), st.dictionaries(HOSTILE, HOSTILE, max_size=3), HOSTILE)
def test_nothing_that_a_vendor_sends_becomes_a_part_of_the_page(shared_lake, values, fields, raw):
    rows = [
        make_row(**values, attributes=json.dumps(fields, ensure_ascii=False)),
        make_row(1, channel="other", action="other", native_type=values["subject"]),
        make_row(2, rejected=raw, attributes=None, interaction_id=None, record=raw.encode()),
    ]
    cover = Cover(NOON, values["status"], None, [values["subject"]], gaps=[raw])
    text, page = make_page(shared_lake, rows, cover=cover, contacts=[Contact(values["account"], "contact_id")])
    parsed = Parsed(text)
    assert (parsed.records, page.rows, parsed.open) == (3, 3, [])
    assert set(parsed.elements) <= ELEMENTS
    assert set(parsed.attributes) <= ATTRIBUTES
    assert parsed.elements["style"] == parsed.elements["title"] == 1
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f]", text)


@given(st.text(alphabet=st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=50))
def test_what_can_be_shown_is_shown_as_it_is(shared_lake, text):
    page, _ = make_page(shared_lake, [make_row(subject=text)])
    assert f"“{text}”" in Parsed(page).text


def test_half_of_a_surrogate_pair_is_shown_by_its_number(lake):
    text, _ = make_page(lake, [make_row(attributes='{"a": "x\\ud800y"}')])
    assert "x⟨U+D800⟩y" in text


def test_a_page_loads_and_runs_nothing(lake):
    text, _ = make_page(lake, [make_row(subject="https://example.org/a.png")])
    policy = re.search('Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not re.search(r" (src|href|style|on\w+)=|@import|url\(|<script|<link", text)


def test_every_channel_and_action_has_words():
    assert set(words.CHANNEL_WORDS) == CHANNELS
    assert set(words.ACTION_WORDS) == ACTIONS


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (("email", "opened", "Email"), "E-mail opened"),
        (("form", "submitted", "WebForm"), "Form submitted"),
        (("email", "other", "Odd"), "E-mail of type Odd"),
        (("other", "other", "Odd"), "Record of type Odd"),
    ],
)
def test_an_event_is_described_in_words(event, said):
    assert words.describe_event(*event) == said


class TestTimes:
    def test_they_are_in_the_zone_that_was_chosen(self, lake):
        rows = [make_row(occurred_at=datetime(2026, 10, 25, hour, 30, tzinfo=UTC)) for hour in (0, 1)]
        text, _ = make_page(lake, rows, cover=Cover(NOON, zone=ZoneInfo("Europe/Vienna")))
        assert ">2026-10-25 02:30:00 CEST<" in text
        assert ">2026-10-25 02:30:00 CET<" in text
        assert 'datetime="2026-10-25T00:30:00Z"' in text

    def test_a_month_is_that_of_the_zone(self, lake):
        late = make_row(occurred_at=datetime(2026, 1, 31, 23, 30, tzinfo=UTC))
        assert "February 2026: 1 record<" in make_page(lake, [late], cover=Cover(NOON, zone=words.find_zone("CET")))[0]
        assert "January 2026: 1 record<" in make_page(lake, [late])[0]

    @pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles", "UTC"])
    def test_the_first_and_the_last_instant_have_a_place(self, lake, zone):
        ends = [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), None]
        rows = [make_row(n, occurred_at=at) for n, at in enumerate(ends)]
        text, page = make_page(lake, rows, cover=Cover(NOON, zone=words.find_zone(zone)))
        assert page.rows == Parsed(text).records == 3
        assert "Without a readable time: 1 record<" in text

    @pytest.mark.parametrize("name", ["Vienna", "../../etc/passwd", "Europe", "a\x00b", "+01:00", 7, "x" * 500])
    def test_a_name_that_is_not_a_zone_is_refused(self, name):
        with pytest.raises(ConfigError, match=r"is not an IANA time zone\. Write for example Europe/Vienna") as refused:
            words.find_zone(name)
        assert len(str(refused.value)) < 200

    @pytest.mark.parametrize("name", [None, "", "UTC"])
    def test_without_a_zone_it_is_utc(self, name):
        assert words.find_zone(name).key == "UTC"


@given(st.lists(st.lists(st.integers(0, 10**6), max_size=6), min_size=1, max_size=4))
def test_each_persons_records_are_under_that_person_in_order_of_time(shared_lake, people):
    groups = [
        [make_row(n, interaction_id=f"i{place}-{n}-") for n in sorted(minutes)] for place, minutes in enumerate(people)
    ]
    text, page = make_page(shared_lake, *groups)
    assert re.findall(r"i\d+-\d+-", text) == [row["interaction_id"] for rows in groups for row in rows]
    assert page.rows == sum(map(len, groups))


def test_records_of_several_systems_are_merged_by_time(lake):
    mine, others = [make_row(n) for n in (0, 2, 4)], [make_row(n, vendor="capillary") for n in (1, 3)]
    table = write_rows(lake, [mine, others])
    person = [
        *place_subjects("which50", "acme", [Contact("c", "contact_id")], [make_person(1, 3)]),
        *place_subjects("capillary", "acme", [Contact("1", "mobile")], [make_person(1, 2)], first_row=3),
    ]
    text = lake.read_bytes(write_page(lake, "a.html", table, [person], COVER).path).decode()
    assert re.findall("<dt><bdi>record number</bdi></dt><dd><bdi>(\\d+)", text) == list("01234")


def test_totals_are_by_channel_and_action(lake):
    rows = [make_row(n, action="sent") for n in range(3)] + [make_row(3), make_row(4, rejected="no time", record=b"x")]
    parsed = Parsed(make_page(lake, rows)[0])
    assert "E-mailsent 3, opened 14" in parsed.text
    assert "Could not be read1" in parsed.text
    assert "no time: 1" in parsed.text


@pytest.mark.parametrize(("days", "bars"), [(1, 1), (36, 36), (37, 2), (40 * 31, 4), (365 * 37, 2)])
def test_the_timeline_has_few_enough_bars(lake, days, bars):
    rows = [make_row(n, occurred_at=datetime(1990, 1, 1, tzinfo=UTC) + timedelta(days=n)) for n in range(days)]
    assert Parsed(make_page(lake, rows)[0]).elements["rect"] == bars


def test_outcomes_and_what_is_never_stated_are_said(lake):
    table = write_rows(lake, [[make_row(subject="s")]])
    people = [
        make_person(1, 1, repeated=2, left_out=3),
        make_person(2, 0, outcome="not_found", reason="there is no such contact"),
    ]
    subjects = place_subjects("which50", "acme", [Contact("a", "contact_id"), Contact("b", "contact_id")], people)
    gaps = ["Capillary was not asked."]
    cover = Cover(NOON, gaps=gaps)
    page = write_page(lake, "a.html", table, [[subject] for subject in subjects], cover)
    text = Parsed(lake.read_bytes(page.path).decode()).text
    assert "2 sent more than once and shown once, 3 of other types and left out." in text
    assert "b (contact_id): does not know the identifier (there is no such contact)." in text
    assert "No record of this system states a status, the name of a campaign" in text
    assert gaps[0] in text


def test_a_page_without_records_says_so(lake):
    text, page = make_page(lake, [])
    assert page.rows == 0
    assert "There are no records." in text


class TestSize:
    def test_a_long_value_is_cut_and_says_so(self, lake):
        text, page = make_page(lake, [make_row(subject="<" * 3_000_000)])
        assert "(cut: 3,000,000 characters in all)" in text
        assert page.bytes < 100_000

    def test_a_record_of_many_fields_is_cut_and_says_so(self, lake):
        fields = json.dumps({f"f{n}": n for n in range(MOST_FIELDS + 500)})
        assert "cut: 1,506 fields in all" in make_page(lake, [make_row(attributes=fields)])[0]

    def test_memory_does_not_grow_with_the_records(self, lake):
        fields = json.dumps({f"field {n}": "x" * 20 for n in range(10)})
        peaks = []
        for count in (2_000, 20_000):
            batches = [[make_row(n, attributes=fields) for n in range(at, at + 2_000)] for at in range(0, count, 2_000)]
            table = write_rows(lake, batches)
            del batches
            subjects = place_subjects("which50", "acme", [Contact("c", "contact_id")], [make_person(1, count)])
            tracemalloc.start()
            page = write_page(lake, "a.html", table, [subjects], COVER)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            assert page.rows == count
        assert peaks[1] < peaks[0] + 2_000_000 < 20_000_000
        assert count > 10 * ROWS
        assert page.bytes < GROUP_BYTES


@given(st.lists(st.lists(st.none() | st.integers(0, 5), max_size=5), max_size=4))
def test_packed_rows_are_sorted_by_time_and_then_as_they_came(groups):
    rows = [
        [make_row(occurred_at=None if at is None else NOON + timedelta(hours=at)) for at in group] for group in groups
    ]
    for n, row in enumerate(row for group in rows for row in group):
        row["interaction_id"] = str(n)
    packed = [PackedRows() for _ in rows]
    for one, group in zip(packed, rows, strict=True):
        one.extend(group)
    found = [row["interaction_id"] for row in PackedRows().sort(*packed)]
    every = [row for group in rows for row in group]
    assert found == [row["interaction_id"] for row in sorted(every, key=lambda row: row["occurred_at"] or LAST)]
    assert sum(map(len, packed)) == len(found)


def test_packed_rows_take_less_memory_than_python_s():
    def measure(make):
        tracemalloc.start()
        before = pa.total_allocated_bytes()
        held = make()
        size = tracemalloc.get_traced_memory()[0] + pa.total_allocated_bytes() - before
        tracemalloc.stop()
        return size, held

    def pack():
        packed = PackedRows()
        for at in range(0, 4_000, 500):
            packed.extend([make_row(n) for n in range(at, at + 500)])
        return packed

    assert 3 * measure(pack)[0] < measure(lambda: [make_row(n) for n in range(4_000)])[0]


class TestFields:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ('{"a": {"b": [2.50, null]}}', [("a.b[0]", "2.50"), ("a.b[1]", "null")]),
            ('{"a": 1, "a": 2}', [("a", "1"), ("a", "2")]),
            ('{"a": {}, "b": [], "": ""}', [("a", "{}"), ("b", "[]")]),
            ("{", [("fields", "{")]),
            ('{"n": ' + "9" * 5000 + "}", [("n", "9" * 5000)]),
        ],
    )
    def test_they_are_named_by_their_paths(self, text, found):
        assert flatten_json(text) == found

    def test_deep_nesting_is_one_value(self):
        text = '{"a":' * 100_000
        assert flatten_json(text) == [("fields", text)]
