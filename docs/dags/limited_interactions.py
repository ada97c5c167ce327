"""Copy interactions, and ask a person before a run that sends more than a hundred requests.

The pictures and the browser tests run this DAG against the sandbox. Set a much larger limit for a real account.
"""

from airflow.sdk import DAG, Param

from airflow_provider_interactions import params
from airflow_provider_interactions.operators import interactions_pipeline

with DAG(
    dag_id="limited_interactions",
    schedule=None,
    params={name: Param(None, title=name.title(), **params.WHEN) for name in ("start", "end")},
    doc_md=__doc__,
    tags=["interactions", "example"],
):
    interactions_pipeline("dynamics_marketing", max_requests=100)
