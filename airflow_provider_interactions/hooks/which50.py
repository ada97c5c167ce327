"""The hook of Which50."""

from __future__ import annotations

from airflow_provider_interactions.hooks.base import InteractionsHook


class Which50Hook(InteractionsHook):
    """Which50 by an Airflow connection of type ``which50``.

    Host: the URL up to and including ``/Which50API``. The vendor publishes no scheme of authentication, so the extra's
    ``auth`` says what login and password hold: ``bearer`` (a token), ``header``, ``basic`` or ``oauth2``.
    """

    conn_type = "which50"
    default_conn_name = "which50_default"
    hook_name = "Which50"
