"""Open the tables to load into: a DuckDB file, a folder of Iceberg, or an Airflow connection of a known type."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowException

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.runtime.warehouses import (
    build_bigquery,
    build_databricks,
    build_redshift,
    build_snowflake,
)

if TYPE_CHECKING:
    from airflow_provider_interactions.load import Target

#: One target, several, or several with a table each: a connection id, or the path of a DuckDB file or Iceberg folder.
Targets: TypeAlias = "str | Sequence[str] | Mapping[str, str] | None"

#: Name of the DuckDB file in a local lake, if no target is given.
DATABASE = "interactions.duckdb"

#: The extra of a connection that holds options of the table, for types whose other extras are the driver's.
OPTIONS = "interactions"

NO_TARGET = "The lake is not on a local disk, so there is no default path for the DuckDB file."

#: Beginnings and endings of what is a DuckDB database, not a connection id.
_DUCKDB_STARTS = ("md:", "duckdb:")
_DUCKDB_ENDS = (".duckdb", ".db", ".ddb")

#: The folder of an Iceberg catalogue in SQLite ends so. The address alone is this folder in a local lake.
_ICEBERG_END, _ICEBERG = ".iceberg", "iceberg:"
_ICEBERG_TYPE = "iceberg"


def open_targets(targets: Targets, table: str, lake: Lake) -> list[Target]:
    """The tables to load into, in the given order. The default is a DuckDB file in a local lake.

    Raises ConfigError for a connection that is no target, and for a package that is not installed.
    """
    return [open_target(name, its_table, lake) for name, its_table in _pair_with_tables(targets, table, lake)]


def open_target(name: str, table: str, lake: Lake) -> Target:
    """One table, by the path of a DuckDB file or by a connection id. Raises ConfigError."""
    if is_iceberg(name):
        return _open_iceberg_folder(_find_folder(name, lake), table, lake)
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


def is_made_of_files(name: str) -> bool:
    """Whether a target's table consists of the lake's own files: a folder of Iceberg, or a connection to it."""
    return is_iceberg(name) or (not is_duckdb(name) and BaseHook.get_connection(name).conn_type == _ICEBERG_TYPE)


def is_duckdb(name: str) -> bool:
    """Whether a target is a DuckDB database: a path, or an address of DuckDB. Connection ids have no slashes."""
    return "/" in name or "\\" in name or name.startswith(_DUCKDB_STARTS) or name.endswith(_DUCKDB_ENDS)


def is_iceberg(name: str) -> bool:
    """Whether a target is the folder of an Iceberg catalogue; see ``_ICEBERG``."""
    return name == _ICEBERG or name.rstrip("/").endswith(_ICEBERG_END)


def list_names(targets: Targets) -> list[str]:
    """The connection ids and addresses of some targets; none for the default."""
    return [targets] if isinstance(targets, str) else list(targets or ())


def _pair_with_tables(targets: Targets, table: str, lake: Lake) -> list[tuple[str, str]]:
    if not targets:
        if not lake.local:
            raise ConfigError(f"{NO_TARGET} Give the operator a target.")
        return [(lake.full(DATABASE), table)]
    if isinstance(targets, Mapping):
        return list(targets.items())
    return [(name, table) for name in list_names(targets)]


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


def _open_duckdb_connection(connection: Connection, table: str, lake: Lake) -> Target:  # noqa: ARG001 - as all builders
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


def _open_iceberg_connection(connection: Connection, table: str, lake: Lake) -> Target:
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


def _open_postgres_connection(connection: Connection, table: str, lake: Lake) -> Target:  # noqa: ARG001 - as all builders
    """Airflow's own type. The extra ``interactions`` holds options of the table: ``{"attributes": "jsonb"}``."""
    kind = _import("postgres", "PostgresTable", "postgres")
    hook = _import_hook("postgres.hooks.postgres", "PostgresHook", "postgres")(connection=connection)
    extra = connection.extra_dejson
    options = extra.get(OPTIONS) or {}
    if not isinstance(options, dict) or options.keys() - {"attributes"}:
        msg = (
            f'The extra {OPTIONS} of connection {connection.conn_id} may hold only {{"attributes": "text" or "jsonb"}}.'
        )
        raise ConfigError(msg)
    others = {name: value for name, value in extra.items() if name not in {OPTIONS, *hook.ignored_extra_options}}
    if extra.get("iam"):
        _use_token(connection, hook)
    return kind(build_libpq_uri(hook.get_uri(), others), table, **options)  # type: ignore[no-any-return]


def _use_token(connection: Connection, hook: Any) -> None:
    """Put a token of AWS or Azure, which replaces the password, into the hook's connection.

    Not all versions of the hook do that for its address. Raises ConfigError if the cloud's provider is not installed,
    or its connection is absent.
    """
    try:
        connection.login, connection.password, connection.port = hook.get_iam_token(connection)
    except (AirflowException, ImportError) as missing:
        msg = (
            f"The extra iam of connection {connection.conn_id} asks for a token, and there is none: {missing} Mend "
            "that, or remove the extra and set a password."
        )
        raise ConfigError(msg) from missing
    connection.extra = json.dumps({**connection.extra_dejson, "iam": False})


def build_libpq_uri(uri: str, more: Mapping[str, object]) -> str:
    """SQLAlchemy's address of a PostgreSQL database as libpq reads it, with more of libpq's parameters.

    SQLAlchemy names its driver in the scheme, writes spaces as they are, and as plus signs behind the question mark.
    """
    address, _, query = uri.partition("?")
    scheme, _, rest = address.partition("://")
    parameters = [*parse_qsl(query, keep_blank_values=True), *((name, str(value)) for name, value in more.items())]
    return f"{scheme.partition('+')[0]}://{rest.replace(' ', '%20')}?{urlencode(parameters, quote_via=quote)}"


def _import(module: str, name: str, extra: str) -> Any:
    """A class of a target's module. Raises ConfigError if the packages of its extra are not installed."""
    return _import_from(f"airflow_provider_interactions.load.{module}", name, extra)


def _import_hook(module: str, name: str, extra: str) -> Any:
    """The same of a hook of one of Airflow's providers."""
    return _import_from(f"airflow.providers.{module}", name, extra)


def _import_from(module: str, name: str, extra: str) -> Any:
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as missing:
        msg = (
            f"{missing.name} is not installed, and this target needs it. Install it with: "
            f"pip install 'airflow-provider-interactions[{extra}]'."
        )
        raise ConfigError(msg) from missing


#: The targets by connection type. Each builder gets the connection, the table's name and the lake.
BUILDERS: Mapping[str, Callable[[Connection, str, Lake], Target]] = {
    "duckdb": _open_duckdb_connection,
    "postgres": _open_postgres_connection,
    _ICEBERG_TYPE: _open_iceberg_connection,
    "snowflake": build_snowflake,
    "gcpbigquery": build_bigquery,
    "google_cloud_platform": build_bigquery,
    "redshift": build_redshift,
    "databricks": build_databricks,
}
