"""What only the targets in SQL warehouses have: their texts, and what they do when the warehouse refuses something.

``test_behaviour.py`` runs their statements: Snowflake's on a double (``.ci/test-warehouses``), the others' on DuckDB.
"""

import importlib.util
import random
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlglot
from fsspec.implementations.memory import MemoryFileSystem
from sqlglot import exp

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import ConfigError, LoadError, WindowSuperseded
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load import Loaded, warehouse
from airflow_provider_interactions.load.dialects import find_url
from airflow_provider_interactions.load.dialects.bigquery import BigQuery
from airflow_provider_interactions.load.dialects.databricks import Databricks
from airflow_provider_interactions.load.dialects.redshift import Redshift
from airflow_provider_interactions.load.dialects.snowflake import Snowflake
from tests.targets.translated import DIALECTS, connect
from tests.targets.windows import ACCOUNT, VENDOR, row, write

DOCS = Path(__file__).parents[2] / "docs"
ALL = (Snowflake, BigQuery, Redshift, Databricks)


@pytest.fixture(scope="module")
def texts():
    spec = importlib.util.spec_from_file_location("warehouse_sql", DOCS / "warehouse_sql.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_texts_that_people_read_are_those_that_are_sent(texts, capsys):
    assert texts.main(["--check"]) == 0, capsys.readouterr().out
    assert {path.stem for path in texts.FOLDER.iterdir()} == set(texts.DIALECTS)


@pytest.mark.parametrize("path", sorted((DOCS / "sql").iterdir()), ids=lambda path: path.stem)
def test_every_text_is_sql_of_its_dialect(path, texts):
    dialect = texts.DIALECTS[path.stem][0]
    text = path.read_text(encoding="utf-8").replace("= %s", "= ?")
    statements = [
        one for one in sqlglot.parse(text, dialect=dialect.sqlglot) if one and not isinstance(one, exp.Semicolon)
    ]
    unread = {one.sql()[:20].split()[0] for one in statements if isinstance(one, exp.Command)}
    assert unread <= {"LOCK", "SHOW", "PUT", "COMMENT", "ALTER"}
    assert len([one for one in statements if isinstance(one, exp.Merge | exp.Insert)]) >= 2


def test_a_delete_names_rows_of_one_account_only(texts):
    """sqlglot turned such statements of other dialects into ones that delete everything, so they are not made by it."""
    for dialect, scheme in texts.DIALECTS.values():
        for tree in sqlglot.parse(texts.record(dialect, scheme).replace("= %s", "= ?"), dialect=dialect.sqlglot):
            if isinstance(tree, exp.Delete):
                names = {one.this.name.lower() for one in tree.args["where"].find_all(exp.EQ)}
                assert {"vendor", "account"} <= names


class Refusing(MemoryFileSystem):
    cachable = False
    account_name = "acme"

    def unstrip_protocol(self, name):
        return f"{self.scheme}://{name.lstrip('/')}"


@pytest.mark.parametrize(
    ("scheme", "url"),
    [
        ("s3a", "s3://bucket/lake/a=%25/b.parquet"),
        ("gcs", "gs://bucket/lake/a=%25/b.parquet"),
        ("abfs", "abfss://bucket@acme.dfs.core.windows.net/lake/a=%25/b.parquet"),
    ],
)
def test_a_file_is_named_as_its_store_does(scheme, url):
    store = Refusing()
    store.scheme = scheme
    assert find_url(Lake(store, "/bucket/lake"), "a=%25/b.parquet") == url


@pytest.mark.parametrize(("dialect", "stores"), [(Redshift(), "s3://"), (Databricks(), "s3:// or gs:// or abfss://")])
def test_a_lake_out_of_reach_is_explained(dialect, stores, lake):
    with pytest.raises(ConfigError, match=f"cannot read them at file://. Use a lake at {stores}."):
        dialect.locate(lake, "a.parquet")


def test_a_table_of_bigquery_needs_a_dataset():
    with pytest.raises(ConfigError, match=r"dataset\.interactions"):
        BigQuery().read_columns("interactions")


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.title)
@pytest.mark.parametrize("text", ["it's", "\\", "\\'", "a\\\\b", "'; DROP TABLE x; --", "é🚀"])
def test_a_literal_is_read_as_its_text(kind, text):
    literal = sqlglot.parse_one(f"SELECT {kind().quote_value(text)}", dialect=kind.sqlglot).expressions[0]
    assert literal.name == text


