"""Whether and where the tasks of one account share its limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import conf

if TYPE_CHECKING:
    from airflow_provider_interactions.hooks.base import InteractionsHook
    from airflow_provider_interactions.http.shared_limit import Sharing
    from airflow_provider_interactions.lake.storage import Lake


def choose_sharing(lake: Lake, hook: InteractionsHook, *, ahead: bool = False) -> Sharing | None:
    """The ledger of the connection's account in the lake, if ``[interactions] shared_limit`` is true.

    None also for a lake that cannot compare and swap. ``ahead`` is for a request that goes before others.
    """
    from airflow_provider_interactions.http.shared_limit import Sharing
    from airflow_provider_interactions.lake.paths import name_shares
    from airflow_provider_interactions.lake.swap import open_ledger

    if not conf.getboolean("interactions", "shared_limit", fallback=False):
        return None
    ledger = open_ledger(lake, name_shares(hook.vendor.name, hook.credentials.account))
    return Sharing(ledger, ahead) if ledger else None
