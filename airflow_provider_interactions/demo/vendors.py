"""The vendors the demo runs: one line each."""

from __future__ import annotations

from typing import NamedTuple


class Source(NamedTuple):
    """A vendor of the sandbox and the DAG, in ``dags/``, that reads it."""

    vendor: str
    dag_id: str


SOURCES = (
    Source("dynamics_marketing", "dynamics_marketing_interactions"),
    Source("which50", "which50_interactions"),
    Source("luminate_online", "luminate_online_interactions"),
    Source("capillary", "capillary_interactions"),
)  # fmt: skip
