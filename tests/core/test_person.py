"""Everything known of given people: complete by the sandbox's word, every count stated, nobody named elsewhere."""

import errno
import json
import re
from collections import Counter
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import fsspec
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_interactions.connection import build_credentials
from airflow_provider_interactions.errors import AuthRejected, BadResponse, ConfigError, Throttled
from airflow_provider_interactions.http.rate_tuning import UNLIMITED, RateTuning
from airflow_provider_interactions.http.retry import Limits
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.person import request as person_request
from airflow_provider_interactions.person.files import encode_line
from airflow_provider_interactions.person.words import ACTION_WORDS, CHANNEL_WORDS
from airflow_provider_interactions.rejects import ANOTHER_CONTACT
from airflow_provider_interactions.sandbox import Expected, Fact, SandboxConfig, digest, serve
from airflow_provider_interactions.vendors import VENDORS

QUICK = Limits(
    timeout=5.0, tries=2, patience=1.0, first_wait=0.01, last_wait=0.02, rate=RateTuning(first_rate=UNLIMITED)
)
START, END = "1970-01-01", "2100-01-01"
FACTS = ("native_type", "status", "subject", "campaign_id", "campaign_name", "message_id", "count", "revision")
DYNAMICS, WHICH50, LUMINATE, CAPILLARY = "dynamics_marketing", "which50", "luminate_online", "capillary"


@pytest.fixture(scope="module")
def running():
    with serve(SandboxConfig(contacts=6)) as sandbox:
        yield sandbox


@pytest.fixture
def name(request):
    return getattr(request, "param", DYNAMICS)


@pytest.fixture
def vendor(name):
    return VENDORS[name]


@pytest.fixture
def people(sandbox, name):
    return sandbox.contacts(name)


@pytest.fixture
def ask(sandbox, vendor, lake):
    """Ask about people; ``where`` is another lake, ``login`` and the like change the connection."""

    def answer(ids, where=lake, password=None, asked_by=None, **chosen):
        known = sandbox.connections[vendor.name]
        password = known.get("password", "") if password is None else password
        extra = {**known["extra"], "account": "acme"}
        credentials = build_credentials(vendor, known["host"], known.get("login", ""), password, extra)
        return person_request.answer_request(
            where, person_request.check_request(vendor, ids, **chosen), credentials, limits=QUICK, asked_by=asked_by
        )

    return answer


def table(lake, found):
    with lake.fs.open(lake.full(found.parquet.path), "rb") as stream:
        return pq.read_table(stream).to_pylist()


def lines(lake, found):
    return [json.loads(text) for text in lake.fs.cat_file(lake.full(found.lines.path)).splitlines()]


def facts(rows):
    for row in rows:
        yield Fact(
            vendor=row["vendor"],
            contact_id=row["contact_id"],
            interaction_id=row["interaction_id"],
            occurred_at=round(row["occurred_at"].timestamp() * 1_000_000),
            attributes=json.loads(row["attributes"]),
            **{name: row[name] for name in FACTS},
        )


def expect(sandbox, name, people, start=START, end=END):
    """What there is about these people. Tables also have rows about visitors, leads and nobody in particular."""
    found = [sandbox.oracle(name, start, end, contact=who) for who in people]
    total = sum(int(one.digest, 16) for one in found) % 2**256
    return Expected(sum(one.interactions for one in found), f"{total:064x}", len(people))


def files(lake):
    return sorted(str(path.relative_to(lake.root)) for path in Path(lake.root).rglob("*") if path.is_file())


def test_places_are_those_of_the_list_as_it_was_given():
    one, other = "0000000000000000000000000000000a", "0000000000000000000000000000000b"
    asked = person_request.check_request(VENDORS[DYNAMICS], ["", one, one.upper(), " ", f" {other}"])
    assert (len(asked.contacts), list(asked.places)) == (2, [2, 5])
    with pytest.raises(ConfigError, match="Contact 3 of the list"):
        person_request.check_request(VENDORS[DYNAMICS], [one, "", "nobody"])


EVERY = pytest.mark.parametrize("name", sorted(VENDORS), indirect=True)


