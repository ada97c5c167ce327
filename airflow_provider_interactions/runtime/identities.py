"""Open the map of identities that a request names: a file, a folder, or a query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from airflow.sdk import conf

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.runtime.lake_url import open_url
from airflow_provider_interactions.runtime.sources import read_table

if TYPE_CHECKING:
    from airflow_provider_interactions.normalize.identity_map import Scan
    from airflow_provider_interactions.normalize.persons import PersonIndex


def open_map(url: str | None, sql: str | None, conn_id: str | None) -> Scan:
    """The map at an address or of a query; by default at ``[interactions] identities``. Raises ConfigError."""
    from airflow_provider_interactions.normalize.identity_map import scan_file, scan_query

    if url and sql:
        raise ConfigError("identities and identities_sql are given. Give one map of identities.")
    if sql:
        return scan_query(lambda: _read_query(sql, conn_id))
    address = url or conf.get("interactions", "identities", fallback="")
    if not address:
        msg = "No map of identities is set. Give the operator identities, or set [interactions] identities."
        raise ConfigError(msg)
    return scan_file(*open_url(address, "The map of identities"))


def open_persons(url: str | None, sql: str | None, conn_id: str | None) -> PersonIndex | None:
    """The persons of a map that is given; None if none is. Raises ConfigError."""
    from airflow_provider_interactions.normalize.persons import PersonIndex

    return PersonIndex(open_map(url, sql, conn_id)) if url or sql else None


def _read_query(sql: str, conn_id: str | None) -> Iterator[tuple[Sequence[str], Sequence[Sequence[object]]]]:
    return read_table(sql, conn_id, "identities_sql", "identities_conn_id")
