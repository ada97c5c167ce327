"""Load the canonical rows of a window into a table of DuckLake: Parquet files, and a catalogue in a database.

With the catalogue in PostgreSQL, processes on many machines load at the same time. Rows merge as in a DuckDB file; see
`Target`. Loading windows again, in any order, gives the same table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import duckdb
import pyarrow as pa
import stamina

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import LoadError
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load import Loaded, require_current
from airflow_provider_interactions.load.duckdb import add_steps, explain, explain_load
from airflow_provider_interactions.load.duckdb_merge import merge
from airflow_provider_interactions.load.duckdb_rewrite import Theirs, explain_rewrite, rewrite_in_turn
from airflow_provider_interactions.load.ducklake_catalogue import TURN, Catalogue
from airflow_provider_interactions.load.ledger import DUCKDB_TYPES, ReadSteps, build_create, name_table
from airflow_provider_interactions.schema import CANONICAL

#: Attempts, first and longest pause (seconds) of a change that another commit came before, such as a compaction.
TRIES, FIRST_PAUSE, LAST_PAUSE = 8, 0.1, 5.0

#: Classes of errors that say why a store failed, in the text of DuckDB's error.
_STORE_FAULTS = ("PermissionError", "FileNotFoundError", "TimeoutError", "ConnectionError", "ClientError", "OSError")

Result = TypeVar("Result")
Explain = Callable[[Exception], str]


@dataclass(frozen=True, slots=True)
class DuckLakeTable:
    """A table in a DuckLake. The catalogue and the table are made if they are absent.

    ``catalogue`` is the path of a file, or libpq's address of a PostgreSQL database. ``files`` is the folder of the
    Parquet files, the same for all who use the catalogue: a path, or the URL of an object store, for which ``store`` is
    the file system of fsspec. ``columns`` differ from the default in tests only.
    """

    catalogue: str = field(repr=False)  # the address holds a password
    files: str
    table: str = "interactions"
    columns: pa.Schema = field(default=CANONICAL, repr=False)
    store: Any = field(default=None, repr=False, compare=False)

    def prepare(self) -> None:
        """Make the table, or add the columns that it lacks. Raises as `Target.prepare` says."""
        self._change(lambda _: None, "", partial(explain, self.table))

    def load(self, lake: Lake, manifest: Manifest) -> Loaded:
        """Merge a normalized window into the table. Raises as `Target.load` says."""

        def work(connection: duckdb.DuckDBPyConnection) -> Loaded:
            require_current(lake, manifest)
            return merge(connection, self.table, self.columns, lake, manifest)

        share = f"{manifest.vendor}/{manifest.account}"
        return self._change(work, share, partial(explain_load, lake, manifest, self.table))

    def erase(self, vendor: str, account: str, contacts: Iterable[Contact]) -> int:
        """Remove all rows of these contacts, and return their number. Raises LoadError.

        Then writes files with deleted rows again, expires all former snapshots of the whole catalogue, and removes
        the files that only those had, also if no current row is theirs. Also removes files of loads that were killed:
        with a shared catalogue, those that are older than a day. A catalogue in a file is written again, too.
        """
        theirs = Theirs(self.table, vendor, account, list(contacts))
        if not theirs.people:
            return 0
        erased = self._change(theirs.delete, f"{vendor}/{account}", partial(explain, self.table))
        self._repeat(self._forget, partial(explain_rewrite, self.table))
        if not self._catalogue.is_shared:
            with _translate_errors(partial(explain_rewrite, self.table)), rewrite_in_turn(self.catalogue, TURN):
                pass
        return erased

    def add_steps(self, read: ReadSteps) -> int:
        """Bring the table of the ledger up to date, one load after the other: DuckLake has no unique keys."""
        table = name_table(self.table)
        create = build_create(table, DUCKDB_TYPES, keyed=False)
        return self._change(lambda one: add_steps(one, table, create, read), "ledger", partial(explain, table))

    def describe(self) -> tuple[str, str]:
        """The catalogue's address without credentials, and the table's name."""
        if not self._catalogue.is_shared:
            return f"ducklake://{self.catalogue}", self.table
        address = urlsplit(self.catalogue)
        return f"ducklake://{address.netloc.rpartition('@')[2]}", f"{unquote(address.path[1:])}.{self.table}"

    @property
    def _catalogue(self) -> Catalogue:
        return Catalogue(self.catalogue, self.files, self.store)

    def _change(self, work: Callable[[duckdb.DuckDBPyConnection], Result], share: str, explain_it: Explain) -> Result:
        """Work on the prepared table in a transaction, while no other load has the same share of the table."""

        def change() -> Result:
            with (
                self._catalogue.open(self.table, self.columns) as connection,
                self._catalogue.wait(connection, f"{self.table}/{share}"),
            ):
                connection.begin()
                result = work(connection)
                connection.commit()
                return result

        return self._repeat(change, explain_it)

    def _forget(self) -> None:
        with self._catalogue.open(self.table, self.columns, alone=True) as connection:
            self._catalogue.forget(connection, self.table)

    def _repeat(self, change: Callable[[], Result], explain_it: Explain) -> Result:
        """Make a change. If another commit came first, make it again with the new state of the table."""
        again = stamina.retry_context(
            on=duckdb.TransactionException,
            attempts=TRIES,
            timeout=None,
            wait_initial=FIRST_PAUSE,
            wait_max=LAST_PAUSE,
        )
        with _translate_errors(partial(self._explain, explain_it)):
            for attempt in again:
                with attempt:
                    return change()
        raise AssertionError  # the last attempt returns or raises

    def _explain(self, explain_it: Explain, wrong: Exception) -> str:
        # DuckDB makes what Python's file system raises a plain error, with the class's name in its text.
        if self.store is None or type(wrong) is not duckdb.Error:
            return explain_it(wrong)
        why = next((name for name in _STORE_FAULTS if name in str(wrong)), "Error")
        return (
            f"The object store with the files of the DuckLake failed ({why}). The table is unchanged, or an erasure is "
            f"not complete. Check that the lake's connection may read, write, list and remove below {self.files}, then "
            "clear the task."
        )


@contextmanager
def _translate_errors(explain_it: Explain) -> Iterator[None]:
    """Raise LoadError without the message of DuckDB, which can quote a password or a person's identifier."""
    try:
        yield
    except (duckdb.Error, OSError, pa.ArrowException) as wrong:
        raise LoadError(explain_it(wrong)) from None
