"""Open the tables to load into: a DuckDB file, a folder of Iceberg, or an Airflow connection of a known type."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

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
from airflow_provider_interactions.targets import (
    build_postgres,
    find_default,
    import_from,
    is_duckdb,
    is_iceberg,
    name_extra,
    open_by_path,
    open_duckdb_connection,
    open_iceberg_connection,
)

if TYPE_CHECKING:
    from airflow_provider_interactions.load import Target

#: One target, several, or several with a table each: a connection id, or the path of a DuckDB file or Iceberg folder.
Targets: TypeAlias = "str | Sequence[str] | Mapping[str, str] | None"

#: The type of connections to a catalogue of Iceberg.
_ICEBERG_TYPE = "iceberg"


def open_targets(targets: Targets, table: str, lake: Lake) -> list[Target]:
    """The tables to load into, in the given order. The default is a DuckDB file in a local lake.

    Raises ConfigError for a connection that is no target, and for a package that is not installed.
    """
    return [open_target(name, its_table, lake) for name, its_table in _pair_with_tables(targets, table, lake)]


def open_target(name: str, table: str, lake: Lake) -> Target:
    """One table, by the path of a DuckDB file or by a connection id. Raises ConfigError."""
    found = open_by_path(name, table, lake)
    if found is not None:
        return found
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


def list_names(targets: Targets) -> list[str]:
    """The connection ids and addresses of some targets; none for the default."""
    return [targets] if isinstance(targets, str) else list(targets or ())


def _pair_with_tables(targets: Targets, table: str, lake: Lake) -> list[tuple[str, str]]:
    if not targets:
        return [(find_default(lake), table)]
    if isinstance(targets, Mapping):
        return list(targets.items())
    return [(name, table) for name in list_names(targets)]


def _open_postgres_connection(connection: Connection, table: str, lake: Lake) -> Target:  # noqa: ARG001 - as all builders
    """Airflow's own type. The extra ``interactions`` holds options of the table: ``{"attributes": "jsonb"}``."""
    hook = import_from("airflow.providers.postgres.hooks.postgres", "PostgresHook", name_extra("postgres"))(
        connection=connection
    )
    if connection.extra_dejson.get("iam"):
        _use_token(connection, hook)
    return build_postgres(connection, table, hook.get_uri(), hook.ignored_extra_options)


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


#: The targets by connection type. Each builder gets the connection, the table's name and the lake.
BUILDERS: Mapping[str, Callable[[Connection, str, Lake], Target]] = {
    "duckdb": open_duckdb_connection,
    "postgres": _open_postgres_connection,
    _ICEBERG_TYPE: open_iceberg_connection,
    "snowflake": build_snowflake,
    "gcpbigquery": build_bigquery,
    "google_cloud_platform": build_bigquery,
    "redshift": build_redshift,
    "databricks": build_databricks,
}
