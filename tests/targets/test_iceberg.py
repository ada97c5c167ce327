"""Iceberg: the table holds the lake's own files, a window is replaced in one commit, and other engines agree."""

import json
import os
import threading
import warnings
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyiceberg.catalog import load_catalog

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.coverage.ledger import Step, read_ledger, read_new_steps, write_step
from airflow_provider_interactions.errors import ConfigError, LoadError, Unreconciled
from airflow_provider_interactions.extract.split_window import merge_for_xcom
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.paths import WindowPaths
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load import Loaded, iceberg, iceberg_view, load_window
from airflow_provider_interactions.load.iceberg import IcebergTable
from airflow_provider_interactions.load.iceberg_catalog import build_local, build_storage
from airflow_provider_interactions.load.iceberg_history import expire, expire_old
from airflow_provider_interactions.load.iceberg_newest import compact
from airflow_provider_interactions.load.iceberg_schema import VERSION
from airflow_provider_interactions.load.iceberg_view import QUOTES, build_newest_sql
from airflow_provider_interactions.normalize.pipeline import normalize
from airflow_provider_interactions.schema import CANONICAL, _field, find_version
from airflow_provider_interactions.window import Window
from tests.core.conftest import NAME, Desk
from tests.targets.windows import NOON, row, write

DAYS = [Window.of(f"2026-01-{day:02d}", f"2026-01-{day + 1:02d}") for day in range(1, 6)]
HOURS = Window.of("2026-01-02T00:00:00Z", "2026-01-02T18:00:00Z")
LONG = Window(DAYS[0].start, DAYS[-1].end)
DAY = timedelta(days=1)
NEXT = find_version(CANONICAL) + 1
NEWER = pa.schema([*CANONICAL, _field("topic", pa.string(), "what it was about", since=NEXT)])

#: Times of extractions: later numbers are later.
AT = [datetime(2026, 5, 1, tzinfo=UTC) + n * DAY for n in range(20)]


@pytest.fixture
def desk(tmp_path):
    # The account's folder is percent-encoded: every reader must take the path as it is.
    return Desk(Lake.at(str(tmp_path / "lake")))


@pytest.fixture
def table(tmp_path):
    return IcebergTable(build_local(str(tmp_path / "warehouse.iceberg")))


def land(desk, window, ids, at=AT[0], note="a", contact="c1"):
    """A normalized window with these interactions, at noon of its first day."""
    time = (window.start + DAY / 2).isoformat().replace("+00:00", "Z")
    payloads = [desk.record(InteractionId=f"{n + 1:032X}", Timestamp=time, Note=note) for n in ids]
    return desk.normalize(*payloads, window=window, extracted_at=at, contact=contact, account="a:b/c")


def find(desk, window):
    """The published manifest of a window, if there is one."""
    return desk.lake.read(WindowPaths(NAME, "a:b/c", window).manifest, Manifest)


def open_table(table):
    with load_catalog(table.name, **table.properties) as catalog:
        return catalog.load_table(table.identifier)


def read(table):
    """All rows, by DuckDB, of the files that the current snapshot has."""
    files = [task.file.file_path.removeprefix("file://") for task in open_table(table).scan().plan_files()]
    if not files:
        return []
    names = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    sql = (
        "SELECT window_start::VARCHAR, interaction_id, extracted_at::VARCHAR, attributes, contact_id"
        f" FROM read_parquet([{names}], hive_partitioning = false, union_by_name = true)"
    )
    with duckdb.connect() as connection:
        return sorted(connection.execute(sql).fetchall())


def snapshots(table):
    return len(open_table(table).metadata.snapshots)


def commits(table):
    """The number of commits so far."""
    return len(open_table(table).metadata.metadata_log)


def test_a_first_load_adds_the_lakes_own_files(desk, table):
    manifest = land(desk, DAYS[0], range(3))
    assert table.load(desk.lake, manifest) == Loaded(3, 3, 0, 0, 0)
    files = [task.file.file_path for task in open_table(table).scan().plan_files()]
    assert files == [desk.lake.url(file.path) for file in manifest.files]
    assert len(read(table)) == 3


