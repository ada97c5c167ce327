"""Interactions from Acme Mail, day by day, into the lake and a DuckDB file.

Needs a connection `acme_mail_default` and a place for the lake (`AIRFLOW__INTERACTIONS__LAKE`). Every run reads its own
day for everybody the account knows; running a day again replaces that day and nothing else.
"""

import os
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param

from airflow_provider_interactions.operators import interactions_pipeline

WHEN = {"type": ["null", "string"], "format": "date-time", "section": "Window"}

with DAG(
    dag_id="acme_mail_interactions",
    # Not the bare "@daily": in Airflow 3 its runs have an empty data interval.
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=2,
    params={
        "start": Param(None, title="Start", description="Instead of the run's own day, with a time zone", **WHEN),
        "end": Param(None, title="End", description="Exclusive", **WHEN),
    },
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1), "retry_exponential_backoff": 2},
    doc_md=__doc__,
    tags=["interactions", "acme_mail"],
):
    # The table goes into a DuckDB file, by default interactions.duckdb in the lake.
    interactions_pipeline("acme_mail", database=os.environ.get("INTERACTIONS_DUCKDB"))
