"""The differences between SQL warehouses: names, types, statements, and how files reach a staging table.

`Dialect` has what most of them share. Each warehouse has a module for the rest. ``docs/sql`` has every statement.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import pyarrow as pa

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load.ledger import KEY as STEP_KEY
from airflow_provider_interactions.load.ledger import build_insert
from airflow_provider_interactions.load.sql import build_distinct, build_newer, build_order
from airflow_provider_interactions.schema import KEY, STEPS, find_since


class Result(NamedTuple):
    """What a statement returned: its rows, the names of their columns, and the rows that it changed (-1: unknown)."""

    rows: list[tuple[Any, ...]]
    names: list[str]
    changed: int


class Session(Protocol):
    """A connection that runs statements. Each is a transaction by itself, unless a statement has begun one."""

    def run(self, sql: str, values: Sequence[str] = ()) -> Result:
        """Run a statement. ``values`` replace the markers in it. Raises the driver's errors."""


class DbApiSession:
    """A session on a connection of Python's DB-API, as Airflow's hooks return it."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def run(self, sql: str, values: Sequence[str] = (), **options: Any) -> Result:
        """Run a statement. ``options`` are arguments of the driver's cursor."""
        with closing(self.connection.cursor()) as cursor:
            cursor.execute(sql, *([list(values)] if values else []), **options)
            described = cursor.description or ()
            rows = [tuple(row) for row in cursor.fetchall()] if described else []
            return Result(rows, [column[0].lower() for column in described], cursor.rowcount)