def test_a_second_load_makes_no_commit(desk, table):
    manifest = land(desk, DAYS[0], range(3))
    table.load(desk.lake, manifest)
    before = open_table(table).metadata_location
    assert table.load(desk.lake, manifest) == Loaded(3, 0, 0, 3, 0)
    assert open_table(table).metadata_location == before


def test_a_replaced_window_loses_what_the_vendor_no_longer_returns(desk, table):
    table.load(desk.lake, land(desk, DAYS[0], range(3)))
    table.load(desk.lake, land(desk, DAYS[1], range(3, 5)))
    made = commits(table)
    done = table.load(desk.lake, land(desk, DAYS[0], range(2), AT[1], note="b"))
    assert done == Loaded(2, 2, 0, 0, 0, removed=3)
    assert commits(table) == made + 1
    assert [row[1][-1] for row in read(table)] == ["1", "2", "4", "5"]


def test_a_window_that_is_empty_now_is_emptied(desk, table):
    table.load(desk.lake, land(desk, DAYS[0], range(3)))
    assert table.load(desk.lake, land(desk, DAYS[0], [], AT[1])) == Loaded(0, 0, 0, 0, 0, removed=3)
    assert read(table) == []
    before = open_table(table).metadata_location
    assert table.load(desk.lake, land(desk, DAYS[0], [], AT[2])) == Loaded(0, 0, 0, 0, 0)
    assert open_table(table).metadata_location == before


def join(pieces):
    long = msgspec.structs.replace(pieces[0], window_start=LONG.start, window_end=LONG.end, files=())
    return merge_for_xcom([long], pieces, DAY)


def test_many_windows_are_one_commit(desk, table):
    pieces = [land(desk, window, range(10 * n, 10 * n + n)) for n, window in enumerate(DAYS)]
    table.prepare()
    made = commits(table)
    assert table.load(desk.lake, join(pieces)) == Loaded(10, 10, 0, 0, 0)
    assert commits(table) == made + 1
    pieces[2] = land(desk, DAYS[2], range(50, 55), AT[1])
    assert table.load(desk.lake, join(pieces)) == Loaded(13, 5, 0, 8, 0, removed=2)
    assert commits(table) == made + 2
    assert len(read(table)) == 13


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from([*DAYS, LONG, Window(DAYS[1].start, DAYS[3].start), HOURS]),
            st.lists(st.integers(0, 12), max_size=4, unique=True),
            st.booleans(),
        ),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_table_is_always_what_the_lake_has(tmp_path_factory, steps):
    """Windows of any length, one in another, again and again: the rows of a window change with that window alone."""
    folder = tmp_path_factory.mktemp("mirror")
    desk, table = Desk(Lake.at(str(folder / "lake"))), IcebergTable(build_local(str(folder / "t.iceberg")))
    expected = {}
    for n, (window, ids, wide) in enumerate(steps):
        manifest = land(desk, window, ids, AT[n])
        before = expected.get(window, 0)
        if wide and window in DAYS:
            pieces = [find(desk, one) or land(desk, one, [], AT[n]) for one in DAYS]
            for one, piece in zip(DAYS, pieces, strict=True):
                expected[one] = piece.counts.canonical
            table.load(desk.lake, join(pieces))
        else:
            done = table.load(desk.lake, manifest)
            assert (done.inserted, done.removed) == (len(ids), before)
            expected[window] = len(ids)
    rows = (
        open_table(table)
        .scan(selected_fields=("window_start", "window_end"))
        .to_arrow_batch_reader()
        .read_all()
        .to_pylist()
    )
    found = Counter(Window(row["window_start"], row["window_end"]) for row in rows)
    assert found == {window: count for window, count in expected.items() if count}
    assert len(read(table)) == sum(found.values())


