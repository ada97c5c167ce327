"""Encrypted raw records: the same table as of plain ones, and nothing of anybody in the files without the keys."""

import json
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as replace_counts

from airflow_provider_interactions.contract import Contact, Query
from airflow_provider_interactions.coverage.details import read_rejected
from airflow_provider_interactions.errors import ConfigError, LakeUnavailable, TooManyRejects
from airflow_provider_interactions.extract import raw_table, timers
from airflow_provider_interactions.extract.checkpoint import Checkpoint
from airflow_provider_interactions.extract.commit import commit_window
from airflow_provider_interactions.extract.outcomes import Outcome, read_outcomes
from airflow_provider_interactions.extract.raw_table import PageRows
from airflow_provider_interactions.extract.raw_writer import RawWriter
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.lake import encryption, reader
from airflow_provider_interactions.lake.encrypted_record import is_encrypted
from airflow_provider_interactions.lake.key_ring import KeyRing, add_key_ring
from airflow_provider_interactions.lake.keys import HashKey
from airflow_provider_interactions.lake.manifest import Counts, Manifest
from airflow_provider_interactions.lake.parquet import Writer
from airflow_provider_interactions.lake.paths import WindowPaths
from airflow_provider_interactions.lake.reconcile import reconcile_normalized
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.suppression import lift_suppression
from airflow_provider_interactions.normalize.parts import commit_and_split, normalize_split, publish_parts
from airflow_provider_interactions.normalize.pipeline import normalize
from airflow_provider_interactions.normalize.policy import Action, Key, Policy
from airflow_provider_interactions.normalize.window import normalize_run
from airflow_provider_interactions.person.erasure import erase_people
from airflow_provider_interactions.person.erasure_plan import plan_erasure
from airflow_provider_interactions.person.receipt_page import write_receipt_page
from airflow_provider_interactions.schema import RAW
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import Window

MASTER, OTHER, SUPPRESSION = HashKey(b"m" * 32), HashKey(b"o" * 32), HashKey(b"s" * 32)
WEEK = Window.of("2026-01-01", "2026-01-08")
DAY = timedelta(days=1)
HIDDEN = Policy(columns={"contact_id": Action.HMAC}, key=Key("k1", b"p" * 32), digest="hidden")


@pytest.fixture(params=VENDORS)
def job(request, build_week_job, tmp_path):
    """An extraction of a week, into a lake without encryption."""
    lake = replace(Lake.at(str(tmp_path / "plain")), keys=lambda: [SUPPRESSION])
    return build_week_job(request.param, lake, extracted_at=datetime(2026, 6, 1, tzinfo=UTC))


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    """Files of few rows, so that a window has several."""
    monkeypatch.setattr(raw_table, "PART_ROWS", 20)


def open_ring(folder, *masters):
    return KeyRing(Lake.at(str(folder)), lambda: masters or (MASTER,))


def open_encrypted(lake, folder, *masters, name="encrypted"):
    """Another lake beside it, with a key store."""
    return replace(Lake.at(str(folder / name)), keys=lake.keys, ring=open_ring(folder / "keys", *masters))


def describe(lake, manifest):
    """Counts without requests, and the rows of a normalized window. Their order is that of the vendor's answers."""
    counts = replace_counts(manifest.counts, requests=0, retries=0, throttled=0)
    rows = [row for batch in reader.read_canonical(lake, manifest) for row in batch.to_pylist()]
    return counts, sorted(rows, key=repr)


def read_texts(lake, *layers):
    """All bytes of some layers: names, files, and columns as they are without compression."""
    for path in lake.list_files(""):
        if layers and not path.startswith(layers):
            continue
        yield path.encode()
        yield lake.read_bytes(path)
        tables = []
        if path.endswith(".parquet"):
            tables.append(pq.read_table(lake.full(path)))
        elif path.endswith(".arrow"):
            tables.append(raw_table.unpack_rows(lake.read_bytes(path)))
        for column in (column for table in tables for column in table.columns):
            yield b"\n".join(one if isinstance(one, bytes) else str(one).encode() for one in column.to_pylist())


def find_words(lake, words, *layers):
    return {word for data in read_texts(lake, *layers) for word in words if word.lower() in data.lower()}


