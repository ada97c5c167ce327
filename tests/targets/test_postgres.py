"""What only the target for PostgreSQL does; ``test_behaviour.py`` has what all targets do."""

import json
import traceback
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.coverage.ledger import Step, read_new_steps, write_step
from airflow_provider_interactions.errors import ConfigError, LoadError
from airflow_provider_interactions.load import Loaded
from airflow_provider_interactions.load import postgres as module
from airflow_provider_interactions.load.postgres import PostgresTable
from airflow_provider_interactions.load.postgres_rows import fit_json
from airflow_provider_interactions.load.postgres_schema import sql_type
from airflow_provider_interactions.schema import CANONICAL, find_version
from tests.targets.windows import ACCOUNT, VENDOR, row, write

CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


def query(url, sql):
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchall() if cursor.description else None


@contextmanager
def cut_at(monkeypatch, database, name):
    """The server ends the connection when the target calls this function of its module."""
    real = getattr(module, name)

    def cut_connection(*arguments, **more):
        query(database, CUT)
        return real(*arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(module, name, cut_connection)
        yield


@pytest.mark.parametrize("step", ["_stage_rows", "read_canonical", "_lock", "require_current", "merge", "add_key"])
def test_a_connection_that_is_cut_leaves_nothing_half_loaded(database, lake, monkeypatch, step):
    first = write(lake, [row(key) for key in range(1000)], 1)
    with cut_at(monkeypatch, database, step), pytest.raises(LoadError, match="connection to PostgreSQL broke") as cut:
        PostgresTable(database).load(lake, first)
    assert cut.value.retry
    assert query(database, "SELECT to_regclass('interactions')") == [(None,)]
    assert PostgresTable(database).load(lake, first).inserted == 1000
    newer = write(lake, [row(key, subject="newer") for key in range(2000)], 2)
    if step != "add_key":
        with cut_at(monkeypatch, database, step), pytest.raises(LoadError):
            PostgresTable(database).load(lake, newer)
        assert query(database, "SELECT count(*), count(subject) FROM interactions") == [(1000, 0)]
    assert PostgresTable(database).load(lake, newer) == Loaded(2000, 1000, 1000, 0, 0)


def test_a_window_loaded_again_unchanged_writes_no_wal(database, lake):
    manifest = write(lake, [row(key, subject="x" * 200) for key in range(20_000)])
    PostgresTable(database).load(lake, manifest)
    # With checksums, whoever reads rows first notes in the pages that they are committed.
    query(database, "VACUUM interactions")
    [[before]] = query(database, "SELECT pg_current_wal_insert_lsn()")
    assert PostgresTable(database).load(lake, manifest).unchanged == 20_000
    [[written]] = query(database, f"SELECT pg_current_wal_insert_lsn() - '{before}'")
    assert written < 500_000  # entries of two temporary tables in the catalogue; the rows are 6 MB


def test_the_table_says_what_it_holds_and_has_key_and_indexes(database, lake):
    PostgresTable(database).load(lake, write(lake, [row(1)]))
    columns = (
        "SELECT column_name, data_type, is_nullable FROM information_schema.columns"
        " WHERE table_name = 'interactions' ORDER BY ordinal_position"
    )
    assert query(database, columns) == [
        (field.name, sql_type(field), "YES" if field.nullable else "NO") for field in CANONICAL
    ]
    meanings = f"SELECT col_description('interactions'::regclass, n) FROM generate_series(1, {len(CANONICAL)}) n"
    assert query(database, meanings) == [(field.metadata[b"meaning"].decode(),) for field in CANONICAL]
    [[comment]] = query(database, "SELECT obj_description('interactions'::regclass)")
    assert comment.endswith(f"schema version {find_version(CANONICAL)}")
    indexes = query(
        database, "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'interactions'::regclass"
    )
    found = sorted(definition.rpartition(" USING btree ")[2] for [definition] in indexes)
    assert found == ["(contact_id, vendor)", "(occurred_at)", "(vendor, account, interaction_id)"]


def test_nul_characters_become_their_picture_and_are_counted(database, lake, caplog):
    rows = [row(1, subject="a\0b", contact_id="c\0"), row(2, subject="␀"), row(3, channel="sms")]
    target = PostgresTable(database)
    assert target.load(lake, write(lake, rows)).inserted == 3
    assert "2 texts had a NUL character" in caplog.text
    assert query(database, "SELECT subject FROM interactions ORDER BY interaction_id") == [("a␀b",), ("␀",), (None,)]
    assert target.load(lake, write(lake, rows, 1)).unchanged == 3
    assert target.erase(VENDOR, ACCOUNT, [Contact("c\0")]) == 1


ODD = {
    "nul": r'{"a":"x\u0000y"}',
    "no nul": r'{"a":"x\\u0000y"}',
    "half a pair": r'{"a":"\ud800","\udc00":1}',
    "a pair": r'{"a":"\ud83d\ude00"}',
    "too large": '{"a":1e400,"b":[1e200000,-2E+131072]}',
    "too small": '{"a":1e-20000}',
    "long": '{"a":' + "7" * 200_000 + "}",
    "plain": '{"a": 1.10, "b": [true, null, "é"]}',
}


def test_jsonb_keeps_beside_it_what_it_cannot_hold(database, lake, caplog):
    target = PostgresTable(database, attributes="jsonb")
    rows = [row(key, attributes=text) for key, text in ODD.items()]
    assert target.load(lake, write(lake, rows)).inserted == len(ODD)
    assert "attributes of 5 rows differ" in caplog.text
    found = dict(
        query(database, "SELECT interaction_id, attributes_raw FROM interactions WHERE attributes_raw IS NOT NULL")
    )
    kept = ("nul", "half a pair", "too large", "too small", "long")
    assert found == {key: ODD[key] for key in kept}
    assert query(database, "SELECT attributes ->> 'a' FROM interactions WHERE interaction_id = 'nul'") == [("x␀y",)]
    # A table that is there keeps its type, whatever is asked for.
    assert PostgresTable(database).load(lake, write(lake, rows, 1)).unchanged == len(ODD)
    other = [row(key, attributes='{"a": 2}') for key in ODD]
    assert PostgresTable(database).load(lake, write(lake, other, 2)).updated == len(ODD)
    assert query(database, "SELECT count(attributes_raw) FROM interactions") == [(0,)]


TEXTS = st.text(st.characters(exclude_categories=[])) | st.sampled_from(["\0", "\ud800", "\\u0000", '"', "😀"])
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def cursor(postgres):
    with psycopg.connect(postgres, autocommit=True) as connection:
        yield connection.cursor()


@given(value=st.dictionaries(TEXTS, VALUES, max_size=4))
@example(value={"\ud83d": {"\ude00": "\ud83d\ude00"}, "e": -1e-308})
def test_any_json_fits_jsonb_and_is_changed_only_where_it_must_be(cursor, value):
    text = json.dumps(value)
    fit = fit_json(text)
    [[kept]] = cursor.execute("SELECT %s::jsonb::text", [fit]).fetchall()
    read = {"parse_float": Decimal, "parse_int": Decimal}
    assert json.loads(kept, **read) == json.loads(fit, **read)
    strings = json.dumps(value, ensure_ascii=False)
    if "\\u0000" not in text and not any(0xD800 <= ord(one) < 0xE000 for one in strings) and "e" not in text:
        assert fit == text


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("DROP COLUMN status", "missing columns: status"),
        ("ALTER COLUMN subject TYPE varchar(20)", r"subject character varying\(20\), not text"),
        ("ALTER COLUMN occurred_at TYPE timestamp", "occurred_at timestamp without time zone"),
        ("ADD COLUMN mine text NOT NULL", "other columns that need a value: mine"),
        ("ALTER COLUMN attributes TYPE jsonb USING attributes::jsonb", "missing columns: attributes_raw"),
    ],
)
def test_columns_that_do_not_fit_are_named(database, lake, change, named):
    PostgresTable(database).prepare()
    query(database, f"ALTER TABLE interactions {change}")
    with pytest.raises(LoadError, match=named):
        PostgresTable(database).load(lake, write(lake, [row(1)]))
    assert query(database, "SELECT count(*) FROM interactions") == [(0,)]


