"""Test the connection of a bulk vendor: access, the list of tables, and the first rows of one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow_provider_interactions.contract import Credentials, Vendor
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.table_source import TableSource
from airflow_provider_interactions.http.probe import probe
from airflow_provider_interactions.http.retry import Limits
from airflow_provider_interactions.lake.memory import open_memory_lake
from airflow_provider_interactions.tables.table import Table
from airflow_provider_interactions.window import Window

#: Seconds to wait for a response. Airflow's Test button gives up after 60.
TIMEOUT = 15.0


def probe_connection(vendor: Vendor, credentials: Credentials) -> str:
    """Prove a connection as its vendor needs; returns a sentence that says what works. Raises VendorError."""
    return probe(vendor, credentials) if vendor.bulk is None else probe_tables(vendor, credentials)


def probe_tables(vendor: Vendor, credentials: Credentials) -> str:
    """Find the tables and open one; returns a sentence that says what is there. Raises VendorError."""
    assert vendor.bulk is not None  # noqa: S101 - only bulk vendors come here
    now, limits = datetime.now(UTC), Limits(timeout=TIMEOUT, tries=1, patience=0)
    with open_memory_lake() as memory:
        window = Window(now - timedelta(days=1), now)
        job = Job(vendor, credentials, memory, window, [], vendor.options(), limits=limits)
        with TableSource(job, vendor.bulk, tries=1) as source:
            tables = source.find_tables()
            files = source.read_table(tables[0], _count_files, lambda: None) if tables else 0
    if not tables:
        return f"{vendor.title} gave access, but has written no interactions yet."
    first = tables[0].native_type
    return f"{vendor.title} gave access to {len(tables)} tables. The first one, {first}, has {files} files."


def _count_files(table: Table) -> int:
    return len(table.list_files())
