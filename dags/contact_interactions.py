"""Everything a vendor knows of one person, or of a few, on request: "get my data".

Trigger it from its form or by the REST API. The answer is in the lake, under `requests/`: one Parquet file and one of
JSON lines, with all types and all time unless the form says otherwise; the task's log and XCom hold the counts and
nothing of the person. `GET …/dagRuns/{run}/wait?interval=1` waits for them (Airflow 3.3).

What is typed into the form stays in the run's configuration: delete the run when the request is closed.
"""

from datetime import timedelta

from airflow.sdk import DAG, Param

from airflow_provider_interactions import params
from airflow_provider_interactions.operators import ContactInteractionsOperator

OPTIONAL = ["null", "string"]
WHEN = {**params.WHEN, "section": "Only some of it"}

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
        "contacts": Param([], type="array", items={"type": "string"}, title="Identifiers", description="One a line."),
        "kind": Param(
            None,
            type=OPTIONAL,
            title="What they are",
            enum=[None, *params.KINDS],
            values_display=params.SHOWN_KINDS,
        ),
        "conn_id": Param(None, type=OPTIONAL, title="Connection", description="Default: <vendor>_default."),
        "start": Param(None, title="Since", description="For example 2026-01-31T00:00:00Z. Default: all time.", **WHEN),
        "end": Param(None, title="Before", description="Exclusive, written likewise. Default: all time.", **WHEN),
        "types": Param(
            [],
            type=["null", "array"],
            items={"type": "string"},
            title="Types",
            description="Default: all. Those of the chosen vendor only.",
            section="Only some of it",
            examples=params.ALL_TYPES,
            values_display=params.SHOWN_TYPES,
        ),
    },
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    doc_md=__doc__,
    tags=["interactions", "request"],
):
    ContactInteractionsOperator(task_id="answer")
