"""Read a list of contacts from its source. Every source is read as a stream, so its size does not matter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.runtime.context import pick_given
from airflow_provider_interactions.runtime.lake_url import open_url

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook

#: Rows fetched at once.
ROWS = 10_000

#: Drivers whose default cursor fetches the whole result at once. A named cursor keeps the result on the server.
NAMED_CURSOR_DRIVERS = ("psycopg", "psycopg2")

#: The driver that needs a cursor class of its own to stream rows.
MYSQL = "MySQLdb"


def choose_source(**sources: Any) -> str | None:
    """The name of the given source, or None if there is none; raises ConfigError for more than one."""
    names = [name for name, value in sources.items() if pick_given(value) is not None]
    if len(names) > 1:
        msg = f"{' and '.join(names)} are given. Give one source of contacts, or none for the vendor's own list."
        raise ConfigError(msg)
    return names[0] if names else None


def read_list(ids: Iterable[object]) -> Iterable[object]:
    """Identifiers from the DAG's code or from an upstream task; raises ConfigError for anything but a list."""
    if isinstance(ids, str):
        msg = "contacts is a text, not a list. If a template gives the list, set render_template_as_native_obj."
        raise ConfigError(msg)
    if isinstance(ids, Mapping | bytes | bytearray):
        msg = f"contacts is of type {type(ids).__name__}. Give a list of identifiers."
        raise ConfigError(msg)
    return ids


def read_file(url: str, column: str | None = None, accepts: Callable[[str], bool] | None = None) -> Iterator[object]:
    """Identifiers from a Parquet, CSV or text file at any address that Airflow supports."""
    from airflow_provider_interactions import contact_files

    fs, path = open_url(url, "The file of contacts")
    try:
        yield from contact_files.read_file(fs, path, column, accepts)
    except (IsADirectoryError, PermissionError) as error:
        msg = f"The file of contacts cannot be read ({error.strerror}). Check its address and your permissions."
        raise ConfigError(msg) from error


def read_sql(sql: str, conn_id: str | None) -> Iterator[object]:
    """Identifiers from the first column of a query's rows; raises ConfigError if the connection is not a database."""
    for _, rows in read_table(sql, conn_id, "contacts_sql", "contacts_conn_id"):
        yield from _strip_identifiers(row[0] for row in rows)


def read_table(
    sql: str, conn_id: str | None, sql_name: str, conn_name: str
) -> Iterator[tuple[Sequence[str], Sequence[Sequence[object]]]]:
    """The rows of a query, some at a time, each time with the names of its columns; ConfigError as ``read_sql``.

    ``sql_name`` and ``conn_name`` are the names of the arguments, for messages.
    """
    hook = _find_database(conn_id, sql_name, conn_name)
    with closing(hook.get_conn()) as connection, closing(_open_cursor(connection)) as cursor:
        cursor.execute(sql)
        if cursor.description is None and not _needs_named_cursor(connection):
            msg = f"{sql_name} returned no result set. Write a query that returns rows."
            raise ConfigError(msg)
        while rows := cursor.fetchmany(ROWS):
            yield [column[0] for column in cursor.description], rows


def _find_database(conn_id: str | None, sql_name: str, conn_name: str) -> DbApiHook:
    if not conn_id:
        msg = f"{sql_name} needs {conn_name}, the Airflow connection of the database to query."
        raise ConfigError(msg)
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    connection = BaseHook.get_connection(conn_id)
    try:
        hook = connection.get_hook()  # type: ignore[no-untyped-call]
    except (AirflowException, ImportError) as error:
        msg = (
            f"Connection {conn_id} is of type {connection.conn_type}. Install the provider of that type, or give "
            "another connection."
        )
        raise ConfigError(msg) from error
    if not isinstance(hook, DbApiHook):
        msg = (
            f"Connection {conn_id} is of type {connection.conn_type}, which is not an SQL database. Give the "
            "connection of a database."
        )
        raise ConfigError(msg)
    return hook


def _open_cursor(connection: Any) -> Any:
    if _needs_named_cursor(connection):
        return connection.cursor("interactions_contacts")
    if _name_driver(connection) == MYSQL:
        return connection.cursor(import_module("MySQLdb.cursors").SSCursor)
    return connection.cursor()


def _needs_named_cursor(connection: Any) -> bool:
    return _name_driver(connection) in NAMED_CURSOR_DRIVERS


def _name_driver(connection: Any) -> str:
    return type(connection).__module__.partition(".")[0]


def _strip_identifiers(values: Iterable[object]) -> Iterator[object]:
    for value in values:
        identifier = value.strip() if isinstance(value, str) else value
        if identifier not in (None, ""):
            yield identifier
