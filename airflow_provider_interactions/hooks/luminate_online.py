"""The hook of Luminate Online."""

from __future__ import annotations

from airflow_provider_interactions.hooks.base import InteractionsHook


class LuminateOnlineHook(InteractionsHook):
    """Luminate Online by an Airflow connection of type ``luminate_online``.

    Host: the URL up to and including ``/site``. Login and password: those of an API Administrator. Extra: ``api_key``
    and, if JSON is to be asked for instead of XML, ``response_format``.
    """

    conn_type = "luminate_online"
    default_conn_name = "luminate_online_default"
    hook_name = "Luminate Online"
