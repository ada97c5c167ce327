"""The targets that the behaviour suite runs against. A new target is one class here, and its name in ``CASES``.

``fixture`` names the pytest fixture whose value is the place of the tables: a path or a URL, as text. ``replaces`` says
that the target replaces whole windows instead of merging rows by key.
"""

import json
import os
import re
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import fsspec
import psycopg
import pyarrow as pa

from airflow_provider_interactions.lake.file_systems import UNCACHED
from airflow_provider_interactions.load.sql import quote_name
from airflow_provider_interactions.schema import CANONICAL


class DuckDB:
    """A table in a DuckDB file."""

    fixture, replaces = "duckdb_file", False

    @staticmethod
    def open(place, table="interactions", columns=CANONICAL):
        """The target."""
        from airflow_provider_interactions.load.duckdb import DuckDBTable

        return DuckDBTable(place, table, columns)

    @staticmethod
    def read(place, table="interactions"):
        """All rows, as dictionaries with times in UTC. By another way than the target's own."""
        with duckdb.connect(place) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.sql(f"FROM {quote_name(table)}").to_arrow_table().to_pylist()

    @staticmethod
    def make_other(place, table="interactions"):
        """A table of the same name that is not ours, with one row."""
        with duckdb.connect(place) as connection:
            connection.execute(f"CREATE TABLE {quote_name(table)} AS SELECT 'mine' AS precious, 1 AS vendor")


class Postgres:
    """A table in PostgreSQL."""

    fixture, replaces = "database", False

    @staticmethod
    def open(place, table="interactions", columns=CANONICAL):
        """The target."""
        from airflow_provider_interactions.load.postgres import PostgresTable

        return PostgresTable(place, table, columns)

    @staticmethod
    def read(place, table="interactions"):
        """All rows, as dictionaries with times in UTC. By another driver than the target's own."""
        with psycopg.connect(place, options="-c TimeZone=UTC", row_factory=psycopg.rows.dict_row) as connection:
            return connection.execute(f"SELECT * FROM {quote_name(table)}").fetchall()

    @staticmethod
    def make_other(place, table="interactions"):
        """A table of the same name that is not ours, with one row."""
        with psycopg.connect(place) as connection:
            connection.execute(f"CREATE TABLE {quote_name(table)} AS SELECT 'mine' AS precious, 1 AS vendor")

    @staticmethod
    def restrict(place):
        """The place as a user has it who may not make tables, and what the error must grant."""
        with psycopg.connect(place) as connection:
            connection.execute("DROP ROLE IF EXISTS reader")
            connection.execute("CREATE ROLE reader LOGIN PASSWORD 'reads'")
        return place.replace("postgres:secret@", "reader:reads@"), 'GRANT CREATE ON SCHEMA "public" TO reader'


class OlderPostgres(Postgres):
    """A table in PostgreSQL 16, which merges by other statements than 17 and later."""

    fixture = "older_database"


class Snowflake:
    """A table in fakesnow, which speaks Snowflake's protocol: real driver, real statements, run on DuckDB."""

    fixture, replaces = "fakesnow", False

    @staticmethod
    def connect(place):
        """A connection; the place is the server's port and a database."""
        import snowflake.connector

        port, _, database = place.partition("/")
        known = {"user": "user", "password": "secret", "account": "acme", "database": database, "schema": "CRM"}
        address = {"host": "127.0.0.1", "port": int(port), "protocol": "http"}
        # The double answers 500 to what it cannot do, and the driver would try that again for minutes.
        return snowflake.connector.connect(**known, **address, network_timeout=2, autocommit=True)

    @classmethod
    def open(cls, place, table="interactions", columns=CANONICAL):
        """The target."""
        from airflow_provider_interactions.load.dialects.snowflake import Snowflake
        from airflow_provider_interactions.load.warehouse import WarehouseTable

        class Double(Snowflake):
            """Where Snowflake waits for a lock, the double refuses an update of the same row, with 500."""

            conflict = re.compile("InternalServerError|TransactionContext")

        address = ("snowflake://acme", f"CRM.{table}")
        return WarehouseTable(Double(), lambda: closing(cls.connect(place)), table, *address, columns)

    @classmethod
    def read(cls, place, table="interactions"):
        """All rows, as dictionaries with times in UTC."""
        with closing(cls.connect(place)) as connection, connection.cursor() as cursor:
            names = [column.name for column in cursor.describe(f"SELECT * FROM {cls.quote(table)}")]
            # The double answers with 1970 where a time is null, so ask for that as well.
            wanted = ", ".join(f'"{name}", "{name}" IS NULL' for name in names)
            cursor.execute(f"SELECT {wanted} FROM {cls.quote(table)}")
            return [
                {
                    name.lower(): None if null else value
                    for name, value, null in zip(names, one[::2], one[1::2], strict=True)
                }
                for one in cursor.fetchall()
            ]

    @classmethod
    def make_other(cls, place, table="interactions"):
        """A table of the same name that is not ours, with one row."""
        with closing(cls.connect(place)) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE {cls.quote(table)} AS SELECT 'mine' AS precious, 1 AS vendor")

    @staticmethod
    def quote(table):
        """A plain name in upper case, as Snowflake folds it."""
        return quote_name(table.upper() if table.isidentifier() and table.isascii() else table)


