"""OpenLineage: the datasets that a step read and wrote, with schema and counts. Needs the extra ``openlineage``."""

from __future__ import annotations

from collections.abc import Sequence
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


def build_lineage(summary: Summary, lake: Lake, tables: Sequence[tuple[str, str]] = ()) -> Any:
    """The lineage of a step. ``tables`` are the namespaces and names of the tables that a load writes."""
    from airflow.providers.openlineage.extractors import OperatorLineage

    reads, writes = FLOW[summary.stage]
    targets = tables if writes == "table" else [_name_dataset(writes, summary, lake)]
    return OperatorLineage(
        inputs=[_build_input(*_name_dataset(reads, summary, lake), find_schema(reads))],
        outputs=[_build_output(*target, find_schema(writes), summary) for target in targets],
    )


def find_schema(what: str) -> pa.Schema | None:
    """The Arrow schema of a dataset; None for the vendor, whose data has no schema of ours."""
    from airflow_provider_interactions.schema import ANSWER, CANONICAL, CONTACTS, RAW

    schemas = {"contacts": CONTACTS, "raw": RAW, "interactions": CANONICAL, "table": CANONICAL, "requests": ANSWER}
    return schemas.get(what)


def _name_dataset(what: str, summary: Summary, lake: Lake) -> tuple[str, str]:
    """Namespace and name of a dataset, by OpenLineage's naming conventions for files and buckets."""
    if what == "vendor":
        return f"{summary.vendor}://{summary.account}", "interactions"
    from airflow_provider_interactions.lake.paths import escape_segment

    vendor, account = escape_segment(summary.vendor), escape_segment(summary.account)
    url = urlsplit(lake.url(f"{what}/vendor={vendor}/account={account}"))
    if not url.netloc:
        return url.scheme, url.path
    return f"{url.scheme}://{url.netloc}", url.path.lstrip("/")


def _build_input(namespace: str, name: str, columns: pa.Schema | None) -> Any:
    from airflow.providers.common.compat.openlineage.facet import Dataset

    return Dataset(namespace=namespace, name=name, facets=_build_facets(columns))


def _build_output(namespace: str, name: str, columns: pa.Schema | None, summary: Summary) -> Any:
    from airflow.providers.common.compat.openlineage.facet import (
        OutputDataset,
        OutputStatisticsOutputDatasetFacet,
    )

    counts = OutputStatisticsOutputDatasetFacet(
        rowCount=summary.rows, size=summary.bytes or None, fileCount=summary.files or None
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
    meaning = (column.metadata or {}).get(b"meaning")
    return meaning.decode() if meaning else None
