"""The hook of Microsoft Dynamics 365 Marketing."""

from __future__ import annotations

from airflow_provider_interactions.hooks.base import InteractionsHook


class DynamicsMarketingHook(InteractionsHook):
    """Dynamics 365 Marketing by an Airflow connection of type ``dynamics_marketing``.

    Host: the organisation's URL. Login and password: the app's client id and secret. Extra: ``tenant_id`` and, where
    they differ from the public cloud's, ``authority``, ``scope``, ``api_version``.
    """

    conn_type = "dynamics_marketing"
    default_conn_name = "dynamics_marketing_default"
    hook_name = "Dynamics 365 Marketing"
