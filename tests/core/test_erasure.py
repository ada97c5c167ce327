"""Erasing people: nothing of them is left anywhere in the lake or a table, and nothing of anybody else is changed."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_provider_interactions import contacts as lists
from airflow_provider_interactions.connection import build_credentials
from airflow_provider_interactions.contract import Contact, Query
from airflow_provider_interactions.errors import ConfigError, LakeUnavailable, LoadError
from airflow_provider_interactions.extract import raw_table
from airflow_provider_interactions.extract.checkpoint import Checkpoint
from airflow_provider_interactions.extract.commit import commit_window
from airflow_provider_interactions.extract.outcomes import Outcome
from airflow_provider_interactions.extract.raw_table import PageRows
from airflow_provider_interactions.extract.raw_writer import RawWriter
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.lake import reader
from airflow_provider_interactions.lake.keys import HashKey
from airflow_provider_interactions.lake.manifest import Counts, Manifest, count_rows
from airflow_provider_interactions.lake.paths import AccountPaths, WindowPaths
from airflow_provider_interactions.lake.reconcile import reconcile, reconcile_normalized
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.suppression import lift_suppression, read_suppression
from airflow_provider_interactions.load.duckdb import DuckDBTable
from airflow_provider_interactions.normalize.pipeline import normalize
from airflow_provider_interactions.normalize.policy import Action, Key, Policy
from airflow_provider_interactions.normalize.window import normalize_run
from airflow_provider_interactions.person import request as person_request
from airflow_provider_interactions.person.counts import Answer
from airflow_provider_interactions.person.erasure import erase_people
from airflow_provider_interactions.person.everywhere import System, answer_person
from airflow_provider_interactions.person.receipt import Receipt
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import Window

KEY = HashKey(b"k" * 32)
WEEK = Window.of("2026-01-01", "2026-01-08")
DAY = timedelta(days=1)


@pytest.fixture(params=VENDORS)
def job(request, build_week_job, tmp_path):
    """An extraction of a week, into a lake with a key."""
    lake = replace(Lake.at(str(tmp_path / "lake")), keys=lambda: [KEY])
    return build_week_job(request.param, lake)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    """Files of few rows, so that a window has several."""
    monkeypatch.setattr(raw_table, "PART_ROWS", 20)


def fill(job, target=None):
    """All layers of the lake: a list, a week of days, former files, answers, and the table."""
    lists.write_list(job.lake, job.place, [job.contacts], datetime.now(UTC))
    batches = [extract(replace(job, contacts=half, batch=n, batches=2)) for n, half in enumerate(halves(job))]
    done = normalize_run(job.lake, [batch.to_split(DAY) for batch in batches])
    whole = normalize(job.lake, commit_window(job.lake, [extract(job)]))
    again = normalize(job.lake, reader.read_published(job.lake, job.place.raw_manifest)[0], keep_former=DAY)
    assert again.paths != whole.paths
    for people in (job.contacts[:1], job.contacts[:3]):
        answer(job, people)
    if target:
        target.load(job.lake, again)
    return done


def halves(job):
    return job.contacts[::2], job.contacts[1::2]


def answer(job, people):
    request = person_request.check_request(job.vendor, [one.id for one in people], people[0].kind)
    return person_request.answer_request(job.lake, request, job.credentials, limits=job.limits)


def manifests(lake):
    """All published manifests, by path."""
    paths = [path for path in lake.list_files("") if path.endswith(".json") and path.startswith(("raw", "manifests"))]
    return {path: lake.read(path, Manifest) for path in paths if not path.startswith("pending")}


def rows_of_others(lake, gone, without=()):
    """The rows of all windows of people who are not gone, by manifest, without some columns."""
    found = {}
    for path, manifest in manifests(lake).items():
        table = reader.read_published(lake, path)[1]
        table = table.drop_columns([name for name in without if name in table.column_names])
        rows = [row for row in table.to_pylist() if row["contact_id"] not in gone]
        found[path, manifest.window] = sorted(map(repr, rows))
    return found


def everything(lake):
    """All bytes of the lake, with columns as they are without compression."""
    for path in lake.list_files(""):
        yield path, path.encode()
        if path.endswith(".parquet"):
            table = pq.read_table(lake.full(path))
            for column in table.columns:
                words = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
                yield path, b"\n".join(str(value).encode() for value in words.to_pylist())
        elif path.endswith(".arrow"):
            yield path, repr(raw_table.unpack_rows(lake.read_bytes(path)).to_pylist()).encode()
        else:
            yield path, lake.read_bytes(path)


def where(lake, people):
    """Files that hold one of the people's identifiers."""
    words = [one.id.lower().encode() for one in people]
    return {path for path, data in everything(lake) if any(word in data.lower() for word in words)}


