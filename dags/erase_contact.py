"""Erase one person, or a few: from the lake, and from every table that it is loaded into.

Fill in the form in one of two ways: a vendor and identifiers; or the person's id, or any one identifier, for all
systems of the map of identities. `plan` counts what would be erased. `approve` waits until somebody approves that under
Required Actions in Airflow's UI (in Airflow 3.2 this needs a triggerer). `erase` removes it, searches the lake for the
identifiers, and writes a receipt that names nobody. Its page opens from the task.

This needs a key: name a connection that holds one in `[interactions] suppression_conn_id`. The run's configuration
keeps the values of the form. Delete the run when the erasure is complete.
"""

import os
from datetime import timedelta

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Param

from airflow_provider_interactions import params
from airflow_provider_interactions.operators import EraseContactOperator, PlanErasureOperator

OPTIONAL = ["null", "string"]

#: The databases that the lake is loaded into, as in the pipelines: paths of DuckDB files, and ids of connections.
TABLES = [os.environ[name] for name in ("INTERACTIONS_DUCKDB", "INTERACTIONS_POSTGRES") if name in os.environ]

with DAG(
    dag_id="erase_contact",
    schedule=None,
    params={
        "vendor": Param(
            None,
            type=OPTIONAL,
            title="Vendor",
            description="Of the identifiers. With a person, only if two persons share the identifier.",
            enum=[None, *params.VENDORS],
            values_display={"None": "All systems of the map", **params.VENDORS},
        ),
        "contacts": Param(
            [],
            type=["null", "array"],
            items={"type": "string"},
            title="Identifiers at this vendor",
            description="One on each line.",
        ),
        "kind": Param(
            None,
            type=OPTIONAL,
            title="Kind of identifier",
            enum=[None, *params.KINDS],
            values_display=params.SHOWN_KINDS,
        ),
        "person_id": Param(
            None, type=OPTIONAL, title="Or a person", description="The person's id in the map of identities."
        ),
        "identifier": Param(
            None, type=OPTIONAL, title="Or any one identifier", description="Of the person, in the map of identities."
        ),
        "all_accounts": Param(
            False,
            type="boolean",
            title="All accounts",
            description="Erase an identifier from all accounts of its vendor, also if the map gives it for one.",
            section="Limits",
        ),
    },
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    doc_md=__doc__,
    tags=["interactions", "example", "request"],
):
    plan = PlanErasureOperator(task_id="plan", target=TABLES)
    approve = ApprovalOperator(
        task_id="approve", subject="Erase this for good?", body="{{ ti.xcom_pull(task_ids='plan')['text'] }}", retries=0
    )
    erase = EraseContactOperator(task_id="erase", target=TABLES, plan=plan.output, approval=approve.output)
    plan >> approve >> erase