@dataclass(frozen=True)
class Dialect(ABC):
    """One kind of warehouse. ``table`` is always a name as the user wrote it. ``source`` is SQL for the staged rows."""

    #: The name of the warehouse, for messages, and sqlglot's name of its SQL.
    title: ClassVar[str]
    sqlglot: ClassVar[str]
    #: The types of columns, by kind (see `kind`), and patterns of the names under which it describes them.
    types: ClassVar[Mapping[str, str]]
    fits: ClassVar[Mapping[str, str]]
    #: The rights that the user needs.
    grants: ClassVar[str]
    #: Patterns of errors: another load was in the way; the user may not do that; the table is absent.
    conflict: ClassVar[re.Pattern[str]]
    denied: ClassVar[re.Pattern[str]]
    absent: ClassVar[re.Pattern[str]]
    #: Schemes of the addresses from which the warehouse reads files.
    stores: ClassVar[Sequence[str]] = ()
    #: The marker of a value in a statement, and the quote around a name.
    mark: ClassVar[str] = "%s"
    quotes: ClassVar[str] = '"'
    escaped_quote: ClassVar[str] = "''"
    #: Statements around the merge, where it is more than one statement.
    begin: ClassVar[Sequence[str]] = ()
    commit: ClassVar[Sequence[str]] = ()
    rollback: ClassVar[Sequence[str]] = ()

    def make_lock(self, table: str) -> Sequence[str]:  # noqa: ARG002 - not every warehouse needs one
        """The statements that make the lock for `take_lock`."""
        return ()

    def take_lock(self, table: str) -> Sequence[str]:  # noqa: ARG002 - not every warehouse has one
        """The statements that lock the table for other loads until the transaction ends."""
        return ()

    def open(self, connection: Any) -> Session:
        """A session on a new connection."""
        return DbApiSession(connection)

    def quote(self, name: str) -> str:
        """A column's or a table's name as an identifier. Dots separate database, schema and table."""
        mark = self.quotes
        return ".".join(f"{mark}{part.replace(mark, mark * 2)}{mark}" for part in name.split("."))

    def kind(self, field: pa.Field) -> str:
        """The kind of a column: text, instant, integer (of 32 bits), long (of 64) or float."""
        if pa.types.is_timestamp(field.type):
            return "instant"
        return {pa.int32(): "integer", pa.int64(): "long", pa.float64(): "float"}.get(field.type, "text")

    def sql_type(self, field: pa.Field) -> str:
        """The warehouse's type of a column."""
        return self.types[self.kind(field)]

    def list_names(self, columns: pa.Schema, prefix: str = "") -> str:
        """The quoted column names, separated by commas."""
        return ", ".join(f"{prefix}{self.quote(name)}" for name in columns.names)

    def list_columns(self, columns: pa.Schema, *, stage: bool = False) -> str:
        """The columns of a new table, each on a line. A staging table has neither conditions nor comments."""
        return ",\n".join(f"  {self._define(field, stage=stage)}" for field in columns)

    def _define(self, field: pa.Field, *, stage: bool) -> str:
        plain = f"{self.quote(field.name)} {self.sql_type(field)}"
        return plain if stage else f"{plain}{'' if field.nullable else ' NOT NULL'}{self.comment_column(field)}"

    def comment_column(self, field: pa.Field) -> str:
        """The comment in a column's definition, if the warehouse supports comments."""
        return f" COMMENT {self.quote_value(field.metadata[b'meaning'].decode())}" if field.metadata else ""

    @abstractmethod
    def create_table(self, table: str, columns: pa.Schema, key: Sequence[str] = KEY) -> str:
        """The statement that makes the table if it is absent."""

    @abstractmethod
    def read_columns(self, table: str) -> str:
        """The query for the columns of a table: rows that begin with a name and a type."""

    @abstractmethod
    def read_comment(self, table: str) -> str:
        """The query for the comment of a table: at most one row."""

    def set_comment(self, table: str, text: str) -> str:
        """The statement that sets the comment of a table."""
        return f"COMMENT ON TABLE {self.quote(table)} IS {self.quote_value(text)}"

    def add_column(self, table: str, field: pa.Field) -> str:
        """The statement that adds a column to a table."""
        return f"ALTER TABLE {self.quote(table)} ADD COLUMN {self._define(field.with_metadata({}), stage=False)}"

    def locate(self, lake: Lake, path: str) -> str:
        """The address under which the warehouse reads a file of the lake. Raises ConfigError if it cannot."""
        url = find_url(lake, path)
        scheme = url.partition("://")[0]
        if scheme not in self.stores:
            msg = (
                f"{self.title} reads the lake's files itself, and cannot read them at {scheme}://. Use a lake at "
                f"{' or '.join(f'{store}://' for store in self.stores)}."
            )
            raise ConfigError(msg)
        return url

    @abstractmethod
    def stage(self, session: Any, lake: Lake, manifest: Manifest, table: str, columns: pa.Schema) -> Any:
        """A context in which the rows of a window are in the warehouse. It yields the SQL that names them.

        Raises ConfigError if the warehouse cannot reach the lake.
        """

    @abstractmethod
    def merge(self, table: str, source: str, columns: pa.Schema, manifest: Manifest) -> list[str]:
        """The statements that merge the staged rows into the table."""

    @abstractmethod
    def count_merged(self, results: Sequence[Result]) -> tuple[int, int]:
        """The inserted and the updated rows, from what those statements returned."""

    @abstractmethod
    def add_steps(self, table: str, source: str) -> str:
        """The statement that adds rows to the table of the ledger, but for those that are there."""

    @abstractmethod
    def count_added(self, result: Result) -> int:
        """The rows that it added."""

    def list_rows(self, rows: pa.Table) -> str:
        """SQL for some rows, as constants."""
        parts = [", ".join(map(self._cast, rows.schema, one.values())) for one in rows.to_pylist()]
        return "(" + "\nUNION ALL ".join(f"SELECT {part}" for part in parts) + ")"

    def _cast(self, field: pa.Field, value: Any) -> str:
        text = "NULL" if value is None else self.quote_value(str(value))
        return f"CAST({text} AS {self.sql_type(field)}) AS {self.quote(field.name)}"

    def count_deleted(self, result: Result) -> int:
        """The rows that a DELETE removed."""
        return result.changed

    def erase(self, session: Any, table: str, vendor: str, account: str, contacts: Sequence[Contact]) -> int:
        """Delete the rows of some contacts, and return their number. Identifiers are values, never part of the SQL."""
        erased = 0
        for some in _chunk(contacts, 100):
            values = [vendor, account, *(text for one in some for text in (one.id, one.kind))]
            erased += self.count_deleted(session.run(self.delete_contacts(table, len(some)), values))
        return erased

    def delete_contacts(self, table: str, number: int) -> str:
        """The statement that deletes the rows of a number of contacts."""
        account = " AND ".join(f"{self.quote(name)} = {self.mark}" for name in KEY[:2])
        one = " AND ".join(f"{self.quote(name)} = {self.mark}" for name in ("contact_id", "contact_id_kind"))
        persons = " OR ".join([f"({one})"] * number)
        name = self.quote(table).replace("%", "%%" if self.mark == "%s" else "%")
        return f"DELETE FROM {name}\nWHERE {account} AND ({persons})"  # noqa: S608 - quoted

    def count_staged(self, source: str) -> str:
        """The query for the number of staged rows, and of their keys."""
        return f"SELECT count(*), count(DISTINCT {self.quote('interaction_id')})\nFROM {source}"

    def keep_newest(self, source: str, columns: pa.Schema) -> str:
        """SQL for the newest of the staged rows of each key. One manifest has one vendor and account."""
        newest = f"PARTITION BY {self.quote('interaction_id')} ORDER BY {build_order(columns, self.quote)}"
        names = self.list_names(columns)
        ranked = f"SELECT {names}, row_number() OVER ({newest}) AS nth FROM {source}"  # noqa: S608 - quoted
        return f"(SELECT {names} FROM ({ranked}) ranked WHERE nth = 1)"  # noqa: S608 - quoted

    def distinct(self, new: str, old: str, *, null: bool) -> str:
        """The condition that two values differ; two nulls are equal."""
        return build_distinct(new, old, null=null)

    def newer(self, columns: pa.Schema) -> str:
        """The condition under which a row of the window replaces the row in the table; see `build_newer`."""
        return build_newer(columns, self.quote, self.distinct).replace(" OR new.", "\n  OR new.")

    def of_account(self, manifest: Manifest, prefix: str = "old.") -> str:
        """The condition for rows of the manifest's account. Its constants let a warehouse skip other data."""
        pairs = zip(KEY, (manifest.vendor, manifest.account), strict=False)
        return " AND ".join(f"{prefix}{self.quote(name)} = {self.quote_value(value)}" for name, value in pairs)

    def quote_value(self, text: str) -> str:
        """A text as a literal. In all of these warehouses a backslash begins an escape sequence."""
        escaped = text.replace("\\", "\\\\")
        return "'" + escaped.replace("'", self.escaped_quote) + "'"

    def same(self, manifest: Manifest) -> str:
        """The condition under which a row of the window and one of the table are the same interaction."""
        key = self.quote("interaction_id")
        return f"old.{key} = new.{key} AND {self.of_account(manifest)}"


