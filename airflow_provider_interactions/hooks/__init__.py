"""Hooks: an Airflow connection as credentials, a ``requests.Session``, a generator of interactions, a Test button."""

from airflow_provider_interactions.hooks.base import InteractionsHook
from airflow_provider_interactions.hooks.dynamics_marketing import DynamicsMarketingHook
from airflow_provider_interactions.hooks.luminate_online import LuminateOnlineHook

__all__ = ["DynamicsMarketingHook", "InteractionsHook", "LuminateOnlineHook"]
