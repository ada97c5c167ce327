"""The column ``person_id``: as a plain join with the map says, whatever the map's order and spelling."""

import dataclasses
import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from airflow_provider_interactions.contract import Contact, Query
from airflow_provider_interactions.errors import ConfigError, Unreconciled, WindowSuperseded
from airflow_provider_interactions.extract import commit, raw_table, raw_writer
from airflow_provider_interactions.extract.checkpoint import Checkpoint
from airflow_provider_interactions.extract.outcomes import Outcome
from airflow_provider_interactions.extract.raw_table import PageRows
from airflow_provider_interactions.lake.encrypted_record import MAGIC
from airflow_provider_interactions.lake.key_ring import KeyRing
from airflow_provider_interactions.lake.keys import HashKey
from airflow_provider_interactions.lake.manifest import Counts, Manifest
from airflow_provider_interactions.lake.paths import WindowPaths
from airflow_provider_interactions.lake.reader import read_canonical
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load import load_window
from airflow_provider_interactions.load.duckdb import DuckDBTable
from airflow_provider_interactions.normalize import parts as parts_module
from airflow_provider_interactions.normalize import persons as module
from airflow_provider_interactions.normalize.identity_map import COLUMNS, TEXTS
from airflow_provider_interactions.normalize.parts import normalize_split, publish_parts
from airflow_provider_interactions.normalize.persons import PersonIndex
from airflow_provider_interactions.normalize.pipeline import normalize
from airflow_provider_interactions.normalize.policy import Action, Key, Policy
from airflow_provider_interactions.normalize.window import normalize_run
from airflow_provider_interactions.schema import CANONICAL, find_since, find_version
from airflow_provider_interactions.window import Window

NAME = "luminate_online"
GUID = "5f0c1a34-9c1e-4b8e-8f6b-2d1d3a7c9e10"
WINDOW = Window.of("2026-01-02", "2026-01-03")
AT = datetime(2026, 2, 1, tzinfo=UTC)
ANN, ANNS_MAIL, BOB = Contact("1001", "cons_id"), Contact("Ann@x.example", "email"), Contact("1002", "cons_id")
MAP = [
    ("ann", NAME, None, "", " 1001 "),
    ("ann", NAME, "acme", "email", "ann@X.example"),
    ("bob", NAME, "another", "cons_id", "1002"),
    ("eve", "capillary", "", "external_id", "1002"),
]


def index(rows, scans=None, size=2):
    """The persons of a map in memory. Each scan adds to the list ``scans``."""
    columns = zip(*rows, strict=True) if rows else [[] for _ in COLUMNS]
    table = pa.table([pa.array(list(column), pa.string()) for column in columns], TEXTS)

    def scan(condition):
        if scans is not None:
            scans.append(condition)
        for batch in table.to_batches(max_chunksize=size):
            yield from pa.Table.from_batches([batch]).filter(condition).to_batches()

    return PersonIndex(scan)


def make_record(number, cons_id="7", day=2):
    known = {"interactionId": str(number), "interactionTypeId": "1000", "consId": cons_id}
    return json.dumps({**known, "creationDate": f"2026-01-{day:02d}T10:00:00.000Z"}).encode()


def land(desk, contacts, window=WINDOW, rows=1, at=AT, width=None, days=(2,)):
    """A raw window with some records of each contact; for everyone, with one of each contact named after them."""
    with raw_writer.RawWriter(desk.lake, WindowPaths(NAME, "acme", window), Checkpoint(extracted_at=at)) as writer:
        for n, contact in enumerate(contacts):
            records = [make_record(n * 1_000 + day * 100 + one, contact.id, day) for day in days for one in range(rows)]
            asked = Contact("*", "everyone") if contact.kind == "everyone" else contact
            times = [datetime(2026, 1, day, 10, tzinfo=UTC) for day in days for _ in range(rows)]
            writer.add_page(PageRows(Query(asked, None, None, "1000"), "", records, times))
            writer.add_outcome(Outcome(asked.id, asked.kind, "ok", len(records), 1, None))
            writer.flush()
        count, total = len(contacts), len(contacts) * rows * len(days)
        manifest = writer.finish(
            Counts(received=total, fetched=total, contacts=count, ok=count, requests=count)
        ).to_split(width)
    return manifest if width else commit.commit_window(desk.lake, [manifest])


def read_persons(desk, manifest):
    return {row["contact_id"]: row["person_id"] for row in desk.rows(manifest.files)}


def test_persons_are_found_by_kind_account_and_in_any_case(desk):
    raw = land(desk, [ANN, ANNS_MAIL, BOB, Contact("1003", "cons_id"), Contact("1001", "member_id")])
    done = normalize(desk.lake, raw, persons=index(MAP))
    kinds = {(row["contact_id"], row["contact_id_kind"]): row["person_id"] for row in desk.rows(done.files)}
    mine = {key for key, person in kinds.items() if person == "ann"}
    assert mine == {("1001", "cons_id"), ("Ann@x.example", "email")}
    assert set(kinds.values()) == {"ann", None}


