"""Copy a week from the sandbox of docker-compose.yaml into the lake and a table in PostgreSQL.

One DAG for each vendor. The first one starts by itself and fills its week; unpause the others to see theirs. All dates
lie in the past and have an end, because the sandbox knows that week only.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, CronDataIntervalTimetable

from airflow_provider_interactions.operators import interactions_pipeline

FIRST, LAST = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 7, tzinfo=UTC)

UNPAUSED = "dynamics_marketing"

#: How each pipeline knows its contacts.
VENDORS: Mapping[str, Mapping[str, Any]] = {
    "dynamics_marketing": {},
    "dynamics_journeys": {},
    "which50": {},
    "luminate_online": {"options": {"group_id": "{{ var.value.luminate_online_group }}"}},
    "capillary": {"contacts_file": "{{ var.value.capillary_contacts }}", "kind": "mobile"},
}

for vendor, arguments in VENDORS.items():
    with DAG(
        dag_id=f"sandbox_{vendor}",
        schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
        start_date=FIRST,
        end_date=LAST,
        catchup=True,
        max_active_runs=2,
        is_paused_upon_creation=vendor != UNPAUSED,
        default_args={"retries": 3, "retry_delay": timedelta(seconds=10)},
        doc_md=__doc__,
        tags=["interactions", "sandbox"],
    ):
        interactions_pipeline(vendor, target="table", **arguments)
