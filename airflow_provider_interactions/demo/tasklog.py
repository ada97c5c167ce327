"""The end of a task's log, as Airflow wrote it to disk, in a form for people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from airflow_provider_interactions.demo.errors import DemoError
from airflow_provider_interactions.demo.paths import shorten
from airflow_provider_interactions.demo.supervisor import read_tail


class Attempt(NamedTuple):
    """One try of one task instance; ``map_index`` is -1 for a task that is not mapped."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    number: int


def build_error(logs: Path, attempt: Attempt) -> DemoError:
    """What went wrong in a try, and where to read all of it."""
    log = get_log_path(logs, attempt)
    end = "\n".join(text for line in read_tail(log).splitlines() if "::" not in (text := format_line(line)))
    which = f"Task {attempt.task_id} of {attempt.run_id} ({attempt.dag_id}), try {attempt.number}"
    return DemoError(f"{which}, failed. The end of its log:\n\n{end or '(no log)'}\n\nThe whole log: {shorten(log)}")


def get_log_path(logs: Path, attempt: Attempt) -> Path:
    """Where Airflow keeps the log of a try, by its default template."""
    mapped = [f"map_index={attempt.map_index}"] if attempt.map_index >= 0 else []
    folders = [f"dag_id={attempt.dag_id}", f"run_id={attempt.run_id}", f"task_id={attempt.task_id}", *mapped]
    return logs.joinpath(*folders, f"attempt={attempt.number}.log")


def format_line(line: str) -> str:
    """A line of Airflow's JSON log as level, event and exception; any other line as it is."""
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    if not isinstance(entry, dict):
        return line
    causes = "".join(f"\n    {error.get('exc_type')}: {error.get('exc_value')}" for error in _list_errors(entry))
    return f"{str(entry.get('level', '')).upper():8} {entry.get('event', line)}{causes}"


def _list_errors(entry: dict[str, Any]) -> list[dict[str, Any]]:
    detail = entry.get("error_detail")
    return [error for error in detail if isinstance(error, dict)] if isinstance(detail, list) else []
