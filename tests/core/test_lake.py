"""Paths, publication, landing: what is whole is there, what is not leaves no trace."""

import errno
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pyarrow as pa
import pytest
from fsspec.implementations.local import LocalFileOpener, LocalFileSystem
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_interactions import contacts, contract, schema
from airflow_provider_interactions.errors import BadResponse, ConfigError, LakeUnavailable, TooManyRejects, Unreconciled
from airflow_provider_interactions.extract import commit, held_pages, raw_table, raw_writer
from airflow_provider_interactions.extract.checkpoint import Checkpoint
from airflow_provider_interactions.extract.raw_table import PageRows
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.lake import reader
from airflow_provider_interactions.lake.manifest import Counts, File, Manifest, join_batches, pack, unpack
from airflow_provider_interactions.lake.paths import WindowPaths, escape_segment, name_pending
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.normalize import pipeline
from airflow_provider_interactions.schema import RAW
from airflow_provider_interactions.window import Window

DAY = Window.of("2026-01-02", "2026-01-03")
LATER = datetime(2026, 3, 1, tzinfo=UTC)


class SmallDisk(LocalFileSystem):
    """A disk on which every file may hold a few bytes only."""

    room, fault = 5_000, OSError(errno.ENOSPC, "No space left on device")

    def _open(self, path, mode="rb", **_):
        return SmallFile(path, mode, fs=self)


class SmallFile(LocalFileOpener):
    def write(self, data):
        if self.f.tell() + len(data) > SmallDisk.room:
            raise self.fs.fault
        return self.f.write(data)


@given(st.text(), st.text())
def test_a_segment_never_leaves_its_folder_and_never_meets_another(text, other):
    escaped = escape_segment(text)
    assert "/" not in escaped
    assert "\\" not in escaped
    assert escaped.isascii()
    assert escaped.isprintable()
    assert escaped not in {".", ".."}
    assert (escaped == escape_segment(other)) == (text == other)


@pytest.mark.parametrize("text", ["..", ".", "../../etc", "a/b", "a\\b", "a\0b", "a\nb", "%2e%2e", "a?b#c*"])
def test_hostile_accounts_stay_below_their_layer(text):
    for path in (
        WindowPaths("v", text, DAY).raw_manifest,
        WindowPaths(text, "a", DAY).manifest,
        WindowPaths("v", text, DAY).day_folder("d"),
    ):
        assert ".." not in path.split("/")
        assert path.count("/") in {3, 4}
        assert set(path) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=/%_.-~")


def test_names_are_a_public_contract():
    place = WindowPaths("which50", "org.example.com/a", DAY)
    assert place.raw_manifest == (
        "raw/vendor=which50/account=org.example.com%2Fa/window=20260102T000000Z-20260103T000000Z/manifest.json"
    )
    assert place.day_folder("2026-01-02") == "interactions/vendor=which50/account=org.example.com%2Fa/date=2026-01-02"
    assert place.manifest.startswith("manifests/vendor=which50/account=")


def test_a_hostile_account_and_contact_land_where_they_should(any_desk):
    manifest = any_desk.normalize(any_desk.record(), account="../../up", contact="../../\0'\n")
    assert all("up" in path and ".." not in path.split("/") for path in any_desk.files())
    assert all(any_desk.lake.fs.exists(any_desk.lake.full(path)) for path in manifest.paths)
    [row] = any_desk.rows(manifest.files)
    assert (row["account"], row["contact_id"]) == ("../../up", "../../\0'\n")


@pytest.mark.parametrize("url", ["", "nosuchscheme://bucket/x"])
def test_an_address_that_is_no_lake(url):
    with pytest.raises(ConfigError, match="lake"):
        Lake.at(url)


def test_a_lake_that_cannot_be_used_is_told_before_anything_is_asked(tmp_path, rig):
    (tmp_path / "file").write_text("in the way")
    lake = Lake.at(str(tmp_path / "file" / "lake"))
    with pytest.raises(ConfigError, match=r"The lake cannot be read \(Not a directory\)\. Check its address"):
        extract(rig.job(lake=lake))


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, rig):
    lake = Lake.at(str(tmp_path / "lake"), SmallDisk(auto_mkdir=True))
    with pytest.raises(ConfigError, match=r"The lake cannot be written \(No space left on device\)"):
        extract(rig.job(lake=lake))
    assert [path for path in (tmp_path / "lake").rglob("*") if path.is_file()] == []


class BusyDisk(SmallDisk):
    """Object storage that says 503, as its file system tells it."""

    fault = OSError(errno.EBUSY, "SlowDown")


