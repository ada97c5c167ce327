"""The hook of Capillary."""

from __future__ import annotations

from airflow_provider_interactions.hooks.base import InteractionsHook


class CapillaryHook(InteractionsHook):
    """Capillary by an Airflow connection of type ``capillary``.

    Host: the cluster's URL. Login and password: those of a till, or with the extra's ``auth`` set to ``oauth`` a client
    key and its secret. ``time_zone`` names the zone of times that the vendor writes without one.
    """

    conn_type = "capillary"
    default_conn_name = "capillary_default"
    hook_name = "Capillary"