def check_counts(lake):
    for path, manifest in manifests(lake).items():
        if path.startswith("raw"):
            reconcile(manifest)
        else:
            reconcile_normalized(lake.read(manifest.place.raw_manifest, Manifest), manifest)


def test_nothing_of_them_is_left_and_all_others_are_unchanged(job, tmp_path):
    target = DuckDBTable(str(tmp_path / "all.duckdb"))
    fill(job, target)
    gone = [job.contacts[0], job.contacts[4]]
    others = rows_of_others(job.lake, {one.id for one in gone})
    layers = {path.partition("/")[0] for path in where(job.lake, gone)}
    assert {"raw", "interactions", "contacts", "requests"} <= layers
    receipt = erase_people(job.lake, {job.vendor.name: gone}, [target], approved_by="Ada")
    assert receipt.state == "complete", receipt
    assert where(job.lake, gone) == set()
    assert rows_of_others(job.lake, set()) == others
    check_counts(job.lake)
    assert all(receipt.erased[layer] > 0 for layer in ("raw", "interactions", "outcomes", "contacts", "requests"))
    assert receipt.tables[0].rows > 0
    assert receipt.found == {}
    assert job.lake.read(receipt.path, Receipt) == receipt
    known = ", ".join(f"'{one.id}'" for one in gone)
    with duckdb.connect(target.database) as table:
        assert table.execute(f"SELECT count(*) FROM interactions WHERE contact_id IN ({known})").fetchone() == (0,)
        left = table.execute("SELECT count(*) FROM interactions").fetchone()[0]
    assert left == reader.read_published(job.lake, job.place.manifest)[1].num_rows


def test_digests_are_those_of_the_rows_that_are_left(job):
    fill(job)
    erase_people(job.lake, {job.vendor.name: job.contacts[1:2]}, approved_by="Ada")
    assert any(manifest.digest for manifest in manifests(job.lake).values())
    for path, manifest in manifests(job.lake).items():
        raw = job.lake.read(manifest.place.raw_manifest, Manifest)
        assert manifest.digest == raw.digest
        if path.startswith("raw") and manifest.digest:
            files = [pq.read_table(job.lake.full(file.path), columns=["payload"])[0] for file in manifest.files]
            digests = "".join(raw_table.digest_payloads(payloads) for payloads in files)
            assert manifest.digest == raw_table.hashlib.sha256(digests.encode()).hexdigest()


def test_a_later_backfill_does_not_bring_them_back(job):
    gone = job.contacts[:2]
    fill(job)
    erase_people(job.lake, {job.vendor.name: gone}, approved_by="Ada")
    before = len(read_suppression(job.lake, job.vendor.name).entries)
    fresh = replace(job, history_age=timedelta(0), resume="another run", extracted_at=datetime.now(UTC))
    fill_again = replace(fresh, contacts=job.contacts)
    _, count = lists.write_list(job.lake, job.place, [job.contacts], datetime.now(UTC))
    assert count == len(job.contacts) - 2
    done = normalize(job.lake, commit_window(job.lake, [extract(fill_again)]))
    assert done.counts.suppressed == 2
    assert done.counts.contacts == len(job.contacts) - 2
    assert where(job.lake, gone) == set()
    assert before == 2
    assert lift_suppression(job.lake, job.vendor.name, gone[0].kind, gone[0].id)
    assert not lift_suppression(job.lake, job.vendor.name, gone[0].kind, gone[0].id)
    back = commit_window(job.lake, [extract(replace(fill_again, extracted_at=datetime.now(UTC)))])
    assert back.counts.contacts == len(job.contacts) - 1