@pytest.mark.parametrize("keep", [timedelta(0), DAY])
def test_readers_of_a_replaced_window_need_its_former_files_until_the_commit(desk, table, keep):
    raw = desk.land(desk.record(), desk.record(InteractionId="B" * 32))
    table.load(desk.lake, normalize(desk.lake, raw))
    newer = normalize(desk.lake, raw, keep_former=keep)
    if keep:
        assert len(read(table)) == 2
    else:
        with pytest.raises(duckdb.IOException, match="No files found"):
            read(table)
    assert table.load(desk.lake, newer) == Loaded(2, 2, 0, 0, 0, removed=2)
    assert len(read(table)) == 2


def changed_meanwhile(monkeypatch, act):
    """Call ``act`` once, right before the next commit of a load: after it has planned what to replace."""
    current, pending = iceberg.require_current, [act]

    def check(lake, manifest):
        current(lake, manifest)
        if pending:
            pending.pop()()

    monkeypatch.setattr(iceberg, "require_current", check)


@pytest.mark.parametrize("filled", [False, True])
def test_a_commit_to_another_window_meanwhile_does_no_harm(desk, table, monkeypatch, filled):
    if filled:
        table.load(desk.lake, land(desk, DAYS[0], range(7)))
    first, other = land(desk, DAYS[0], range(3), AT[1]), land(desk, DAYS[1], range(3, 8), AT[1])
    changed_meanwhile(monkeypatch, lambda: IcebergTable(table.properties).load(desk.lake, other))
    assert table.load(desk.lake, first) == Loaded(3, 3, 0, 0, 0, removed=7 if filled else 0)
    assert len(read(table)) == 8


@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize("newer", [0, 4])
def test_an_older_version_of_a_window_never_stays(desk, table, monkeypatch, filled, newer):
    """Another run publishes and loads a newer version between this load's check and its commit."""
    if filled:
        table.load(desk.lake, land(desk, DAYS[0], range(7)))
    older = land(desk, DAYS[0], range(3), AT[1])
    keep = desk.lake.fs.cat_file(desk.lake.full(older.files[0].path))

    def replace():
        manifest = land(desk, DAYS[0], range(10, 10 + newer), AT[2])
        IcebergTable(table.properties).load(desk.lake, manifest)
        desk.lake.fs.pipe_file(desk.lake.full(older.files[0].path), keep)  # as if normalize kept former files

    changed_meanwhile(monkeypatch, replace)
    found, done = load_window(desk.lake, older, table)
    assert (found.extracted_at, done.rows) == (AT[2], newer)
    assert len(read(table)) == newer


def test_two_loads_of_a_window_at_once_leave_one_version(desk, table):
    manifest = land(desk, DAYS[0], range(5))
    results, barrier = [], threading.Barrier(4)

    def run():
        barrier.wait()
        results.append(IcebergTable(table.properties).load(desk.lake, manifest))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results, key=lambda one: one.inserted) == [Loaded(5, 0, 0, 5, 0)] * 3 + [Loaded(5, 5, 0, 0, 0)]
    assert len(read(table)) == 5


def test_loads_of_many_windows_at_once_all_arrive(desk, table):
    manifests = [land(desk, window, range(10 * n, 10 * n + 3)) for n, window in enumerate(DAYS)]
    threads = [threading.Thread(target=IcebergTable(table.properties).load, args=(desk.lake, one)) for one in manifests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read(table)) == 15


def test_a_missing_file_leaves_the_table_unchanged(desk, table):
    table.load(desk.lake, land(desk, DAYS[0], range(3)))
    manifest = land(desk, DAYS[1], range(3, 5))
    desk.lake.remove(manifest.paths)
    before = open_table(table).metadata_location
    with pytest.raises(LoadError, match="missing or damaged"):
        table.load(desk.lake, manifest)
    assert open_table(table).metadata_location == before


def test_files_with_other_rows_than_the_manifest_says_are_refused(desk, table):
    manifest = land(desk, DAYS[0], range(3))
    [file] = manifest.files
    wrong = msgspec.structs.replace(
        manifest,
        files=(msgspec.structs.replace(file, rows=4),),
        counts=msgspec.structs.replace(manifest.counts, canonical=4),
    )
    for one in (wrong, msgspec.structs.replace(wrong, counts=manifest.counts)):
        with pytest.raises(Unreconciled, match=r"rows are in the manifest|not in"):
            table.load(desk.lake, one)
    assert read(table) == []