def list_words(lake, raw, contacts):
    """Identifiers, and pieces of the vendor's records."""
    payloads = read_payloads(lake, raw)
    assert len(payloads) > 20
    return {one.id.encode() for one in contacts} | {payload[5:60] for payload in payloads}


@pytest.mark.parametrize("batches", [1, 2])
def test_the_table_is_the_same_and_the_files_show_nothing(job, tmp_path, batches):
    lake = open_encrypted(job.lake, tmp_path)
    plain, hidden = (run_batches(replace(job, lake=one), batches) for one in (job.lake, lake))
    done = [normalize(one, raw, now=job.extracted_at) for one, raw in ((job.lake, plain), (lake, hidden))]
    assert describe(job.lake, done[0]) == describe(lake, done[1])
    assert done[0].counts.canonical > 20
    assert list(read_outcomes(job.lake, plain)) == list(read_outcomes(lake, hidden))
    words = list_words(job.lake, plain, job.contacts)
    assert find_words(job.lake, words, "raw") == words
    assert find_words(lake, words, "raw", "history", "unfinished", "rejects") == set()
    again = normalize(lake, hidden, policy=HIDDEN, now=job.extracted_at + DAY)
    assert again.counts == done[0].counts
    ids = [one for batch in reader.read_canonical(lake, again) for one in batch.column("contact_id").to_pylist()]
    assert {one.split(":")[0] for one in ids} == {"hmac"}


def run_batches(job, batches):
    parts = [job.contacts[n::batches] for n in range(batches)]
    return commit_window(
        job.lake, [extract(replace(job, contacts=part, batch=n, batches=batches)) for n, part in enumerate(parts)]
    )


def test_a_long_window_is_split_and_normalized_in_parts_as_a_plain_one(job, tmp_path):
    found = []
    for lake in (job.lake, open_encrypted(job.lake, tmp_path)):
        split = normalize_run(lake, [extract(replace(job, lake=lake)).to_split(DAY)])
        days = [lake.read(WindowPaths(split.vendor, split.account, one).manifest, Manifest) for one in WEEK.split(DAY)]
        split_raw = commit_and_split(lake, [extract(replace(job, lake=lake))], 1)
        parts = [normalize_split(lake, one, job.extracted_at) for one in split_raw]
        whole = publish_parts(lake, split_raw, parts, None, DAY, job.extracted_at)
        found.append([describe(lake, one) for one in (*days, whole)])
        for one in (*days, whole):
            reconcile_normalized(lake.read(one.place.raw_manifest, Manifest), one)
    assert found[0] == found[1]
    assert sum(counts.canonical for counts, _ in found[0]) > 20


def test_a_retry_writes_the_same_records(job, tmp_path):
    lake = open_encrypted(job.lake, tmp_path)
    found = [sorted(read_payloads(lake, extract(replace(job, lake=lake, resume=name)))) for name in ("a", "b")]
    assert len(found[0]) > 20
    assert found[0] == found[1]


def read_payloads(lake, raw):
    return [payload for rows in reader.read_rows(lake, raw.files) for payload in rows.column("payload").to_pylist()]


def interrupt(progress):
    if progress.done > 3:
        raise InterruptedError


def test_checkpoints_hold_nothing_readable_and_are_continued(job, tmp_path, monkeypatch):
    monkeypatch.setattr(timers, "EVERY", 0.0)
    monkeypatch.setattr(timers, "SHARE", 0.0)
    monkeypatch.setattr(raw_table, "PART_ROWS", 10_000)  # so that rows wait in checkpoints
    people = job.contacts
    if job.vendor.bulk:  # only what is about everyone can be continued
        job = replace(job, contacts=[job.vendor.contact("*", "everyone")])
    lake, plain = open_encrypted(job.lake, tmp_path), run_batches(job, 1)
    words = list_words(job.lake, plain, people)
    with pytest.raises(InterruptedError):
        extract(replace(job, lake=lake, concurrency=1, progress=interrupt))
    assert any(path.endswith(".arrow") for path in lake.list_files("unfinished"))
    assert find_words(lake, words) == set()
    found = normalize(lake, run_batches(replace(job, lake=lake), 1), now=job.extracted_at)
    assert describe(lake, found)[1] == describe(job.lake, normalize(job.lake, plain, now=job.extracted_at))[1]


