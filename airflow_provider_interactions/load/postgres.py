"""Load the canonical rows of a window into a table of PostgreSQL, by ADBC.

Rows come by COPY into a temporary table, which writes no WAL. One transaction then writes those that are new or differ;
see `Target`. Loading windows again, in any order, gives the same table.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import adbc_driver_manager as adbc
import pyarrow as pa
from adbc_driver_postgresql import dbapi

from airflow_provider_interactions.addresses import add_spellings
from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import ConfigError, LoadError, Unreconciled
from airflow_provider_interactions.identifiers import EMAIL
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.reader import read_canonical
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load import Loaded, explain_files, require_current
from airflow_provider_interactions.load.ledger import (
    POSTGRES_TYPES,
    ReadSteps,
    build_create,
    build_insert,
    name_table,
    query_missing,
)
from airflow_provider_interactions.load.postgres_errors import explain, explain_connection
from airflow_provider_interactions.load.postgres_merge import merge, query, write
from airflow_provider_interactions.load.postgres_rows import NUL, Rows, replace_nul
from airflow_provider_interactions.load.postgres_schema import (
    Found,
    add_key,
    find_table,
    prepare_table,
    split_name,
    sql_type,
    table_columns,
)
from airflow_provider_interactions.load.sql import quote_name, quote_text
from airflow_provider_interactions.schema import CANONICAL, CONTACTS

log = logging.getLogger(__name__)

#: Seconds to wait for another load of the same vendor and account, or for a program that has the table locked.
TURN = 900.0

#: PostgreSQL's default of 4 MB makes it join a million rows in many parts, by files, in about half as much time again.
_RAISE_MEMORY = (
    "SELECT set_config('work_mem', greatest(65536, pg_size_bytes(current_setting('work_mem')) / 1024)::text, true)"
)

#: Whether the user may vacuum a table. PostgreSQL itself only warns, and MAINTAIN is a privilege since 17.
_MAY_VACUUM = (
    "SELECT CASE WHEN pg_has_role(relowner, 'USAGE') THEN true WHEN current_setting('server_version_num')::int < 170000"
    " THEN false ELSE has_table_privilege(oid, 'MAINTAIN') END FROM pg_class WHERE oid = $1::regclass"
)


@dataclass(frozen=True, slots=True)
class PostgresTable:
    """A table in PostgreSQL, made if it is absent. ``uri`` is libpq's: ``postgresql://user:password@host/database``.

    ``attributes`` is the type of that column in a table that is made; a table that exists keeps its type. ``columns``
    differ from the default in tests only.
    """

    uri: str = field(repr=False)
    table: str = "interactions"
    columns: pa.Schema = field(default=CANONICAL, repr=False)
    attributes: Literal["text", "jsonb"] = "text"

    def __post_init__(self) -> None:
        """Refuse a name that cannot be a table's, and an unknown type. Raises ConfigError."""
        split_name(self.table)
        if self.attributes not in ("text", "jsonb"):
            msg = f"attributes can be text or jsonb in PostgreSQL, not {self.attributes!r}."
            raise ConfigError(msg)

    def prepare(self) -> None:
        """Make the table, or add the columns that it lacks. Raises as `Target.prepare` says."""
        with self._transaction() as cursor:
            self._prepare(cursor)

    def load(self, lake: Lake, manifest: Manifest) -> Loaded:
        """Merge a normalized window into the table. Raises as `Target.load` says."""
        with self._transaction() as cursor:
            found = self._prepare(cursor)
            _stage_rows(cursor, found, self.columns, lake, manifest)
            _lock(cursor, _name_share(found, manifest.vendor, manifest.account))
            require_current(lake, manifest)
            done = merge(cursor, self.table, table_columns(self.columns, jsonb=found.jsonb), jsonb=found.jsonb)
            if done.rows != manifest.counts.canonical:
                msg = (
                    f"{manifest.counts.canonical} rows are in the manifest, {done.rows} in its files. The table is "
                    "unchanged. Run the extraction again; if that does not help, report this as a defect."
                )
                raise Unreconciled(msg)
            if done.rows and not found.keyed:
                add_key(cursor, self.table)
        return done

    def erase(self, vendor: str, account: str, contacts: Iterable[Contact]) -> int:
        """Remove all rows of these contacts, and return their number. Raises LoadError.

        Then vacuums the table, with its indexes, also after an erasure that was interrupted before that.
        """
        persons = [Contact(replace_nul(one.id), one.kind) for one in contacts]
        with self._transaction() as cursor:
            found = find_table(cursor, self.table, self.columns)
            if found is None or not persons:
                return 0
            _lock(cursor, _name_share(found, vendor, account))
            mine = f"old.vendor = {quote_text(vendor)} AND old.account = {quote_text(account)}"
            persons = add_spellings(persons, lambda: _read_addresses(cursor, self.table, mine))
            ids, kinds = zip(*((one.id, one.kind) for one in persons), strict=True)
            cursor.adbc_ingest("erased", pa.table([ids, kinds], CONTACTS), mode="create", temporary=True)
            same = "old.contact_id = erased.contact_id AND old.contact_id_kind = erased.contact_id_kind"
            erased = write(cursor, f"DELETE FROM {quote_name(self.table)} old USING erased WHERE {same} AND {mine}")  # noqa: S608 - quoted
        self._vacuum()
        return erased

    def add_steps(self, read: ReadSteps) -> int:
        """Bring the table of the ledger up to date, one load after the other."""
        table = name_table(self.table)
        split_name(table)
        with self._transaction(table) as cursor:
            _lock(cursor, f"interactions/{table}")
            [absent] = query(cursor, "SELECT to_regclass($1) IS NULL", (quote_name(table),))
            if absent:  # who may only insert must not need the right to create
                cursor.execute(build_create(table, POSTGRES_TYPES))
            steps = query_missing(table, partial(_fetch, cursor), read)
            if not steps.num_rows:
                return 0
            cursor.adbc_ingest("steps", steps, mode="create", temporary=True)
            return write(cursor, build_insert(table, "steps"))

    def describe(self) -> tuple[str, str]:
        """The server, and the names of database, schema and table."""
        place = urlsplit(self.uri)
        schema, table = split_name(self.table)
        return f"postgres://{_find_server(self.uri)}", f"{unquote(place.path[1:])}.{schema or 'public'}.{table}"

    def _prepare(self, cursor: Any) -> Found:
        """The table, ready for rows. Who must change it has it alone until the end of the transaction."""
        found = find_table(cursor, self.table, self.columns)
        if found is None or not found.is_ready(self.columns):
            _lock(cursor, f"interactions/{self.table}")
            found = prepare_table(cursor, self.table, self.columns, jsonb=self.attributes == "jsonb")
        return found

    def _vacuum(self) -> None:
        """Remove deleted rows from the table's pages and indexes."""
        with self._connection(autocommit=True) as cursor:
            [may] = query(cursor, _MAY_VACUUM, (quote_name(self.table),))
            if may:
                cursor.execute(f"SET lock_timeout = {round(TURN * 1000)}")
                cursor.execute(f"VACUUM (INDEX_CLEANUP ON) {quote_name(self.table)}")
            else:
                log.warning(
                    "The user may not vacuum %s, so erased rows stay in its files until PostgreSQL does. Let the "
                    "table's owner run: VACUUM (INDEX_CLEANUP ON) %s",
                    self.table,
                    quote_name(self.table),
                )

    @contextmanager
    def _transaction(self, table: str = "") -> Iterator[Any]:
        """A cursor in a transaction. Raises LoadError, with an explanation, for what PostgreSQL refuses."""
        with self._connection(table) as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = {round(TURN * 1000)}")
            query(cursor, _RAISE_MEMORY)
            yield cursor

    @contextmanager
    def _connection(self, table: str = "", *, autocommit: bool = False) -> Iterator[Any]:
        try:
            connection = dbapi.connect(self.uri, autocommit=autocommit)
        except adbc.Error as wrong:
            raise LoadError(explain_connection(_find_server(self.uri), wrong)) from None
        try:
            with closing(connection.cursor()) as cursor:
                yield cursor
            if not autocommit:
                connection.commit()
        except adbc.Error as wrong:
            with suppress(adbc.Error):
                connection.rollback()
            # Do not pass the message on: it can quote a value, such as a person's identifier.
            raise LoadError(explain(connection, table or self.table, wrong, TURN)) from None
        finally:
            with suppress(adbc.Error):  # a broken connection; the server rolls back what was not committed
                connection.close()