def test_erase_removes_all_rows_of_the_contacts_and_their_history(desk, table):
    table.load(desk.lake, land(desk, DAYS[0], range(3), contact="c1"))
    table.load(desk.lake, land(desk, DAYS[1], range(3, 5), contact="c2"))
    table.load(desk.lake, land(desk, DAYS[2], range(5, 9), contact="c1"))
    assert table.erase(NAME, "a:b/c", [Contact("c3"), Contact("c1", "email")]) == 0
    assert table.erase(NAME, "other", [Contact("c1")]) == 0
    assert table.erase(NAME, "a:b/c", []) == 0
    kind = open_table(table).scan(limit=1).to_arrow()["contact_id_kind"][0].as_py()
    assert table.erase(NAME, "a:b/c", [Contact("c1", kind), Contact("c1", kind)]) == 7
    assert {row[-1] for row in read(table)} == {"c2"}
    assert snapshots(table) == 1
    kept = {task.file.file_path for task in open_table(table).scan().plan_files()}
    assert kept <= {desk.lake.url(path) for path in desk.files()}  # whole files went, so none was rewritten


def test_erase_rewrites_files_of_several_contacts_and_a_later_load_puts_the_lakes_back(desk, table, tmp_path):
    manifest = land_mixed(desk)
    table.load(desk.lake, manifest)
    kind = open_table(table).scan(limit=1).to_arrow()["contact_id_kind"][0].as_py()
    assert table.erase(NAME, "a:b/c", [Contact("c1", kind)]) == 1
    assert table.erase(NAME, "a:b/c", [Contact("c3", kind)]) == 1
    assert [row[-1] for row in read(table)] == ["c2"]
    own = list((tmp_path / "warehouse.iceberg").rglob("*.parquet"))
    assert len(own) == 1  # the first rewrite still had c3 in it
    assert table.load(desk.lake, manifest) == Loaded(3, 3, 0, 0, 0, removed=1)


def list_values(table):
    """Every bound in the metadata of the current snapshot, of deleted files, too, as bytes."""
    found = open_table(table)
    for manifest in found.current_snapshot().manifests(found.io):
        for entry in manifest.fetch_manifest_entry(found.io, discard_deleted=False):
            yield from (entry.data_file.lower_bounds or {}).values()
            yield from (entry.data_file.upper_bounds or {}).values()


def test_metadata_hold_no_identifier(desk, table):
    table.load(desk.lake, land_mixed(desk, "jane"))
    assert any(b"EmailSent" in one for one in list_values(table))
    kind = open_table(table).scan(limit=1).to_arrow()["contact_id_kind"][0].as_py()
    assert table.erase(NAME, "a:b/c", [Contact("jane1", kind)]) == 1
    assert not [one for one in list_values(table) if b"jane" in one or b"i1" in one]


@pytest.mark.parametrize("files", ["pyiceberg.io.pyarrow.PyArrowFileIO", "pyiceberg.io.fsspec.FsspecFileIO"])
def test_erase_removes_what_commits_that_died_have_left(desk, table, tmp_path, files):
    """Files of these people that no snapshot has, and old ones that cannot be read."""
    table = replace(table, properties={**table.properties, "py-io-impl": files})
    table.load(desk.lake, land_mixed(desk))
    kind = open_table(table).scan(limit=1).to_arrow()["contact_id_kind"][0].as_py()
    assert table.erase(NAME, "a:b/c", [Contact("c1", kind)]) == 1
    [rewritten] = (tmp_path / "warehouse.iceberg").rglob("*.parquet")
    copies = [rewritten.with_name(name) for name in ("whole.parquet", "old.parquet", "young.parquet")]
    for copied, content in zip(copies, (rewritten.read_bytes(), b"half", b"half"), strict=True):
        copied.write_bytes(content)
    os.utime(copies[1], (0, 0))
    assert table.erase(NAME, "a:b/c", [Contact("nobody", kind)]) == 0
    assert [copied.exists() for copied in copies] == [True, False, True]
    assert table.erase(NAME, "a:b/c", [Contact("c3", kind)]) == 1
    assert [copied.exists() for copied in copies] == [False, False, True]
    assert [row[-1] for row in read(table)] == ["c2"]


