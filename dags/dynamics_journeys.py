"""Copy interactions from Dynamics 365 Customer Insights - Journeys, day by day, into the lake and a DuckDB file.

This DAG needs a connection `dynamics_journeys_default` and the address of the lake (`AIRFLOW__INTERACTIONS__LAKE`). The
vendor keeps everybody's interactions in tables, so no list of contacts is needed. Rows come late, and bounces come days
later. So each scheduled run ends with a look at the tables: days whose rows have changed are read again, and no others.
"""

import os
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param

from airflow_provider_interactions import params
from airflow_provider_interactions.operators import interactions_pipeline

WHEN = {**params.WHEN, "section": "Window of a single run (leave empty in a backfill)"}

with DAG(
    dag_id="dynamics_journeys_interactions",
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
    tags=["interactions", "example", "dynamics_journeys"],
):
    interactions_pipeline(
        "dynamics_journeys",
        reopen=True,
        target=[os.environ[name] for name in ("INTERACTIONS_DUCKDB", "INTERACTIONS_POSTGRES") if name in os.environ],
    )
