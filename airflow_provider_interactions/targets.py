"""Open the tables to load into, by a path or by a connection. The caller says how to find a connection."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

from airflow_provider_interactions.connection import ConnectionFields
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.packages import import_from, name_extra
from airflow_provider_interactions.postgres_uri import build_libpq_uri, quote_database

if TYPE_CHECKING:
    from airflow_provider_interactions.load import Target

#: One target, several, or several with a table each: a connection id, or the path of a DuckDB file or Iceberg folder.
Targets: TypeAlias = "str | Sequence[str] | Mapping[str, str] | None"

#: Makes a table of a connection, the table's name, and the lake.
Builder: TypeAlias = "Callable[[Any, str, Lake], Target]"

#: Name of the DuckDB file in a local lake, if no target is given.
DATABASE = "interactions.duckdb"

#: The extra of a connection that holds options of the table, for types whose other extras are the driver's.
OPTIONS = "interactions"

NO_TARGET = "The lake is not on a local disk, so the DuckDB file has no default path."

#: The protocols of object stores in which a DuckLake can have its files.
_DUCKLAKE_STORES = frozenset(("s3", "gs"))

#: An address of DuckLake continues with the path of its catalogue, or with the id of a connection. Without them, it
#: means a file in a local lake.
_DUCKLAKE = "ducklake:"

#: The catalogue and the folder of the files in the lake.
_DUCKLAKE_NAME = "interactions.ducklake"

#: Beginnings and endings of names of DuckDB databases, as opposed to connection ids.
_DUCKDB_STARTS = ("md:", "duckdb:", _DUCKLAKE)
_DUCKDB_ENDS = (".duckdb", ".db", ".ddb", ".ducklake")

#: The ending of the folder of an Iceberg catalogue in SQLite. The address alone means this folder in a local lake.
_ICEBERG_END, _ICEBERG = ".iceberg", "iceberg:"


def open_targets(
    targets: Targets,
    table: str,
    lake: Lake,
    find_connection: Callable[[str], ConnectionFields],
    builders: Mapping[str, Builder],
) -> list[Target]:
    """The tables to load into, in the given order. The default is a DuckDB file in a local lake.

    ``builders`` are by connection type. Raises ConfigError for a connection that is not a target, for a missing
    package, and as ``find_connection`` does.
    """
    return [
        open_by_path(name, own, lake)
        or _choose_opener(name)(find_connection(name.removeprefix(_DUCKLAKE)), own, lake, builders)
        for name, own in _pair_with_tables(targets, table, lake)
    ]


def _choose_opener(name: str) -> Callable[[ConnectionFields, str, Lake, Mapping[str, Builder]], Target]:
    return _open_shared_ducklake if name.startswith(_DUCKLAKE) else _open_by_connection


def _open_by_connection(
    connection: ConnectionFields, table: str, lake: Lake, builders: Mapping[str, Builder]
) -> Target:
    build = builders.get(connection.conn_type or "")
    if build is None:
        msg = (
            f"Connection {connection.conn_id} is of type {connection.conn_type}, which is not a target. Give "
            f"a connection of type {', '.join(sorted(builders))}, or the path of a DuckDB file."
        )
        raise ConfigError(msg)
    return build(connection, table, lake)


def list_names(targets: Targets) -> list[str]:
    """The connection ids and addresses of some targets; none for the default."""
    return [targets] if isinstance(targets, str) else list(targets or ())


def _pair_with_tables(targets: Targets, table: str, lake: Lake) -> list[tuple[str, str]]:
    if not targets:
        return [(find_default(lake), table)]
    if isinstance(targets, Mapping):
        return list(targets.items())
    return [(name, table) for name in list_names(targets)]


def find_default(lake: Lake) -> str:
    """The default target: a DuckDB file in a local lake. Raises ConfigError for another lake."""
    if not lake.local:
        raise ConfigError(f"{NO_TARGET} Give a target.")
    return lake.full(DATABASE)


def open_by_path(name: str, table: str, lake: Lake) -> Target | None:
    """The table at the path of a DuckDB file, a DuckLake or an Iceberg folder; None if the name is a connection's."""
    if name.startswith(_DUCKLAKE):
        return _open_ducklake_file(name.removeprefix(_DUCKLAKE), table, lake)
    if is_iceberg(name):
        return _open_iceberg_folder(_find_folder(name, lake), table, lake)
    return _open_duckdb(name, table) if is_duckdb(name) else None