@pytest.mark.parametrize("gone", ["ANN@example.org", "ann@example.org"])
def test_erase_removes_what_died_with_an_address_in_another_case(lake, tmp_path, gone):
    table = IcebergTable(build_local(str(tmp_path / "warehouse.iceberg")))
    people = [row(n, contact_id=one, contact_id_kind="email") for n, one in enumerate(("Ann@example.org", "bob@x.org"))]
    table.load(lake, write(lake, people))
    assert table.erase(NAME, "acme", [Contact("BOB@x.org", "email")]) == 1
    [rewritten] = (tmp_path / "warehouse.iceberg").rglob("*.parquet")
    copied, data = rewritten.with_name("died.parquet"), rewritten.read_bytes()
    copied.write_bytes(data)
    assert table.erase(NAME, "acme", [Contact(gone, "mobile"), Contact("nobody", "email")]) == 0
    assert copied.exists()
    assert table.erase(NAME, "acme", [Contact(gone, "email")]) == 1
    assert not copied.exists()
    copied.write_bytes(data)  # now no row of the table has the address
    assert table.erase(NAME, "acme", [Contact(gone, "email")]) == 0
    assert not copied.exists()


def test_erase_goes_on_after_it_died_before_it_expired_snapshots(desk, table, monkeypatch):
    table.load(desk.lake, land_mixed(desk))
    kind = open_table(table).scan(limit=1).to_arrow()["contact_id_kind"][0].as_py()
    with monkeypatch.context() as patch:
        patch.setattr(iceberg, "expire_all", raise_interrupt)
        with pytest.raises(KeyboardInterrupt):
            table.erase(NAME, "a:b/c", [Contact("c1", kind)])
    assert snapshots(table) > 1
    assert table.erase(NAME, "a:b/c", [Contact("c1", kind)]) == 0
    assert snapshots(table) == 1


def raise_interrupt(_):
    raise KeyboardInterrupt


def land_mixed(desk, name="c"):
    """One window of three contacts."""
    raw = land(desk, DAYS[0], range(1))
    [rows] = [desk.rows(raw.files)]
    many = [{**rows[0], "contact_id": f"{name}{n}", "interaction_id": f"i{n}"} for n in (1, 2, 3)]
    table = pa.Table.from_pylist(many, schema=CANONICAL)
    import pyarrow.parquet as pq

    pq.write_table(table, desk.lake.full(raw.files[0].path))
    file = msgspec.structs.replace(raw.files[0], rows=3)
    return msgspec.structs.replace(raw, files=(file,), counts=msgspec.structs.replace(raw.counts, canonical=3))


def test_a_newer_schema_adds_a_column_and_older_code_refuses_it(desk, table):
    manifest = land(desk, DAYS[0], range(3))
    table.load(desk.lake, manifest)
    newer = IcebergTable(table.properties, columns=NEWER)
    assert newer.load(desk.lake, manifest) == Loaded(3, 0, 0, 3, 0)
    assert newer.load(desk.lake, land(desk, DAYS[1], range(3, 5))).inserted == 2
    rows = open_table(table).scan().to_arrow()
    assert rows.column_names == NEWER.names
    assert rows["topic"].null_count == 5
    assert open_table(table).properties[VERSION] == str(NEXT)
    assert open_table(table).schema().find_field("topic").doc == "what it was about"
    with pytest.raises(ConfigError, match="Upgrade"):
        table.load(desk.lake, manifest)


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ([("a", pa.string(), True)], "missing columns: vendor"),
        (
            [
                *((f.name, pa.int32() if f.name == "count" else f.type, f.nullable) for f in CANONICAL),
                ("more", pa.int32(), False),
            ],
            "other columns that need a value: more",
        ),
        ([(f.name, pa.string(), f.nullable) for f in CANONICAL], "occurred_at string, not timestamptz"),
    ],
)
def test_a_table_that_is_another_one_is_refused(desk, table, columns, why):
    from pyiceberg.schema import Schema
    from pyiceberg.types import NestedField

    from airflow_provider_interactions.load.iceberg_schema import iceberg_type

    fields = [pa.field(name, kind, null) for name, kind, null in columns]
    with load_catalog(table.name, **table.properties) as catalog:
        catalog.create_namespace("default")
        made = [NestedField(n, f.name, iceberg_type(f), required=not f.nullable) for n, f in enumerate(fields, 1)]
        catalog.create_table(table.identifier, Schema(*made))
    with pytest.raises(LoadError, match=why):
        table.load(desk.lake, land(desk, DAYS[0], range(3)))


