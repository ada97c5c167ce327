"""The vendors the demo runs: those of the registry."""

from __future__ import annotations

from typing import NamedTuple

from airflow_provider_interactions.demo.paths import DAGS
from airflow_provider_interactions.vendors import NAMES


class Source(NamedTuple):
    """A vendor of the sandbox and its example DAG."""

    vendor: str
    dag_id: str


#: Its tables need libraries that the demo does not install.
_LEFT_OUT = {"dynamics_journeys"}

#: Every vendor of the registry that has a DAG, but those that are left out.
SOURCES = tuple(
    Source(name, f"{name}_interactions") for name in NAMES if name not in _LEFT_OUT and (DAGS / f"{name}.py").exists()
)
