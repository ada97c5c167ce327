"""Interactions from Capillary, day by day, into the lake and a DuckDB file.

Needs a connection `capillary_default`, a place for the lake (`AIRFLOW__INTERACTIONS__LAKE`), and, because the vendor
lists no customers, the Airflow variable `capillary_contacts`: the address of a file of mobile numbers. The vendor sends
a customer's whole history, kept in the lake for a day; `refresh` asks anew, to see how a status has changed since.
"""

import os
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param

from airflow_provider_interactions import params
from airflow_provider_interactions.operators import interactions_pipeline

WHEN = {**params.WHEN, "section": "Window"}

with DAG(
    dag_id="capillary_interactions",
    # Not the bare "@daily": in Airflow 3 its runs have an empty data interval.
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=2,
    params={
        "start": Param(None, title="Start", description="One day or many in one run: 2026-01-31T00:00:00Z", **WHEN),
        "end": Param(None, title="End", description="Exclusive", **WHEN),
        "refresh": Param(False, type="boolean", title="Refresh", description="Ask anew, whatever the lake has"),
    },
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1), "retry_exponential_backoff": 2},
    doc_md=__doc__,
    tags=["interactions", "capillary"],
):
    interactions_pipeline(
        "capillary",
        contacts_file="{{ var.value.capillary_contacts }}",  # text, CSV or Parquet, anywhere: s3://aws@bucket/file.csv
        kind="mobile",
        database=os.environ.get("INTERACTIONS_DUCKDB"),
    )
