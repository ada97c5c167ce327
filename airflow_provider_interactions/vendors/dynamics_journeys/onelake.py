"""Route 1: Dataverse's shortcuts in a lakehouse of Microsoft Fabric, read through OneLake.

Sources: "Connecting to Microsoft OneLake" (learn.microsoft.com/fabric/onelake, read 2026-11): one account for all,
named onelake; tokens of the storage audience. "Integrate with Microsoft Fabric" (customer-insights,
fabric-integration.md, dated 2026-03-26): a table for each interaction type that has data. That OneLake serves
shortcuts to Blob requests, which the storage library sends, is unverified.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from airflow_provider_interactions.contract.bulk import Access, Folders, TableAddress
from airflow_provider_interactions.errors import AuthRejected, BadResponse
from airflow_provider_interactions.vendors.dynamics_journeys.errors import judge_step
from airflow_provider_interactions.vendors.dynamics_journeys.settings import Settings, locate_tables

#: The only account of OneLake.
ACCOUNT = "onelake"

#: The schema that a lakehouse with schemas has from the start.
USUAL_SCHEMA = "dbo"


def build_access(settings: Settings, token: str) -> Access:
    """Access to the tables of the lakehouse; it lasts as long as the token."""
    container, folder = locate_tables(settings)
    options = {
        "account_name": ACCOUNT,
        "bearer_token": token,
        "endpoint": spell_endpoint(settings.onelake_endpoint),
        "allow_http": str(bool(settings.allow_http)).lower(),
    }
    return Access(f"az://{container}/{folder}", options)


def spell_endpoint(url: str) -> str:
    """The Blob host for the DFS host that people know: the storage library speaks Blob."""
    return url.rstrip("/").replace(".dfs.", ".blob.", 1)


def _list_root(folders: Folders) -> Sequence[str]:
    """The folders at the root. Raises the error of the step that fails."""
    try:
        return folders.list_folders("")
    except AuthRejected:
        raise judge_step("workspace", "forbidden") from None
    except BadResponse as error:
        if error.status == 404:
            raise judge_step("workspace", "missing") from None
        raise


def list_tables(folders: Folders) -> Iterator[TableAddress]:
    """All tables of the lakehouse, and those of the default schema, which is a folder among them."""
    for name in _list_root(folders):
        if name == USUAL_SCHEMA:
            yield from (TableAddress(table, f"{name}/{table}") for table in folders.list_folders(name))
        else:
            yield TableAddress(name, name)
