"""Open the tables of ``interactions load``: by a path, or by a connection of the environment or the TOML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from airflow_provider_interactions import targets as kinds
from airflow_provider_interactions.connection import ConnectionFields
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load import Target
from airflow_provider_interactions.shell.config import Config
from airflow_provider_interactions.targets import Builder, build_postgres
from airflow_provider_interactions.warehouses import WAREHOUSES

#: Extras of Airflow's PostgreSQL connection that get a password from a cloud. Only Airflow's hook can do that.
FROM_CLOUD = ("iam", "azure_conn_id")

#: Extras of Airflow's PostgreSQL connection that are for its hook, not for libpq.
FOR_HOOK = frozenset(
    (
        *("redshift", "redshift-serverless", "cursor", "cluster-identifier", "workgroup-name", "aws_conn_id"),
        *("sqlalchemy_scheme", "sqlalchemy_query", *FROM_CLOUD),
    )
)


def open_targets(names: Sequence[str], table: str, lake: Lake, config: Config) -> list[Target]:
    """The tables of a name in each target; default: a DuckDB file in a local lake. Raises ConfigError.

    Warehouses need the hook of Airflow's provider, which looks for the connection itself: in the environment.
    """

    def find_connection(conn_id: str) -> ConnectionFields:
        connection = config.find_connection(conn_id)
        if connection.conn_type in WAREHOUSES:
            config.export_connection(conn_id)
        return connection

    return kinds.open_targets(names, table, lake, find_connection, BUILDERS)


def _open_postgres(connection: ConnectionFields, table: str, lake: Lake) -> Target:  # noqa: ARG001 - as all builders
    if any(connection.extra_dejson.get(name) for name in FROM_CLOUD):
        msg = f"Connection {connection.conn_id} gets its password from a cloud, which only Airflow can do."
        raise ConfigError(msg)
    return build_postgres(connection, table, build_address(connection), FOR_HOOK)


def build_address(connection: ConnectionFields) -> str:
    """The address of a PostgreSQL database, as libpq reads it."""
    login = "" if connection.login is None else quote(connection.login, safe="")
    password = "" if connection.password is None else f":{quote(connection.password, safe='')}"
    port = f":{connection.port}" if connection.port else ""
    host = quote(connection.host or "", safe=".-_:[]")
    who = f"{login}{password}@" if login or password else ""
    return f"postgresql://{who}{host}{port}/{quote(connection.schema or '', safe='')}"


#: The targets by connection type.
BUILDERS: Mapping[str, Builder] = {**kinds.BUILDERS, **WAREHOUSES, "postgres": _open_postgres}
