"""Hooks: an Airflow connection as credentials, a ``requests.Session``, a generator of interactions, a Test button.

One class for each type of connection. What its fields mean is on the vendor's page in ``docs``.
"""

from __future__ import annotations

from airflow_provider_interactions.hooks.base import InteractionsHook, name_hook

__all__ = [
    "CapillaryHook",
    "DynamicsMarketingHook",
    "InteractionsHook",
    "LuminateOnlineHook",
    "Which50Hook",
]


class DynamicsMarketingHook(InteractionsHook):
    """Dynamics 365 Marketing by a connection of type ``dynamics_marketing``. Its extra needs ``tenant_id``."""

    conn_type, default_conn_name, hook_name = name_hook("dynamics_marketing")


class LuminateOnlineHook(InteractionsHook):
    """Luminate Online by a connection of type ``luminate_online``. Its extra needs ``api_key``."""

    conn_type, default_conn_name, hook_name = name_hook("luminate_online")


class Which50Hook(InteractionsHook):
    """Which50 by a connection of type ``which50``. Its extra's ``auth`` says how calls are signed."""

    conn_type, default_conn_name, hook_name = name_hook("which50")


class CapillaryHook(InteractionsHook):
    """Capillary by a connection of type ``capillary``. Its extra's ``time_zone`` is that of times without a zone."""

    conn_type, default_conn_name, hook_name = name_hook("capillary")
