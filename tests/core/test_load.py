"""Loading into DuckDB: the same table whatever is loaded how often, in which order, by how many."""

import json
import os
import subprocess
import sys
import time
import traceback
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_interactions import schema
from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import ConfigError, LoadError, Unreconciled
from airflow_provider_interactions.lake.manifest import Counts, pack
from airflow_provider_interactions.load import Loaded, duckdb_turn
from airflow_provider_interactions.load import duckdb as module
from airflow_provider_interactions.load.duckdb import DuckDBTable
from airflow_provider_interactions.load.duckdb_merge import build_fresh
from airflow_provider_interactions.load.duckdb_schema import sql_type
from airflow_provider_interactions.load.sql import quote_name
from airflow_provider_interactions.normalize.pipeline import normalize
from airflow_provider_interactions.schema import CANONICAL, KEY
from airflow_provider_interactions.window import Window

ROOT = Path(__file__).parents[2]
IDS = [f"{n:032X}" for n in range(1, 40)]

#: The version of the schema after the present one.
NEXT = schema.find_version(CANONICAL) + 1


@pytest.fixture
def database(tmp_path):
    return str(tmp_path / "warehouse" / "all.duckdb")


def load(lake, manifest, database, table="interactions"):
    return DuckDBTable(database, table).load(lake, manifest)


def query(database, sql):
    with duckdb.connect(database) as connection:
        return connection.execute(sql).fetchall()


def table(database):
    # As text: reading an instant with a zone into Python needs pytz, which nothing here depends on.
    return query(database, "SELECT COLUMNS(*)::VARCHAR FROM interactions ORDER BY account, interaction_id")


def versions(desk):
    """The same two interactions as three extractions of different instants saw them; the last has one more."""
    return [
        desk.normalize(
            *(desk.record(InteractionId=key, Note=f"seen {day}") for key in IDS[: 2 if day < 3 else 3]),
            extracted_at=datetime(2026, 5, day, tzinfo=UTC),
            window=Window.of("2026-01-02", f"2026-01-0{2 + day}"),
        )
        for day in (1, 2, 3)
    ]


def test_a_load_tells_what_it_did(desk, database):
    first, second, third = versions(desk)
    assert load(desk.lake, first, database) == Loaded(rows=2, inserted=2, updated=0, unchanged=0, merged=0)
    assert load(desk.lake, third, database) == Loaded(rows=3, inserted=1, updated=2, unchanged=0, merged=0)
    assert load(desk.lake, second, database) == Loaded(rows=2, inserted=0, updated=0, unchanged=2, merged=0)


def test_a_second_load_changes_nothing(desk, database):
    manifest = desk.normalize(*(desk.record(InteractionId=key) for key in IDS))
    load(desk.lake, manifest, database)
    before = table(database)
    load(desk.lake, manifest, database)
    assert table(database) == before
    assert len(before) == len(IDS)


def test_what_other_code_made_of_the_same_extraction_replaces_it(desk, database):
    raw = desk.land(*(desk.record(InteractionId=key) for key in IDS[:3]))
    manifest = normalize(desk.lake, raw)
    assert load(desk.lake, manifest, database).inserted == 3
    assert load(desk.lake, manifest, database).unchanged == 3
    query(database, f"UPDATE interactions SET subject = 'x' WHERE interaction_id = '{uuid.UUID(IDS[1])}'")
    assert load(desk.lake, manifest, database) == Loaded(rows=3, inserted=0, updated=1, unchanged=2, merged=0)
    query(database, f"DELETE FROM interactions WHERE interaction_id = '{uuid.UUID(IDS[0])}'")
    assert load(desk.lake, manifest, database) == Loaded(rows=3, inserted=1, updated=0, unchanged=2, merged=0)
    assert {row[10] for row in table(database)} == {None}


def test_waiting_for_ones_turn_logs_no_folder(desk, database, monkeypatch, caplog, capsys):
    manifest = desk.normalize(desk.record())
    Path(database).parent.mkdir()
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.readline()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        monkeypatch.setattr(module, "TURN", 0.5)
        caplog.set_level("INFO")
        with pytest.raises(LoadError, match=rf"all.duckdb: IOException.*process {holder.pid} ") as told:
            load(desk.lake, manifest, database)
        holder.communicate("\n", timeout=30)
    logged = caplog.text + capsys.readouterr().out  # stamina prefers structlog where there is one
    assert str(Path(database).parent) not in logged + str(told.value)
    assert logged.count("all.duckdb") == 1
    assert f"is open in process {holder.pid} (python" in logged
    assert str(Path(sys.executable).parent) not in logged + str(told.value)