@pytest.mark.parametrize("job", ["capillary"], indirect=True)
def test_an_address_of_email_is_erased_in_any_case_and_stays_away(job, week_sandbox, tmp_path):
    ids = ["Ann.Bell@Example.org", "ann.bell@example.org", "bob@example.org"]
    job, target = replace(job, contacts=[Contact(one, "email") for one in ids]), DuckDBTable(str(tmp_path / "t.duckdb"))
    fake_messages(week_sandbox)
    target.load(job.lake, normalize(job.lake, commit_window(job.lake, [extract(job)])))
    receipt = erase_people(
        job.lake, {"capillary": [Contact("ANN.BELL@example.org", "email")]}, [target], approved_by="A"
    )
    assert (receipt.state, receipt.erased["raw"], receipt.tables[0].rows) == ("complete", 2, 2)
    assert not where(job.lake, job.contacts[:2])
    counts = extract(replace(job, extracted_at=datetime.now(UTC), resume=None)).counts
    assert (counts.suppressed, counts.contacts, counts.landed) == (2, 1, 1)
    assert lift_suppression(job.lake, "capillary", "email", "Ann.Bell@example.ORG")
    assert not read_suppression(job.lake, "capillary")


@pytest.mark.parametrize("job", ["capillary"], indirect=True)
def test_answers_keep_others_when_an_address_is_erased_in_another_case(job, week_sandbox):
    people = [Contact(one, "email") for one in ("Jörg@Example.org", "jörg@example.org", "bob@example.org")]
    fake_messages(week_sandbox)
    both, some, bob = (answer(job, one) for one in (people[:2], people, people[2:]))
    receipt = erase_people(job.lake, {"capillary": [Contact("JÖRG@example.ORG", "email")]}, approved_by="Ada")
    assert (receipt.state, receipt.erased["requests"]) == ("complete", 4)
    assert not where(job.lake, people[:2])
    assert not job.lake.exists(both.summary)
    left = job.lake.read(some.summary, Answer)
    assert (left.counts.contacts, left.counts.canonical, left.lines.rows, left.parquet.rows) == (1, 1, 1, 1)
    assert (left.channels, left.lines.bytes) == (bob.channels, bob.lines.bytes)
    assert [one.contact for one in left.people] == [3]


def fake_messages(sandbox):
    """Capillary answers with one message for everybody."""
    entry = {"count": 1, "name": "email", "messageList": [{"subject": "s", "sentDate": "02-01-2026 10:00:00"}]}
    body = json.dumps({"name": "c", "interaction": [entry], "warnings": []})
    sandbox.faults([{"kind": "status", "status": 200, "path": "interaction", "body": body}])


@pytest.mark.parametrize("job", ["capillary"], indirect=True)
def test_a_table_whose_rows_the_lake_has_lost_keeps_no_address_in_another_case(job, week_sandbox, tmp_path):
    """An erasure that died between the lake and the tables has left it so."""
    people = [Contact(one, "email") for one in ("Ann.Bell@Example.org", "ann.bell@example.org", "bob@example.org")]
    fake_messages(week_sandbox)
    done = normalize(job.lake, commit_window(job.lake, [extract(replace(job, contacts=people))]))
    target = DuckDBTable(str(tmp_path / "t.duckdb"))
    target.load(job.lake, done)
    gone = {"capillary": [Contact("ANN.BELL@example.org", "email")]}
    assert erase_people(job.lake, gone, approved_by="Ada", name="mine").erased["interactions"] == 2
    receipt = erase_people(job.lake, gone, [target], approved_by="Ada", name="mine")
    assert (receipt.state, receipt.tables[0].rows) == ("complete", 2)
    with duckdb.connect(target.database) as table:
        assert table.sql("SELECT contact_id FROM interactions").fetchall() == [("bob@example.org",)]


