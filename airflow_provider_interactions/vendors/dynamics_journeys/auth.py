"""Tokens for the storage of OneLake or for Dataverse, as the connection's route needs."""

from __future__ import annotations

from airflow_provider_interactions.contract import Auth, Credentials
from airflow_provider_interactions.vendors.dynamics_journeys.settings import NAME, Settings, choose_scope
from airflow_provider_interactions.vendors.shared import entra


def auth(credentials: Credentials[Settings]) -> Auth:
    """How to sign calls with this connection; raises ConfigError that names a missing field."""
    return entra.sign(NAME, credentials, choose_scope(credentials))