def test_a_load_that_waited_says_so_twice_and_loads(desk, database, caplog):
    manifest = desk.normalize(desk.record())
    Path(database).parent.mkdir()
    hold = (
        "import duckdb, sys, time; duckdb.connect(sys.argv[1]).close();"
        "c = duckdb.connect(sys.argv[1], read_only=True);"
        "print('held', flush=True); time.sleep(2.5); c.close()"
    )
    caplog.set_level("INFO")
    with subprocess.Popen([sys.executable, "-c", hold, database], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        assert load(desk.lake, manifest, database).inserted == 1
    lines = [line.getMessage() for line in caplog.records if "all.duckdb" in line.getMessage()]
    assert len(lines) == 2
    assert "waiting up to" in lines[0]
    assert "became free after" in lines[1]
    assert not [line for line in caplog.records if line.levelname == "WARNING"]


COLUMNS = [f'"{name}"' for name in CANONICAL.names]


@given(order=st.permutations(COLUMNS), data=st.data())
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_order_of_columns_is_free(desk, tmp_path, order, data):
    """F08: a table that somebody made tidy got values in wrong columns."""
    own, tidied = (str(tmp_path / f"{uuid.uuid4().hex}.duckdb") for _ in "12")
    first, second, third = versions(desk)
    for manifest in (first, second, third):
        load(desk.lake, manifest, own)
    load(desk.lake, first, tidied)
    more = data.draw(st.sampled_from(["", ", NULL::DOUBLE AS score"]))
    query(tidied, f"CREATE TABLE tidy AS SELECT {', '.join(order)}{more} FROM interactions")
    query(tidied, "DROP TABLE interactions")
    query(tidied, "ALTER TABLE tidy RENAME TO interactions")
    for manifest in (second, third):
        load(desk.lake, manifest, tidied)
    wanted = f"SELECT {', '.join(f'{name}::VARCHAR' for name in COLUMNS)} FROM interactions ORDER BY ALL"
    assert query(tidied, wanted) == query(own, wanted)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("DROP COLUMN status", "missing columns: status"),
        ("RENAME COLUMN status TO state", "missing columns: status"),
        ("ALTER COLUMN subject TYPE BLOB", "subject BLOB"),
        ("ALTER COLUMN occurred_at TYPE TIMESTAMP", "occurred_at TIMESTAMP"),
        (
            "ADD COLUMN mine VARCHAR; ALTER TABLE interactions ALTER COLUMN mine SET NOT NULL",
            "other columns that need a value: mine",
        ),
    ],
)
def test_columns_that_do_not_fit_are_named(desk, database, change, told):
    manifest = desk.normalize(desk.record())
    load(desk.lake, desk.normalize(), database)
    query(database, f"ALTER TABLE interactions {change}")
    with pytest.raises(LoadError, match=told):
        load(desk.lake, manifest, database)
    assert query(database, "SELECT count(*) FROM interactions") == [(0,)]


FULL = """
import resource, signal, sys, json
from airflow_provider_interactions.errors import LoadError
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load.duckdb import DuckDBTable
from airflow_provider_interactions.lake.manifest import unpack
lake, database, room = sys.argv[1:]
manifest = unpack(json.loads(sys.stdin.readline()))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(room), resource.RLIM_INFINITY))
try:
    DuckDBTable(database).load(Lake.at(lake), manifest)
except LoadError as wrong:
    print(type(wrong).__name__, wrong)
"""


@pytest.mark.parametrize("room", [100, 5000, 9000, 13000, 100_000])
def test_no_room_is_named_and_the_next_load_goes_on(desk, database, room):
    """A real limit of a file's size stands for a full disk: the system refuses to write in the same way."""
    noise = [desk.record(InteractionId=key, Note=os.urandom(9000).hex()) for key in IDS]
    manifest = desk.normalize(*noise)
    begin = [sys.executable, "-c", FULL, desk.lake.root, database, str(room)]
    said = json.dumps(pack(manifest)) + "\n"
    done = subprocess.run(begin, input=said, capture_output=True, text=True, cwd=ROOT, timeout=60, check=True)
    assert done.stdout.startswith("LoadError")
    assert "Free some space" in done.stdout
    assert "rollback" not in done.stdout + done.stderr
    assert load(desk.lake, manifest, database).inserted == len(IDS)
    assert len(table(database)) == len(IDS)