def test_who_destroys_the_keys_erases_every_copy(job, tmp_path):
    lake = open_encrypted(job.lake, tmp_path)
    raw = run_batches(replace(job, lake=lake), 2)
    before = describe(lake, normalize(lake, raw, now=job.extracted_at))
    shutil.copytree(lake.root, tmp_path / "backup")
    gone = {one.id for one in job.contacts[:2]}
    others = [row for row in before[1] if row["contact_id"] not in gone]
    assert 0 < len(others) < before[0].canonical
    people = {job.vendor.name: job.contacts[:2]}
    [plan] = plan_erasure(lake, people).vendors
    receipt = erase_people(lake, people, approved_by="Ada")
    assert (receipt.state, receipt.keys) == ("complete", 2), receipt
    assert plan.rows["raw"] >= receipt.erased["raw"] + receipt.erased["outcomes"] - receipt.erased["history"] > 0
    assert ">2 destroyed<" in write_receipt_page(receipt)
    left = lake.read(raw.place.manifest, Manifest)
    check_counts(lake, raw.place)
    assert left.counts.canonical == len(others)
    assert find_words(lake, {one.encode() for one in gone}) == set()
    # Whoever restores the lake from a copy has their rows again, but cannot read them.
    backup = replace(lake, root=str(tmp_path / "backup"), ring=open_ring(tmp_path / "keys"))
    restored = normalize(backup, raw, now=job.extracted_at + DAY)
    check_counts(backup, raw.place)
    assert describe(backup, restored)[1] == others
    assert restored.counts.erased == left.counts.erased > 0
    assert restored.counts.landed == left.counts.landed
    again = erase_people(backup, {job.vendor.name: job.contacts[:2]}, approved_by="Ada", name="again")
    assert (again.state, again.keys, again.erased["raw"] > 0) == ("complete", 0, True)
    check_counts(backup, raw.place)
    last = backup.read(raw.place.manifest, Manifest)
    assert (last.counts.canonical, last.counts.landed) == (len(others), left.counts.landed)


def check_counts(lake, place):
    raw, manifest = lake.read(place.raw_manifest, Manifest), lake.read(place.manifest, Manifest)
    reconcile_normalized(raw, manifest)


def test_an_extraction_under_way_leaves_out_who_was_erased(job, tmp_path):
    lake = open_encrypted(job.lake, tmp_path)
    landed = extract(replace(job, lake=lake))
    erase_people(lake, {job.vendor.name: job.contacts[:1]}, approved_by="Ada")
    raw = commit_window(lake, [landed])
    assert normalize(lake, raw).counts.contacts == len(job.contacts) - 1
    assert {one.contact for one in read_outcomes(lake, raw)} == set(job.contacts[1:])


def test_a_lake_that_was_plain_before_is_read_as_a_whole(job, tmp_path):
    """Histories of before are cut for new windows; these are encrypted."""
    plain = normalize(job.lake, run_batches(job, 1), now=job.extracted_at)
    before, words = describe(job.lake, plain), list_words(job.lake, run_batches(job, 1), job.contacts)
    lake = replace(job.lake, ring=open_ring(tmp_path / "keys"))
    raw = run_batches(replace(job, lake=lake, resume="later"), 2)
    assert describe(lake, normalize(lake, raw, now=job.extracted_at))[1] == before[1]
    assert find_words(lake, words, "raw") == set()
    erased = erase_people(lake, {job.vendor.name: job.contacts[:1]}, approved_by="Ada")
    assert erased.state == "complete"
    assert find_words(lake, {job.contacts[0].id.encode()}) == set()


EVERYONE = Contact("*", "everyone")


def land_bulk(lake, people=3, at=datetime(2026, 2, 1, tzinfo=UTC)):
    """Records that name their contacts, or nobody, as an answer for everyone."""
    same = {"interactionTypeId": "7", "creationDate": "2026-01-02T10:00:00Z"}
    named = [{**same, "interactionId": f"{n}", "consId": f"90{n % people}0077"} for n in range(1, 31)]
    records = [json.dumps(one).encode() for one in (*named, same)]
    place = WindowPaths("luminate_online", "acme", WEEK)
    with RawWriter(lake, place, Checkpoint(extracted_at=at)) as writer:
        writer.add_page(PageRows(Query(EVERYONE, None, None, "7"), "", records, [None] * 31))
        writer.add_outcome(Outcome("*", "everyone", "ok", 31, 1, None))
        return writer.finish(Counts(received=31, fetched=31, contacts=1, ok=1, requests=1))