class MergingDialect(Dialect):
    """A warehouse whose MERGE is one atomic statement that counts what it did."""

    quotes = "`"
    escaped_quote = "\\'"

    def merge(self, table: str, source: str, columns: pa.Schema, manifest: Manifest) -> list[str]:
        """One MERGE."""
        changed = [name for name in columns.names if name not in KEY]
        sets = ", ".join(f"{self.quote(name)} = new.{self.quote(name)}" for name in changed)
        merge = (
            f"MERGE INTO {self.quote(table)} AS old\n"
            f"USING {source} AS new\n"
            f"ON {self.same(manifest)}\n"
            f"WHEN MATCHED AND {self.newer(columns)}\n"
            f"THEN UPDATE SET {sets}\n"
            f"WHEN NOT MATCHED THEN INSERT ({self.list_names(columns)})\n"
            f"VALUES ({self.list_names(columns, 'new.')})"
        )
        return [merge]

    def add_steps(self, table: str, source: str) -> str:
        """One statement, too, because a merge that meets another one is refused."""
        key = self.quote(STEP_KEY)
        return (
            f"MERGE INTO {self.quote(table)} AS old\n"
            f"USING {source} AS new\n"
            f"ON old.{key} = new.{key}\n"
            f"WHEN NOT MATCHED THEN INSERT ({self.list_names(STEPS)})\n"
            f"VALUES ({self.list_names(STEPS, 'new.')})"
        )

    def count_added(self, result: Result) -> int:
        """As for a window."""
        return self.count_merged([result])[0]


