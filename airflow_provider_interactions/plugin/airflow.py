"""The coverage page inside Airflow: over the configured lake, for users of Airflow only."""

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.core_api.security import GetUserDep, get_user
from airflow.sdk import conf
from fastapi import FastAPI, HTTPException

from airflow_provider_interactions.plugin.app import build_app
from airflow_provider_interactions.runtime.lake_url import open_lake


def build_airflow_app() -> FastAPI:
    """The page over ``[interactions] lake``. Whoever is logged in sees counts; records need the right to edit DAGs."""
    most = conf.getint("interactions", "max_backfill_requests", fallback=0)
    return build_app(lambda: open_lake(None), get_user, require_editor, airflow_api="../api/v2", most_requests=most)


def require_editor(user: GetUserDep) -> None:
    """Refuse users who may not edit DAGs in general; rights for a single DAG are not enough."""
    if not get_auth_manager().is_authorized_dag(method="PUT", user=user):
        raise HTTPException(403, "Records hold personal data. Showing them needs the right to edit DAGs.")
