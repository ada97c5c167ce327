"""Runs the statements of a warehouse on DuckDB, translated by sqlglot. What reads files is understood by hand.

What the warehouse's catalogue answers (columns, comments) is answered from DuckDB's.
"""

import re
from contextlib import contextmanager

import duckdb
import sqlglot
from sqlglot import exp

from airflow_provider_interactions.load.dialects import bigquery, databricks, redshift
from airflow_provider_interactions.load.dialects.session import Result
from airflow_provider_interactions.load.duckdb_turn import open_in_turn
from airflow_provider_interactions.load.ledger import name_table
from airflow_provider_interactions.load.sql import quote_name, quote_text


class LocalRedshift(redshift.Redshift):
    def open(self, connection):
        return connection

    def locate(self, lake, path):
        return lake.full(path)


class LocalDatabricks(databricks.Databricks):
    def open(self, connection):
        return connection

    def locate(self, lake, path):
        return lake.full(path)


class LocalBigQuery(bigquery.BigQuery):
    def open(self, connection):
        return connection


DIALECTS = {"Redshift": LocalRedshift, "BigQuery": LocalBigQuery, "Databricks": LocalDatabricks}

#: How each warehouse describes DuckDB's types.
DESCRIBED = {
    "redshift": {
        "VARCHAR": "character varying",
        "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
        "DOUBLE": "double precision",
    },
    "bigquery": {"VARCHAR": "STRING", "TIMESTAMP WITH TIME ZONE": "TIMESTAMP", "BIGINT": "INT64", "DOUBLE": "FLOAT64"},
    "databricks": {"VARCHAR": "string", "TIMESTAMP WITH TIME ZONE": "timestamp", "INTEGER": "int"},
}

_READ_FILES = re.compile(
    r"read_files\('((?:[^'\\]|\\.)*)', format => 'parquet', schema => '([^']*)', partitionColumns => ''\)"
)
_COPY = re.compile(r"COPY (\S+)\nFROM '(.*)'\nIAM_ROLE default\nFORMAT AS PARQUET", re.DOTALL)


@contextmanager
def connect(dialect, place, table):
    """A connection to a DuckDB file that understands the dialect."""
    with open_in_turn(place, 60) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        if "." in table:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote_name(table.partition('.')[0])}")
        yield Translated(dialect, connection, table)


class Translated:
    """A session of the dialect."""

    def __init__(self, dialect, connection, table):
        self.dialect, self.connection, self.table = dialect, connection, table

    def run(self, sql, values=()):
        """Run a statement."""
        for table in (self.table, name_table(self.table)):
            if sql == self.dialect.read_columns(table):
                return self._describe(quote_name(table))
            if sql == self.dialect.read_comment(table):
                comment = f"SELECT comment FROM duckdb_tables() WHERE table_name = {quote_text(table.split('.')[-1])}"
                return Result(self.connection.execute(comment).fetchall(), ["comment"], -1)
            found = re.search(r"'([\w ]+, schema version \d+)'", sql)
            if found and sql == self.dialect.set_comment(table, found[1]):
                return self._execute(f"COMMENT ON TABLE {quote_name(table)} IS '{found[1]}'")
        if (found := _COPY.fullmatch(sql)) is not None:
            return self._execute(f"INSERT INTO {found[1]} FROM read_parquet('{found[2]}', hive_partitioning = false)")
        if sql.startswith("LOCK TABLE"):
            return Result([], [], -1)
        return self._execute(self._translate(sql, len(values)), values)

    def load_stream(self, staging, stream, columns):
        """BigQuery's load job: columns by name, and nulls for those that are not in the file."""
        path = quote_text(stream.name)
        self.connection.execute(
            f"INSERT INTO {quote_name(staging)} BY NAME FROM read_parquet({path}, hive_partitioning = false)"
        )
        assert [name for name, _ in columns] == self.connection.read_parquet(
            stream.name, hive_partitioning=False
        ).columns

    def _describe(self, name):
        try:
            rows = self.connection.execute(f"DESCRIBE {name}").fetchall()
        except duckdb.CatalogException as wrong:
            if self.dialect.sqlglot != "databricks":
                return Result([], ["column_name", "data_type"], -1)
            message = "[TABLE_OR_VIEW_NOT_FOUND] The table or view cannot be found."
            raise RuntimeError(message) from wrong
        known = DESCRIBED[self.dialect.sqlglot]
        return Result([(row[0], known.get(row[1], row[1])) for row in rows], ["column_name", "data_type"], -1)

    def _execute(self, sql, values=()):
        merge = sql.startswith("MERGE")
        cursor = self.connection.execute(sql + " RETURNING merge_action" if merge else sql, list(values))
        rows = cursor.fetchall() if cursor.description else []
        if merge:
            actions = [action for (action,) in rows]
            return self._count(actions.count("INSERT"), actions.count("UPDATE"))
        if sql.startswith(("INSERT", "DELETE")):
            changed = rows[0][0]
            return Result([(changed,)], ["num_affected_rows"], changed)
        return Result(rows, [column[0] for column in cursor.description or ()], -1)

    def _count(self, inserted, updated):
        names = ["num_inserted_rows", "num_updated_rows", "num_deleted_rows"]
        return Result([(inserted, updated, 0)], names, inserted + updated)

    def _translate(self, sql, values):
        if values and self.dialect.mark == "%s":
            sql %= ("?",) * values
        files = _READ_FILES.findall(sql)
        for number, _ in enumerate(files):
            sql = _READ_FILES.sub(f"files_{number}", sql, count=1)
        [tree] = sqlglot.parse(sql, dialect=self.dialect.sqlglot)
        if isinstance(tree, exp.Create):
            tree = _keep_columns(tree)
        translated = tree.sql(dialect="duckdb")
        for number, (path, schema) in enumerate(files):
            empty = ", ".join("NULL::{1} AS {0}".format(*one.split()) for one in schema.split(", "))
            rows = f"SELECT {empty.replace('STRING', 'VARCHAR').replace('TIMESTAMP', 'TIMESTAMPTZ')} WHERE false"
            rows += f" UNION ALL BY NAME FROM read_parquet('{path}', hive_partitioning = false)"
            translated = re.sub(rf"\bfiles_{number}\b", lambda _, rows=rows: f"({rows})", translated)
        return translated


def _keep_columns(create):
    """The statement without keys, comments and properties, which DuckDB does not know or would enforce."""
    create.set("properties", None)
    schema = create.this
    if isinstance(schema, exp.Schema):
        columns = [one for one in schema.expressions if isinstance(one, exp.ColumnDef)]
        for column in columns:
            kept = [one for one in column.args["constraints"] if isinstance(one.kind, exp.NotNullColumnConstraint)]
            column.set("constraints", kept)
        schema.set("expressions", columns)
    return create