def test_a_window_that_is_extracted_anew_and_not_normalized_yet_is_erased(job):
    first = commit_window(job.lake, [extract(job)])
    normalize(job.lake, first)
    commit_window(job.lake, [extract(replace(job, extracted_at=datetime.now(UTC), resume="another run"))])
    receipt = erase_people(job.lake, {job.vendor.name: job.contacts[:2]}, [], approved_by="A")
    assert receipt.state == "complete"
    assert receipt.erased["interactions"] > 0
    assert not where(job.lake, job.contacts[:2])
    stale = job.lake.read(job.place.manifest, Manifest)
    assert stale.counts.canonical == count_rows(stale.files)
    raw, _ = reader.read_published(job.lake, job.place.raw_manifest)
    reconcile_normalized(raw, normalize(job.lake, raw))


@pytest.mark.parametrize("width", [None, DAY])
def test_an_extraction_under_way_does_not_bring_them_back(job, width):
    """Its files are landed, its windows are not committed: the same rows of others come, and none of theirs."""
    calm = [batch.to_split(width) for batch in [extract(replace(job, resume="calm"))]]
    normalize_run(job.lake, calm)
    gone = job.contacts[2:3]
    others = rows_of_others(job.lake, {one.id for one in gone}, ["extracted_at"])
    landed = [extract(replace(job, extracted_at=job.extracted_at + DAY)).to_split(width)]
    receipt = erase_people(job.lake, {job.vendor.name: gone}, approved_by="Ada")
    assert receipt.state == "complete"
    assert where(job.lake, gone) == set()
    normalize_run(job.lake, landed)
    assert where(job.lake, gone) == set()
    check_counts(job.lake)
    assert rows_of_others(job.lake, set(), ["extracted_at"]) == others


def test_places_of_the_others_in_a_list_stay(job):
    path, count = lists.write_list(job.lake, job.place, [job.contacts], datetime.now(UTC))
    batches = lists.cut_batches(path, count, 2)
    before = [lists.read_batch(job.lake, batch) for batch in batches]
    gone = job.contacts[1]
    erase_people(job.lake, {job.vendor.name: [gone]}, approved_by="Ada")
    after = [lists.read_batch(job.lake, batch) for batch in batches]
    assert after == [[one for one in batch if one != gone] for batch in before]


def test_answers_keep_the_others_with_their_counts(job):
    some = answer(job, job.contacts[:3])
    alone = answer(job, job.contacts[:1])
    fresh = answer(job, job.contacts[1:3])
    receipt = erase_people(job.lake, {job.vendor.name: job.contacts[:1]}, approved_by="Ada")
    assert receipt.erased["requests"] == 2 * (alone.counts.canonical + alone.counts.rejected)
    assert not any(job.lake.exists(path) for path in (alone.parquet.path, alone.lines.path, alone.summary))
    left = job.lake.read(some.summary, Answer)
    # The tables of a bulk vendor still have the rows of the person, so a fresh answer has received them.
    received = () if job.vendor.bulk else ("received",)
    names = ("canonical", "rejected", "repeated", "landed", *received, "contacts", "ok", "empty")
    assert [getattr(left.counts, name) for name in names] == [getattr(fresh.counts, name) for name in names]
    assert (left.channels, left.rejects, left.first, left.last) == (
        fresh.channels,
        fresh.rejects,
        fresh.first,
        fresh.last,
    )
    assert pq.read_table(job.lake.full(left.parquet.path)).num_rows == left.parquet.rows == fresh.parquet.rows
    assert job.lake.read_bytes(left.lines.path).count(b"\n") == left.lines.rows
    assert (job.lake.size(left.parquet.path), job.lake.size(left.lines.path)) == (left.parquet.bytes, left.lines.bytes)


