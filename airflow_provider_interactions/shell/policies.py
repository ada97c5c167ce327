"""The policy for personal data, and the map of identities, that a command follows."""

from __future__ import annotations

import fsspec

from airflow_provider_interactions import vendors
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.normalize.identity_map import scan_file
from airflow_provider_interactions.normalize.persons import PersonIndex
from airflow_provider_interactions.normalize.policy import Key, Policy
from airflow_provider_interactions.normalize.policy_rules import read_key, read_policy
from airflow_provider_interactions.shell.session import Session
from airflow_provider_interactions.shell.sources import open_source


def find_policy(session: Session, vendor: str, conn_id: str | None, given: str | None) -> Policy:
    """The policy that was given, else that of the connection, else the vendor's own rules. Raises ConfigError."""

    def find_key(name: str) -> Key:
        return read_key(session.config.find_connection(name))

    chosen = given
    if given is None and (conn_id or session.config.has_connection(f"{vendor}_default")):
        chosen = open_source(session, vendor, conn_id).credentials.settings.policy
    vendors.find_vendor(vendor)  # raises for an unknown name
    return read_policy(vendors.read_about(vendor), chosen, find_key)


def open_persons(address: str | None) -> PersonIndex | None:
    """The persons of the map at an address; None without an address. Raises ConfigError."""
    if not address:
        return None
    try:
        fs, path = fsspec.url_to_fs(address)
    except (ImportError, ValueError) as wrong:
        why = type(wrong).__name__
        msg = f"The map of identities cannot be opened ({why}). Check its scheme, and install its driver."
        raise ConfigError(msg) from wrong
    return PersonIndex(scan_file(fs, path.rstrip("/")))
