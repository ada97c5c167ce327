"""Open tables in SQL warehouses, each through Airflow's own hook for its connection type, which is imported then."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow_provider_interactions.connection import ConnectionFields
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.packages import import_from
from airflow_provider_interactions.targets import Builder

if TYPE_CHECKING:
    from airflow_provider_interactions.load import Target


def build_snowflake(connection: ConnectionFields, table: str, lake: Lake) -> Target:  # noqa: ARG001 - as all builders
    """``interactions_stage`` in the extra names an external stage whose URL is that of the lake."""
    from airflow_provider_interactions.load.dialects.snowflake import Snowflake
    from airflow_provider_interactions.load.warehouse import WarehouseTable

    kind = import_from(
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


def build_bigquery(connection: ConnectionFields, table: str, lake: Lake) -> Target:  # noqa: ARG001 - as all builders
    """Google's connection, also that of its other services. The extra names the project, unless the table does."""
    from airflow_provider_interactions.load.dialects.bigquery import BigQuery
    from airflow_provider_interactions.load.warehouse import WarehouseTable

    kind = import_from(
        "airflow.providers.google.cloud.hooks.bigquery", "BigQueryHook", "apache-airflow-providers-google"
    )
    hook, extra = kind(gcp_conn_id=connection.conn_id), connection.extra_dejson
    project = extra.get("project") or extra.get("extra__google_cloud_platform__project") or ""
    return WarehouseTable(
        BigQuery(),
        lambda: closing(hook.get_client(hook.project_id, extra.get("location"))),
        table,
        "bigquery",
        _complete(table, [project, ""]),
    )


def build_redshift(connection: ConnectionFields, table: str, lake: Lake) -> Target:  # noqa: ARG001 - as all builders
    """The role that reads the lake is ``[interactions] redshift_iam_role``, by default the cluster's default role.

    It cannot be an extra of the connection: Airflow's hook passes all extras to the driver, which refuses unknown ones.
    """
    from airflow_provider_interactions.load.dialects.redshift import Redshift
    from airflow_provider_interactions.load.warehouse import WarehouseTable

    module = "airflow.providers.amazon.aws.hooks.redshift_sql"
    hook = import_from(module, "RedshiftSQLHook", "apache-airflow-providers-amazon redshift-connector")(
        redshift_conn_id=connection.conn_id
    )
    return WarehouseTable(
        Redshift(
            iam_role=import_from("airflow.sdk", "conf", "apache-airflow").get(
                "interactions", "redshift_iam_role", fallback=""
            )
        ),
        lambda: closing(hook.get_conn()),
        table,
        f"redshift://{connection.host or ''}:{connection.port or 5439}",
        _complete(table, [connection.schema or "", "public"]),
    )


def build_databricks(connection: ConnectionFields, table: str, lake: Lake) -> Target:  # noqa: ARG001 - as all builders
    """The extra names the SQL warehouse by ``http_path``, as Airflow's hook wants it."""
    from airflow_provider_interactions.load.dialects.databricks import Databricks
    from airflow_provider_interactions.load.warehouse import WarehouseTable

    module = "airflow.providers.databricks.hooks.databricks_sql"
    kind = import_from(module, "DatabricksSqlHook", "apache-airflow-providers-databricks")
    hook, extra = kind(databricks_conn_id=connection.conn_id), connection.extra_dejson
    return WarehouseTable(
        Databricks(),
        lambda: closing(hook.get_conn()),
        table,
        f"databricks://{(connection.host or '').removeprefix('https://')}",
        _complete(table, [extra.get("catalog", ""), extra.get("schema", "default")]),
    )


#: The warehouses by connection type.
WAREHOUSES: Mapping[str, Builder] = {
    "snowflake": build_snowflake,
    "gcpbigquery": build_bigquery,
    "google_cloud_platform": build_bigquery,
    "redshift": build_redshift,
    "databricks": build_databricks,
}


def _read_extra(extra: dict[str, Any], name: str) -> str:
    """A value of the extra, also under the long name that older versions of Airflow's form gave it."""
    return str(extra.get(name) or extra.get(f"extra__snowflake__{name}") or "")


def _complete(table: str, place: list[str]) -> str:
    """The table's name with those of database and schema, from the connection where the table has none."""
    parts = table.split(".")
    missing = place[: max(0, 3 - len(parts))]
    return ".".join(filter(None, (*missing, *parts)))