def test_old_snapshots_go_with_their_files(desk, table, tmp_path):
    kept = opened_after(table, desk)
    folder = tmp_path / "warehouse.iceberg"
    before = len(list(folder.rglob("*.avro")))
    assert expire_old(kept, datetime.now(UTC) + 2 * DAY) == 0  # too few to be worth it
    heads = {ref.snapshot_id for ref in kept.metadata.refs.values()}
    assert expire(kept, [one for one in kept.metadata.snapshots if one.snapshot_id not in heads]) > 0
    assert len(list(folder.rglob("*.avro"))) < before
    assert snapshots(table) == 1
    assert len(read(table)) == 3
    assert open_table(table).scan().to_arrow().num_rows == 3


def opened_after(table, desk):
    for n in range(4):
        table.load(desk.lake, land(desk, DAYS[0], range(3), AT[n]))
    return open_table(table)


def test_days_of_the_ledger_that_are_over_become_one_file(desk, table):
    def read_keys(ledger):
        return sorted(ledger.scan(selected_fields=("file",)).to_arrow()["file"].to_pylist())

    def list_days(ledger):
        """The days in each file, by their own rows."""
        paths = [task.file.file_path for task in ledger.scan().plan_files()]
        tables = [pq.read_table(path.removeprefix("file://"), columns=["ended_at"]) for path in paths]
        return sorted(sorted({at.date() for at in one["ended_at"].to_pylist()}) for one in tables)

    ended = [DAYS[n].start + part * DAY / 4 for n in range(4) for part in range(4)]
    for at in ended:
        write_step(desk.lake, Step(step="load", state="success", started_at=at, ended_at=at, seconds=1.5))
        assert table.add_steps(partial(read_new_steps, desk.lake)) == 1
    ledger = open_table(replace(table, table="interactions_ledger"))
    days = [window.start.date() for window in DAYS[:4]]
    assert list_days(ledger) == [[day] for day in days[:3]] + [[days[3]]] * 4, "the last day may get more rows"
    assert read_keys(ledger) == sorted(read_ledger(desk.lake)["file"].to_pylist())


def test_credentials_are_in_no_text():
    made = IcebergTable({"type": "rest", "uri": "https://u:secret@host/x?token=secret", "credential": "id:secret"})
    assert "secret" not in repr(made) + str(made.describe())
    assert made.describe() == ("https://host/x", "default.interactions")


def test_the_lakes_s3_credentials_open_its_files():
    client = {"endpoint_url": "http://127.0.0.1:1", "region_name": "eu"}
    lake = Lake.at("s3://bucket/lake", key="k", secret="s", client_kwargs=client)
    assert build_storage(lake) == {
        "s3.access-key-id": "k",
        "s3.secret-access-key": "s",
        "s3.endpoint": "http://127.0.0.1:1",
        "s3.region": "eu",
    }
    assert build_storage(Lake.at("/tmp/x")) == {}


def test_no_pyiceberg_logs_and_no_warnings(desk, table, caplog):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table.load(desk.lake, land(desk, DAYS[0], range(3)))
    assert not [one for one in caplog.records if one.name.startswith("pyiceberg")]