def test_bulk_records_have_the_keys_of_whom_they_name(tmp_path):
    plain = replace(Lake.at(str(tmp_path / "plain")), keys=lambda: [SUPPRESSION])
    lake = open_encrypted(plain, tmp_path)
    raws = [commit_window(one, [land_bulk(one)]) for one in (plain, lake)]
    found = [describe(one, normalize(one, raw)) for one, raw in zip((plain, lake), raws, strict=True)]
    assert found[0] == found[1]
    assert (found[0][0].canonical, found[0][0].rejected) == (30, 1)
    assert find_words(lake, {b"9010077", b"9020077", b"creationDate"}, "raw", "rejects") == set()
    shutil.copytree(lake.root, tmp_path / "backup")
    under_way = land_bulk(lake, at=datetime(2026, 2, 2, tzinfo=UTC))
    receipt = erase_people(lake, {"luminate_online": [Contact("9010077", "cons_id")]}, approved_by="Ada")
    assert (receipt.state, receipt.erased["raw"], receipt.keys) == ("complete", 20, 1)
    done = normalize(lake, commit_window(lake, [under_way]))
    assert (done.counts.canonical, done.counts.rejected, done.counts.erased) == (20, 1, 10)
    backup = replace(lake, root=str(tmp_path / "backup"))
    assert normalize(backup, raws[1]).counts.erased == 10


@pytest.fixture
def sealed_desk(desk, tmp_path):
    """A desk whose lake is encrypted."""
    return replace(desk, lake=replace(desk.lake, keys=lambda: [SUPPRESSION], ring=open_ring(tmp_path / "keys")))


def rewrite(lake, file, change):
    """Replace a raw file by what somebody makes of its rows."""
    rows = change(pq.read_table(lake.full(file.path)).to_pylist())
    writer = Writer(lake, file.path, RAW)
    writer.write(pa.Table.from_pylist(rows, RAW))
    writer.close()


def swap_payloads(rows):
    return [{**row, "payload": other["payload"]} for row, other in zip(rows, reversed(rows), strict=True)]


def change_one(name, value):
    def change(rows):
        return [{**rows[0], name: value}, *rows[1:]]

    return change


def flip(rows):
    return [{**row, "payload": row["payload"][:-1] + bytes([row["payload"][-1] ^ 1])} for row in rows[:1]] + rows[1:]


def cut_first_payload(rows):
    return [{**rows[0], "payload": rows[0]["payload"][:30]}, *rows[1:]]


@pytest.mark.parametrize(
    ("change", "bad"),
    [
        (swap_payloads, 2),
        (flip, 1),
        (cut_first_payload, 1),
        (change_one("account", "other"), 1),
        (change_one("asked_type", "EmailClicked"), 1),
        (change_one("occurred_at", datetime(2026, 1, 2, tzinfo=UTC)), 1),
        (change_one("contact_id", "c1"), 1),
        (change_one("window_start", datetime(2026, 1, 1, tzinfo=UTC)), 0),
    ],
)
def test_what_was_changed_or_moved_is_rejected(sealed_desk, change, bad):
    lake = sealed_desk.lake
    place = WindowPaths("dynamics_marketing", "acme", WEEK)
    times = [datetime(2026, 1, 2, hour, tzinfo=UTC) for hour in (10, 11)]
    records = [
        sealed_desk.record(InteractionId="AB"[n] * 32, Timestamp=f"{at:%Y-%m-%dT%H:%M:%SZ}")
        for n, at in enumerate(times)
    ]
    with RawWriter(lake, place, Checkpoint(extracted_at=datetime(2026, 2, 1, tzinfo=UTC))) as writer:
        writer.add_page(PageRows(Query(Contact("c1"), None, None, "EmailSent"), "", records, times))
        writer.add_outcome(Outcome("c1", "contact_id", "ok", 2, 1, None))
        landed = writer.finish(Counts(received=2, fetched=2, contacts=1, ok=1, requests=1))
    raw = commit_window(lake, [landed])
    rewrite(lake, raw.files[0], change)
    if bad == 2:
        with pytest.raises(TooManyRejects, match="moved to another row"):
            normalize(lake, raw)
        return
    done = normalize(lake, raw, rejects_share=0.9)
    assert (done.counts.canonical, done.counts.rejected) == (2 - bad, bad)
    if bad:
        (rejected,) = reader.read_rows(lake, done.rejects)
        assert rejected.column("reason").to_pylist() == [encryption.CHANGED]


