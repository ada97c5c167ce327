"""Tokens for Dataverse."""

from __future__ import annotations

from urllib.parse import urlsplit

from airflow_provider_interactions.contract import Auth, Credentials
from airflow_provider_interactions.vendors.dynamics_marketing.about import ABOUT
from airflow_provider_interactions.vendors.shared import entra


class Settings(entra.Settings, frozen=True, kw_only=True):
    """The connection's extra. ``scope`` defaults to the organisation's URL + ``/.default``."""

    scope: str | None = None
    api_version: str = "v9.0"


def auth(credentials: Credentials[Settings]) -> Auth:
    """How to sign calls with this connection; raises ConfigError that names a missing field."""
    url = urlsplit(credentials.host)
    return entra.sign(ABOUT.name, credentials, credentials.settings.scope or f"{url.scheme}://{url.netloc}/.default")
