"""Copy interactions from Capillary, day by day, into the lake and a DuckDB file.

This DAG needs a connection `capillary_default`, the address of the lake (`AIRFLOW__INTERACTIONS__LAKE`), and the
Airflow variable `capillary_contacts`: the address of a file of mobile numbers, because the vendor has no list of its
customers. The vendor sends whole histories. The lake keeps them for a day; `refresh` fetches them again.
"""

import os
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param

from airflow_provider_interactions import params
from airflow_provider_interactions.operators import interactions_pipeline

WHEN = {**params.WHEN, "section": "Window of a single run (leave empty in a backfill)"}

with DAG(
    dag_id="capillary_interactions",
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
    tags=["interactions", "example", "capillary"],
):
    interactions_pipeline(
        "capillary",
        contacts_file="{{ var.value.capillary_contacts }}",  # text, CSV or Parquet: s3://aws@bucket/file.csv
        kind="mobile",
        target=[os.environ[name] for name in ("INTERACTIONS_DUCKDB", "INTERACTIONS_POSTGRES") if name in os.environ],
    )