def test_a_missing_key_is_a_reason_and_no_crash(sealed_desk, tmp_path):
    raw = sealed_desk.land(sealed_desk.record())
    (shard,) = (tmp_path / "keys").glob("??.json")
    shard.unlink()
    lake = replace(sealed_desk.lake, ring=open_ring(tmp_path / "keys"))
    with pytest.raises(TooManyRejects, match="key store has no key of its contact"):
        normalize(lake, raw)


def test_rejects_stay_encrypted_and_are_shown(sealed_desk):
    raw = sealed_desk.land(sealed_desk.record(), sealed_desk.record(InteractionId="B" * 32, Timestamp="secret-time"))
    done = normalize(sealed_desk.lake, raw, rejects_share=0.9)
    assert (done.counts.canonical, done.counts.rejected) == (1, 1)
    assert find_words(sealed_desk.lake, {b"secret-time"}, "raw", "rejects") == set()
    (reason,) = {
        row["reason"] for batch in reader.read_rows(sealed_desk.lake, done.rejects) for row in batch.to_pylist()
    }
    (shown,) = read_rejected(sealed_desk.lake, done, reason)
    assert (shown.contact_id, b"secret-time" in shown.payload) == ("c1", True)


def test_wrong_stores_and_master_keys_are_said(sealed_desk, tmp_path):
    raw = sealed_desk.land(sealed_desk.record())
    for ring, why in [
        (None, "need their key store, but none is given.*encrypt_raw"),
        (open_ring(tmp_path / "keys", OTHER), f"master key of id {MASTER.id}.*have the ids {OTHER.id}.*former"),
        (open_ring(tmp_path / "empty"), "encrypted with the key store of id .* has the id None"),
        (KeyRing(Lake.at(str(tmp_path / "keys")), lambda: ()), "No master key is given.*encryption_conn_id"),
    ]:
        before = sealed_desk.files()
        lake = replace(sealed_desk.lake, ring=ring)
        with pytest.raises(ConfigError, match=why):
            normalize(lake, raw)
        with pytest.raises(ConfigError):
            list(read_outcomes(lake, raw))
        assert sealed_desk.files() == before


def test_encrypted_rows_are_found_in_any_case_of_an_address_and_their_keys_destroyed(
    sealed_desk, tmp_path, monkeypatch
):
    """Also if an erasure dies before it destroys the keys."""
    lake = sealed_desk.lake
    people = [Contact(one, "email") for one in ("Ann@Example.org", "ann@example.org", "ANN@example.org", "bob@x.org")]
    raw = land_people(lake, people)
    shutil.copytree(lake.root, tmp_path / "backup")
    gone = {"luminate_online": [Contact("ann@EXAMPLE.org", "email")]}
    assert plan_erasure(lake, gone).vendors[0].rows["raw"] >= 3
    with monkeypatch.context() as patch:
        patch.setattr(KeyRing, "destroy_keys", raise_interrupt)
        with pytest.raises(KeyboardInterrupt):
            erase_people(lake, gone, approved_by="Ada", name="mine")
    receipt = erase_people(lake, gone, approved_by="Ada", name="mine")
    assert (receipt.state, receipt.keys, receipt.erased["raw"]) == ("complete", 3, 3)
    left = lake.read(raw.place.raw_manifest, Manifest)
    assert (left.counts.landed, [one.contact for one in read_outcomes(lake, left)]) == (1, people[3:])
    backup = replace(lake, root=str(tmp_path / "backup"), ring=open_ring(tmp_path / "keys"))
    assert normalize(backup, raw).counts.erased == 3


def raise_interrupt(*_):
    raise KeyboardInterrupt


