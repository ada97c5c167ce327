"""Answer a "get my data" request for one person at every system, by a map of identities.

Give the person's id, or any one identifier. The map is the table at `[interactions] identities`. Its columns are
`person_id`, `vendor`, `account`, `kind` and `identifier`; a person has many rows. The answer is one set of files in the
lake, in `requests/vendor=all/account=all/`: an HTML page for people, Parquet, and JSON lines. It states what each
system has and what was not asked. The task's log and XCom hold counts and no personal data.

The run's configuration keeps the values of the form. Delete the run when the request is closed.
"""

from datetime import timedelta

from airflow.sdk import DAG, Param

from airflow_provider_interactions import params
from airflow_provider_interactions.operators import PersonInteractionsOperator

OPTIONAL = ["null", "string"]
WHEN = {**params.WHEN, "section": "Limits"}

with DAG(
    dag_id="person_interactions",
    schedule=None,
    params={
        "person_id": Param(None, type=OPTIONAL, title="Person", description="The person's id in the map."),
        "identifier": Param(
            None, type=OPTIONAL, title="Or an identifier", description="Any one identifier of the person in the map."
        ),
        "vendor": Param(
            None,
            type=OPTIONAL,
            title="Vendor of the identifier",
            description="Only if two persons share the identifier.",
            enum=[None, *params.VENDORS],
            values_display={"None": "Any", **params.VENDORS},
        ),
        "kind": Param(
            None,
            type=OPTIONAL,
            title="Kind of the identifier",
            enum=[None, *params.KINDS],
            values_display={**params.SHOWN_KINDS, "None": "Any"},
        ),
        "conn_ids": Param(
            [],
            type=["null", "array"],
            items={"type": "string"},
            title="Connections",
            description="One on each line. Default: <vendor>_default of each vendor that the map names.",
        ),
        "time_zone": Param(
            "UTC",
            type=OPTIONAL,
            title="Time zone",
            description="Of the times on the page, for example Europe/Vienna. Default: UTC.",
        ),
        "start": Param(None, title="Start", description="For example 2026-01-31T00:00:00Z. Default: all time.", **WHEN),
        "end": Param(None, title="End", description="Exclusive, in the same format. Default: all time.", **WHEN),
    },
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    doc_md=__doc__,
    tags=["interactions", "example", "request"],
):
    PersonInteractionsOperator(task_id="answer")
