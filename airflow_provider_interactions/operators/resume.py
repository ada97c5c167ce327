"""Which run an extraction belongs to: a retry goes on where the last try ended, a cleared task starts afresh."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def run_name(context: Mapping[str, Any], retries: int) -> str | None:
    """The name all tries of a task share until somebody clears it; None where there is no task instance.

    Airflow adds a task's retries to the number of the last try when it is cleared, so the first try since then is
    ``max_tries - retries + 1``.
    """
    ti = context.get("ti") or context.get("task_instance")
    if ti is None or not hasattr(ti, "run_id"):
        return None
    first = getattr(ti, "max_tries", retries) - retries + 1
    return f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}/{first}"