class TestOfEveryVendor:
    pytestmark = EVERY

    def test_all_of_it_is_in_both_files(self, sandbox, name, lake, people, ask):
        plain = {"details": False} if name == LUMINATE else None  # the oracle knows the notes of custom types only
        found = ask(people, options=plain)
        expected = expect(sandbox, name, people)
        rows = table(lake, found)
        assert digest(facts(rows)) == expected.digest
        assert len(rows) == found.counts.canonical == found.parquet.rows == found.lines.rows == expected.interactions
        assert [row["interaction_id"] for row in lines(lake, found)] == [row["interaction_id"] for row in rows]
        assert all(row["record"] for row in rows)

    def test_every_count_is_stated_person_by_person(self, sandbox, name, lake, people, ask):
        found = ask(people)
        assert [one.contact for one in found.people] == [1, 2, 3, 4, 5, 6]
        for one, who in zip(found.people, people, strict=True):
            expected = sandbox.oracle(name, START, END, contact=who).interactions
            assert one.interactions == expected
            assert one.records == one.interactions + one.rejected + one.repeated + one.left_out
            assert (one.outcome == "ok") == (expected > 0)
        assert sum(n for types in found.channels.values() for n in types.values()) == found.counts.canonical
        times = [row["occurred_at"] for row in table(lake, found)]
        assert (found.first, found.last) == (min(times), max(times))

    def test_nobody_is_named_outside_the_files(self, lake, people, ask):
        found = ask(people)
        told = (lake.fs.cat_file(lake.full(found.summary)) + "".join(files(lake)).encode()).decode()
        assert files(lake) == sorted([found.parquet.path, found.lines.path, found.page.path, found.summary])
        assert all(who not in told for who in people)

    def test_the_page_has_the_records_of_the_lines_and_their_totals(self, lake, people, ask):
        found = ask(people, asked_by="ann <b>")
        page, shown = lake.read_bytes(found.page.path).decode(), lines(lake, found)
        assert page.count('<li class="record">') == found.page.rows == found.lines.rows == len(shown)
        assert all(f"<bdi>{escape(row['interaction_id'])}</bdi>" in page for row in shown)
        assert f"holds {len(shown)} records: " in page
        totals = Counter((CHANNEL_WORDS[row["channel"]], ACTION_WORDS[row["action"]]) for row in shown)
        for channel, kinds in found.channels.items():
            cells = re.search(f"<td>{re.escape(CHANNEL_WORDS[channel])}</td><td>([^<]*)</td>.*?>([0-9,]+)</td>", page)
            assert int(cells[2].replace(",", "")) == sum(kinds.values())
            assert Counter(cells[1].split(", ")) == Counter(
                f"{action} {n}" for (name, action), n in totals.items() if name == CHANNEL_WORDS[channel]
            )
        assert "ann &lt;b&gt;" in page

    def test_a_window_is_kept_exactly(self, sandbox, name, people, ask):
        start, end = "2026-01-02T06:00:00Z", "2026-01-04T18:00:00Z"
        for given in ({"start": start, "end": end}, {"start": start}, {"end": end}):
            assert ask(people, **given).counts.canonical == expect(sandbox, name, people, **given).interactions

    def test_what_is_asked_twice_is_asked_anew(self, people, ask):
        asked = [ask(people[:1]).counts.requests for _ in range(2)]
        assert asked[0] == asked[1] > 0

    def test_the_lines_are_for_people(self, lake, people, ask):
        shown = lines(lake, ask(people[:1]))
        assert shown == sorted(shown, key=lambda row: datetime.fromisoformat(row["occurred_at"]))
        assert all(value not in (None, "") for row in shown for value in row.values())
        assert all(isinstance(row["attributes"], dict) for row in shown)


@pytest.mark.parametrize("name", [LUMINATE], indirect=True)
def test_notes_are_fetched_unless_somebody_says_otherwise(lake, people, ask):
    full, plain = ask(people), ask(people, options={"details": False})
    assert full.counts.canonical == plain.counts.canonical
    assert full.counts.requests > plain.counts.requests
    noted = [sum("note" in json.loads(row["attributes"]) for row in table(lake, found)) for found in (full, plain)]
    assert noted[0] > noted[1]


