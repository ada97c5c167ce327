"""The coverage page inside Airflow: over the configured lake, for users of Airflow only."""

from __future__ import annotations

from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
from fastapi import FastAPI

from airflow_provider_interactions.plugin.app import build_app
from airflow_provider_interactions.runtime.lake_url import open_lake


def build_airflow_app() -> FastAPI:
    """The page over ``[interactions] lake``. Whoever is logged in sees counts; records need the right to edit DAGs."""
    return build_app(lambda: open_lake(None), get_user, requires_access_dag("PUT"), airflow_api="../api/v2")