def is_duckdb(name: str) -> bool:
    """Whether a target needs DuckDB: a path, or an address of DuckDB or DuckLake. Connection ids have no slashes."""
    return _is_path(name) or name.startswith(_DUCKDB_STARTS)


def _is_path(name: str) -> bool:
    return "/" in name or "\\" in name or name.endswith(_DUCKDB_ENDS)


def is_iceberg(name: str) -> bool:
    """Whether a target is the folder of an Iceberg catalogue; see ``_ICEBERG``."""
    return name == _ICEBERG or name.rstrip("/").endswith(_ICEBERG_END)


def _open_duckdb(address: str, table: str) -> Target:
    """A file by its path, or by ``duckdb:///path?storage_version=v1.2.0``; or MotherDuck's address."""
    path, version = address, ""
    if address.startswith("duckdb:"):
        split = urlsplit(address)
        path, version = unquote(split.path), dict(parse_qsl(split.query)).get("storage_version", "")
    return _build_duckdb(path, table, storage_version=version)


def _build_duckdb(path: str, table: str, **more: str) -> Target:
    kind = _import("duckdb", "DuckDBTable", "duckdb")
    return kind(path, table, **more)  # type: ignore[no-any-return]


def open_duckdb_connection(connection: ConnectionFields, table: str, lake: Lake) -> Target:  # noqa: ARG001 - as all builders
    """The type of the package airflow-provider-duckdb: a path as host; or MotherDuck's database as schema, and token.

    The extra ``storage_version`` chooses the format of a new file.
    """
    if connection.host:
        version = str(connection.extra_dejson.get("storage_version") or "")
        return _build_duckdb(connection.host, table, storage_version=version)
    if not connection.password:
        msg = (
            f"Connection {connection.conn_id} names no DuckDB file. Set the path of the file as host; for MotherDuck "
            "leave host empty, and set the database as schema and the token as password."
        )
        raise ConfigError(msg)
    return _build_duckdb(f"md:{connection.schema or ''}", table, token=connection.password)


def _open_ducklake_file(place: str, table: str, lake: Lake) -> Target | None:
    """A DuckLake with its catalogue in a file, and its data files in a folder next to it; None for a connection id."""
    if place and not _is_path(place):
        return None
    catalogue = str(Path(place).absolute()) if place else _find_in_lake(_DUCKLAKE_NAME, lake)
    return _import("ducklake", "DuckLakeTable", "duckdb")(catalogue, f"{catalogue}.files", table)  # type: ignore[no-any-return]


def _open_shared_ducklake(
    connection: ConnectionFields, table: str, lake: Lake, builders: Mapping[str, Builder]
) -> Target:
    """A DuckLake with its catalogue in PostgreSQL. Its data files are in the lake, which all workers have."""
    if connection.conn_type != "postgres":
        msg = (
            f"Connection {connection.conn_id} is of type {connection.conn_type}. For the catalogue of a DuckLake, give "
            "a connection of type postgres, or the path of a file."
        )
        raise ConfigError(msg)
    name = f"{_DUCKLAKE_NAME}.files"
    where = {"files": lake.full(name)} if lake.local else {"files": lake.url(name), "store": _find_store(lake)}
    database: Any = builders["postgres"](connection, table, lake)
    return _import("ducklake", "DuckLakeTable", "duckdb")(database.uri, table=table, **where)  # type: ignore[no-any-return]


