"""The differences between SQL warehouses: names, types, statements, and how files reach a staging table.

`Dialect` has what most of them share. Each warehouse has a module for the rest. ``docs/sql`` has every statement.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.identifiers import EMAIL
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load.dialects.session import DbApiSession, Result, Session
from airflow_provider_interactions.load.sql import build_distinct, build_newer, build_order
from airflow_provider_interactions.schema import KEY, find_since


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

    def find_kind(self, field: pa.Field) -> str:
        """The kind of a column: text, instant, integer (of 32 bits), long (of 64) or float."""
        if pa.types.is_timestamp(field.type):
            return "instant"
        return {pa.int32(): "integer", pa.int64(): "long", pa.float64(): "float"}.get(field.type, "text")

    def find_type(self, field: pa.Field) -> str:
        """The warehouse's type of a column."""
        return self.types[self.find_kind(field)]

    def list_names(self, columns: pa.Schema, prefix: str = "") -> str:
        """The quoted column names, separated by commas."""
        return ", ".join(f"{prefix}{self.quote(name)}" for name in columns.names)

    def list_columns(self, columns: pa.Schema, *, stage: bool = False) -> str:
        """The columns of a new table, each on a line. A staging table has neither conditions nor comments."""
        return ",\n".join(f"  {self._define(field, stage=stage)}" for field in columns)

    def _define(self, field: pa.Field, *, stage: bool) -> str:
        plain = f"{self.quote(field.name)} {self.find_type(field)}"
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
        return f"CAST({text} AS {self.find_type(field)}) AS {self.quote(field.name)}"

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

    def read_addresses(self, table: str, vendor: str, account: str, lengths: Sequence[int]) -> str:
        """The query for the addresses of e-mail of an account that have one of these numbers of characters.

        It names nobody, and lets the warehouse compare no letters: see `addresses`.
        """
        known = zip((*KEY[:2], "contact_id_kind"), (vendor, account, EMAIL), strict=True)
        mine = " AND ".join(f"{self.quote(name)} = {self.quote_value(value)}" for name, value in known)
        column, some = self.quote("contact_id"), ", ".join(map(str, lengths))
        return f"SELECT DISTINCT {column}\nFROM {self.quote(table)}\nWHERE {mine} AND length({column}) IN ({some})"

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

    def find_difference(self, new: str, old: str, *, null: bool) -> str:
        """The condition that two values differ; two nulls are equal."""
        return build_distinct(new, old, null=null)

    def match_newer(self, columns: pa.Schema) -> str:
        """The condition under which a row of the window replaces the row in the table; see `build_newer`."""
        return build_newer(columns, self.quote, self.find_difference).replace(" OR new.", "\n  OR new.")

    def match_account(self, manifest: Manifest, prefix: str = "old.") -> str:
        """The condition for rows of the manifest's account. Its constants let a warehouse skip other data."""
        pairs = zip(KEY, (manifest.vendor, manifest.account), strict=False)
        return " AND ".join(f"{prefix}{self.quote(name)} = {self.quote_value(value)}" for name, value in pairs)

    def quote_value(self, text: str) -> str:
        """A text as a literal. In all of these warehouses a backslash begins an escape sequence."""
        escaped = text.replace("\\", "\\\\")
        return "'" + escaped.replace("'", self.escaped_quote) + "'"

    def match_keys(self, manifest: Manifest) -> str:
        """The condition under which a row of the window and one of the table are the same interaction."""
        key = self.quote("interaction_id")
        return f"old.{key} = new.{key} AND {self.match_account(manifest)}"


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


def _chunk(contacts: Sequence[Contact], size: int) -> Iterator[Sequence[Contact]]:
    for start in range(0, len(contacts), size):
        yield contacts[start : start + size]
