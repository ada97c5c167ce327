"""Write a DuckDB file again without what was deleted: a file keeps deleted rows, and blocks that are free."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from airflow_provider_interactions.addresses import add_spellings
from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import LoadError
from airflow_provider_interactions.identifiers import EMAIL
from airflow_provider_interactions.load.duckdb_turn import (
    ALONE,
    PAUSE,
    FileCopy,
    copy_if_only_read,
    list_copies,
    open_copy,
)
from airflow_provider_interactions.load.sql import quote_name, quote_text

#: The name of the new file while DuckDB fills it.
_NEW = "rewritten"

#: The condition for rows of people in the temporary table ``erased``.
_THEIRS = "(contact_id, contact_id_kind) IN (SELECT id, kind FROM erased) AND vendor = ? AND account = ?"

#: The condition for all rows of addresses of e-mail.
_ADDRESSES = f"contact_id_kind = '{EMAIL}' AND vendor = ? AND account = ?"

#: Addresses that are compared at once.
_AT_ONCE = 100_000


@dataclass(frozen=True, slots=True)
class Theirs:
    """The rows of some people of one vendor and account. Addresses of e-mail count in any case of their letters."""

    table: str
    vendor: str
    account: str
    people: Sequence[Contact]

    def count(self, connection: duckdb.DuckDBPyConnection) -> int:
        """Their number."""
        return self._query(connection, f"SELECT count(*) FROM {quote_name(self.table)} WHERE {_THEIRS}")  # noqa: S608 - quoted

    def delete(self, connection: duckdb.DuckDBPyConnection) -> int:
        """Delete them; returns their number."""
        return self._query(connection, f"DELETE FROM {quote_name(self.table)} WHERE {_THEIRS}")  # noqa: S608 - quoted

    def _query(self, connection: duckdb.DuckDBPyConnection, sql: str) -> int:
        connection.execute("CREATE OR REPLACE TEMP TABLE erased (id VARCHAR, kind VARCHAR)")
        people = add_spellings(self.people, lambda: self._read_addresses(connection))
        if people:
            connection.executemany("INSERT INTO erased VALUES (?, ?)", [[one.id, one.kind] for one in people])
        [(found,)] = connection.execute(sql, [self.vendor, self.account]).fetchall()
        return int(found)

    def _read_addresses(self, connection: duckdb.DuckDBPyConnection) -> Iterator[pa.Array]:
        sql = f"SELECT DISTINCT contact_id FROM {quote_name(self.table)} WHERE {_ADDRESSES}"  # noqa: S608 - quoted
        connection.execute(sql, [self.vendor, self.account])
        while rows := connection.fetchmany(_AT_ONCE):
            yield pa.array([address for (address,) in rows], pa.string())


@contextmanager
def rewrite_in_turn(database: str, turn: float) -> Iterator[duckdb.DuckDBPyConnection]:
    """Change a copy of the file. A new file, with only what the copy still has, then replaces the file.

    Waits up to ``turn`` seconds until nobody writes the file. Programs that read it go on with the former one until
    they open it again. Needs free space of twice the file. Raises LoadError if the file stays in use, and what DuckDB
    raises if it cannot copy the file's other tables and views; then the file is unchanged.
    """
    path = Path(database)
    with ALONE, _wait_for_copy(path, turn) as copy:
        connection = open_copy(copy)
        try:
            yield connection
            new = _write_again(connection, copy)
        finally:
            connection.close()
        new.replace(copy.copied)


def has_copies(database: str) -> bool:
    """Whether a load that died has left a copy of the file, or another process is working on one."""
    return bool(list_copies(Path(database)))


def explain_rewrite(table: str, wrong: Exception) -> str:
    """The message for a file that cannot be written again."""
    return (
        f"The DuckDB file of the table {table} cannot be written again ({type(wrong).__name__}), so it still holds the "
        "rows to be erased. DuckDB must be able to copy everything in the file: older versions cannot copy tables with "
        "foreign keys. Move other tables to another file, or install a newer DuckDB, then clear the task."
    )


def _wait_for_copy(path: Path, turn: float) -> FileCopy:
    began = time.monotonic()
    while (copy := copy_if_only_read(path)) is None:
        if time.monotonic() - began >= turn:
            msg = (
                f"The DuckDB file {path.name} was being written for {turn:.0f} s, so the erasure could not change it. "
                "Close it in other programs, then clear the task."
            )
            raise LoadError(msg)
        time.sleep(min(PAUSE, turn / 10))
    return copy


def _write_again(connection: duckdb.DuckDBPyConnection, copy: FileCopy) -> Path:
    """A new file next to the copy, with its tables, views and so on, in the same format."""
    new = copy.copied.with_name(f"{copy.copied.name}.{_NEW}")
    [(former, version)] = connection.execute(
        "SELECT database_name, tags['storage_version'] FROM duckdb_databases() WHERE database_name = current_database()"
    ).fetchall()
    format_of = f" (STORAGE_VERSION {quote_text(version.split()[0].rstrip('+'))})" if version else ""
    connection.execute(f"ATTACH {quote_text(str(new))} AS {_NEW}{format_of}")
    connection.execute(f"COPY FROM DATABASE {quote_name(former)} TO {_NEW}")
    connection.execute(f"DETACH {_NEW}")
    return new