@pytest.mark.parametrize("server", ["database", "older_database"])
def test_a_table_of_the_users_own_may_have_more_and_be_partitioned(request, server, lake):
    """Partitions by a part of the key; the row's place alone does not name it there."""
    database = request.getfixturevalue(server)
    fields = ", ".join(
        f'"{field.name}" {sql_type(field).replace("text", "varchar")}' for field in reversed(list(CANONICAL))
    )
    query(
        database,
        f"CREATE TABLE interactions (id bigserial, {fields}, PRIMARY KEY (vendor, account, interaction_id))"
        " PARTITION BY LIST (vendor)",
    )
    for vendor in ("which50", "capillary"):
        query(database, f"CREATE TABLE of_{vendor} PARTITION OF interactions FOR VALUES IN ('{vendor}')")
    target = PostgresTable(database)
    for vendor in ("which50", "capillary"):
        for day, subject in enumerate("ab"):
            done = target.load(lake, write(lake, [row(key, subject=subject) for key in range(9)], day, vendor=vendor))
            assert done == Loaded(9, 9 * (day == 0), 9 * (day == 1), 0, 0)
    assert query(database, "SELECT vendor, subject, count(*) FROM interactions GROUP BY 1, 2 ORDER BY 1") == [
        ("capillary", "b", 9),
        ("which50", "b", 9),
    ]


