"""Copy interactions from Which50 with three DAGs, joined by partitioned assets: extract, normalize, load.

You can pause, retry and scale each DAG separately. A partition is a UTC day. In a backfill of the first DAG, each day
triggers its own run of the second DAG, and that run triggers one of the third. The event holds the path of the window's
manifest, so the later DAGs need no window of their own. The DAGs need a connection `which50_default`.
"""

from datetime import UTC, datetime

from airflow.sdk import DAG, CronPartitionTimetable, PartitionedAssetTimetable

from airflow_provider_interactions.observability.assets import asset
from airflow_provider_interactions.operators import (
    ExtractInteractionsOperator,
    ListContactsOperator,
    LoadInteractionsOperator,
    NormalizeInteractionsOperator,
    PublishInteractionsOperator,
)

VENDOR = "which50"
RAW, NORMALIZED = asset(VENDOR, "raw"), asset(VENDOR, "normalized")

COMMON = {"catchup": False, "doc_md": __doc__, "tags": ["interactions", "example", "partitioned", VENDOR]}

with DAG(
    dag_id="partitioned_extract",
    # A run processes the day before, which is over.
    schedule=CronPartitionTimetable("0 0 * * *", timezone="UTC", key_format="%Y-%m-%d", run_offset=-1),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    max_active_runs=2,
    **COMMON,
):
    contacts = ListContactsOperator(task_id="list_contacts", vendor=VENDOR)
    extract = ExtractInteractionsOperator.partial(task_id="extract", vendor=VENDOR, max_active_tis_per_dag=1)
    batches = extract.expand(batch=contacts.output)
    # Update the asset once for the whole window, not once for each batch.
    PublishInteractionsOperator(task_id="publish", manifests=batches.output, outlets=[RAW])

with DAG(dag_id="partitioned_normalize", schedule=PartitionedAssetTimetable(assets=RAW), **COMMON):
    NormalizeInteractionsOperator(task_id="normalize", outlets=[NORMALIZED])

with DAG(dag_id="partitioned_load", schedule=PartitionedAssetTimetable(assets=NORMALIZED), max_active_runs=1, **COMMON):
    LoadInteractionsOperator(task_id="load")