def land_people(lake, people):
    """A raw window of Luminate Online with one record for each."""
    at, same = datetime(2026, 1, 2, 10, tzinfo=UTC), {"interactionTypeId": "7", "creationDate": "2026-01-02T10:00:00Z"}
    with RawWriter(
        lake, WindowPaths("luminate_online", "acme", WEEK), Checkpoint(extracted_at=datetime(2026, 2, 1, tzinfo=UTC))
    ) as writer:
        for n, one in enumerate(people):
            record = json.dumps({**same, "interactionId": f"{n}"}).encode()
            writer.add_page(PageRows(Query(one, None, None, "7"), "", [record], [at]))
            writer.add_outcome(Outcome(one.id, one.kind, "ok", 1, 1, None))
        many = len(people)
        return commit_window(
            lake, [writer.finish(Counts(received=many, fetched=many, contacts=many, ok=many, requests=many))]
        )


def test_an_erasure_without_the_key_store_is_a_failure_that_says_so(sealed_desk):
    sealed_desk.land(sealed_desk.record())
    with pytest.raises(LakeUnavailable, match="encrypted with the key store of id"):
        erase_people(replace(sealed_desk.lake, ring=None), {"dynamics_marketing": [Contact("c1")]}, approved_by="Ada")


def test_the_search_reads_encrypted_records_of_others(sealed_desk):
    sealed_desk.normalize(sealed_desk.record(Friend="Ask Bob@Example.com today"))
    receipt = erase_people(sealed_desk.lake, {"dynamics_marketing": [Contact("bob@example.com")]}, approved_by="Ada")
    assert (receipt.state, receipt.found) == ("found", {"raw": 1, "interactions": 1})


def test_who_comes_back_has_another_key(sealed_desk):
    people = {"dynamics_marketing": [Contact("c1")]}
    first = sealed_desk.land(sealed_desk.record())
    saved = sealed_desk.lake.read_bytes(first.files[0].path)
    erase_people(sealed_desk.lake, people, approved_by="Ada")
    lift_suppression(sealed_desk.lake, "dynamics_marketing", "contact_id", "c1")
    second = sealed_desk.normalize(sealed_desk.record(), extracted_at=datetime(2026, 2, 2, tzinfo=UTC))
    assert (second.counts.canonical, second.counts.erased) == (1, 0)
    raw = sealed_desk.lake.read(second.place.raw_manifest, Manifest)
    sealed_desk.lake.write(raw.files[0].path, saved)
    assert normalize(sealed_desk.lake, raw).counts.erased == 1


def test_the_master_key_can_be_changed(sealed_desk, tmp_path):
    raw, keys = sealed_desk.land(sealed_desk.record()), tmp_path / "keys"
    before = normalize(sealed_desk.lake, raw).counts
    assert open_ring(keys, OTHER, MASTER).rewrap_keys() == 2
    assert open_ring(keys, OTHER).rewrap_keys() == 0
    assert normalize(replace(sealed_desk.lake, ring=open_ring(keys, OTHER)), raw).counts == before
    with pytest.raises(ConfigError, match=f"master key of id {OTHER.id}"):
        normalize(replace(sealed_desk.lake, ring=open_ring(keys)), raw)


def test_damaged_keys_are_said(sealed_desk, tmp_path):
    raw = sealed_desk.land(sealed_desk.record())
    (file,) = (tmp_path / "keys").glob("??.json")
    whole = msgspec.json.decode(file.read_bytes())
    for data in (b"{}", b"no json", msgspec.json.encode({**whole, "data": whole["data"][:-8] + "AAAAAAA="})):
        file.write_bytes(data)
        with pytest.raises(ConfigError, match="damaged, or it was exchanged for another one"):
            normalize(replace(sealed_desk.lake, ring=open_ring(tmp_path / "keys")), raw)


def test_a_file_of_keys_under_the_name_of_another_one_is_refused(sealed_desk, tmp_path):
    raw = sealed_desk.land(sealed_desk.record())
    (file,) = (tmp_path / "keys").glob("??.json")
    ring = open_ring(tmp_path / "keys")
    ring.create_keys("dynamics_marketing", CONTACTS)
    other = next(one for one in (tmp_path / "keys").glob("??.json") if one != file)
    shutil.copy(other, file)
    with pytest.raises(ConfigError, match="exchanged for another one"):
        normalize(replace(sealed_desk.lake, ring=open_ring(tmp_path / "keys")), raw)


