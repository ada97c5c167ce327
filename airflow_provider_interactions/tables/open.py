"""Open a table, in the format that its folder shows. The vendor does not publish which one it writes."""

from __future__ import annotations

import re

from airflow_provider_interactions.contract.bulk import Bulk, TableAddress
from airflow_provider_interactions.tables.delta import DeltaReader
from airflow_provider_interactions.tables.folder import FolderReader
from airflow_provider_interactions.tables.store import Store
from airflow_provider_interactions.tables.table import Table

#: The folder that makes a folder a Delta table.
DELTA_LOG = "_delta_log"

#: The name of a commit in that folder.
_COMMIT = re.compile(r"[0-9]{20}\.json")


def open_table(store: Store, address: TableAddress, bulk: Bulk) -> Table:
    """Open a table as it is now. Raises VendorError that names it."""
    subject = f"the table {address.native_type}"
    kind = DeltaReader if DELTA_LOG in store.list_folders(address.path) else FolderReader
    return kind(store, address.path, bulk.time, subject)


def find_version(store: Store, address: TableAddress) -> str:
    """The newest commit of a Delta table, without opening the table; empty if it has none. Raises VendorError."""
    files = store.list_files(f"{address.path}/{DELTA_LOG}")
    commits = [file for file in files if _COMMIT.fullmatch(file.path.rpartition("/")[2])]
    newest = max(commits, key=lambda file: file.path, default=None)
    return f"{newest.path} {newest.tag}" if newest else ""