@pytest.mark.parametrize("left", [b"", b"\0" * 4096, b"\0" * 12288, b"\0" * 8 + b"DUCK" + b"\x40" * 100])
def test_a_file_that_a_dead_load_left_half_made_is_made_anew(desk, database, left):
    Path(database).parent.mkdir()
    Path(database).write_bytes(left)
    assert load(desk.lake, desk.normalize(desk.record()), database).inserted == 1


def test_the_newest_wins_in_any_order(desk, tmp_path):
    manifests = versions(desk)
    tables = []
    for n, order in enumerate(([0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1])):
        database = str(tmp_path / f"{n}.duckdb")
        for which in order:
            load(desk.lake, manifests[which], database)
        tables.append(table(database))
    assert all(rows == tables[0] for rows in tables)
    assert len(tables[0]) == 3
    notes = query(str(tmp_path / "0.duckdb"), "SELECT DISTINCT attributes FROM interactions")
    assert notes == [('{"Note":"seen 3"}',)]


def test_the_columns_are_the_agreed_ones_and_instants_keep_their_zone(desk, database):
    load(desk.lake, desk.normalize(desk.record(Timestamp="2026-01-02T10:00:00.000001+02:00", Emoji="🚀")), database)
    columns = query(database, "SELECT column_name, data_type FROM information_schema.columns ORDER BY ordinal_position")
    assert [name for name, _ in columns] == CANONICAL.names
    assert {kind for name, kind in columns if name.endswith(("_at", "_start", "_end"))} == {"TIMESTAMP WITH TIME ZONE"}
    assert query(database, "SELECT epoch_us(occurred_at), attributes ->> 'Emoji' FROM interactions") == [
        (1767340800000001, "🚀")
    ]


def test_the_same_interaction_of_two_contacts_is_one_row(desk, database):
    for contact in ("c1", "c2"):
        last = desk.normalize(desk.record(), contact=contact)
        load(desk.lake, last, database)
    assert query(database, f"SELECT count(*), count(DISTINCT ({', '.join(KEY)})) FROM interactions") == [(1, 1)]


def test_accounts_do_not_meet(desk, database):
    for account in ("one", "two"):
        load(desk.lake, desk.normalize(desk.record(), account=account), database)
    assert len(table(database)) == 2


@pytest.mark.parametrize("name", ['we"ird; DROP TABLE x', "select", "ä ö", "main.inter'actions"])
def test_any_table_name_is_a_name_and_nothing_else(desk, database, name):
    load(desk.lake, desk.normalize(desk.record()), database, name)
    assert query(database, f"SELECT count(*) FROM {quote_name(name)}") == [(1,)]
    assert query(database, "SELECT table_name FROM information_schema.tables") == [(name.removeprefix("main."),)]


@pytest.fixture(scope="module")
def memory():
    with duckdb.connect() as connection:
        yield connection