def test_nobodys_identifier_removes_nothing_and_says_so(desk):
    lake = replace(desk.lake, keys=lambda: [KEY])
    done = desk.normalize(desk.record())
    receipt = erase_people(lake, {"dynamics_marketing": [Contact("nobody")]}, approved_by="Ada")
    assert receipt.state == "complete"
    assert set(receipt.erased.values()) == {0}
    assert lake.read(done.place.manifest, Manifest) == done


def test_rows_of_others_that_name_them_are_found_and_stay(desk):
    lake = replace(desk.lake, keys=lambda: [KEY])
    desk.normalize(desk.record(Friend="Ask Bob@Example.com today", Other="xbob@example.com"), contact="c1")
    receipt = erase_people(lake, {"dynamics_marketing": [Contact("bob@example.com")]}, approved_by="Ada")
    assert receipt.state == "found"
    assert receipt.found == {"raw": 1, "interactions": 1}


def test_receipt_and_suppression_name_nobody(desk):
    lake = replace(desk.lake, keys=lambda: [KEY])
    desk.normalize(desk.record(), contact="someone-secret")
    receipt = erase_people(lake, {"dynamics_marketing": [Contact("someone-secret")]}, approved_by="Ada")
    assert b"someone" not in b"".join(data for _, data in everything(lake))
    found = json.loads(lake.read_bytes(receipt.path))
    assert found["people"] == [
        {
            "vendor": "dynamics_marketing",
            "kind": "contact_id",
            "hash": KEY.hash("dynamics_marketing", "contact_id", "someone-secret"),
        }
    ]
    assert found["key_id"] == KEY.id
    assert found["approved_by"] == "Ada"


@pytest.mark.parametrize(
    ("keys", "why"), [(None, "No key"), ([], "No key"), ([HashKey(b"x" * 32)], f"key of id {KEY.id}, but .* have the")]
)
def test_absent_and_other_keys_change_nothing(desk, rig, keys, why):
    lake = replace(desk.lake, keys=lambda: [KEY])
    erase_people(lake, {"dynamics_marketing": [Contact("c9")]}, approved_by="Ada")
    before = desk.files()
    other = replace(desk.lake, keys=(lambda: keys) if keys is not None else None)
    with pytest.raises(ConfigError, match=why):
        erase_people(other, {"dynamics_marketing": [Contact("c1")]}, approved_by="Ada")
    with pytest.raises(ConfigError, match="suppression list"):
        extract(rig.job(lake=other, contacts=[Contact("c1")]))
    with pytest.raises(ConfigError, match="suppression list"):
        lists.write_list(other, rig.job().place, [[Contact("c1")]], datetime.now(UTC))
    assert desk.files() == before


def test_short_keys_and_wrong_kinds_are_refused(desk):
    with pytest.raises(ConfigError, match="Give at least 32"):
        HashKey(b"short")
    lake = replace(desk.lake, keys=lambda: [KEY])
    with pytest.raises(ConfigError, match="no people of kind email"):
        erase_people(lake, {"dynamics_marketing": [Contact("a@b.c", "email")]}, approved_by="Ada")
    assert desk.files() == []