def test_storage_that_is_busy_is_worth_another_try_and_leaves_nothing(tmp_path, rig):
    lake = Lake.at(str(tmp_path / "lake"), BusyDisk(auto_mkdir=True))
    with pytest.raises(LakeUnavailable, match=r"did not accept a file \(SlowDown\)") as told:
        extract(rig.job(lake=lake))
    assert told.value.retry
    assert [path for path in (tmp_path / "lake").rglob("*") if path.is_file()] == []


def test_a_lake_on_another_file_system_works_the_same(any_desk):
    manifest = any_desk.normalize(any_desk.record(), any_desk.record(InteractionId="B" * 32), b"{}")
    assert (manifest.counts.canonical, manifest.counts.rejected) == (2, 1)
    assert any_desk.lake.read(manifest.place.manifest, Manifest) == manifest
    assert {path for path in any_desk.files() if not path.startswith("changes/")} == {
        *manifest.paths,
        manifest.place.manifest,
        manifest.place.raw_manifest,
        *any_desk.lake.read(manifest.place.raw_manifest, Manifest).paths,
    }
    assert any_desk.lake.url(manifest.files[0].path).split("://")[0] in {"file", "memory"}


def test_what_is_not_there_reads_as_nothing(any_desk):
    assert any_desk.lake.read("manifests/none.json", Manifest) is None
    any_desk.lake.remove(["raw/none.parquet"])


def test_a_manifest_survives_its_way_through_xcom(desk):
    manifest = desk.land(desk.record())
    assert unpack(msgspec.json.decode(msgspec.json.encode(pack(manifest)))) == manifest


def test_the_raw_rows_are_the_vendors_bytes(desk):
    payloads = (desk.record(Extra="é 🚀"), b'{"InteractionId" :1.0e5,\t"x":"\\u00e9"}', b"\xff\xfe not json at all")
    manifest = desk.land(*payloads)
    rows = desk.rows(manifest.files)
    assert [row["payload"] for row in rows] == list(payloads)
    assert {row["window_start"] for row in rows} == {DAY.start}
    with desk.lake.fs.open(desk.lake.full(manifest.files[0].path), "rb") as stream:
        import pyarrow.parquet as pq

        assert pq.ParquetFile(stream).schema_arrow.equals(RAW, check_metadata=True)


def test_a_window_that_is_landed_again_leaves_no_stale_file(any_desk):
    first = any_desk.land(any_desk.record(), any_desk.record(InteractionId="B" * 32))
    second = any_desk.land(any_desk.record(), extracted_at=LATER)
    assert not first.paths & second.paths
    mark = name_pending(second.place, second.extracted_at)
    assert set(any_desk.files()) == {*second.paths, second.place.raw_manifest, mark}


def test_another_batch_size_leaves_no_stale_batch(rig, tools):
    job = rig.job()
    in_three = tools.whole(job, batches=3)
    in_one = tools.whole(replace(job, extracted_at=job.extracted_at + timedelta(seconds=1)))
    assert len(in_three.outcomes) == 3
    files = sorted(path.name for path in (rig.folder / in_one.place.folder("raw")).iterdir())
    assert files == sorted(["manifest.json", *(path.rpartition("/")[2] for path in in_one.paths)])
    assert in_one.counts.landed == in_three.counts.landed
    assert in_one.counts.contacts == in_three.counts.contacts == 6


def test_until_it_is_published_the_former_version_stands(rig, tools):
    job = rig.job()
    former = tools.whole(job)
    extract(replace(job, extracted_at=LATER))
    assert job.lake.read(job.place.raw_manifest, Manifest) == former
    assert all((rig.folder / path).exists() for path in former.paths)


def test_an_old_extraction_cannot_replace_a_newer_one(rig, tools):
    job = rig.job()
    old = extract(job)
    commit.commit_window(job.lake, [old])
    new = tools.whole(replace(job, extracted_at=LATER))
    with pytest.raises(Unreconciled, match="another extraction of the same window has replaced them"):
        commit.commit_window(job.lake, [old])
    assert job.lake.read(job.place.raw_manifest, Manifest) == new


@pytest.mark.parametrize("flushed", [False, True])
def test_a_failed_extraction_leaves_no_file(rig, monkeypatch, flushed):
    if flushed:
        monkeypatch.setattr(held_pages, "HELD_ROWS", 1)
        monkeypatch.setattr(raw_table, "PART_ROWS", 1)
    rig.faults(kind="status", status=400, code="0x80048d19", after=8)
    with pytest.raises(Exception, match="a parameter of the call is unknown"):
        extract(rig.job(concurrency=1))
    assert not [path for path in rig.folder.rglob("*") if path.is_file()]