class Iceberg:
    """A table in Iceberg, with a catalogue in SQLite."""

    fixture, replaces = "iceberg_folder", True

    @staticmethod
    def open(place, table="interactions", columns=CANONICAL):
        """The target."""
        from airflow_provider_interactions.load.iceberg import IcebergTable
        from airflow_provider_interactions.load.iceberg_catalog import build_local

        return IcebergTable(build_local(place), table, columns)

    @classmethod
    def read(cls, place, table="interactions"):
        """All rows, as dictionaries with times in UTC. ``.ci/test-engines`` has them read by other engines."""
        from pyiceberg.catalog import load_catalog

        target = cls.open(place, table)
        with load_catalog(target.name, **target.properties) as catalog:
            return catalog.load_table(target.identifier).scan().to_arrow_batch_reader().read_all().to_pylist()

    @classmethod
    def make_other(cls, place, table="interactions"):
        """A table of the same name that is not ours, with one row."""
        from pyiceberg.catalog import load_catalog

        target = cls.open(place, table)
        rows = pa.table({"precious": ["mine"], "vendor": pa.array([1], pa.int32())})
        with load_catalog(target.name, **target.properties) as catalog:
            catalog.create_namespace_if_not_exists(target.identifier[:-1])
            catalog.create_table(target.identifier, rows.schema).append(rows)


class IcebergRest(Iceberg):
    """The same with a REST catalogue, which keeps the table's metadata on S3, and refuses some names of tables."""

    fixture, plain_names = "rest_catalogue", True

    @staticmethod
    def open(place, table="interactions", columns=CANONICAL):
        """The target."""
        from airflow_provider_interactions.load.iceberg import IcebergTable

        properties = json.loads(place)
        return IcebergTable(properties, f"{properties.pop('namespace')}.{table}", columns)


class DuckLake:
    """A table in a DuckLake with its catalogue in PostgreSQL, in an environment of its own: ``.ci/test-ducklake``."""

    fixture, replaces = "ducklake_database", False

    @staticmethod
    def open(place, table="interactions", columns=CANONICAL):
        """The target; the place is the catalogue and the folder of the files."""
        from airflow_provider_interactions.load.ducklake import DuckLakeTable

        catalogue, files, *options = json.loads(place)
        store = fsspec.filesystem("s3", **UNCACHED, **options[0]) if options else None
        return DuckLakeTable(catalogue, files, table, columns, store)

    @classmethod
    def read(cls, place, table="interactions"):
        """All rows, as dictionaries with times in UTC. By a statement alone."""
        with cls.attach(place) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.sql(f"FROM {quote_name(table)}").to_arrow_table().to_pylist()

    @classmethod
    def make_other(cls, place, table="interactions"):
        """A table of the same name that is not ours, with one row."""
        with cls.attach(place) as connection:
            connection.execute(f"CREATE TABLE {quote_name(table)} AS SELECT 'mine' AS precious, 1 AS vendor")

    @staticmethod
    @contextmanager
    def attach(place):
        """A connection to the catalogue, as a user has it."""
        catalogue, files, *options = json.loads(place)
        kind = "postgres:" if "://" in catalogue else ""
        with duckdb.connect() as connection:
            for name in ("postgres_scanner", "ducklake", *("httpfs" for _ in options)):
                folder = Path(import_module(f"duckdb_extension_{name}").__file__).parent
                [file] = folder.glob(f"extensions/*/{name}.duckdb_extension")
                connection.execute(f"LOAD '{file}'")
            for one in options:
                keys, server = f"KEY_ID '{one['key']}', SECRET '{one['secret']}'", urlsplit(one["endpoint_url"]).netloc
                where = f"ENDPOINT '{server}', URL_STYLE 'path', USE_SSL false"
                connection.execute(f"CREATE SECRET (TYPE s3, {keys}, {where})")
            connection.execute(f"ATTACH 'ducklake:{kind}{catalogue}' AS mine (DATA_PATH '{files}')")
            connection.execute("USE mine")
            yield connection


class DuckLakeS3(DuckLake):
    """The same with the files on S3. The target has s3fs, and those who read have DuckDB's own client."""

    fixture = "ducklake_bucket"


class DuckLakeFile(DuckLake):
    """The same with the catalogue in a file, which one process has open at a time."""

    fixture = "ducklake_file"


class OnDuckDB:
    """A warehouse for which nothing runs here: its statements, translated by sqlglot, run on DuckDB.

    This finds wrong logic in them, and what the warehouse's own parser would accept no more than sqlglot's does.
    """

    fixture, replaces = "duckdb_file", False

    @classmethod
    def open(cls, place, table="interactions", columns=CANONICAL):
        """The target."""
        from airflow_provider_interactions.load.warehouse import WarehouseTable
        from tests.targets.translated import DIALECTS, connect

        dialect = DIALECTS[cls.__name__]()
        name = f"crm.{table}" if cls.__name__ == "BigQuery" else table
        return WarehouseTable(dialect, lambda: connect(dialect, place, name), name, "test://", name, columns)

    @classmethod
    def read(cls, place, table="interactions"):
        """All rows, as dictionaries with times in UTC."""
        return DuckDB.read(place, f"crm.{table}" if cls.__name__ == "BigQuery" else table)

    @classmethod
    def make_other(cls, place, table="interactions"):
        """A table of the same name that is not ours, with one row."""
        if cls.__name__ == "BigQuery":
            with duckdb.connect(place) as connection:
                connection.execute("CREATE SCHEMA IF NOT EXISTS crm")
        DuckDB.make_other(place, f"crm.{table}" if cls.__name__ == "BigQuery" else table)


class Redshift(OnDuckDB):
    """Redshift's statements, on DuckDB."""


class BigQuery(OnDuckDB):
    """BigQuery's statements, on DuckDB."""


class Databricks(OnDuckDB):
    """Databricks' statements, on DuckDB."""


#: Some targets need an environment of their own, which names them here.
DEFAULT = "DuckDB,Postgres,OlderPostgres,Iceberg,IcebergRest,Redshift,BigQuery,Databricks"
CASES = tuple(globals()[name] for name in os.environ.get("TARGETS", DEFAULT).split(","))