@given(name=st.text(st.characters(exclude_characters=".\0", exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_a_quoted_name_names_itself(memory, name):
    assert memory.execute(f"SELECT 1 AS {quote_name(name)}").description[0][0] == name


def test_a_table_of_another_shape_is_left_as_it_is(desk, database):
    Path(database).parent.mkdir()
    query(database, "CREATE TABLE interactions AS SELECT 'mine' AS precious")
    manifest = desk.normalize(desk.record())
    with pytest.raises(LoadError, match=r"DuckDB refused the rows of table .interactions. .*the table is unchanged"):
        load(desk.lake, manifest, database)
    assert query(database, "SELECT * FROM interactions") == [("mine",)]


def test_nobody_is_quoted_when_a_table_does_not_fit(desk, database):
    """DuckDB names the value that it cannot convert: here who was asked about."""
    Path(database).parent.mkdir()
    columns = ", ".join(
        f'"{field.name}" {"TINYINT" if field.name == "contact_id" else sql_type(field)}' for field in CANONICAL
    )
    query(database, f"CREATE TABLE interactions ({columns})")
    manifest = desk.normalize(desk.record())
    with pytest.raises(LoadError, match="its columns, types or constraints may not fit") as told:
        load(desk.lake, manifest, database)
    asked = pq.read_table(desk.lake.full(manifest.files[0].path), columns=["contact_id"])[0][0].as_py()
    assert asked not in "".join(traceback.format_exception(told.value))


@pytest.mark.parametrize("harm", ["gone", "garbled", "foreign"])
def test_files_that_are_gone_or_garbled_change_nothing(desk, database, harm):
    load(desk.lake, desk.normalize(desk.record(InteractionId=IDS[5])), database)
    before = table(database)
    manifest = desk.normalize(desk.record(), desk.record(InteractionId=IDS[1]), account="other")
    path = Path(desk.lake.full(manifest.files[0].path))
    if harm == "gone":
        path.unlink()
    elif harm == "garbled":
        path.write_bytes(path.read_bytes()[:-9])
    else:
        path.write_bytes(Path(desk.lake.full(desk.land(desk.record()).files[0].path)).read_bytes())
    with pytest.raises(LoadError, match="the table is unchanged") as told:
        load(desk.lake, manifest, database)
    assert told.value.retry
    assert table(database) == before


def test_fewer_rows_than_the_manifest_says_are_not_loaded(desk, database):
    manifest = desk.normalize(desk.record())
    tampered = msgspec.structs.replace(manifest, counts=manifest.counts + Counts(canonical=1))
    with pytest.raises(Unreconciled, match="2 rows are in the manifest, 1 in its files"):
        load(desk.lake, tampered, database)
    assert query(database, "SELECT count(*) FROM information_schema.tables") == [(0,)]


def test_a_file_that_is_no_database_is_told_at_once(desk, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database " * 500)
    began = time.monotonic()
    with pytest.raises(LoadError, match=r"cannot be opened \(notes.txt: IOException\)"):
        load(desk.lake, desk.normalize(), str(path))
    assert time.monotonic() - began < 60


def test_a_database_below_a_file_is_a_config_error(desk, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="Check its path"):
        load(desk.lake, desk.normalize(), str(tmp_path / "file" / "x" / "all.duckdb"))


LOAD = """
import json, sys
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load.duckdb import DuckDBTable
from airflow_provider_interactions.lake.manifest import unpack
lake, database = sys.argv[1:]
print("ready", flush=True)
for manifest in json.loads(sys.stdin.readline()):
    DuckDBTable(database).load(Lake.at(lake), unpack(manifest))
"""


def test_two_processes_at_once_take_turns(desk, database):
    accounts = [desk.normalize(desk.record(), account=f"account {n}") for n in range(4)]
    begin = [sys.executable, "-c", LOAD, desk.lake.root, database]
    loaders = [
        subprocess.Popen(begin, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in "12"
    ]
    for loader in loaders:
        assert loader.stdout.readline() == "ready\n"
    for loader, part in zip(loaders, (accounts[:3], accounts[1:]), strict=True):
        loader.stdin.write(json.dumps([pack(manifest) for manifest in part]) + "\n")
        loader.stdin.flush()
    for loader in loaders:
        loader.communicate(timeout=30)
        assert loader.returncode == 0
    assert len(table(database)) == 4


def test_a_schema_that_is_not_there_is_made(desk, database):
    manifest = desk.normalize(desk.record())
    assert load(desk.lake, manifest, database, "crm.interactions").inserted == 1
    assert load(desk.lake, manifest, database, "crm.interactions").unchanged == 1


@pytest.mark.parametrize("order", [1, -1])
def test_which_of_two_alike_is_kept_does_not_depend_on_their_order(desk, order):
    raw = desk.normalize(desk.record(InteractionId=IDS[0]))
    [row] = pq.read_table(desk.lake.full(raw.files[0].path)).to_pylist()
    twice = [{**row, "contact_id": name} for name in ("a", "b")][::order]
    with duckdb.connect() as connection:
        connection.register("arrived", pa.Table.from_pylist(twice, CANONICAL))
        connection.execute(build_fresh(CANONICAL))
        assert connection.execute("SELECT contact_id FROM fresh").fetchall() == [("a",)]


def test_a_reader_holds_up_nobody(desk, database, monkeypatch, caplog):
    """A program reads the file for long: the load goes on in a copy, and the reader keeps what it has open."""
    monkeypatch.setattr(duckdb_turn, "PATIENCE", 0.5)
    first, _, third = versions(desk)
    load(desk.lake, first, database)
    caplog.set_level("INFO")
    with reading(database) as reader:
        assert load(desk.lake, third, database).inserted == 1
        assert ask(reader) == 2
        assert [path.name for path in Path(database).parent.iterdir()] == [Path(database).name]
    assert len(table(database)) == 3
    assert "loading into a copy" in caplog.text
    assert str(Path(database).parent) not in caplog.text


def test_a_failed_load_beside_a_reader_leaves_the_file(desk, database, monkeypatch):
    monkeypatch.setattr(duckdb_turn, "PATIENCE", 0.5)
    load(desk.lake, desk.normalize(desk.record()), database)
    manifest = desk.normalize(desk.record(InteractionId=IDS[1]), account="other")
    tampered = msgspec.structs.replace(manifest, counts=manifest.counts + Counts(canonical=1))
    with reading(database), pytest.raises(Unreconciled):
        load(desk.lake, tampered, database)
    assert len(table(database)) == 1
    assert [path.name for path in Path(database).parent.iterdir()] == [Path(database).name]


def test_loads_beside_a_reader_take_turns(desk, database):
    """Each of two loads would copy the file, and the second would undo the first."""
    load(desk.lake, desk.normalize(desk.record(), account="first"), database)
    accounts = [desk.normalize(desk.record(), account=f"account {n}") for n in range(4)]
    begin = [sys.executable, "-c", LOAD, desk.lake.root, database]
    with reading(database):
        loaders = [
            subprocess.Popen(begin, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in "123"
        ]
        for loader, part in zip(loaders, (accounts[:2], accounts[1:3], accounts[2:]), strict=True):
            assert loader.stdout.readline() == "ready\n"
            loader.stdin.write(json.dumps([pack(manifest) for manifest in part]) + "\n")
            loader.stdin.flush()
        for loader in loaders:
            loader.communicate(timeout=120)
            assert loader.returncode == 0
    assert len(table(database)) == 5


READ = """
import duckdb, sys
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    for _ in sys.stdin:
        print(connection.execute("SELECT count(*) FROM interactions").fetchone()[0], flush=True)
"""


@contextmanager
def reading(database):
    """Another process that has the file open for reading."""
    begin = [sys.executable, "-c", READ, database]
    with subprocess.Popen(begin, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert ask(reader) >= 0
        yield reader
        reader.communicate(timeout=30)


def ask(reader):
    reader.stdin.write("count\n")
    reader.stdin.flush()
    return int(reader.stdout.readline())


@pytest.mark.parametrize("version", ["v1.2.0", "v1.0.0"])
def test_a_file_of_an_older_format_is_made_and_loaded_again(desk, database, version):
    for _ in range(2):
        manifest = desk.normalize(desk.record(), desk.record(InteractionId=IDS[1]))
        DuckDBTable(database, storage_version=version).load(desk.lake, manifest)
    [[tags]] = query(database, "SELECT tags FROM duckdb_databases() WHERE database_name = current_database()")
    assert tags["storage_version"].startswith(version[:4])
    assert len(table(database)) == 2


def newer():
    """The canonical columns of a version to come."""
    return CANONICAL.append(schema._field("person", pa.string(), "a column to come", since=NEXT))


def test_a_column_of_a_newer_version_is_added_to_table_and_rows(desk, database):
    first, _, third = versions(desk)
    load(desk.lake, first, database)
    table_of_3 = DuckDBTable(database, columns=newer())
    assert table_of_3.load(desk.lake, third) == Loaded(rows=3, inserted=1, updated=2, unchanged=0, merged=0)
    assert query(database, "SELECT person FROM interactions") == [(None,)] * 3
    with pytest.raises(ConfigError, match=rf"The table interactions has schema version {NEXT}.*Upgrade"):
        load(desk.lake, third, database)
    table_of_3.prepare()
    assert len(query(database, "DESCRIBE interactions")) == len(CANONICAL) + 1


def test_files_of_a_newer_version_are_not_loaded_by_older_code(desk, database):
    manifest = msgspec.structs.replace(desk.normalize(desk.record()), schema_version=NEXT)
    with pytest.raises(ConfigError, match=rf"has schema version {NEXT}.*Upgrade"):
        load(desk.lake, manifest, database)


def test_erased_contacts_are_gone_and_nobody_else(desk, database):
    records = [(contact, desk.record(InteractionId=key)) for contact, key in zip("abc", IDS, strict=False)]
    for contact, record in records:
        load(desk.lake, desk.normalize(record, contact=contact), database)
    place = DuckDBTable(database)
    vendor, account = query(database, "SELECT DISTINCT vendor, account FROM interactions")[0]
    known = [Contact(*row) for row in query(database, "SELECT contact_id, contact_id_kind FROM interactions")]
    assert place.erase(vendor, "another", known) == 0
    assert place.erase(vendor, account, []) == 0
    assert place.erase(vendor, account, [Contact(known[0].id, "email")]) == 0
    assert place.erase(vendor, account, [*known[:2], known[0]]) == 2
    assert query(database, "SELECT contact_id FROM interactions") == [(known[2].id,)]
