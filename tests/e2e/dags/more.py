"""DAGs that the examples lack: two of one account, and one whose pool nobody has made."""

import os
from datetime import UTC, datetime

from airflow.sdk import DAG, CronDataIntervalTimetable

from airflow_provider_interactions.operators import interactions_pipeline

DAILY = CronDataIntervalTimetable("@daily", timezone="UTC")

for name in ("twin_one", "twin_two"):
    with DAG(name, schedule=DAILY, catchup=False, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        interactions_pipeline("luminate_online", options={"group_id": 1001}, database=os.environ["INTERACTIONS_DUCKDB"])

with DAG("without_pool", schedule=DAILY, catchup=False, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
    interactions_pipeline("which50", pool="nobody_has_made_it")
