"""Load the canonical rows of a window into a table of an SQL warehouse; `dialects` has what each one does differently.

The warehouse reads the window's files itself, into a staging table, which one atomic merge brings into the table. Where
the warehouse has transactions and a lock, loads take turns. Elsewhere a load that meets another one is refused by the
warehouse, and tries again; and each looks once more after its merge whether its window is still the published one.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import pyarrow as pa

from airflow_provider_interactions.addresses import add_spellings, list_folded
from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import InteractionsError, LoadError, Unreconciled
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load import Loaded, require_current
from airflow_provider_interactions.load.dialects import Dialect
from airflow_provider_interactions.load.dialects.session import Session
from airflow_provider_interactions.load.ledger import KEY as STEP_KEY
from airflow_provider_interactions.load.ledger import ReadSteps, name_table, query_missing
from airflow_provider_interactions.load.warehouse_errors import is_defect, name_error, read_error
from airflow_provider_interactions.load.warehouse_schema import LEDGER_COMMENT, prepare_table
from airflow_provider_interactions.schema import CANONICAL, STEPS, refuse_newer

log = logging.getLogger(__name__)

Done = TypeVar("Done")


#: The ledger's rows in one statement. BigQuery takes 1 MB of text, of which a row needs 1,800 bytes or so.
#: https://cloud.google.com/bigquery/quotas#query_jobs
AT_ONCE = 100

#: Seconds to wait at most before each new attempt of a merge that met another load.
PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 30.0)


@dataclass(frozen=True)
class WarehouseTable:
    """A table in a warehouse. ``connect`` opens a connection as a context; nothing is opened before it is called.

    ``address`` is the namespace of the warehouse by OpenLineage's naming, ``full_name`` the table's name there.
    ``columns`` differ from the default in tests only.
    """

    dialect: Dialect
    connect: Callable[[], AbstractContextManager[Any]]
    table: str
    address: str
    full_name: str
    columns: pa.Schema = CANONICAL

    def prepare(self) -> None:
        """Make the table, or add the columns that it lacks. Raises as `Target.prepare` says."""
        with self._open_session(self._explain) as session:
            prepare_table(session, self.dialect, self.table, self.columns)

    def load(self, lake: Lake, manifest: Manifest) -> Loaded:
        """Merge a normalized window into the table. Raises as `Target.load` says."""
        refuse_newer(manifest.schema_version, self.columns, f"Window {manifest.window}")
        with self._open_session(partial(self._explain_load, lake, manifest)) as session:
            prepare_table(session, self.dialect, self.table, self.columns)
            if not manifest.files:
                _require_rows(manifest, 0)
                require_current(lake, manifest)
                return Loaded(0, 0, 0, 0, 0)
            with self.dialect.stage(session, lake, manifest, self.table, self.columns) as source:
                return self._merge(session, lake, manifest, source)

    def erase(self, vendor: str, account: str, contacts: Iterable[Contact]) -> int:
        """Remove all rows of these contacts, and return their number: addresses of e-mail in any case of their letters.

        Raises LoadError.
        """
        with self._open_session(self._explain) as session:
            prepare_table(session, self.dialect, self.table, self.columns)
            given = list(contacts)
            people = add_spellings(given, lambda: self._read_addresses(session, vendor, account, given))
            return self.dialect.erase(session, self.table, vendor, account, people)

    def add_steps(self, read: ReadSteps) -> int:
        """Bring the table of the ledger up to date. The rows are constants in the statements; they are few."""
        table, dialect = name_table(self.table), self.dialect
        with self._open_session(partial(self._explain, table=table)) as session:
            prepare_table(session, dialect, table, STEPS, (STEP_KEY,), LEDGER_COMMENT)
            return self._try_again(lambda: self._add_steps(session, table, read))

    def _read_addresses(
        self, session: Session, vendor: str, account: str, contacts: Sequence[Contact]
    ) -> Iterator[pa.Array]:
        lengths = sorted(set(map(len, list_folded(contacts))))
        rows = session.run(self.dialect.read_addresses(self.table, vendor, account, lengths)).rows
        yield pa.array([one for (one,) in rows], pa.string())

    def _add_steps(self, session: Session, table: str, read: ReadSteps) -> int:
        dialect = self.dialect
        with _begin_transaction(session, dialect):
            for sql in dialect.take_lock(table):
                session.run(sql)
            rows = query_missing(table, lambda sql: session.run(sql).rows, read, dialect.quote)
            parts = [rows.slice(start, AT_ONCE) for start in range(0, rows.num_rows, AT_ONCE)]
            statements = [dialect.add_steps(table, dialect.list_rows(part)) for part in parts]
            return sum(dialect.count_added(session.run(sql)) for sql in statements)

    def describe(self) -> tuple[str, str]:
        """The warehouse's address, and the table's name."""
        return self.address, self.full_name

    def _merge(self, session: Session, lake: Lake, manifest: Manifest, source: str) -> Loaded:
        [(rows, distinct)] = session.run(self.dialect.count_staged(source)).rows
        _require_rows(manifest, rows)
        if distinct < rows:
            source = self.dialect.keep_newest(source, self.columns)
        inserted, updated = self._try_again(lambda: self._merge_once(session, lake, manifest, source, distinct))
        return Loaded(rows, inserted, updated, distinct - inserted - updated, rows - distinct)

    def _try_again(self, work: Callable[[], Done]) -> Done:
        """Do some work, and do it again if the warehouse refuses that because of another load."""
        # stamina would log the warehouse's message, which can hold a value of a person's.
        for pause in PAUSES:
            try:
                return work()
            except Exception as wrong:
                if not self._is_conflict(wrong):
                    raise
            log.info("%s met another load (%s); trying again", self.table, self.dialect.title)
            time.sleep(random.uniform(0, pause))  # noqa: S311 - so that two loads do not meet again
        return work()

    def _merge_once(
        self, session: Session, lake: Lake, manifest: Manifest, source: str, distinct: int
    ) -> tuple[int, int]:
        with _begin_transaction(session, self.dialect):
            for sql in self.dialect.take_lock(self.table):
                session.run(sql)
            require_current(lake, manifest)
            statements = self.dialect.merge(self.table, source, self.columns, manifest)
            inserted, updated = self.dialect.count_merged([session.run(sql) for sql in statements])
            if min(inserted, updated, distinct - inserted - updated) < 0:
                msg = (
                    f"{distinct} rows were to be merged, but {self.dialect.title} counts {inserted} inserted and "
                    f"{updated} updated ones. Report this as a defect."
                )
                raise Unreconciled(msg)
            # Without a lock, another load may have published and merged a newer version meanwhile: load that one again.
            require_current(lake, manifest)
        return inserted, updated

    def _is_conflict(self, wrong: Exception) -> bool:
        return not isinstance(wrong, InteractionsError) and self.dialect.conflict.search(read_error(wrong)) is not None

    @contextmanager
    def _open_session(self, explain: Callable[[Exception], str]) -> Iterator[Session]:
        """A session. Raises LoadError, with an explanation, for what the warehouse refuses."""
        try:
            with self.connect() as connection:
                yield self.dialect.open(connection)
        except Exception as wrong:  # drivers share no base class, and Airflow's hooks raise errors of their own
            if isinstance(wrong, InteractionsError) or is_defect(wrong):
                raise
            # Do not pass the warehouse's message on: it can quote a value, such as a person's identifier.
            raise LoadError(explain(wrong)) from None

    def _explain(self, wrong: Exception, table: str = "") -> str:
        table = table or self.table
        title, why = self.dialect.title, name_error(wrong)
        if self.dialect.denied.search(read_error(wrong)):
            return (
                f"{title} does not let this user load into table {table} ({why}); the table is unchanged. The "
                f"user needs {self.dialect.grants}."
            )
        return (
            f"{title} refused the rows of table {table} ({why}); the table is unchanged. Look at the connection, "
            f"and at {title}'s history of queries. If the table was not made by this provider, name another one; the "
            "load makes it."
        )

    def _explain_load(self, lake: Lake, manifest: Manifest, wrong: Exception) -> str:
        if all(lake.exists(file.path) for file in manifest.files):
            return f"Window {manifest.window} was not loaded. {self._explain(wrong)}"
        return (
            f"Files of window {manifest.window} are missing in the lake ({name_error(wrong)}); the table is "
            "unchanged. Run the extraction again."
        )


def _require_rows(manifest: Manifest, staged: int) -> None:
    if staged != manifest.counts.canonical:
        msg = (
            f"{manifest.counts.canonical} rows are in the manifest, {staged} in its files. The table is unchanged. Run "
            "the extraction again; if that does not help, report this as a defect."
        )
        raise Unreconciled(msg)


@contextmanager
def _begin_transaction(session: Session, dialect: Dialect) -> Iterator[None]:
    for sql in dialect.begin:
        session.run(sql)
    try:
        yield
        for sql in dialect.commit:
            session.run(sql)
    except BaseException:
        with suppress(Exception):  # after a lost connection, the warehouse has rolled back
            for sql in dialect.rollback:
                session.run(sql)
        raise
