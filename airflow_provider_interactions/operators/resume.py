"""Which run an extraction belongs to: a failed task that is cleared goes on, one that had succeeded starts afresh.

All tries of a task in a DAG run share a name, also those after it was cleared, and so they share a journal: what has
landed is not asked for again. A journal that came to its end was handed on by the task that succeeded. It is handed on
again only to the tries before the next clear (one that died just after its end); after a clear it is dropped, and
everybody is asked anew. A journal of a published window is gone anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Run(NamedTuple):
    """What tries have in common: their ``name``, None where there is no task instance, until the next clear.

    ``generation`` is another number after each clear.
    """

    name: str | None
    generation: int


def run_of(context: Mapping[str, Any], retries: int) -> Run:
    """The run that the task at hand belongs to.

    Airflow adds a task's retries to the number of the last try when it is cleared, so the first try since then is
    ``max_tries - retries + 1``: that is the generation.
    """
    ti = context.get("ti") or context.get("task_instance")
    if ti is None or not hasattr(ti, "run_id"):
        return Run(None, 0)
    first = getattr(ti, "max_tries", retries) - retries + 1
    return Run(f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}", first)
