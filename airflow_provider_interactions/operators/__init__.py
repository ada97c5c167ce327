"""Operators: list contacts, extract, normalize, load. Each is a window, a connection and one call into the core."""

from airflow_provider_interactions.operators.contacts import ListContactsOperator
from airflow_provider_interactions.operators.extract import ExtractInteractionsOperator
from airflow_provider_interactions.operators.load import LoadInteractionsOperator
from airflow_provider_interactions.operators.normalize import NormalizeInteractionsOperator

__all__ = [
    "ExtractInteractionsOperator",
    "ListContactsOperator",
    "LoadInteractionsOperator",
    "NormalizeInteractionsOperator",
]
