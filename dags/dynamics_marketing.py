"""Copy interactions from Dynamics 365 Marketing, day by day, into the lake and a DuckDB file.

This DAG needs a connection `dynamics_marketing_default` and the address of the lake (`AIRFLOW__INTERACTIONS__LAKE`).
Each run reads one day for all contacts of the environment. A repeated run replaces its day and nothing else. For days
in the past, start a backfill, or one run with the parameters below: it sends fewer requests and writes the same days.
"""

import os
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param

from airflow_provider_interactions import params
from airflow_provider_interactions.operators import interactions_pipeline

WHEN = {**params.WHEN, "section": "Window of a single run (leave empty in a backfill)"}

with DAG(
    dag_id="dynamics_marketing_interactions",
    # Do not write a bare "@daily": in Airflow 3, its runs have an empty data interval.
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=2,
    params={
        "start": Param(None, title="Start", description="One or more days, for example 2026-01-31T00:00:00Z", **WHEN),
        "end": Param(None, title="End", description="Exclusive", **WHEN),
        "plan": Param(False, **params.PLAN),
    },
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1), "retry_exponential_backoff": 2},
    doc_md=__doc__,
    tags=["interactions", "example", "dynamics_marketing"],
):
    # The table is in a DuckDB file. The default is interactions.duckdb in the lake.
    interactions_pipeline(
        "dynamics_marketing",
        target=[os.environ[name] for name in ("INTERACTIONS_DUCKDB", "INTERACTIONS_POSTGRES") if name in os.environ],
    )