def _stage_rows(cursor: Any, found: Found, columns: pa.Schema, lake: Lake, manifest: Manifest) -> None:
    """Copy the rows of the window to the temporary table ``arrived``.

    Values that the manifest has for all rows are not sent: they are defaults of the table.
    """
    known = {
        "vendor": manifest.vendor,
        "account": replace_nul(manifest.account),
        "window_start": manifest.window_start.isoformat(),
        "window_end": manifest.window_end.isoformat(),
    }
    rows = Rows(read_canonical(lake, manifest, columns), columns, jsonb=found.jsonb, known=known)
    defaults = {name: f" DEFAULT {quote_text(value)}" for name, value in known.items()}
    staged = table_columns(columns, jsonb=found.jsonb)
    wanted = ", ".join(f'"{one.name}" {sql_type(one)}{defaults.get(one.name, "")}' for one in staged)
    cursor.execute(f"CREATE TEMP TABLE arrived ({wanted}) ON COMMIT DROP")
    try:
        cursor.adbc_ingest("arrived", rows.to_reader(), mode="append", temporary=True)
    except adbc.Error:
        if isinstance(rows.fault, (OSError, pa.ArrowException)):
            raise LoadError(explain_files(manifest, rows.fault)) from None
        if rows.fault is not None:
            raise rows.fault from None
        raise
    if rows.nuls:
        log.warning(
            "%d texts had a NUL character, which PostgreSQL cannot store; the table has %s instead", rows.nuls, NUL
        )
    if rows.unfit:
        log.warning("attributes of %d rows differ from what the vendor sent; see attributes_raw", rows.unfit)


def _fetch(cursor: Any, sql: str) -> list[Any]:
    cursor.execute(sql)
    return list(cursor.fetchall())


def _read_addresses(cursor: Any, table: str, mine: str) -> Iterator[pa.Array]:
    """The addresses of e-mail of some rows, each once. It reads the whole table, or all of an index."""
    kind = f"old.contact_id_kind = {quote_text(EMAIL)}"
    cursor.execute(f"SELECT DISTINCT old.contact_id FROM {quote_name(table)} old WHERE {mine} AND {kind}")  # noqa: S608 - quoted
    for batch in cursor.fetch_record_batch():
        yield batch.column(0)


def _name_share(found: Found, vendor: str, account: str) -> str:
    """What a load has to itself: the rows of one vendor and account. Loads of others go on beside it."""
    return f"interactions/{found.oid}/{vendor}/{account}"


def _lock(cursor: Any, what: str) -> None:
    """Wait until no other transaction has this lock, and have it until the end of the transaction."""
    query(cursor, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))::text", (what,))


def _find_server(uri: str) -> str:
    """Host and port, without user and password."""
    server = urlsplit(uri).netloc.rpartition("@")[2]
    return server if ":" in server else f"{server}:5432"