class TestTypes:
    @pytest.mark.parametrize("name", [DYNAMICS], indirect=True)
    def test_vendor_that_can_be_asked_for_some_is(self, sandbox, people, ask):
        found = ask(people, types=["EmailSent", "EmailOpened", "EmailSent"])
        expected = sum(
            sandbox.oracle(DYNAMICS, START, END, type=one).interactions for one in ("EmailSent", "EmailOpened")
        )
        assert (found.counts.canonical, found.left_out) == (expected, 0)
        calls = {path: n for path, n in sandbox.stats()[DYNAMICS]["by_path"].items() if "LoadInteractions" in path}
        assert list(calls.values()) == [2 * len(people)]

    @pytest.mark.parametrize("name", [WHICH50], indirect=True)
    def test_from_another_they_are_chosen_here_and_the_rest_is_counted(self, sandbox, people, ask):
        found = ask(people, types=["webform", "Landing Page"])
        expected = [sandbox.oracle(WHICH50, START, END, type=one).interactions for one in ("WebForm", "LandingPage")]
        assert found.counts.canonical == sum(expected) > 0
        assert found.left_out == sandbox.oracle(WHICH50, START, END).interactions - sum(expected)
        assert set(found.channels) == {"form", "web"}


STRANGER = "00000000-0000-0000-0000-000000000001"


def test_who_is_not_known_there_is_told_by_place(people, ask):
    found = ask([people[0], STRANGER])
    assert [one.outcome for one in found.people] == ["ok", "not_found"]
    assert found.people[1].reason == "there is no such contact"
    assert (found.counts.ok, found.counts.not_found) == (1, 1)


def test_nothing_known_is_an_answer_too(lake, ask):
    found = ask([STRANGER])
    assert (table(lake, found), lines(lake, found), found.first) == ([], [], None)
    assert len(files(lake)) == 4


BAD = """[{"Id": 1, "Interaction": "Email", "Name": "a",\n "Occurred": "yesterday", "Status": "Sent"},
{"Id": 2, "Interaction": "Email", "Name": "b", "Occurred": "2026-01-02T00:00:00Z", "More": {"x":\r\n [1]}},
{"Id": 3, "Interaction": null, "Occurred": "1850-01-01T00:00:00Z"},
{"Id": 4, "Interaction": "SMS", "Occurred": "1850-01-01T00:00:00Z"}]"""


@pytest.mark.parametrize("name", [WHICH50], indirect=True)
def test_what_cannot_be_read_is_listed_with_the_reason_and_as_it_came(sandbox, lake, people, ask):
    sandbox.faults([{"kind": "status", "status": 200, "path": "communications", "body": BAD}])
    found = ask(people[:1])
    assert found.rejects == {"Occurred is not a valid ISO 8601 time": 1, "Interaction is missing": 1}
    assert (found.people[0].records, found.people[0].interactions, found.people[0].rejected) == (4, 2, 2)
    rows = lines(lake, found)
    assert [row.get("interaction_id") is None for row in rows] == [False, True, False, True]  # in order of time
    unreadable = rows[-1]
    assert unreadable["rejected"] == "Occurred is not a valid ISO 8601 time"
    assert json.loads(unreadable["record"])["Occurred"] == "yesterday"
    assert rows[2]["attributes"] == {"More": {"x": [1]}}
    assert [row["rejected"] for row in table(lake, found)] == [row.get("rejected") for row in rows]
    assert b"yesterday" in table(lake, found)[-1]["record"]


ONE_ID = """[{"Id": 1, "Interaction": "Email", "Name": "a", "Occurred": "2026-01-02T00:00:00Z", "Status": "Sent"},
{"Id": 1, "Interaction": "Email", "Name": "a", "Occurred": "2026-01-02T00:00:00Z", "Status": "Open"},
{"Id": 1, "Interaction": "Email", "Name": "b", "Occurred": "2026-01-02T00:00:00Z", "Status": "Sent"}]"""


@pytest.mark.parametrize("name", [WHICH50], indirect=True)
def test_another_record_with_a_known_id_is_listed_as_unreadable_not_dropped(sandbox, lake, people, ask):
    sandbox.faults([{"kind": "status", "status": 200, "path": "communications", "body": ONE_ID}])
    found = ask(people[:1])
    [person] = found.people
    assert (person.records, person.interactions, person.repeated, person.rejected) == (3, 1, 1, 1)
    [rejected] = [row for row in lines(lake, found) if "rejected" in row]
    assert json.loads(rejected["record"])["Name"] == "b"
    assert "its id is the id of another record" in rejected["rejected"]