def test_a_target_that_refuses_stops_it_and_the_receipt_says_so(desk, tmp_path):
    lake = replace(desk.lake, keys=lambda: [KEY])
    done = desk.normalize(desk.record())
    database = tmp_path / "all.duckdb"
    target = DuckDBTable(str(database))
    target.load(lake, done)
    with duckdb.connect(str(database)) as table:
        table.execute("ALTER TABLE interactions DROP COLUMN contact_id")
        table.execute("ALTER TABLE interactions ADD COLUMN contact_id INTEGER")
    with pytest.raises((LoadError, ConfigError), match=r"refused the erasure.*receipts/mine"):
        erase_people(lake, {"dynamics_marketing": [Contact("c1")]}, [target], approved_by="Ada", name="mine")
    receipt = lake.read("receipts/mine.json", Receipt)
    assert (receipt.state, len(receipt.failures)) == ("failed", 1)
    assert lake.read(done.place.manifest, Manifest) == done
    receipt = erase_people(lake, {"dynamics_marketing": [Contact("c1")]}, approved_by="Ada", name="mine")
    assert (receipt.state, receipt.failures, receipt.erased["raw"]) == ("complete", (), 1)


def test_a_file_that_cannot_be_written_again_is_named_and_the_rest_is_erased(desk):
    lake = replace(desk.lake, keys=lambda: [KEY])
    windows = [Window.of(f"2026-01-0{day}", f"2026-01-0{day + 1}") for day in (2, 3)]
    first, second = (
        desk.normalize(desk.record(Timestamp=f"2026-01-0{n}T10:00:00Z"), window=window)
        for n, window in enumerate(windows, start=2)
    )
    damaged = lake.full(first.files[0].path)
    data = lake.read_bytes(first.files[0].path)
    with open(damaged, "wb") as file:  # noqa: PTH123 - any path
        file.write(data[:-20])
    with pytest.raises(LakeUnavailable, match=r"not complete.*cannot be read"):
        erase_people(lake, {"dynamics_marketing": [Contact("c1")]}, approved_by="Ada", name="mine")
    receipt = lake.read("receipts/mine.json", Receipt)
    assert receipt.state == "failed"
    assert lake.read(second.place.manifest, Manifest).files == ()
    with open(damaged, "wb") as file:  # noqa: PTH123 - any path
        file.write(data)
    receipt = erase_people(lake, {"dynamics_marketing": [Contact("c1")]}, approved_by="Ada", name="mine")
    assert (receipt.state, receipt.erased["interactions"]) == ("complete", 2)


def test_a_receipt_is_of_the_same_people_and_continues(desk):
    lake = replace(desk.lake, keys=lambda: [KEY])
    desk.normalize(desk.record())
    people = {"dynamics_marketing": [Contact("c1")]}
    first = erase_people(lake, people, approved_by="Ada", name="mine")
    assert erase_people(lake, people, approved_by="Ada", name="mine").erased == first.erased
    with pytest.raises(ConfigError, match="other people"):
        erase_people(lake, {"dynamics_marketing": [Contact("c2")]}, approved_by="Ada", name="mine")


def test_bulk_records_are_found_by_whom_they_name(tmp_path):
    """Their contact is in the record; the query's is everyone."""
    lake = replace(Lake.at(str(tmp_path / "lake")), keys=lambda: [KEY])
    place = WindowPaths("luminate_online", "acme", WEEK)
    everyone = Contact("*", "everyone")
    same = {"interactionTypeId": "7", "creationDate": "2026-01-02T10:00:00Z"}
    records = [json.dumps({**same, "interactionId": f"{n}", "consId": f"{n % 3}"}).encode() for n in range(1, 31)]

    def land(at):
        with RawWriter(lake, place, Checkpoint(extracted_at=at)) as writer:
            writer.add_page(PageRows(Query(everyone, None, None, "7"), "", records, [None] * 30))
            writer.add_outcome(Outcome("*", "everyone", "ok", 30, 1, None))
            return writer.finish(Counts(received=30, fetched=30, contacts=1, ok=1, requests=1))

    now = datetime(2026, 2, 1, tzinfo=UTC)
    done = normalize(lake, commit_window(lake, [land(now)]))
    target = DuckDBTable(str(tmp_path / "all.duckdb"))
    target.load(lake, done)
    assert done.counts.canonical == 30
    under_way = land(now + DAY)
    receipt = erase_people(lake, {"luminate_online": [Contact("2", "cons_id")]}, [target], approved_by="Ada")
    assert (receipt.erased["raw"], receipt.erased["interactions"], receipt.tables[0].rows) == (20, 10, 10)
    left = reader.read_published(lake, place.manifest)[1]
    assert sorted(set(left["contact_id"].to_pylist())) == ["0", "1"]
    check_counts(lake)
    again = normalize(lake, commit_window(lake, [under_way]))
    assert (again.counts.canonical, again.counts.erased, again.counts.contacts) == (20, 10, 1)
    late = normalize(lake, commit_window(lake, [land(now + 2 * DAY)]))
    assert (late.counts.canonical, late.counts.erased) == (20, 10)