@pytest.mark.parametrize("spelling", [GUID, GUID.upper(), f"{{{GUID}}}", GUID.replace("-", ""), f" {GUID} "])
def test_a_guid_is_found_in_any_spelling(desk, spelling):
    raw = desk.land(desk.record(), contact=GUID)
    done = normalize(desk.lake, raw, persons=index([("ann", "dynamics_marketing", None, None, spelling)]))
    assert read_persons(desk, done) == {GUID: "ann"}


def test_bulk_records_have_the_person_whom_they_name(desk):
    raw = land(desk, [Contact("1001", "everyone"), Contact("1002", "everyone")])
    done = normalize(desk.lake, raw, persons=index(MAP))
    assert read_persons(desk, done) == {"1001": "ann", "1002": None}


@pytest.mark.parametrize("kind", ["cons_id", "everyone"])
def test_encrypted_raw_rows_have_their_persons(desk, tmp_path, kind):
    ring = KeyRing(Lake.at(str(tmp_path / "keys")), lambda: (HashKey(b"m" * 32),))
    desk = type(desk)(dataclasses.replace(desk.lake, ring=ring))
    raw = land(desk, [Contact("1001", kind), Contact("1002", kind)])
    assert {row["payload"][:4] for row in desk.rows(raw.files)} == {MAGIC}
    done = normalize(desk.lake, raw, persons=index(MAP))
    assert read_persons(desk, done) == {"1001": "ann", "1002": None}


def test_without_a_map_nobody_is_known(desk):
    done = normalize(desk.lake, land(desk, [ANN]))
    assert read_persons(desk, done) == {"1001": None}
    assert (done.identities, done.schema_version) == ("", find_version(CANONICAL))


def test_an_empty_map_is_a_map(desk):
    done = normalize(desk.lake, land(desk, [ANN]), persons=index([]))
    assert read_persons(desk, done) == {"1001": None}
    assert done.identities == "0" * 16


def test_an_identifier_of_two_persons_is_nobodys_counted_and_warned_of(desk, caplog):
    rows = [*MAP, ("bob", NAME, "", "cons_id", "1001"), ("ann", NAME, "", "cons_id", "1001")]
    done = normalize(desk.lake, land(desk, [ANN, ANNS_MAIL], rows=3), persons=index(rows))
    assert read_persons(desk, done) == {"1001": None, "Ann@x.example": "ann"}
    assert done.ambiguous == 1
    assert "gives 1 contacts to more than one person" in caplog.text
    assert "1001" not in caplog.text


def test_rows_that_cannot_be_used_are_left_out_and_warned_of(desk, caplog):
    rows = [
        ("ann", NAME, "", "e-mail", "ann@x.example"),
        ("ann", NAME, "", "email", "1001"),
        (None, NAME, "", "", "1001"),
    ]
    done = normalize(desk.lake, land(desk, [ANN, ANNS_MAIL]), persons=index(rows, size=9))
    assert set(read_persons(desk, done).values()) == {None}
    assert f"has 2 rows of {NAME} with an identifier that is not of its kind" in caplog.text


IDENTIFIERS = st.sampled_from(["1", "2", "3", "a@x.example", "A@X.example"])
KINDS = st.sampled_from(["cons_id", "member_id", "email"])
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob"]),
        st.sampled_from([NAME, "capillary"]),
        st.sampled_from([None, "", "acme", "another"]),
        st.one_of(st.none(), KINDS),
        IDENTIFIERS,
    ),
    max_size=8,
)
CONTACTS = st.lists(st.tuples(KINDS, IDENTIFIERS), min_size=1, max_size=5, unique=True)


def is_valid(kind, identifier):
    return {"cons_id": identifier.isdigit(), "member_id": True, "email": "@" in identifier}[kind]


def spell(kind, identifier):
    return (kind, identifier.lower() if kind == "email" else identifier)


@given(ROWS, CONTACTS, st.integers(1, 4))
def test_the_column_is_a_join_with_the_map(memory_desk, rows, contacts, size):
    contacts = [Contact(text, kind) for kind, text in contacts if is_valid(kind, text)]
    expected = defaultdict(set)
    for person, vendor, account, kind, text in rows:
        if vendor == NAME and account in (None, "", "acme") and is_valid(kind or "cons_id", text):
            expected[spell(kind or "cons_id", text)].add(person)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAP_ROWS", size)
        done = normalize(memory_desk.lake, land(memory_desk, contacts), persons=index(rows, size=size))
    for row in memory_desk.rows(done.files):
        persons = expected[spell(row["contact_id_kind"], row["contact_id"])]
        assert row["person_id"] == (next(iter(persons)) if len(persons) == 1 else None)
    mine = {spell(contact.kind, contact.id) for contact in contacts}
    assert done.ambiguous == sum(len(expected[key]) == 2 for key in mine)