def test_a_failed_extraction_leaves_no_object_either(rig, monkeypatch, tmp_path):
    monkeypatch.setattr(held_pages, "HELD_ROWS", 1)
    monkeypatch.setattr(raw_table, "PART_ROWS", 1)
    rig.faults(kind="status", status=200, body='{"Data": "{}", "NextSkipToken": null}', after=8)
    lake = Lake.at(f"memory://{tmp_path.name}")
    with pytest.raises(BadResponse, match="Data does not have the documented shape"):
        extract(rig.job(lake=lake, concurrency=1))
    assert lake.fs.find(lake.root) == []


def test_rows_go_to_disk_in_groups_of_whole_contacts(rig, monkeypatch, tools, desk):
    whole_at_once = tools.whole(rig.job())
    monkeypatch.setattr(held_pages, "HELD_ROWS", 3)
    in_groups = tools.whole(rig.job(extracted_at=LATER))
    assert in_groups.digest == whole_at_once.digest
    monkeypatch.setattr(raw_table, "PART_ROWS", 4)
    in_parts = tools.whole(rig.job(extracted_at=LATER))
    assert all(part.rows >= 4 for part in in_parts.files)
    assert sum(part.rows for part in in_parts.files) == whole_at_once.files[0].rows > 10
    contacts = [{row["contact_id"] for row in desk.rows([part])} for part in in_parts.files]
    assert len(contacts) > 1
    assert sum(map(len, contacts)) == len(set().union(*contacts))


@pytest.mark.parametrize(
    "wrong",
    [
        {"landed": 1},
        {"fetched": 1, "received": 1},
        {"received": 1},
        {"contacts": 1},
        {"ok": 1},
    ],
)
def test_counts_that_do_not_add_up_are_not_published(desk, wrong):
    manifest = desk.land(desk.record())
    tampered = msgspec.structs.replace(manifest, counts=manifest.counts + Counts(**wrong))
    before = desk.lake.read(manifest.place.raw_manifest, Manifest)
    with pytest.raises(Unreconciled, match=r"nothing was published: .*≠.*Please report this"):
        commit.commit_window(desk.lake, [tampered])
    assert desk.lake.read(manifest.place.raw_manifest, Manifest) == before


def test_a_landing_whose_counts_do_not_add_up_leaves_nothing(desk):
    place = WindowPaths("dynamics_marketing", "acme", DAY)
    query = contract.Query(contract.Contact("c"), None, None)
    with raw_writer.RawWriter(desk.lake, place, Checkpoint(extracted_at=LATER)) as landing:
        landing.add_page(PageRows(query, "", [b"{}"], [None]))
        with pytest.raises(Unreconciled, match="2 ≠ 1"):
            landing.finish(Counts(received=2, fetched=2))
    assert desk.files() == []


MONTH = timedelta(days=30)
NEXT = Window.of("2026-01-03", "2026-01-04")


def test_lists_of_contacts_and_rejects_of_no_use_end_after_a_month(any_desk):
    """With the next publication of any window of the account; never what a manifest refers to, or another's."""
    lake, made = any_desk.lake, datetime.now(UTC)
    old, _ = contacts.write_list(lake, WindowPaths("dynamics_marketing", "acme", DAY), [[contract.Contact("c1")]], made)
    foreign, _ = contacts.write_list(lake, WindowPaths("dynamics_marketing", "acm", DAY), [], made)
    published = any_desk.normalize(b"{}", any_desk.record())
    raw = any_desk.land(*[b"{}"] * 20)
    with pytest.raises(TooManyRejects):
        pipeline.normalize(lake, raw, now=made)
    [failed] = [path for path in any_desk.files() if path.startswith("rejects/") and path not in published.paths]
    assert any_desk.rows([File(failed, 20, 0)])[0]["reason"]
    other = any_desk.land(any_desk.record(), window=NEXT)
    commit.commit_window(lake, [other], now=made + MONTH - timedelta(seconds=1))
    assert {old, foreign, failed} <= set(any_desk.files())
    young, _ = contacts.write_list(lake, other.place, [[contract.Contact("c1")]], made + MONTH)
    commit.commit_window(lake, [other], now=made + MONTH + timedelta(hours=1))
    kept = set(any_desk.files())
    assert not kept & {old, failed}
    assert {foreign, young, published.rejects[0].path} <= kept
    assert any_desk.rows(published.rejects)


def batch_of(desk, batch, batches=2, **changed):
    return msgspec.structs.replace(desk.land(desk.record()), batch=batch, batches=batches, **changed)