def test_what_pyiceberg_cannot_open_is_explained(desk):
    manifest = land(desk, DAYS[0], range(3))
    with pytest.raises(ConfigError, match="pip install"):
        IcebergTable({"type": "hive", "uri": "thrift://127.0.0.1:1"}).load(desk.lake, manifest)
    with pytest.raises(LoadError, match="cannot be reached"):
        IcebergTable({"type": "rest", "uri": "http://127.0.0.1:1"}).load(desk.lake, manifest)


def read_all(table):
    return open_table(table).scan().to_arrow_batch_reader().read_all()


def query_newest(rows, columns):
    """What the view shows, by DuckDB."""
    with duckdb.connect() as connection:
        connection.register("versions", rows)
        return connection.sql(build_newest_sql("versions", columns)).to_arrow_table().cast(rows.schema)


def in_order(rows):
    return sorted(map(repr, rows.to_pylist()))


ROWS = st.lists(
    st.builds(
        row,
        st.integers(0, 5),
        contact_id=st.sampled_from("ab"),
        subject=st.sampled_from([None, "", "x", "Ä"]),
        occurred_at=st.sampled_from([NOON, NOON + timedelta(hours=1)]),
        count=st.sampled_from([None, 1, -1]),
        revision=st.sampled_from([None, 0, 1]),
    ),
    max_size=5,
)


@given(loads=st.lists(st.tuples(st.sampled_from([*DAYS, LONG]), st.integers(0, 2), ROWS, st.booleans()), max_size=5))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_compaction_leaves_what_the_view_shows(tmp_path_factory, loads):
    folder = tmp_path_factory.mktemp("newest")
    lake, table = Lake.at(str(folder / "lake")), IcebergTable(build_local(str(folder / "t.iceberg")))
    table.prepare()
    for window, at, rows, other in loads:
        table.load(lake, write(lake, rows, at, window=window, account="other" if other else "acme"))
    before = read_all(table)
    shown = query_newest(before, CANONICAL)
    assert compact(table) == before.num_rows - shown.num_rows
    assert in_order(read_all(table)) == in_order(shown)
    location = open_table(table).metadata_location
    assert compact(table) == 0
    assert open_table(table).metadata_location == location


def test_a_window_loaded_after_a_compaction_is_whole_again(desk, table):
    first = land(desk, DAYS[0], range(3), AT[0])
    for manifest in (first, land(desk, Window(DAYS[0].start, DAYS[1].end), range(4), AT[1])):
        table.load(desk.lake, manifest)
    assert compact(table) == 3
    assert len(read(table)) == 4
    assert table.load(desk.lake, first) == Loaded(3, 3, 0, 0, 0)
    assert compact(table) == 3
    assert len(read(table)) == 4


@pytest.mark.parametrize("columns", [CANONICAL, NEWER], ids=["present", "newer"])
def test_a_newer_table_is_compacted_with_all_its_columns(desk, table, columns):
    IcebergTable(table.properties, columns=columns).load(desk.lake, land(desk, DAYS[0], range(3), AT[0]))
    IcebergTable(table.properties, columns=columns).load(desk.lake, land(desk, LONG, range(3), AT[1]))
    assert compact(IcebergTable(table.properties, columns=columns)) == 3
    assert read_all(table).column_names == columns.names


def test_a_lake_and_tables_on_s3(seaweedfs, bucket, tmp_path):
    """The table's files are the lake's, which pyiceberg opens with the credentials of the lake's own client."""
    client = {"endpoint_url": seaweedfs.endpoint, "region_name": "us-east-1"}
    lake = Lake.at(f"s3://{bucket}/lake", key=seaweedfs.key, secret=seaweedfs.secret, client_kwargs=client)
    properties = {
        **build_storage(lake),
        **build_local(str(tmp_path / "c.iceberg")),
        "warehouse": f"s3://{bucket}/tables",
    }
    table = IcebergTable(properties)
    manifest = write(lake, [row(n, contact_id=f"c{n}") for n in range(3)])
    assert table.load(lake, manifest) == Loaded(3, 3, 0, 0, 0)
    assert table.load(lake, manifest) == Loaded(3, 0, 0, 3, 0)
    assert table.load(lake, write(lake, [row(n, contact_id=f"c{n}") for n in range(2)], 1)).removed == 3
    assert table.erase(NAME, "acme", [Contact("c1")]) == 1
    rows = read_all(table).to_pylist()
    assert [one["interaction_id"] for one in rows] == ["0"]
    assert seaweedfs.secret not in repr(table)