SECRET = "11111111-2222-3333-4444-555555555555"


def test_a_record_about_somebody_else_is_counted_and_not_handed_over(sandbox, lake, people, ask):
    """It comes with an odd case of its name, beside records of the person."""
    known = {"InteractionType": "EmailSent", "Timestamp": "2026-01-02T10:00:00Z"}
    rows = [
        {"InteractionId": f"{n:032x}", "ContactId": who, "Subject": text, **known}
        for n, who, text in ((1, people[0], "mine"), (2, SECRET.upper(), "a secret of somebody else"))
    ]
    body = json.dumps({"Data": json.dumps(rows), "NextSkipToken": None})
    sandbox.faults([{"kind": "status", "status": 200, "path": "LoadInteractions", "body": body}])
    found = ask(people[:1], types=["EmailSent"])
    [person] = found.people
    assert (person.records, person.interactions, person.rejected) == (2, 1, 1)
    assert [row["rejected"] for row in table(lake, found) if row["rejected"]] == [ANOTHER_CONTACT]
    written = b"".join(Path(lake.root, name).read_bytes() for name in files(lake) if not name.endswith(".parquet"))
    shown = written + str(table(lake, found)).encode()
    assert b"mine" in shown
    assert not [text for text in (b"a secret", SECRET.encode(), SECRET.upper().encode()) if text in shown]


@pytest.mark.parametrize("name", [WHICH50], indirect=True)
def test_all_time_has_no_beginning_where_the_vendor_sends_everything(sandbox, people, ask):
    sandbox.faults([{"kind": "status", "status": 200, "path": "communications", "body": BAD}])
    assert ask(people[:1]).first == datetime(1850, 1, 1, tzinfo=UTC)
    assert ask(people[:1], start="2000-01-01").people[0].records == 2  # one of them has no time to tell


#: At Which50 the year 1 means that there is no time.
EDGES = ["2026-01-02T10:00:00Z", "0002-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999Z"]


@pytest.mark.parametrize("name", [DYNAMICS, WHICH50], indirect=True)
def test_without_dates_nothing_is_outside(sandbox, vendor, lake, people, ask):
    """F12: the first and the last instants there are, whatever the vendor filters by."""
    edges = [at.replace("0002", "0001") for at in EDGES] if vendor.filters_by_date else EDGES
    records = [
        {"InteractionId": f"{n:032x}", "InteractionType": "EmailSent", "Timestamp": at}
        if vendor.filters_by_date
        else {"Id": n, "Interaction": "Email", "Name": "a", "Occurred": at}
        for n, at in enumerate(edges, start=1)
    ]
    body = json.dumps({"Data": json.dumps(records), "NextSkipToken": None} if vendor.filters_by_date else records)
    path = "LoadInteractions" if vendor.filters_by_date else "communications"
    sandbox.faults([{"kind": "status", "status": 200, "path": path, "body": body}])
    found = ask(people[:1], types=["EmailSent"] if vendor.filters_by_date else [])
    assert (found.counts.outside, found.people[0].interactions, found.rejects) == (0, len(EDGES), {})
    assert (found.first.year, found.last.year) == (int(edges[1][:4]), 9999)
    assert len(table(lake, found)) == len(lines(lake, found)) == len(EDGES)


def test_a_line_is_one_line_whatever_the_vendor_wrote():
    row = {"rejected": None, "attributes": '{"a":\n[1,\r\n"x\\ny"]}', "record": b"", "subject": "two\nlines\u2028"}
    assert json.loads(encode_line(row)) == {"subject": "two\nlines\u2028", "attributes": {"a": [1, "x\ny"]}}
    assert b"\n" not in encode_line(row)


def test_a_lake_may_be_an_object_store(sandbox, people, ask):
    where = Lake.at("memory://somewhere/lake")
    found = ask(people, where)
    assert len(table(where, found)) == sandbox.oracle(DYNAMICS, START, END).interactions
    assert sorted(where.fs.find(where.root)) == sorted(
        where.full(path) for path in (found.parquet.path, found.lines.path, found.page.path, found.summary)
    )
    where.fs.rm(where.root, recursive=True)


