"""Operators: list contacts, extract, normalize, load; and all of them by one call, ``interactions_pipeline``."""

from airflow_provider_interactions.operators.contacts import ListContactsOperator
from airflow_provider_interactions.operators.extract import ExtractInteractionsOperator
from airflow_provider_interactions.operators.load import LoadInteractionsOperator
from airflow_provider_interactions.operators.normalize import NormalizeInteractionsOperator
from airflow_provider_interactions.operators.pipeline import Pipeline, interactions_pipeline

__all__ = [
    "ExtractInteractionsOperator",
    "ListContactsOperator",
    "LoadInteractionsOperator",
    "NormalizeInteractionsOperator",
    "Pipeline",
    "interactions_pipeline",
]