CONTACTS = [("email", f"p{n}@example.com") for n in range(60)]


def create(folder):
    ring = open_ring(folder)
    return {contact: key.id for contact, key in ring.create_keys("capillary", CONTACTS).items()}


def test_tasks_side_by_side_get_the_same_keys(tmp_path):
    with ProcessPoolExecutor(4) as pool:
        found = list(pool.map(create, [tmp_path / "keys"] * 8))
    assert all(keys == found[0] for keys in found)
    assert len(set(found[0].values())) == 60
    assert b"example" not in b"".join(path.read_bytes() for path in (tmp_path / "keys").iterdir())


def destroy(arguments):
    return open_ring(arguments[0]).destroy_keys("capillary", arguments[1])


def test_erasures_side_by_side_lose_nothing(tmp_path):
    keys = tmp_path / "keys"
    create(keys)
    with ProcessPoolExecutor(4) as pool:
        gone = list(pool.map(destroy, [(keys, CONTACTS[n::8]) for n in range(1, 8)]))
    ring = open_ring(keys)
    hashes = {one: ring.hash_contact("capillary", *one) for one in CONTACTS}
    assert sum(gone) == 52
    assert set(ring.read_keys(hashes.values())) == {hashes[one] for one in CONTACTS[::8]}
    assert {one for one in CONTACTS if ring.is_destroyed(hashes[one])} == set(CONTACTS) - set(CONTACTS[::8])


def test_a_key_that_could_not_be_stored_is_never_used(tmp_path):
    ring = open_ring(tmp_path)
    contacts = [("email", f"{n}@example.org") for n in range(40)]
    ring.create_keys("capillary", contacts[:1])
    blocked = [tmp_path / f"{n:02x}.json.new" for n in range(256)]
    for path in blocked:
        path.mkdir()
    with pytest.raises(ConfigError, match="key store cannot be written"):
        ring.create_keys("capillary", contacts)
    for path in blocked:
        path.rmdir()
    used = ring.create_keys("capillary", contacts)
    stored = open_ring(tmp_path).create_keys("capillary", contacts)
    assert {one: key.id for one, key in used.items()} == {one: key.id for one, key in stored.items()}


def test_a_key_store_in_the_lake_is_refused(tmp_path):
    lake = Lake.at(str(tmp_path / "lake"))
    for inside in ("lake", "lake/keys"):
        with pytest.raises(ConfigError, match="is in the lake"):
            add_key_ring(lake, Lake.at(str(tmp_path / inside)), lambda: [MASTER])
    assert add_key_ring(lake, Lake.at(str(tmp_path / "lake-keys")), lambda: [MASTER]).ring is not None


def test_a_store_that_cannot_compare_is_refused():
    ring = KeyRing(Lake.at("memory://keys"), lambda: [MASTER])
    with pytest.raises(ConfigError, match="could lose keys"):
        ring.create_keys("capillary", CONTACTS)


@given(st.lists(st.tuples(st.binary(max_size=40), st.text(max_size=10), st.none() | st.datetimes()), min_size=1))
def test_any_rows_come_back_as_they_were(tmp_path_factory, rows):
    lake = replace(Lake.at("memory://"), ring=open_ring(tmp_path_factory.getbasetemp() / "any"))
    same = {"vendor": "which50", "account": "acme", "contact_id_kind": "contact_id", "asked_type": "x"}
    now = datetime(2026, 1, 1, tzinfo=UTC)
    table = pa.Table.from_pylist(
        [
            {**same, "contact_id": f"c{len(payload) % 3}", "context": context, "payload": payload, "occurred_at": at}
            | {"extracted_at": now, "window_start": now, "window_end": now}
            for payload, context, at in rows
        ],
        RAW,
    )
    stored = encryption.encrypt_rows(lake.ring, table)
    assert pc.all(is_encrypted(stored.column("payload"))).as_py()
    assert encryption.encrypt_rows(lake.ring, stored).equals(stored)
    assert encryption.encrypt_rows(lake.ring, table).equals(stored)
    found = encryption.decrypt_table(lake, stored)
    assert found.to_pylist() == table.to_pylist()
    assert found.schema == table.schema == stored.schema
