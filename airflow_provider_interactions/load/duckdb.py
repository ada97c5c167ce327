"""Load the canonical rows of a window into a DuckDB file.

Rows merge by (vendor, account, interaction_id); see `Target`. Loading windows again, in any order, gives the same
table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import ConfigError, LoadError
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load import Loaded, explain_files, require_current
from airflow_provider_interactions.load.duckdb_merge import merge, query_numbers
from airflow_provider_interactions.load.duckdb_rewrite import Theirs, explain_rewrite, has_copies, rewrite_in_turn
from airflow_provider_interactions.load.duckdb_schema import explain_misfit, prepare_table
from airflow_provider_interactions.load.duckdb_turn import MOTHERDUCK, is_full, open_in_turn, open_motherduck
from airflow_provider_interactions.load.ledger import (
    DUCKDB_TYPES,
    ReadSteps,
    build_create,
    build_insert,
    name_table,
    query_missing,
)
from airflow_provider_interactions.load.sql import quote_text
from airflow_provider_interactions.schema import CANONICAL

#: Seconds to wait while another process has the file open: a DuckDB file has one writer at a time.
TURN = 300.0

#: The same for the ledger's table: shorter than `duckdb_turn.PATIENCE`, so that no file is copied for it.
_LEDGER_TURN = 2.0

#: The most memory for DuckDB's own data. What does not fit goes to temporary files beside the database. DuckDB's own
#: limit is four fifths of the machine's memory, which a worker shares with other tasks.
MEMORY = "1GiB"


@dataclass(frozen=True, slots=True)
class DuckDBTable:
    """A table in a DuckDB file, or in MotherDuck. Both are made if they are absent.

    ``database`` is a path, or MotherDuck's address (``md:name``). ``storage_version`` is the format of a new file:
    tools with an older DuckDB cannot read the default of a newer one. ``token`` is MotherDuck's. ``columns`` differ
    from the default in tests only.
    """

    database: str = field(repr=False)  # MotherDuck's address can hold a token
    table: str = "interactions"
    columns: pa.Schema = field(default=CANONICAL, repr=False)
    storage_version: str = ""
    token: str = field(default="", repr=False)

    def prepare(self) -> None:
        """Make the table, or add the columns that it lacks. Raises as `Target.prepare` says."""
        with self._begin_transaction(partial(explain, self.table)):
            pass

    def load(self, lake: Lake, manifest: Manifest) -> Loaded:
        """Merge a normalized window into the table. Raises as `Target.load` says."""
        with self._begin_transaction(partial(explain_load, lake, manifest, self.table)) as connection:
            require_current(lake, manifest)
            return merge(connection, self.table, self.columns, lake, manifest)

    def erase(self, vendor: str, account: str, contacts: Iterable[Contact]) -> int:
        """Remove all rows of these contacts, and return their number. Raises LoadError.

        A file that held some is written again as a whole, because deleted rows stay in a DuckDB file.
        """
        theirs = Theirs(self.table, vendor, account, list(contacts))
        if self.database.startswith(MOTHERDUCK):
            with self._begin_transaction(partial(explain, self.table)) as connection:
                return theirs.delete(connection)
        with self._begin_transaction(partial(explain, self.table)) as connection:
            found = theirs.count(connection)
        if not found and not has_copies(self.database):
            return 0
        try:
            with rewrite_in_turn(self.database, TURN) as connection:
                limit_memory(connection)
                return theirs.delete(connection)
        except (duckdb.Error, OSError) as wrong:
            raise LoadError(
                explain(self.table, wrong) if is_full(wrong) else explain_rewrite(self.table, wrong)
            ) from None

    def add_steps(self, read: ReadSteps) -> int:
        """Bring the table of the ledger up to date. If somebody has the file open, that waits for the next load."""
        table = name_table(self.table)
        with self._begin_transaction(partial(explain, table), _LEDGER_TURN) as connection:
            return add_steps(connection, table, build_create(table, DUCKDB_TYPES), read)

    def describe(self) -> tuple[str, str]:
        """The file's address, and the table's name."""
        return f"duckdb://{self.database.partition('?')[0]}", self.table

    @contextmanager
    def _begin_transaction(
        self, explain: Callable[[Exception], str], turn: float | None = None
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """A transaction with the prepared table. Raises LoadError, with an explanation, for what DuckDB refuses."""
        with self._open(TURN if turn is None else turn) as connection:
            try:
                connection.execute("SET preserve_insertion_order = false")  # lets DuckDB insert on all cores
                if not self.database.startswith(MOTHERDUCK):
                    limit_memory(connection)
                connection.begin()
                prepare_table(connection, self.table, self.columns)
                yield connection
                connection.commit()
            except (duckdb.Error, OSError, pa.ArrowException) as wrong:
                # After some faults, such as a full disk, DuckDB has already ended the transaction.
                with suppress(duckdb.Error):
                    connection.rollback()
                # Do not pass DuckDB's message on: it can quote a value, such as a person's identifier.
                raise LoadError(explain(wrong)) from None

    def _open(self, turn: float) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        if self.database.startswith(MOTHERDUCK):
            return open_motherduck(self.database, self.token)
        make_folder(self.database)
        return open_in_turn(self.database, turn, self.storage_version)


def add_steps(connection: duckdb.DuckDBPyConnection, table: str, create: str, read: ReadSteps) -> int:
    """Bring a table of the ledger up to date, in the transaction of the connection. ``create`` makes it if needed."""
    connection.execute(create)
    steps = query_missing(table, lambda sql: connection.execute(sql).fetchall(), read)
    connection.register("steps", steps)
    [added] = query_numbers(connection, build_insert(table, "steps"))
    return added


def limit_memory(connection: duckdb.DuckDBPyConnection) -> None:
    """Limit DuckDB to ``MEMORY``, unless its limit is lower already, as in a small container."""
    [(limit,)] = connection.execute("SELECT current_setting('memory_limit')").fetchall()
    if limit.endswith(("GiB", "TiB", "PiB")):
        connection.execute(f"SET memory_limit = {quote_text(MEMORY)}")


def explain(table: str, wrong: Exception) -> str:
    """The message for what DuckDB refuses. It quotes nothing of DuckDB's, which may hold a person's identifier."""
    if is_full(wrong):
        return (
            "The disk of the DuckDB file, or of DuckDB's temporary files, is full; the table is unchanged. Free some "
            "space, then clear the task."
        )
    return explain_misfit(table, type(wrong).__name__)


def explain_load(lake: Lake, manifest: Manifest, table: str, wrong: Exception) -> str:
    """The same while a window is loaded, whose files may be missing or damaged."""
    there = all(lake.exists(file.path) for file in manifest.files)
    if is_full(wrong) or (there and isinstance(wrong, duckdb.Error)):
        return f"Window {manifest.window} was not loaded. {explain(table, wrong)}"
    return explain_files(manifest, wrong)


def make_folder(database: str) -> None:
    """Make the folder of a file. Raises ConfigError."""
    try:
        Path(database).parent.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        msg = f"Cannot create the folder of the DuckDB file ({wrong.strerror}). Check its path."
        raise ConfigError(msg) from wrong
