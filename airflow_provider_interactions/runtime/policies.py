"""Find the policy for personal data that a task follows, and the key in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook

from airflow_provider_interactions import vendors
from airflow_provider_interactions.hooks.base import InteractionsHook, mask

if TYPE_CHECKING:
    from airflow_provider_interactions.normalize.policy import Key, Policy
    from airflow_provider_interactions.normalize.policy_rules import GivenPolicy


def find_policy(vendor: str, given: GivenPolicy, conn_id: str | None) -> Policy:
    """The policy of a vendor's rows: the given one, else the connection's, else the vendor's own rules.

    Raises ConfigError that names what is wrong, and AirflowNotFoundException if a connection does not exist.
    """
    from airflow_provider_interactions.normalize.policy_rules import read_policy

    if given is None and conn_id:
        given = InteractionsHook(conn_id, vendor=vendor).credentials.settings.policy
    return read_policy(vendors.read_about(vendor), given, find_key)


def find_key(conn_id: str) -> Key:
    """The key of ``hmac`` that a connection holds. Raises ConfigError, and AirflowNotFoundException."""
    from airflow_provider_interactions.normalize.policy_rules import read_key

    connection = BaseHook.get_connection(conn_id)
    mask(connection.password or "")
    return read_key(connection)