def test_a_window_needs_every_batch_once(desk):
    first, second = batch_of(desk, 0), batch_of(desk, 1)
    joined = join_batches([second, first])
    assert joined.counts.landed == 2
    for some in ([first], [first, first], [first, second, second], [second]):
        with pytest.raises(Unreconciled, match="Expected 2 batches"):
            join_batches(some)
    with pytest.raises(Unreconciled, match="No batch was extracted"):
        join_batches([])
    with pytest.raises(Unreconciled, match="different vendors, accounts or windows"):
        join_batches([first, batch_of(desk, 1, account="other")])


def test_no_contact_at_all_is_a_whole_window_too(rig, tools):
    manifest = tools.whole(rig.job(contacts=[]))
    assert (manifest.files, manifest.counts.landed, manifest.counts.contacts) == ((), 0, 0)
    assert rig.stats["requests"] == 0


@pytest.mark.parametrize(
    ("bound", "most", "records"),
    [("HELD_ROWS", 3, [b"{}"] * 3), ("HELD_PAGES", 1, [b"{}"]), ("HELD_BYTES", 10, [b'{"a":"b"}', b"{}"])],
)
def test_what_is_held_becomes_a_table_after_rows_pages_or_bytes(desk, monkeypatch, bound, most, records):
    monkeypatch.setattr(held_pages, bound, most)
    with raw_writer.RawWriter(
        desk.lake, WindowPaths("which50", "acme", DAY), Checkpoint(extracted_at=LATER)
    ) as landing:
        query = contract.Query(contract.Contact("a"), None, None)
        assert not landing.full
        landing.add_page(PageRows(query, "", records, [None] * len(records)))
        assert landing.full
        landing.flush()
        assert not landing.full


def test_windows_of_an_older_schema_are_read_with_nulls(desk, monkeypatch):
    """Columns are only ever added: a window that the version before wrote has nulls in the column added since."""
    manifest = desk.normalize(desk.record())
    newer = schema.CANONICAL.append(
        schema._field("person", pa.string(), "a column to come", since=schema.find_version(schema.CANONICAL) + 1)
    )
    monkeypatch.setattr(reader, "CANONICAL", newer)
    _, rows = reader.read_published(desk.lake, manifest.place.manifest)
    assert rows.schema.equals(newer)
    assert rows.column("person").to_pylist() == [None]
    assert rows.column("interaction_id").null_count == 0


def test_windows_of_a_newer_schema_are_refused(desk):
    manifest = desk.normalize(desk.record())
    known = schema.find_version(schema.CANONICAL)
    desk.lake.publish(manifest.place.manifest, msgspec.structs.replace(manifest, schema_version=known + 1))
    refused = f"schema version {known + 1}, but this version of the package knows only version {known}"
    with pytest.raises(ConfigError, match=refused):
        reader.read_published(desk.lake, manifest.place.manifest)


def test_a_file_without_a_column_of_the_first_version_is_no_canonical_file(desk):
    manifest = desk.normalize(desk.record())
    [batch] = reader.read_rows(desk.lake, manifest.files)
    with pytest.raises(KeyError, match="channel"):
        schema.fit_columns(batch.drop_columns(["channel"]), schema.CANONICAL)


def driver_error(package, **facts):
    """An error of an object store's driver: no OSError, and with a text that names people."""
    kind = type("DriverError", (Exception,), {"__module__": f"{package}.errors"})
    error = type("Special", (kind,), {"__module__": "somewhere.else"})("https://x/c1?key=hush")
    vars(error).update(facts)
    return error


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (driver_error("gcsfs", code=503), LakeUnavailable),
        (driver_error("gcsfs", code=403), ConfigError),
        (driver_error("azure", status_code=409), LakeUnavailable),
        (driver_error("azure", status_code=404), ConfigError),
        (driver_error("botocore"), LakeUnavailable),
        (driver_error("aiohttp"), LakeUnavailable),
    ],
)
def test_a_drivers_own_error_is_one_of_the_lakes(desk, fault, expected, monkeypatch):
    def refuse(*_, **__):
        raise fault

    monkeypatch.setattr(desk.lake.fs, "open", refuse)
    with pytest.raises(expected, match="The lake") as told:
        desk.lake.publish("manifests/m.json", {})
    assert "hush" not in str(told.value)
    with pytest.raises(expected, match="The lake"):
        desk.land(desk.record())
    assert desk.files() == []


def test_a_defect_is_no_fault_of_the_store(desk, monkeypatch):
    def refuse(*_, **__):
        raise KeyError

    monkeypatch.setattr(desk.lake.fs, "open", refuse)
    with pytest.raises(KeyError):
        desk.lake.publish("manifests/m.json", {})
