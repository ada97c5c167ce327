"""Operators: list contacts, extract, publish, normalize and load; all in one call; a person's data and erasure."""

from airflow_provider_interactions.operators.contacts import ListContactsOperator
from airflow_provider_interactions.operators.erase import EraseContactOperator, PlanErasureOperator
from airflow_provider_interactions.operators.everywhere import PersonInteractionsOperator
from airflow_provider_interactions.operators.extract import ExtractInteractionsOperator
from airflow_provider_interactions.operators.load import LoadInteractionsOperator
from airflow_provider_interactions.operators.normalize import NormalizeInteractionsOperator
from airflow_provider_interactions.operators.parts import NormalizePartOperator, SplitWindowOperator
from airflow_provider_interactions.operators.person import ContactInteractionsOperator
from airflow_provider_interactions.operators.pipeline import Pipeline, interactions_pipeline
from airflow_provider_interactions.operators.publish import PublishInteractionsOperator
from airflow_provider_interactions.operators.reopen import FindReopenedOperator

__all__ = [
    "ContactInteractionsOperator",
    "EraseContactOperator",
    "ExtractInteractionsOperator",
    "FindReopenedOperator",
    "ListContactsOperator",
    "LoadInteractionsOperator",
    "NormalizeInteractionsOperator",
    "NormalizePartOperator",
    "PersonInteractionsOperator",
    "Pipeline",
    "PlanErasureOperator",
    "PublishInteractionsOperator",
    "SplitWindowOperator",
    "interactions_pipeline",
]
