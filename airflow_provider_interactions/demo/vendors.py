"""The vendors the demo runs: those of the registry."""

from __future__ import annotations

from typing import NamedTuple

from airflow_provider_interactions.demo.paths import DAGS
from airflow_provider_interactions.vendors import NAMES


class Source(NamedTuple):
    """A vendor of the sandbox and its example DAG."""

    vendor: str
    dag_id: str


#: Every vendor of the registry that has a DAG.
SOURCES = tuple(Source(name, f"{name}_interactions") for name in NAMES if (DAGS / f"{name}.py").exists())
