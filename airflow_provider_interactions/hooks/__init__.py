"""Hooks: an Airflow connection as credentials, a ``requests.Session``, a generator of interactions, a Test button."""

from airflow_provider_interactions.hooks.base import InteractionsHook
from airflow_provider_interactions.hooks.capillary import CapillaryHook
from airflow_provider_interactions.hooks.dynamics_marketing import DynamicsMarketingHook
from airflow_provider_interactions.hooks.luminate_online import LuminateOnlineHook
from airflow_provider_interactions.hooks.which50 import Which50Hook

__all__ = ["CapillaryHook", "DynamicsMarketingHook", "InteractionsHook", "LuminateOnlineHook", "Which50Hook"]
