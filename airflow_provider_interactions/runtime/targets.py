"""Open the tables to load into: each is a DuckDB file, or an Airflow connection whose type decides what it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow.sdk import BaseHook, Connection

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.storage import Lake

if TYPE_CHECKING:
    from airflow_provider_interactions.load import Target

#: One target, several, or several with a table each: a connection id, or the path of a DuckDB file.
Targets: TypeAlias = "str | Sequence[str] | Mapping[str, str] | None"

#: Name of the DuckDB file in a local lake, if no target is given.
DATABASE = "interactions.duckdb"

NO_TARGET = "The lake is not on a local disk, so there is no default path for the DuckDB file."

#: Beginnings and endings of what is a DuckDB database, not a connection id.
_DUCKDB_STARTS = ("md:", "duckdb:", "file:")
_DUCKDB_ENDS = (".duckdb", ".db", ".ddb")


def open_targets(targets: Targets, table: str, lake: Lake) -> list[Target]:
    """The tables to load into, in the given order. The default is a DuckDB file in a local lake.

    Raises ConfigError for a connection that is no target, and for a package that is not installed.
    """
    return [open_target(name, its_table, lake) for name, its_table in _pair_with_tables(targets, table, lake)]


def open_target(name: str, table: str, lake: Lake) -> Target:
    """One table, by the path of a DuckDB file or by a connection id. Raises ConfigError."""
    if is_duckdb(name):
        return _open_duckdb(name, table)
    connection = BaseHook.get_connection(name)
    build = BUILDERS.get(connection.conn_type or "")
    if build is None:
        msg = (
            f"Connection {name} is of type {connection.conn_type}, which is no target. Give a connection of type "
            f"{', '.join(sorted(BUILDERS))}, or the path of a DuckDB file."
        )
        raise ConfigError(msg)
    return build(connection, table, lake)


def is_duckdb(name: str) -> bool:
    """Whether a target is a DuckDB database: a path, or an address of DuckDB. Connection ids have no slashes."""
    return "/" in name or "\\" in name or name.startswith(_DUCKDB_STARTS) or name.endswith(_DUCKDB_ENDS)


def _pair_with_tables(targets: Targets, table: str, lake: Lake) -> list[tuple[str, str]]:
    if not targets:
        if not lake.local:
            raise ConfigError(f"{NO_TARGET} Give the operator a target.")
        return [(lake.full(DATABASE), table)]
    if isinstance(targets, str):
        return [(targets, table)]
    if isinstance(targets, Mapping):
        return list(targets.items())
    return [(name, table) for name in targets]


def _open_duckdb(database: str, table: str) -> Target:
    kind = _import("duckdb", "DuckDBTable", "duckdb")
    return kind(database, table)  # type: ignore[no-any-return]


def _build_duckdb(connection: Connection, table: str, lake: Lake) -> Target:  # noqa: ARG001 - all builders are alike
    """Airflow's DuckDB connection: the file's path is the host."""
    return _open_duckdb(connection.host or "", table)


def _import(module: str, name: str, extra: str) -> Any:
    """A class of a target's module. Raises ConfigError if the packages of its extra are not installed."""
    try:
        return getattr(import_module(f"airflow_provider_interactions.load.{module}"), name)
    except ModuleNotFoundError as missing:
        msg = (
            f"{missing.name} is not installed, and this target needs it. Install it with: "
            f"pip install 'airflow-provider-interactions[{extra}]'."
        )
        raise ConfigError(msg) from missing


#: The targets by connection type. Each builder gets the connection, the table's name and the lake.
BUILDERS: Mapping[str, Callable[[Connection, str, Lake], Target]] = {
    "duckdb": _build_duckdb,
}