def test_accounts_that_only_a_table_has(desk, tmp_path):
    lake = replace(desk.lake, keys=lambda: [KEY])
    target = DuckDBTable(str(tmp_path / "all.duckdb"))
    target.load(lake, desk.normalize(desk.record(), account="left"))
    empty = replace(Lake.at(str(tmp_path / "empty")), keys=lambda: [KEY])
    accounts = [AccountPaths("dynamics_marketing", "left")]
    people = {"dynamics_marketing": [Contact("c1")]}
    assert erase_people(empty, people, [target], approved_by="Ada").tables == ()
    assert erase_people(empty, people, [target], approved_by="Ada", accounts=accounts).tables[0].rows == 1


def test_rows_under_a_policy_need_its_key(desk, tmp_path):
    """Contacts are hashes there. Without the key, nobody can say whose they are, and the receipt says so."""
    key, target = Key("2026", b"s" * 32), DuckDBTable(str(tmp_path / "all.duckdb"))
    policy = Policy({"contact_id": Action.HMAC}, {}, key, "digest")
    lake = replace(desk.lake, keys=lambda: [KEY])
    for contact, window in (("c1", "2026-01-02"), ("c2", "2026-01-03")):
        raw = desk.land(
            desk.record(Timestamp=f"{window}T10:00:00Z", InteractionId=contact * 16),
            contact=contact,
            window=Window.of(window, f"2026-01-0{int(window[-1]) + 1}"),
        )
        done = normalize(lake, raw, policy=policy)
        target.load(lake, done)
    people = {"dynamics_marketing": [Contact("c1")]}
    with pytest.raises(LakeUnavailable, match="with the key 2026"):
        erase_people(lake, people, [target], approved_by="Ada", name="mine")
    receipt = erase_people(lake, people, [target], approved_by="Ada", name="mine", pseudonyms=[key])
    assert (receipt.state, receipt.erased["interactions"], receipt.tables[0].rows) == ("complete", 1, 1)
    assert [lake.read(done.place.manifest, Manifest)] == [done]
    check_counts(lake)


def test_an_answer_from_all_systems_goes_as_a_whole(week_sandbox, tools, tmp_path):
    lake = replace(Lake.at(str(tmp_path / "lake")), keys=lambda: [KEY])
    systems, people = [], {}
    for name in ("which50", "capillary"):
        vendor, known = VENDORS[name], week_sandbox.connections[name]
        extra = {**known["extra"], "account": "acme"}
        credentials = build_credentials(vendor, known["host"], known.get("login", ""), known.get("password", ""), extra)
        people[name] = [vendor.contact(week_sandbox.contacts(name)[0])]
        systems.append(System(person_request.check_request(vendor, people[name]), credentials))
    answer = answer_person(lake, systems, limits=tools.quick)
    receipt = erase_people(lake, {"which50": people["which50"]}, approved_by="Ada")
    assert receipt.erased["requests"] == answer.lines.rows
    assert not [path for path in lake.list_files("") if path.startswith("requests")]
