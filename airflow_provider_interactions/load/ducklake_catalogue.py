"""Open the catalogue of a DuckLake: a file, which one process has open at a time, or a PostgreSQL database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from airflow_provider_interactions.errors import ConfigError, LoadError
from airflow_provider_interactions.lake.file_systems import abort_uploads
from airflow_provider_interactions.load.duckdb import limit_memory, make_folder
from airflow_provider_interactions.load.duckdb_schema import prepare_table
from airflow_provider_interactions.load.duckdb_turn import ALONE, PAUSE
from airflow_provider_interactions.load.sql import quote_text

#: Seconds to wait for another load: of the same vendor and account, or, with the catalogue in a file, of any.
TURN = 900.0

#: A load does not take longer, so an older file that is in no snapshot is of one that was killed.
AGE = timedelta(days=1)

#: The newest DuckDB with an extension ducklake in the package index (2026-11). Both must have the same version.
VERSION = "1.5.5"

#: What DuckDB says if another process has a file open.
_LOCKED = "set lock on file"

#: Names of the attached databases: the lake, its catalogue as DuckLake names it, and for locks the same database of
#: PostgreSQL.
_LAKE, _METADATA, _TURN = "lake", "__ducklake_metadata_lake", "turn"

#: The catalogue's tables with bounds of columns, which can be identifiers of people.
_BOUNDS = ("ducklake_file_column_stats", "ducklake_table_column_stats")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The path of a file or libpq's address of a PostgreSQL database, and the folder of the Parquet files.

    If the folder is in an object store, DuckDB reads and writes it by ``store``, a file system of fsspec. So it needs
    no credentials of its own.
    """

    address: str
    files: str
    store: Any = field(default=None, repr=False, compare=False)

    @property
    def is_shared(self) -> bool:
        """Whether it is in PostgreSQL, so that several processes have it open at once."""
        return self.address.startswith(("postgres://", "postgresql://"))

    @contextmanager
    def open(self, table: str, columns: pa.Schema, *, alone: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection whose default database it is, with the prepared table.

        Meanwhile nobody has the table ``alone``, or this connection has. Raises LoadError, what `prepare_table` does,
        and ConfigError if DuckDB has not the extensions.
        """
        with nullcontext() if self.is_shared else ALONE, closing(self._connect()) as connection:
            self._reach(connection)
            with self.wait(connection, f"{table}/all", together=not alone):
                # One after the other: of two that make the same catalogue or table at once, one would fail.
                with self.wait(connection, table):
                    self._attach(connection)
                    connection.begin()
                    prepare_table(connection, table, columns)
                    connection.commit()
                yield connection

    @contextmanager
    def wait(self, connection: duckdb.DuckDBPyConnection, what: str, *, together: bool = False) -> Iterator[None]:
        """Have something alone, or ``together`` with others that ask so. Only one process has a file open anyway."""
        if not self.is_shared:
            yield
            return
        with closing(connection.cursor()) as turn:
            turn.begin()
            key = quote_text(f"interactions/{what}")
            kind = "pg_advisory_xact_lock_shared" if together else "pg_advisory_xact_lock"
            limit = f"SELECT set_config('lock_timeout', '{round(TURN * 1000)}', true)"
            for sql in (limit, f"SELECT {kind}(hashtextextended({key}, 0))::text"):
                turn.execute(f"FROM postgres_query({quote_text(_TURN)}, {quote_text(sql)})").fetchall()
            yield
            turn.rollback()

    def forget(self, connection: duckdb.DuckDBPyConnection, table: str) -> None:
        """Leave only the current rows in the catalogue and its files. The connection must have the table alone."""
        lake = quote_text(_LAKE)
        schema, _, name = table.rpartition(".")
        which = f"{lake}, {quote_text(name)}, schema => {quote_text(schema or 'main')}"
        connection.execute(f"CALL ducklake_rewrite_data_files({which}, delete_threshold => 0)")
        connection.execute(f"CALL ducklake_expire_snapshots({lake}, older_than => now())")
        connection.execute(f"CALL ducklake_cleanup_old_files({lake}, cleanup_all => true)")
        self._remove_orphans(connection)
        # DuckLake widens the bounds of a whole table and narrows them seldom. Those of files are what it reads by.
        connection.execute(f"UPDATE {_METADATA}.{_BOUNDS[1]} SET min_value = NULL, max_value = NULL")  # noqa: S608 - constants
        if self.is_shared:
            vacuum = quote_text(f"VACUUM {', '.join(_BOUNDS)}")
            connection.execute(f"CALL postgres_execute({quote_text(_TURN)}, {vacuum}, use_transaction => false)")

    def _remove_orphans(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Remove files that killed loads left behind. With a shared catalogue, a young one may be of a load at work."""
        call, oldest = f"FROM ducklake_delete_orphaned_files({quote_text(_LAKE)}, ", datetime.now(UTC) - AGE
        if not self.is_shared:
            connection.execute(f"{call}cleanup_all => true)").fetchall()
        elif self.store is None:
            connection.execute(f"{call}older_than => now() - INTERVAL {AGE.days} DAY)").fetchall()
        else:  # DuckLake would ask for the age of folders, too, and a store has none
            found = connection.execute(f"{call}cleanup_all => true, dry_run => true)").fetchall()
            for (path,) in found:
                if self.store.modified(path) < oldest:
                    self.store.rm_file(path)
            abort_uploads(self.store, self.files.partition("://")[2], oldest)

    def _connect(self) -> duckdb.DuckDBPyConnection:
        """An empty DuckDB in memory with the extensions, which are not downloaded. Raises ConfigError."""
        connection = duckdb.connect(config={"autoinstall_known_extensions": "false"})
        names = ["ducklake", *(["postgres_scanner"] if self.is_shared else []), *(["httpfs"] if self.store else [])]
        try:
            for name in names:
                connection.execute(f"LOAD {quote_text(_find_extension(name))}")
        except duckdb.Error:
            connection.close()
            needed = ("duckdb", *(f"duckdb-extension-{name.replace('_', '-')}" for name in names))
            msg = (
                f"DuckDB {duckdb.__version__} is installed without the extensions that DuckLake needs. Install "
                f"versions that go together: pip install {' '.join(f'{package}=={VERSION}' for package in needed)}."
            )
            raise ConfigError(msg) from None
        if self.store:  # DuckLake insists on httpfs for such addresses, but a registered file system comes first
            connection.register_filesystem(self.store)
        limit_memory(connection)
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET preserve_insertion_order = false")  # lets DuckDB insert on all cores
        return connection

    def _reach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the folder of the file, or connect to the database for locks."""
        if not self.is_shared:
            make_folder(self.address)
            return
        try:
            connection.execute(f"ATTACH {quote_text(self.address)} AS {_TURN} (TYPE postgres)")
        except duckdb.Error as wrong:
            raise LoadError(self._explain(wrong)) from None

    def _attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Attach the catalogue. Rows always go to files: small changes would stay in the catalogue's own tables."""
        address = quote_text(f"ducklake:{'postgres:' if self.is_shared else ''}{self.address}")
        attach = f"ATTACH {address} AS {_LAKE} (DATA_PATH {quote_text(self.files)}, DATA_INLINING_ROW_LIMIT 0)"
        ends = time.monotonic() + TURN
        while True:
            try:
                connection.execute(attach)
            except duckdb.Error as wrong:
                if _LOCKED not in str(wrong) or time.monotonic() > ends:
                    raise LoadError(self._explain(wrong)) from None
                time.sleep(PAUSE / 10)
            else:
                break
        connection.execute(f"USE {_LAKE}")

    def _explain(self, wrong: duckdb.Error) -> str:
        # Do not pass DuckDB's message on: it quotes the address with its password.
        what = f"The catalogue of the DuckLake cannot be opened ({type(wrong).__name__})."
        if _LOCKED in str(wrong):
            return (
                f"{what} Another program had the file open for {TURN:.0f} s. Close it there, then clear the task. For "
                "several programs at once, have the catalogue in PostgreSQL."
            )
        return (
            f"{what} Check its address, the user's rights to make tables, and that all who use it have the files in "
            f"{self.files}."
        )


def _find_extension(name: str) -> str:
    """The file of an extension in its Python package; else its name, if DuckDB itself has installed it."""
    spec = find_spec(f"duckdb_extension_{name}")
    if spec is None or spec.origin is None:
        return name
    files = Path(spec.origin).parent.glob(f"extensions/v{duckdb.__version__}/{name}.duckdb_extension")
    return next(map(str, files), name)
