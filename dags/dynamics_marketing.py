"""Interactions from Dynamics 365 Marketing, day by day, into the lake and a DuckDB file.

Needs a connection `dynamics_marketing_default` and a place for the lake (`AIRFLOW__INTERACTIONS__LAKE`). Every run
reads its own day for all contacts of the environment; running a day again replaces that day and nothing else. Fill the
past with a backfill, or by one run with the parameters below, which asks less and writes the same days.
"""

import os
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param

from airflow_provider_interactions import params
from airflow_provider_interactions.operators import interactions_pipeline

WHEN = {**params.WHEN, "section": "Window"}

with DAG(
    dag_id="dynamics_marketing_interactions",
    # Not the bare "@daily": in Airflow 3 its runs have an empty data interval.
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=2,
    params={
        "start": Param(None, title="Start", description="One day or many in one run: 2026-01-31T00:00:00Z", **WHEN),
        "end": Param(None, title="End", description="Exclusive", **WHEN),
    },
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1), "retry_exponential_backoff": 2},
    doc_md=__doc__,
    tags=["interactions", "dynamics_marketing"],
):
    # The table goes into a DuckDB file, by default interactions.duckdb in the lake.
    interactions_pipeline("dynamics_marketing", database=os.environ.get("INTERACTIONS_DUCKDB"))