WRONG = {
    "no GUID": ({"ids": [STRANGER, "ann@example.org"]}, r"Contact 2 of the list cannot be used.*GUID"),
    "another kind": ({"ids": [STRANGER], "kind": "email"}, "Contact 1 of the list"),
    "nobody": ({"ids": []}, "Give at least one identifier"),
    "too many": ({"ids": (f"{n:032x}" for n in range(501))}, "501 contacts are more than the 500"),
    "reversed": ({"ids": [STRANGER], "start": "2026-01-02", "end": "2026-01-01"}, "ends before it starts"),
    "no zone": ({"ids": [STRANGER], "start": "2026-01-02T00:00:00"}, "has no time zone"),
    "no time": ({"ids": [STRANGER], "end": "yesterday"}, "not a valid ISO 8601 time"),
    "no such option": ({"ids": [STRANGER], "options": {"colour": 1}}, "unknown field `colour`"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_before_anybody_is_asked(sandbox, vendor, what):
    given, message = WRONG[what]
    with pytest.raises(ConfigError, match=message) as failure:
        person_request.check_request(vendor, **given)
    assert "ann@" not in str(failure.value)
    assert sandbox.stats()[DYNAMICS]["requests"] == 0


@pytest.mark.parametrize("name", [LUMINATE], indirect=True)
def test_everybody_at_once_is_no_person(vendor):
    with pytest.raises(ConfigError, match="so kind cannot be everyone"):
        person_request.check_request(vendor, ["*"], "everyone", types=["1000"])


def in_memory():
    """Files of the process-wide file system in which an answer is prepared."""
    return fsspec.filesystem("memory").find("")


FAILURES = {
    "credentials": ({"kind": "reject_tokens"}, AuthRejected),
    "malformed": ({"kind": "status", "status": 200, "path": "LoadInteractions", "body": '{"Data": "[{"}'}, BadResponse),
    "throttled": ({"kind": "throttle", "retry_after": 1000, "path": "LoadInteractions"}, Throttled),
}


@pytest.mark.parametrize("what", FAILURES)
def test_a_failure_leaves_no_file_anywhere(sandbox, lake, people, ask, what):
    rule, error = FAILURES[what]
    sandbox.faults([rule, {"kind": "status", "status": 401}] if what == "credentials" else [rule])
    with pytest.raises(error, match="window all time") as failure:
        ask(people)
    assert not any(who in str(failure.value) for who in people)
    assert (files(lake), in_memory()) == ([], [])


class Full(LocalFileSystem):
    """A disk that is full when a file of some ending is begun."""

    ending = ""

    def _open(self, path, mode="rb", **kwargs):
        if mode != "rb" and self.ending in str(path):
            raise OSError(errno.ENOSPC, "No space left on device")
        return super()._open(path, mode, **kwargs)

    def pipe_file(self, path, value, **kwargs):
        if self.ending in str(path):
            raise OSError(errno.ENOSPC, "No space left on device")
        super().pipe_file(path, value, **kwargs)


@pytest.mark.parametrize("ending", [".parquet", ".jsonl", ".html", ".json-"])
def test_a_full_disk_leaves_no_half_of_an_answer(tmp_path, people, ask, ending):
    disk = Full(auto_mkdir=False, skip_instance_cache=True)
    disk.ending = ending
    full = Lake(disk, str(tmp_path / "full"))
    with pytest.raises((ConfigError, OSError), match="No space left"):
        ask(people, full)
    assert (files(full), in_memory()) == ([], [])


def test_two_requests_at_the_same_instant_keep_apart(sandbox, vendor, lake, people):
    known = sandbox.connections[DYNAMICS]
    credentials = build_credentials(vendor, known["host"], known["login"], known["password"], known["extra"])
    now = datetime(2026, 2, 1, tzinfo=UTC)
    for who in people[:2]:
        person_request.answer_request(
            lake, person_request.check_request(vendor, [who], types=["EmailSent"]), credentials, now=now
        )
    assert len(files(lake)) == 8