def _find_store(lake: Lake) -> Any:
    """The lake's file system, if a DuckLake can have its files there. Raises ConfigError."""
    if _DUCKLAKE_STORES.isdisjoint(lake.protocols):
        msg = (
            f"A DuckLake cannot have its files on {' or '.join(sorted(lake.protocols))}. Give a lake on S3, on Google "
            "Cloud Storage or on a disk, or another target."
        )
        raise ConfigError(msg)
    return lake.fs


def _find_in_lake(name: str, lake: Lake) -> str:
    if not lake.local:
        msg = (
            f"The lake is not on a local disk, and a catalogue in a file must be. Give {_DUCKLAKE} and the id of a "
            f"postgres connection, or the path of a catalogue on a disk, {_DUCKLAKE}/path."
        )
        raise ConfigError(msg)
    return lake.full(name)


def _find_folder(name: str, lake: Lake) -> str:
    if name != _ICEBERG:
        return name
    if not lake.local:
        msg = f"The lake is not on a local disk. Instead of {_ICEBERG}, give a connection of type iceberg."
        raise ConfigError(msg)
    return lake.full(f"interactions{_ICEBERG_END}")


def _open_iceberg_folder(folder: str, table: str, lake: Lake) -> Target:
    properties = _import("iceberg_catalog", "build_local", "iceberg")(folder)
    return _build_iceberg(properties, table, lake)


def open_iceberg_connection(connection: ConnectionFields, table: str, lake: Lake) -> Target:
    """Airflow's Iceberg connection, understood as its own hook does: any catalogue that pyiceberg knows."""
    properties = {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in connection.extra_dejson.items()
    }
    if connection.host:
        properties["uri"] = connection.host.rstrip("/")
    if properties.setdefault("type", "rest") == "rest" and connection.login and connection.password:
        properties["credential"] = f"{connection.login}:{connection.password}"
    return _build_iceberg(properties, table, lake, name=connection.conn_id)


def _build_iceberg(properties: Mapping[str, str], table: str, lake: Lake, **name: str) -> Target:
    storage = _import("iceberg_catalog", "build_storage", "iceberg")(lake)
    kind = _import("iceberg", "IcebergTable", "iceberg")
    return kind({**storage, **properties}, table, **name)  # type: ignore[no-any-return]


def build_postgres(connection: ConnectionFields, table: str, uri: str, ignored: Collection[str] = ()) -> Target:
    """A table at SQLAlchemy's address of a PostgreSQL database. Extras of the connection are parameters of libpq.

    The extra ``interactions`` holds options of the table: ``{"attributes": "jsonb"}``. Extras in ``ignored`` are not
    libpq's.
    """
    kind = _import("postgres", "PostgresTable", "postgres")
    extra = connection.extra_dejson
    options = extra.get(OPTIONS) or {}
    if not isinstance(options, dict) or options.keys() - {"attributes"}:
        msg = (
            f'The extra {OPTIONS} of connection {connection.conn_id} may hold only {{"attributes": "text" or "jsonb"}}.'
        )
        raise ConfigError(msg)
    others = {name: value for name, value in extra.items() if name not in {OPTIONS, *ignored}}
    quoted = quote_database(uri, connection.schema or "")
    return kind(build_libpq_uri(quoted, others), table, **options)  # type: ignore[no-any-return]


def _import(module: str, name: str, extra: str) -> Any:
    """A class of a target's module. Raises ConfigError if the packages of its extra are not installed."""
    return import_from(f"airflow_provider_interactions.load.{module}", name, name_extra(extra))


def find_missing(name: str) -> str:
    """The package that a target by path needs and that is not installed; empty if nothing is missing.

    The type of a connection is not known without a look at it, so nothing is missing for one.
    """
    needed = "pyiceberg" if is_iceberg(name) else "duckdb" if is_duckdb(name) else ""
    return needed if needed and find_spec(needed) is None else ""


#: The targets by connection type that need no hook of Airflow.
BUILDERS: Mapping[str, Builder] = {"duckdb": open_duckdb_connection, "iceberg": open_iceberg_connection}
