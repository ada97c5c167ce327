"""Interactions from Which50, day by day, into the lake and a DuckDB file.

Needs a connection `which50_default` and a place for the lake (`AIRFLOW__INTERACTIONS__LAKE`). The vendor always sends
a contact's whole history, so it is kept in the lake for a day and every earlier window is cut from it: a backfill of a
year asks once for each contact, not 365 times. `refresh` asks anew, to see how a status has changed since.
"""

import os
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param

from airflow_provider_interactions import params
from airflow_provider_interactions.operators import interactions_pipeline

WHEN = {**params.WHEN, "section": "Window"}

with DAG(
    dag_id="which50_interactions",
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
    tags=["interactions", "which50"],
):
    # All contacts of all contact lists; options={"contact_lists": [7]} takes those of some.
    interactions_pipeline("which50", database=os.environ.get("INTERACTIONS_DUCKDB"))
