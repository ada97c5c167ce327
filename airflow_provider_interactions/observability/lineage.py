"""OpenLineage: the datasets that a step read and wrote, with schema and counts. Needs the extra ``openlineage``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_interactions.observability.summary import Summary

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_interactions.lake.storage import Lake

#: The dataset that each stage reads, and the one that it writes.
FLOW = {
    "list": ("vendor", "contacts"),
    "extract": ("vendor", "raw"),
    "publish": ("raw", "raw"),
    "normalize": ("raw", "interactions"),
    "load": ("interactions", "table"),
    "request": ("vendor", "requests"),
}


def build_lineage(found: Summary, lake: Lake, table: tuple[str, str] | None = None) -> Any:
    """The lineage of a step. ``table`` is the namespace and the name of the table that a load writes."""
    from airflow.providers.openlineage.extractors import OperatorLineage

    source, target = (_name_dataset(what, found, lake, table) for what in FLOW[found.stage])
    read, written = FLOW[found.stage]
    return OperatorLineage(
        inputs=[_build_input(*source, find_schema(read))], outputs=[_build_output(*target, find_schema(written), found)]
    )


def find_schema(what: str) -> pa.Schema | None:
    """The Arrow schema of a dataset; None for the vendor, whose data has no schema of ours."""
    from airflow_provider_interactions.schema import ANSWER, CANONICAL, CONTACTS, RAW

    known = {"contacts": CONTACTS, "raw": RAW, "interactions": CANONICAL, "table": CANONICAL, "requests": ANSWER}
    return known.get(what)


def _name_dataset(what: str, found: Summary, lake: Lake, table: tuple[str, str] | None) -> tuple[str, str]:
    """Namespace and name of a dataset, by OpenLineage's naming conventions for files and buckets."""
    if what == "vendor":
        return f"{found.vendor}://{found.account}", "interactions"
    if what == "table":
        return table or ("unknown", "interactions")
    from airflow_provider_interactions.lake.paths import escape_segment

    url = urlsplit(lake.url(f"{what}/vendor={escape_segment(found.vendor)}/account={escape_segment(found.account)}"))
    if not url.netloc:
        return url.scheme, url.path
    return f"{url.scheme}://{url.netloc}", url.path.lstrip("/")


def _build_input(namespace: str, name: str, columns: pa.Schema | None) -> Any:
    from airflow.providers.common.compat.openlineage.facet import Dataset

    return Dataset(namespace=namespace, name=name, facets=_build_facets(columns))


def _build_output(namespace: str, name: str, columns: pa.Schema | None, found: Summary) -> Any:
    from airflow.providers.common.compat.openlineage.facet import (
        OutputDataset,
        OutputStatisticsOutputDatasetFacet,
    )

    counts = OutputStatisticsOutputDatasetFacet(
        rowCount=found.rows, size=found.bytes or None, fileCount=found.files or None
    )
    return OutputDataset(
        namespace=namespace, name=name, facets=_build_facets(columns), outputFacets={"outputStatistics": counts}
    )


def _build_facets(columns: pa.Schema | None) -> dict[str, Any]:
    from airflow.providers.common.compat.openlineage.facet import (
        SchemaDatasetFacet,
        SchemaDatasetFacetFields,
    )

    if columns is None:
        return {}
    fields = [
        SchemaDatasetFacetFields(name=column.name, type=str(column.type), description=_read_meaning(column))
        for column in columns
    ]
    return {"schema": SchemaDatasetFacet(fields=fields)}


def _read_meaning(column: Any) -> str | None:
    found = (column.metadata or {}).get(b"meaning")
    return found.decode() if found else None