@pytest.fixture
def rest(rest_catalogue):
    """A table in a REST catalogue, which says that it has views."""
    properties = {**json.loads(rest_catalogue), "view-endpoints-supported": "true"}
    return IcebergTable(properties, f"{properties.pop('namespace')}.select")


def find_view(table):
    with load_catalog(table.name, **table.properties) as catalog:
        return catalog.load_view((*table.identifier[:-1], f"{table.identifier[-1]}_newest"))


def query_view(table):
    """What the view shows, by its text for each engine, translated for DuckDB, of the files that the table has."""
    files = [task.file.file_path.removeprefix("file://") for task in open_table(table).scan().plan_files()]
    found = []
    for dialect in QUOTES:
        query = sqlglot.parse_one(find_view(table).sql_for(dialect).sql, read=dialect)
        [source] = query.find_all(sqlglot.exp.Table)
        assert [part.name for part in source.parts] == list(table.identifier)
        source.replace(sqlglot.exp.to_table("rows"))
        with duckdb.connect() as connection:
            connection.execute(f"CREATE VIEW rows AS FROM read_parquet({files}, union_by_name = true)")
            found.append(connection.sql(query.sql(dialect="duckdb")).to_arrow_table().sort_by("interaction_id"))
    assert found[0] == found[1]
    return found[0]


def test_a_catalogue_with_views_has_one_of_the_newest_versions(desk, rest):
    for n, window in enumerate((DAYS[0], LONG)):
        rest.load(desk.lake, land(desk, window, range(n, 3), AT[n], note=f"n{n}"))
    assert len(open_table(rest).scan().to_arrow_batch_reader().read_all()) == 5
    shown = query_view(rest)
    assert [one["attributes"] for one in shown.to_pylist()] == ['{"Note":"n0"}', '{"Note":"n1"}', '{"Note":"n1"}']
    assert compact(rest) == 2
    left = open_table(rest).scan().to_arrow_batch_reader().read_all().sort_by("interaction_id")
    assert left.to_pylist() == shown.to_pylist()


def test_the_view_has_the_columns_of_the_newest_version(rest):
    rest.prepare()
    assert "topic" not in find_view(rest).schema().column_names
    replace(rest, columns=NEWER).prepare()
    assert find_view(rest).schema().column_names == NEWER.names
    assert '"topic"' in find_view(rest).sql_for("trino").sql


def test_a_view_of_this_name_that_is_not_ours_stays(rest):
    from pyiceberg.view.metadata import SQLViewRepresentation, ViewRepresentation, ViewVersion

    text = ViewRepresentation(SQLViewRepresentation(type="sql", sql="SELECT 1 AS mine", dialect="trino"))
    schema = pa.schema([("mine", pa.int32())])
    with load_catalog(rest.name, **rest.properties) as catalog:
        catalog.create_namespace(rest.identifier[:-1])
        version = ViewVersion(schema_id=0, representations=[text], default_namespace=rest.identifier[:-1])
        catalog.create_view((*rest.identifier[:-1], "select_newest"), schema, version)
    for columns in (CANONICAL, NEWER):
        replace(rest, columns=columns).prepare()
        assert find_view(rest).sql_for("trino").sql == "SELECT 1 AS mine"


def test_a_catalogue_that_refuses_the_view_has_the_table_all_the_same(desk, rest, monkeypatch, caplog):
    """It may need a right of its own. Here the catalogue refuses the view's name."""
    monkeypatch.setattr(iceberg_view, "ENDING", " Newest")
    assert rest.load(desk.lake, land(desk, DAYS[0], range(3))).inserted == 3
    assert len(open_table(rest).scan().to_arrow_batch_reader().read_all()) == 3
    assert "The catalogue refused the view" in caplog.text
