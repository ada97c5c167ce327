"""Build the dbt models with Astronomer Cosmos, once after each load of any vendor.

This DAG needs `astronomer-cosmos` where Airflow runs, and dbt there or in an environment of its own
(`INTERACTIONS_DBT`, the path of the command). `profiles.yml` of the dbt project says which variables name the database.
"""

import os
import shutil
from datetime import timedelta
from pathlib import Path

from airflow.sdk import AssetAny
from cosmos import DbtDag, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import InvocationMode, LoadMode, TestBehavior

from airflow_provider_interactions import params
from airflow_provider_interactions.observability.assets import asset

PROJECT = Path(os.environ.get("INTERACTIONS_DBT_PROJECT", Path(__file__).parents[1]))

interactions_models = DbtDag(
    dag_id="interactions_models",
    project_config=ProjectConfig(PROJECT, install_dbt_deps=False),
    profile_config=ProfileConfig(
        profile_name="interactions",
        target_name=os.environ.get("INTERACTIONS_DBT_TARGET", "duckdb"),
        profiles_yml_filepath=PROJECT / "profiles.yml",
    ),
    execution_config=ExecutionConfig(
        dbt_executable_path=os.environ.get("INTERACTIONS_DBT") or shutil.which("dbt") or "dbt",
        invocation_mode=InvocationMode.SUBPROCESS,
    ),
    render_config=RenderConfig(
        load_method=LoadMode.DBT_LS,
        # One task a model: `dbt build` makes the model, then runs its tests. A test of two models has its own task.
        test_behavior=TestBehavior.BUILD,
        should_detach_multiple_parents_tests=True,
        emit_datasets=False,
    ),
    schedule=AssetAny(*(asset(vendor, "loaded") for vendor in params.VENDORS)),
    # A DuckDB file has one writer. Other databases can build models side by side.
    max_active_tasks=1,
    max_active_runs=1,
    # A load may have the DuckDB file open.
    default_args={"retries": 5, "retry_delay": timedelta(minutes=1)},
    doc_md=__doc__,
    tags=["interactions", "dbt"],
)
