"""Other engines read the Iceberg table: DuckDB alone, and polars (pyiceberg reads the metadata for it).

They run in an environment of their own (``.ci/test-engines``), because DuckDB's extension needs an older DuckDB.
"""

from importlib import import_module
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load.iceberg import IcebergTable
from airflow_provider_interactions.load.iceberg_catalog import build_local
from airflow_provider_interactions.load.iceberg_newest import compact
from airflow_provider_interactions.load.iceberg_view import build_newest_sql
from airflow_provider_interactions.schema import CANONICAL, _field, find_version
from airflow_provider_interactions.window import Window
from tests.targets.windows import ACCOUNT, DAY, VENDOR, row, write

NEWER = CANONICAL.append(_field("topic", pa.string(), "what it was about", since=find_version(CANONICAL) + 1))
WEEK = Window.of("2026-01-01", "2026-01-08")
COLUMNS = ("interaction_id", "subject", "count")


def load_extension(connection, name):
    """Install an extension of DuckDB from its package: nothing is downloaded."""
    folder = Path(import_module(f"duckdb_extension_{name}").__file__).parent
    [file] = folder.glob(f"extensions/*/{name}.duckdb_extension")
    connection.execute(f"INSTALL '{file}'")
    connection.execute(f"LOAD {name}")


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    with duckdb.connect(config={"extension_directory": str(tmp_path_factory.mktemp("extensions"))}) as opened:
        for name in ("avro", "iceberg"):
            load_extension(opened, name)
        yield opened


@pytest.fixture
def lake(tmp_path):
    return Lake.at(str(tmp_path / "lake"))


@pytest.fixture
def table(tmp_path):
    return IcebergTable(build_local(str(tmp_path / "warehouse.iceberg")))


def find_metadata(table):
    with load_catalog(table.name, **table.properties) as catalog:
        return catalog.load_table(table.identifier).metadata_location


def read_all(connection, table):
    """The rows, which both engines must read alike."""
    metadata = find_metadata(table)
    query = f"SELECT {', '.join(COLUMNS)}, epoch_us(occurred_at) FROM iceberg_scan('{metadata}')"
    scanned = pl.scan_iceberg(metadata, reader_override="native")
    at = pl.col("occurred_at").dt.epoch("us")
    rows = sorted(connection.sql(query).fetchall(), key=repr)
    assert sorted(scanned.select(*COLUMNS, at).collect().rows(), key=repr) == rows
    return [one[:2] for one in rows]


def test_they_read_what_was_loaded_replaced_and_erased(connection, lake, table):
    rows = [row(n, subject=f"a {n} é 🚀", count=n, contact_id=f"c{n}") for n in range(4)]
    table.load(lake, write(lake, rows))
    table.load(lake, write(lake, rows[:1], account="an/other:one"))  # its folder is percent-encoded
    assert len(read_all(connection, table)) == 5
    table.load(lake, write(lake, [row(1, contact_id="c1"), row(2, contact_id="c2")], 1))
    assert read_all(connection, table) == [("0", "a 0 é 🚀"), ("1", None), ("2", None)]
    assert table.erase(VENDOR, ACCOUNT, [Contact("c1")]) == 1
    assert read_all(connection, table) == [("0", "a 0 é 🚀"), ("2", None)]


def test_they_read_a_table_with_an_added_column(connection, lake, table):
    table.load(lake, write(lake, [row(1)]))
    newer = IcebergTable(table.properties, columns=NEWER)
    newer.load(lake, write(lake, [row(2, topic="news")], window=WEEK, columns=NEWER))
    metadata = find_metadata(table)
    found = connection.sql(f"SELECT interaction_id, topic FROM iceberg_scan('{metadata}')").fetchall()
    assert sorted(found) == [("1", None), ("2", "news")]
    assert len(read_all(connection, table)) == 2


def test_the_view_shows_what_a_compaction_leaves(connection, lake, table):
    for n, window in enumerate((DAY, WEEK)):
        table.load(lake, write(lake, [row(key, subject=f"seen {n}") for key in range(n, 3)], n, window=window))
    view = build_newest_sql(f"iceberg_scan('{find_metadata(table)}')")
    shown = connection.sql(f"SELECT interaction_id, subject FROM ({view}) ORDER BY ALL").fetchall()
    assert shown == [("0", "seen 0"), ("1", "seen 1"), ("2", "seen 1")]
    assert compact(table) == 2
    assert read_all(connection, table) == shown
