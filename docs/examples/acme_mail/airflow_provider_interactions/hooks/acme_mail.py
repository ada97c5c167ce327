"""The hook of Acme Mail."""

from __future__ import annotations

from airflow_provider_interactions.hooks.base import InteractionsHook


class AcmeMailHook(InteractionsHook):
    """Acme Mail by an Airflow connection of type ``acme_mail``. Host: the API's URL. Password: the token."""

    conn_type = "acme_mail"
    default_conn_name = "acme_mail_default"
    hook_name = "Acme Mail"