def test_a_table_in_partitions_by_time_is_refused(database, lake):
    """Its key must hold the time. So an interaction whose time the vendor corrects would be there twice."""
    fields = ", ".join(f'"{field.name}" {sql_type(field)}' for field in CANONICAL)
    key = "PRIMARY KEY (vendor, account, interaction_id, occurred_at)"
    query(database, f"CREATE TABLE interactions ({fields}, {key}) PARTITION BY RANGE (occurred_at)")
    query(database, "CREATE TABLE of_all PARTITION OF interactions DEFAULT")
    with pytest.raises(LoadError, match=r"PostgreSQL refused the rows of table interactions \(SQLSTATE"):
        PostgresTable(database).load(lake, write(lake, [row(1)]))
    assert query(database, "SELECT count(*) FROM interactions") == [(0,)]


def test_a_view_is_no_table(database, lake):
    query(database, "CREATE VIEW interactions AS SELECT 1 AS vendor")
    with pytest.raises(LoadError, match="a view"):
        PostgresTable(database).load(lake, write(lake, [row(1)]))


@pytest.mark.parametrize("name", ["", "a.", ".a", "database.schema.table", "x" * 64, "é" * 32, "a\0b"])
def test_what_cannot_be_a_name_is_refused(name):
    with pytest.raises(ConfigError, match="cannot be the name of a table"):
        PostgresTable("postgresql://", name)


def test_a_schema_that_is_absent_is_made(database, lake):
    target = PostgresTable(database, "crm.interactions")
    assert target.load(lake, write(lake, [row(1)])).inserted == 1
    assert target.load(lake, write(lake, [row(1)], 1)).unchanged == 1
    assert query(database, "SELECT count(*) FROM crm.interactions") == [(1,)]


@pytest.fixture
def writer(database):
    """The URL of a user without rights."""
    query(database, "DROP ROLE IF EXISTS writer")
    query(database, "CREATE ROLE writer LOGIN PASSWORD 'writes'")
    yield database.replace("postgres:secret@", "writer:writes@")
    query(database, "DROP OWNED BY writer; DROP ROLE writer")


