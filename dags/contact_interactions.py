"""Answer a "get my data" request: everything that a vendor knows about one person, or about a few.

Trigger this DAG from its form or by the REST API. The answer is in the lake, in `requests/`: one HTML page for people,
one Parquet file and one file of JSON lines. They hold all types and all time, unless the form limits them. The task's
log and XCom hold counts and no personal data. `GET …/dagRuns/{run}/wait?interval=1` waits for the counts (Airflow 3.3).

The run's configuration keeps the values of the form. Delete the run when the request is closed.
"""

from datetime import timedelta

from airflow.sdk import DAG, Param

from airflow_provider_interactions import params
from airflow_provider_interactions.operators import ContactInteractionsOperator

OPTIONAL = ["null", "string"]
WHEN = {**params.WHEN, "section": "Limits"}

with DAG(
    dag_id="contact_interactions",
    schedule=None,
    params={
        "vendor": Param(
            "dynamics_marketing",
            type="string",
            title="Vendor",
            enum=list(params.VENDORS),
            values_display=params.VENDORS,
        ),
        "contacts": Param(
            [],
            type="array",
            items={"type": "string"},
            minItems=1,
            title="Identifiers",
            description="One on each line.",
        ),
        "kind": Param(
            None,
            type=OPTIONAL,
            title="Kind of identifier",
            enum=[None, *params.KINDS],
            values_display=params.SHOWN_KINDS,
        ),
        "conn_id": Param(None, type=OPTIONAL, title="Connection", description="Default: <vendor>_default."),
        "start": Param(None, title="Start", description="For example 2026-01-31T00:00:00Z. Default: all time.", **WHEN),
        "end": Param(None, title="End", description="Exclusive, in the same format. Default: all time.", **WHEN),
        "time_zone": Param(
            "UTC",
            type=OPTIONAL,
            title="Time zone",
            description="Of the times on the page, for example Europe/Vienna. Default: UTC.",
        ),
        "types": Param(
            [],
            type=["null", "array"],
            items={"type": "string"},
            title="Types",
            description="Types of the chosen vendor. Default: all.",
            section="Limits",
            examples=params.ALL_TYPES,
            values_display=params.SHOWN_TYPES,
        ),
    },
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    doc_md=__doc__,
    tags=["interactions", "example", "request"],
):
    ContactInteractionsOperator(task_id="answer")
