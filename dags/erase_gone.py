"""Open an erasure of contacts that a vendor has deleted. It waits until somebody approves it, and is off by default.

Once a week, `plan` looks at the outcomes of the last 31 windows of each account in the lake. Contacts whose newest
outcome is `deleted` are candidates; if there are none, the run ends. `approve` shows the counts and waits. Without an
answer it waits, and so do the runs of the next weeks.

Copy this file for another vendor. Add `not_found` to `OUTCOMES` only if your list of contacts has no mistakes: a vendor
answers so for every identifier that it does not know. This needs the key of `[interactions] suppression_conn_id`.
"""

import os
from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, CronDataIntervalTimetable

from airflow_provider_interactions.operators import EraseContactOperator, PlanErasureOperator

VENDOR, OUTCOMES = "capillary", ["deleted"]

#: The databases that the lake is loaded into, as in the pipelines: paths of DuckDB files, and ids of connections.
TABLES = [os.environ[name] for name in ("INTERACTIONS_DUCKDB", "INTERACTIONS_POSTGRES") if name in os.environ]

with DAG(
    dag_id="erase_gone",
    schedule=CronDataIntervalTimetable("@weekly", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    doc_md=__doc__,
    tags=["interactions", "example", "request"],
):
    plan = PlanErasureOperator(task_id="plan", vendor=VENDOR, outcomes=OUTCOMES, target=TABLES)
    approve = ApprovalOperator(
        task_id="approve",
        subject=f"Erase contacts that {VENDOR} has deleted?",
        body="{{ ti.xcom_pull(task_ids='plan')['text'] }}",
        retries=0,
    )
    erase = EraseContactOperator(
        task_id="erase",
        vendor=VENDOR,
        outcomes=OUTCOMES,
        target=TABLES,
        plan=plan.output,
        approval=approve.output,
    )
    plan >> approve >> erase
