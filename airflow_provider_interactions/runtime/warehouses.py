"""Open tables in SQL warehouses, each through Airflow's own hook for its connection type."""

from __future__ import annotations

from contextlib import closing
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.sdk import Connection

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.storage import Lake

if TYPE_CHECKING:
    from airflow_provider_interactions.load import Target


def build_snowflake(connection: Connection, table: str, lake: Lake) -> Target:  # noqa: ARG001 - as all builders
    """``interactions_stage`` in the extra names an external stage whose URL is that of the lake."""
    from airflow_provider_interactions.load.dialects.snowflake import Snowflake
    from airflow_provider_interactions.load.warehouse import WarehouseTable

    kind = _import_hook(
        "airflow.providers.snowflake.hooks.snowflake", "SnowflakeHook", "apache-airflow-providers-snowflake"
    )
    extra = connection.extra_dejson
    # Times without a zone in Parquet files would otherwise be read in the time zone of the user's account.
    parameters = {**(extra.get("session_parameters") or {}), "TIMEZONE": "UTC"}
    hook = kind(snowflake_conn_id=connection.conn_id, session_parameters=parameters)
    account = ".".join(filter(None, (_read_extra(extra, "account"), _read_extra(extra, "region"))))
    place = [_read_extra(extra, "database"), connection.schema or _read_extra(extra, "schema")]
    return WarehouseTable(
        Snowflake(external_stage=extra.get("interactions_stage", "").removeprefix("@")),
        lambda: closing(hook.get_conn()),
        table,
        f"snowflake://{account}",
        _complete(table, place),
    )


def _read_extra(extra: dict[str, Any], name: str) -> str:
    """A value of the extra, also under the long name that older versions of Airflow's form gave it."""
    return str(extra.get(name) or extra.get(f"extra__snowflake__{name}") or "")


def _complete(table: str, place: list[str]) -> str:
    """The table's name with those of database and schema, from the connection where the table has none."""
    parts = table.split(".")
    missing = place[: max(0, 3 - len(parts))]
    return ".".join(filter(None, (*missing, *parts)))


def _import_hook(module: str, name: str, package: str) -> Any:
    """A hook of one of Airflow's providers. Raises ConfigError if the provider is not installed.

    There are no extras for them: they pin packages that this project needs newer, so no lock could have them all.
    """
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as missing:
        msg = (
            f"{missing.name} is not installed, and this target needs Airflow's provider. Install it with: pip install "
            f"{package}."
        )
        raise ConfigError(msg) from missing
