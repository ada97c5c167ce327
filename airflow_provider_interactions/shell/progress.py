"""Progress on stderr: a bar on a terminal, else a line every few seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from airflow_provider_interactions.extract.job import Progress
from airflow_provider_interactions.extract.progress import make_reporter
from airflow_provider_interactions.shell.session import Session


@contextmanager
def show_progress(session: Session, label: str) -> Iterator[Callable[[Progress], None]]:
    """Give a function for ``Job.progress`` that shows how far an extraction is."""
    if not session.notes.is_terminal:
        yield make_reporter(session.note, label)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, TextColumn("{task.fields[facts]}"), console=session.notes, transient=True) as bars:
        task = bars.add_task(label, total=None, facts="")

        def report(progress: Progress) -> None:
            bars.update(task, total=progress.contacts, completed=progress.done, facts=_describe(progress))

        yield report


def _describe(progress: Progress) -> str:
    waiting = " (waiting, as the vendor asked)" if progress.paused_until else ""
    return f"{progress.rows:,} records{waiting}"
