"""Hooks: one class for each type of connection.

A hook gives credentials, a ``requests.Session``, a generator of interactions, and the Test button of the form. The
vendor's page in ``docs`` explains the connection's fields.
"""

from __future__ import annotations

from airflow_provider_interactions.hooks.base import InteractionsHook, name_hook

__all__ = [
    "CapillaryHook",
    "DynamicsJourneysHook",
    "DynamicsMarketingHook",
    "InteractionsHook",
    "LuminateOnlineHook",
    "Which50Hook",
]


class DynamicsJourneysHook(InteractionsHook):
    """Customer Insights - Journeys, by a connection of type ``dynamics_journeys``. It needs the extra ``tenant_id``."""

    conn_type, default_conn_name, hook_name = name_hook("dynamics_journeys")


class DynamicsMarketingHook(InteractionsHook):
    """Dynamics 365 Marketing, by a connection of type ``dynamics_marketing``. It needs the extra ``tenant_id``."""

    conn_type, default_conn_name, hook_name = name_hook("dynamics_marketing")


class LuminateOnlineHook(InteractionsHook):
    """Luminate Online, by a connection of type ``luminate_online``. It needs the extra ``api_key``."""

    conn_type, default_conn_name, hook_name = name_hook("luminate_online")


class Which50Hook(InteractionsHook):
    """Which50, by a connection of type ``which50``. The extra ``auth`` says how to sign requests."""

    conn_type, default_conn_name, hook_name = name_hook("which50")


class CapillaryHook(InteractionsHook):
    """Capillary, by a connection of type ``capillary``. The extra ``time_zone`` applies to times without a zone."""

    conn_type, default_conn_name, hook_name = name_hook("capillary")
