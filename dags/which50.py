"""Copy interactions from Which50, day by day, into the lake and a DuckDB file.

This DAG needs a connection `which50_default` and the address of the lake (`AIRFLOW__INTERACTIONS__LAKE`). The vendor
always sends a contact's whole history. The lake keeps it for a day, and all earlier windows are cut from it. So a
backfill of a year fetches each contact once, not 365 times. `refresh` fetches all histories again.
"""

import os
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param

from airflow_provider_interactions import params
from airflow_provider_interactions.operators import interactions_pipeline

WHEN = {**params.WHEN, "section": "Window of a single run (leave empty in a backfill)"}

with DAG(
    dag_id="which50_interactions",
    # Do not write a bare "@daily": in Airflow 3, its runs have an empty data interval.
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=2,
    params={
        "start": Param(None, title="Start", description="One or more days, for example 2026-01-31T00:00:00Z", **WHEN),
        "end": Param(None, title="End", description="Exclusive", **WHEN),
        "plan": Param(False, **params.PLAN),
        "refresh": Param(False, type="boolean", title="Refresh", description="Fetch all histories again"),
    },
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1), "retry_exponential_backoff": 2},
    doc_md=__doc__,
    tags=["interactions", "example", "which50"],
):
    # This takes all contact lists. For some of them, give for example options={"contact_lists": [7]}.
    interactions_pipeline(
        "which50",
        target=[os.environ[name] for name in ("INTERACTIONS_DUCKDB", "INTERACTIONS_POSTGRES") if name in os.environ],
    )