def test_each_missing_right_is_named_and_they_suffice(database, lake, writer, caplog):
    PostgresTable(database).load(lake, write(lake, [row(1)]))
    [[name]] = query(database, "SELECT current_database()")
    query(database, f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC")
    rights = 'GRANT SELECT, INSERT, UPDATE, DELETE ON "interactions" TO writer'
    grants = f"GRANT TEMPORARY ON DATABASE {name} TO writer; {rights}"
    with pytest.raises(LoadError) as refused:
        PostgresTable(writer).load(lake, write(lake, [row(1, subject="x")], 1))
    assert str(refused.value).endswith(grants)
    query(database, grants)
    assert PostgresTable(writer).load(lake, write(lake, [row(1, subject="x")], 2)).updated == 1
    assert PostgresTable(writer).erase(VENDOR, ACCOUNT, [Contact("c1")]) == 1
    assert "may not vacuum interactions" in caplog.text
    assert count_dead(database) > 0
    assert PostgresTable(database).erase(VENDOR, ACCOUNT, [Contact("c1")]) == 0
    assert count_dead(database) == 0


def count_dead(url):
    """Rows in the table's pages, and in its indexes, that are deleted but not gone, whatever a vacuum has skipped."""
    query(url, "CREATE EXTENSION IF NOT EXISTS pgstattuple")
    [[dead]] = query(url, "SELECT dead_tuple_count FROM pgstattuple('interactions')")
    return dead


def test_no_right_to_make_a_schema_is_named(lake, writer):
    with pytest.raises(LoadError, match=r"GRANT CREATE ON DATABASE test_\w+ TO writer"):
        PostgresTable(writer, "crm.interactions").load(lake, write(lake, [row(1)]))


def test_a_server_that_refuses_is_named_without_the_password(postgres, lake):
    wrong = postgres.replace(":secret@", ":s3cr%C3%A9t@"), f"{postgres}_not"
    for url, why in zip(wrong, ("password authentication failed", "does not exist"), strict=True):
        with pytest.raises(LoadError, match=f"Cannot connect to PostgreSQL at 127.0.0.1:.* \\({why}\\)") as refused:
            PostgresTable(url).load(lake, write(lake, []))
        shown = "".join(traceback.format_exception(refused.value))
        assert "s3cr" not in shown
        assert "secret" not in shown


def test_no_value_is_quoted_when_rows_are_refused(database, lake):
    person = "jane" + "@example.org"
    PostgresTable(database).prepare()
    query(database, f"ALTER TABLE interactions ADD CHECK (contact_id <> '{person}')")
    with pytest.raises(LoadError, match="SQLSTATE 23514") as refused:
        PostgresTable(database).load(lake, write(lake, [row(1, contact_id=person)]))
    assert person not in "".join(traceback.format_exception(refused.value))


def test_who_waits_too_long_for_the_table_is_told_to_look(database, lake, monkeypatch):
    target = PostgresTable(database)
    target.load(lake, write(lake, [row(1)]))
    monkeypatch.setattr(module, "TURN", 0.3)
    with psycopg.connect(database) as other:
        other.execute("LOCK TABLE interactions IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(LoadError, match=r"has had the table for 0 s\. Look for it in pg_stat_activity"):
            target.load(lake, write(lake, [row(1)], 1))


def test_loads_of_two_accounts_do_not_wait_for_each_other(database, lake, monkeypatch):
    target = PostgresTable(database)
    target.load(lake, write(lake, [row(1)]))
    inner = write(lake, [row(1)], account="other")
    real, done = module.require_current, []

    def meanwhile(*arguments):
        if not done:
            done.append(None)
            done.append(target.load(lake, inner))
        real(*arguments)

    monkeypatch.setattr(module, "require_current", meanwhile)
    assert target.load(lake, write(lake, [row(1, subject="x")], 1)).updated == 1
    assert done[1].inserted == 1


def test_who_may_only_insert_into_the_ledger_needs_no_right_to_create(lake, database):
    owner, read = PostgresTable(database, "made.interactions"), partial(read_new_steps, lake)
    owner.prepare()
    owner.add_steps(read)
    with psycopg.connect(database) as connection:
        connection.execute("CREATE ROLE adder LOGIN PASSWORD 'x'")
        connection.execute("GRANT USAGE ON SCHEMA made TO adder")
        connection.execute("GRANT SELECT, INSERT ON made.interactions_ledger TO adder")
    at = datetime(2026, 1, 2, 0, 5, tzinfo=UTC)
    write_step(lake, Step(step="list", state="success", started_at=at, ended_at=at, seconds=1.5))
    server = database.rpartition("@")[2]
    assert PostgresTable(f"postgresql://adder:x@{server}", "made.interactions").add_steps(read) == 1
