"""Copy interactions from Which50, and send a mail if a day is not in the table by six in the morning after it.

This uses Airflow's deadline alerts. They need a triggerer, and a connection `smtp_default` to your mail server. To
write to Slack or another place, give another notifier that has `async_notify`. The deadline belongs to a run, so a
paused DAG has none. A backfill of past days is late when it begins: use `which50_interactions` for that, which fills
the same windows.
"""

import os
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, AsyncCallback, CronDataIntervalTimetable, DeadlineAlert, DeadlineReference

from airflow_provider_interactions.operators import interactions_pipeline

with DAG(
    dag_id="late_window",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    deadline=DeadlineAlert(
        # The logical date is the start of the run's day.
        reference=DeadlineReference.DAGRUN_LOGICAL_DATE,
        interval=timedelta(days=1, hours=6),
        callback=AsyncCallback(
            "airflow.providers.smtp.notifications.smtp.SmtpNotifier",
            kwargs={
                "to": os.environ.get("INTERACTIONS_MAIL_TO", "data-team@example.com"),
                "from_email": os.environ.get("INTERACTIONS_MAIL_FROM", "airflow@example.com"),
                "subject": "Late: {{ dag_run.dag_id }}, {{ dag_run.logical_date }}",
                "html_content": "Run {{ dag_run.dag_run_id }} is {{ dag_run.state }}. It was due at "
                "{{ deadline.deadline_time }}.",
            },
        ),
    ),
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1), "retry_exponential_backoff": 2},
    doc_md=__doc__,
    tags=["interactions", "example", "alert", "which50"],
):
    interactions_pipeline("which50", alerts=["drift", "count", "rejects"])
