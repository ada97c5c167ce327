"""What a command shares with the others: its output, its end, its connections and its lake.

Results go to stdout. Everything else (progress, warnings, errors) goes to stderr. With ``--json``, stdout gets exactly
one line, also after an error::

    {"command": "test", "exit_code": 0, "result": {…}, "error": null}
    {"command": "test", "exit_code": 4, "result": null, "error": {…}}

An error has a ``type``, a ``message``, ``retry`` (whether a later try can help) and ``retry_after`` (seconds, or null).
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from airflow_provider_interactions.errors import InteractionsError
from airflow_provider_interactions.shell.config import FILE, Config, is_open_to_others, read_config
from airflow_provider_interactions.shell.exits import Exit, choose_exit, explain
from airflow_provider_interactions.shell.printable import make_lines_printable, make_printable

#: The package's own logs are shown.
ROOT = __name__.partition(".")[0]


class _Screen(Console):
    """A console that leaves it to the session what to do if the output's reader has gone."""

    def on_broken_pipe(self) -> None:
        """Raise the error again, instead of ending the program."""
        raise  # noqa: PLE0704 - rich calls this where the error is handled


@dataclass
class Session:
    """One run of a command. ``result`` is what ``--json`` prints; a command fills it while it works."""

    command: str
    as_json: bool = False
    debug: bool = False
    config_path: Path | None = None
    result: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def screen(self) -> Console:
        """Stdout, for people."""
        return _Screen(markup=False, highlight=False, emoji=False)

    @cached_property
    def notes(self) -> Console:
        """Stderr, for people."""
        return Console(stderr=True, markup=False, highlight=False, emoji=False)

    @cached_property
    def config(self) -> Config:
        """The TOML file's content. Warns if others can read it."""
        found = read_config(self.config_path)
        if is_open_to_others(self.config_path, found):
            name = self.config_path or FILE
            self.note(f"Other users of this machine can read {name}, which holds secrets. Run: chmod 600 {name}")
        return found

    def note(self, text: str) -> None:
        """Print a line for people to stderr."""
        self.notes.print(Text(make_printable(text)), soft_wrap=True)

    def say(self, text: str) -> None:
        """Print a line to stdout, unless it is for a machine."""
        if not self.as_json:
            self.screen.print(Text(make_lines_printable(text)), soft_wrap=True)

    def show_table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], **styles: Any) -> None:
        """Print a table to stdout, unless it is for a machine. It fits the terminal: cells fold."""
        if self.as_json:
            return
        table = Table(**styles)
        for name in columns:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*(Text(make_lines_printable(str(cell))) for cell in row))
        self.screen.print(table)

    def end(self, code: Exit, error: BaseException | None = None) -> None:
        """Print the result for a machine, or the error's sentence, and end the program."""
        if error is not None:
            self._report(error)
        if self.as_json:
            found = None if error is None else _describe(error)
            print_json(command=self.command, exit_code=int(code), result=self.result or None, error=found)
        raise typer.Exit(int(code))

    def _report(self, error: BaseException) -> None:
        if self.debug:
            self.notes.print(Text(make_lines_printable("".join(traceback.format_exception(error)))), soft_wrap=True)
        self.note(explain(error))


@contextmanager
def open_session(command: str, as_json: bool, debug: bool, path: Path | None) -> Iterator[Session]:  # noqa: FBT001 - as typer gives them
    """Run a command's body. Ends the program with the exit code that the body's error stands for."""
    session = Session(command, as_json, debug, path)
    _set_up_logs(session)
    try:
        yield session
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes stdout at its end
        raise typer.Exit(int(Exit.CLOSED)) from None
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - each is reported, and decides the exit code
        session.end(choose_exit(error), error)
    session.end(Exit.OK)


def print_json(**members: Any) -> None:
    """Print one line of JSON. It is ASCII, so that no control character can reach a terminal."""
    sys.stdout.write(f"{json.dumps(members, ensure_ascii=True, default=str)}\n")
    sys.stdout.flush()


def _describe(error: BaseException) -> dict[str, Any]:
    return {
        "type": type(error).__name__,
        "message": explain(error),
        "retry": isinstance(error, InteractionsError) and error.retry,
        "retry_after": getattr(error, "retry_after", None),
    }


class _NoteHandler(logging.Handler):
    """Prints the core's warnings as notes."""

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        self._note(record.getMessage())


def _set_up_logs(session: Session) -> None:
    import stamina

    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a terminal may lack characters
    stamina.instrumentation.set_on_retry_hooks([])  # structlog would write to stdout; progress counts retries
    # Libraries log what may hold personal data, and say again what the error says.
    logger = logging.getLogger("" if session.debug else ROOT)
    logger.addHandler(_NoteHandler(session.note))
    logging.lastResort = None