class Session:
    """A session on DuckDB that refuses some statements, each as often as it is told."""

    def __init__(self, session, refusals):
        self.session, self.refusals = session, refusals
        self.dialect = session.dialect

    def __getattr__(self, name):
        return getattr(self.session, name)

    def run(self, sql, values=()):
        for number, (beginning, wrong, act) in enumerate(self.refusals):
            if sql.startswith(beginning):
                del self.refusals[number]
                act()
                if wrong is not None:
                    raise wrong
                break
        return self.session.run(sql, values)


class DriverError(Exception):
    """A driver's own error; its message quotes a value, as warehouses do."""


def refuse(message):
    return DriverError(f"{message}: value person@example.com")


@pytest.fixture(params=DIALECTS)
def open_refusing(request, duckdb_file, monkeypatch):
    """Open a table whose warehouse refuses statements: pairs of a beginning and an error, and what happens then."""
    monkeypatch.setattr(warehouse, "PAUSES", (0, 0, 0))

    def open_it(*refusals):
        dialect, name = DIALECTS[request.param](), "crm.interactions"

        @contextmanager
        def begin():
            with connect(dialect, duckdb_file, name) as session:
                yield Session(session, list(refusals))

        return warehouse.WarehouseTable(dialect, begin, name, "", name)

    return open_it


CONFLICTS = {
    "Redshift": "1023 Serializable isolation violation on table",
    "BigQuery": "400 Could not serialize access to table due to concurrent update",
    "Databricks": "[DELTA_CONCURRENT_APPEND] ConcurrentAppendException",
}


def do_nothing():
    pass


def test_a_merge_that_meets_another_load_is_tried_again(open_refusing, lake, caplog):
    title = open_refusing().dialect.title
    merge = "INSERT" if title == "Redshift" else "MERGE"
    caplog.set_level("INFO")
    conflicts = [(merge, refuse(CONFLICTS[title]), do_nothing)] * 3
    assert open_refusing(*conflicts).load(lake, write(lake, [row(1), row(2)])) == Loaded(2, 2, 0, 0, 0)
    assert "met another load" in caplog.text
    assert "example.com" not in caplog.text
    with pytest.raises(LoadError, match="was not loaded") as refused:
        open_refusing(*conflicts, *conflicts).load(lake, write(lake, [row(3)], 1))
    assert "example.com" not in str(refused.value)
    assert open_refusing().erase(VENDOR, ACCOUNT, [Contact("c1")]) == 2


DENIALS = {
    "Redshift": "42501 permission denied for schema crm",
    "BigQuery": "403 Access Denied: Dataset crm",
    "Databricks": "[INSUFFICIENT_PERMISSIONS] User does not have CREATE TABLE",
}


def test_a_user_who_may_not_make_tables_reads_what_is_needed(open_refusing, lake):
    table = open_refusing(("CREATE TABLE", refuse(DENIALS[open_refusing().dialect.title]), do_nothing))
    with pytest.raises(LoadError, match="does not let this user load") as refused:
        table.load(lake, write(lake, [row(1)]))
    assert table.dialect.grants in str(refused.value)
    assert "example.com" not in str(refused.value)


def test_a_version_published_during_the_merge_is_noticed(open_refusing, lake):
    """Without a lock the older version may be in the table already; then the newer one is loaded after it."""
    older = write(lake, [row(1, subject="old")], 1)
    merge = "INSERT" if open_refusing().dialect.title == "Redshift" else "MERGE"
    newer = []
    table = open_refusing((merge, None, lambda: newer.append(write(lake, [row(1, subject="new")], 2))))
    with pytest.raises(WindowSuperseded):
        table.load(lake, older)
    done = open_refusing().load(lake, newer[0])
    assert done.rows == done.inserted + done.updated == 1


def test_an_error_of_our_own_is_not_hidden(open_refusing, lake):
    table = open_refusing(("SELECT count", TypeError("a defect"), do_nothing))
    with pytest.raises(TypeError, match="a defect"):
        table.load(lake, write(lake, [row(1)]))


def test_an_erasure_of_many_contacts_is_counted_whole(open_refusing, lake):
    rows = [row(n, contact_id=f"c{n}") for n in range(250)]
    table = open_refusing()
    table.load(lake, write(lake, rows))
    some = random.Random(1).sample(rows, 230)
    assert table.erase(VENDOR, ACCOUNT, [Contact(one["contact_id"]) for one in some]) == 230