class ReplacingDialect(Dialect):
    """A warehouse with transactions: delete the rows that are replaced, then insert all that are absent."""

    begin = ("BEGIN",)
    commit = ("COMMIT",)
    rollback = ("ROLLBACK",)

    def merge(self, table: str, source: str, columns: pa.Schema, manifest: Manifest) -> list[str]:
        """The statement that deletes replaced rows, and the one that inserts."""
        name, key = self.quote(table), self.quote("interaction_id")
        same = self.same(manifest)
        replaced = f"SELECT new.{key} FROM {source} new JOIN {name} old\nON {same}\nWHERE {self.newer(columns)}"  # noqa: S608 - quoted
        there = f"SELECT 1 FROM {name} old WHERE {same}"  # noqa: S608 - quoted
        delete = f"DELETE FROM {name}\nWHERE {self.of_account(manifest, '')} AND {key} IN (\n{replaced})"  # noqa: S608 - quoted
        insert = f"INSERT INTO {name} ({self.list_names(columns)})\nSELECT {self.list_names(columns, 'new.')}"
        return [delete, f"{insert}\nFROM {source} new\nWHERE NOT EXISTS ({there})"]

    def count_merged(self, results: Sequence[Result]) -> tuple[int, int]:
        """Each deleted row is inserted again in its new version."""
        deleted, inserted = (self.count_deleted(result) for result in results)
        return inserted - deleted, deleted

    def add_steps(self, table: str, source: str) -> str:
        """An insertion, while the transaction has its lock."""
        return build_insert(table, source, self.quote)

    def count_added(self, result: Result) -> int:
        """The rows of the insertion."""
        return self.count_deleted(result)


#: Names of fsspec for the schemes of the stores' own addresses.
_SCHEMES = {"s3a": "s3", "gcs": "gs", "abfs": "abfss", "az": "abfss"}


def find_url(lake: Lake, path: str) -> str:
    """The address of a file in the lake, as the store's own tools write it."""
    scheme, _, rest = lake.url(path).partition("://")
    scheme = _SCHEMES.get(scheme, scheme)
    if scheme == "abfss" and "@" not in rest:
        container, _, rest = rest.partition("/")
        rest = f"{container}@{lake.fs.account_name}.dfs.core.windows.net/{rest}"
    return f"{scheme}://{rest}"


def list_present(manifest: Manifest, columns: pa.Schema) -> pa.Schema:
    """The columns in the files of a window: an older version of this package wrote fewer."""
    return pa.schema([column for column in columns if find_since(column) <= manifest.schema_version])


@contextmanager
def drop_after(session: Session, *statements: str) -> Iterator[None]:
    """Afterwards, run statements that remove what a load has made. Their errors do not hide the load's error."""
    try:
        yield
    except BaseException:
        for sql in statements:
            _try(session, sql)
        raise
    for sql in statements:
        session.run(sql)


def _try(session: Session, sql: str) -> None:
    with suppress(Exception):
        session.run(sql)


def _chunk(contacts: Sequence[Contact], size: int) -> Iterator[Sequence[Contact]]:
    for start in range(0, len(contacts), size):
        yield contacts[start : start + size]