def test_several_tasks_write_what_one_task_writes(desk, monkeypatch):
    monkeypatch.setattr(raw_table, "PART_ROWS", 2)
    contacts = [Contact(f"{n}", "cons_id") for n in range(1, 7)]
    raw = land(desk, contacts, rows=2)
    rows = [(f"p{n % 4}", NAME, "", "", str(n)) for n in range(1, 6)] + [("p9", NAME, "", "", "5")]
    one = normalize(desk.lake, raw, persons=index(rows))
    expected = desk.rows(one.files)
    split = parts_module.split_raw(desk.lake, raw, 1)
    now = datetime(2026, 3, 1, tzinfo=UTC)
    parts = [normalize_split(desk.lake, part, now, persons=index(rows)) for part in split]
    done = publish_parts(desk.lake, split, parts, None, timedelta(0), now)
    assert sorted(map(str, desk.rows(done.files))) == sorted(map(str, expected))
    assert (done.identities, done.ambiguous) == (one.identities, one.ambiguous) != ("", 0)
    assert len(parts) == 6
    with pytest.raises(Unreconciled, match="without a map"):
        publish_parts(desk.lake, split, [replace(parts[0], identities=""), *parts[1:]], None, timedelta(0), now)
    monkeypatch.setattr(parts_module, "normalize_part", raise_superseded)
    assert normalize_split(desk.lake, split[0], now, persons=index(rows)).identities == "0" * 16


def raise_superseded(*_):
    raise WindowSuperseded("x")


def test_a_run_over_many_windows_scans_the_map_once(desk):
    scans = []
    week = Window.of("2026-01-01", "2026-01-08")
    long = land(desk, [ANN, BOB], window=week, width=timedelta(days=1), days=range(1, 8))
    done = normalize_run(desk.lake, [long], persons=index(MAP, scans))
    assert (len(scans), done.windows) == (1, 7)
    rows = desk.rows(done.files)
    assert len(rows) == 14
    assert {(row["contact_id"], row["person_id"]) for row in rows} == {("1001", "ann"), ("1002", None)}


# Policies, targets, versions


def test_the_lookup_comes_before_the_policy_which_may_hide_the_person(desk):
    raw, key = land(desk, [ANN]), Key("2026-11", b"k" * 32)
    for action, person in ((Action.KEEP, "ann"), (Action.DROP, None), (Action.HMAC, key.hash(b"ann"))):
        policy = Policy({"contact_id": Action.HMAC, "person_id": action}, {}, key, "digest")
        [row] = desk.rows(normalize(desk.lake, raw, policy=policy, persons=index(MAP)).files)
        assert (row["contact_id"], row["person_id"]) == (key.hash(b"1001"), person)


def test_a_changed_map_is_applied_by_normalizing_and_loading_again(desk, tmp_path):
    raw, path = land(desk, [ANN, BOB]), str(tmp_path / "x.duckdb")
    digests, moved = [], [("zoe", *row[1:]) for row in MAP]
    unrelated = [*MAP, ("fay", NAME, "", "", "99"), ("gil", "capillary", "", "", "1001")]
    for rows, person in ((MAP, "ann"), (moved, "zoe"), (MAP[::-1], "ann"), (unrelated, "ann"), ([], None)):
        done = normalize(desk.lake, raw, persons=index(rows))
        load_window(desk.lake, done, DuckDBTable(path, "interactions"))
        with duckdb.connect(path) as database:
            found = database.execute("SELECT contact_id, person_id FROM interactions ORDER BY 1").fetchall()
        assert found == [("1001", person), ("1002", None)]
        digests.append(done.identities)
    assert digests[0] == digests[2] == digests[3]
    assert len(set(digests)) == 3


def test_a_map_that_cannot_be_read_publishes_nothing(desk):
    def scan(_):
        raise ConfigError("The map of identities does not exist. Check its address.")
        yield

    before = desk.files()
    raw = land(desk, [ANN])
    with pytest.raises(ConfigError, match="does not exist"):
        normalize(desk.lake, raw, persons=PersonIndex(scan))
    assert desk.lake.read(raw.place.manifest, Manifest) is None
    assert not [path for path in set(desk.files()) - set(before) if path.startswith("interactions/")]


@pytest.mark.parametrize(("version", "person"), [(1, None), (2, "ann")])
def test_windows_of_older_versions_are_read_with_nulls(desk, version, person):
    done = normalize(desk.lake, land(desk, [ANN]), persons=index(MAP))
    old = pa.schema([column for column in CANONICAL if find_since(column) <= version])
    assert [*old.names, *("person_id", "revision")[version - 1 :]] == CANONICAL.names
    rows = next(iter(read_canonical(desk.lake, done)))
    with desk.lake.fs.open(desk.lake.full(done.files[0].path), "wb") as stream:
        pa.parquet.write_table(pa.Table.from_batches([rows]).select(old.names), stream)
    [former] = read_canonical(desk.lake, replace(done, schema_version=version))
    assert former.schema.equals(CANONICAL)
    assert former.column("person_id").to_pylist() == [person]
    assert former.column("revision").to_pylist() == [None]
    known = f"schema version 3, but this version of the package knows only version {version}"
    with pytest.raises(ConfigError, match=known):
        list(read_canonical(desk.lake, done, old))
