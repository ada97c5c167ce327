"""Open the tables to load into: a DuckDB file, a folder of Iceberg, or an Airflow connection of a known type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowException

from airflow_provider_interactions import targets as kinds
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.packages import import_from, name_extra
from airflow_provider_interactions.targets import Builder, Targets, build_postgres, is_duckdb, is_iceberg
from airflow_provider_interactions.warehouses import WAREHOUSES

if TYPE_CHECKING:
    from airflow_provider_interactions.load import Target

#: The type of connections to a catalogue of Iceberg.
_ICEBERG_TYPE = "iceberg"


def open_targets(targets: Targets, table: str, lake: Lake) -> list[Target]:
    """The tables to load into, by Airflow's connections. Raises ConfigError, and as Airflow for an unknown one."""
    return kinds.open_targets(targets, table, lake, BaseHook.get_connection, BUILDERS)


def is_made_of_files(name: str) -> bool:
    """Whether a target's table consists of the lake's own files: a folder of Iceberg, or a connection to it."""
    return is_iceberg(name) or (not is_duckdb(name) and BaseHook.get_connection(name).conn_type == _ICEBERG_TYPE)


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
            f"The extra iam of connection {connection.conn_id} asks for a token, but there is none: {missing} "
            "Correct that, or remove the extra and set a password."
        )
        raise ConfigError(msg) from missing
    connection.extra = json.dumps({**connection.extra_dejson, "iam": False})


#: The targets by connection type.
BUILDERS: Mapping[str, Builder] = {
    **kinds.BUILDERS,
    **WAREHOUSES,
    "postgres": _open_postgres_connection,
}
