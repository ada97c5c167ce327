"""The demo's output: progress, and the tables at the end."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from airflow_provider_interactions.demo.backfill import Display, Outcome, Status
from airflow_provider_interactions.demo.check import Finding
from airflow_provider_interactions.demo.errors import DemoError
from airflow_provider_interactions.demo.paths import Paths, shorten
from airflow_provider_interactions.demo.vendors import SOURCES
from airflow_provider_interactions.lake.manifest import Counts
from airflow_provider_interactions.window import Window

#: seconds between lines without a terminal to draw on
EVERY = 5.0

#: characters of a line without a terminal
WIDTH = 120

#: rows of a person's history that are shown, so that it stays on one screen
LINES = 24

_QUERY = (
    "SELECT channel, action, count(*) AS interactions, count(DISTINCT contact_id) AS contacts "
    "FROM interactions GROUP BY ALL ORDER BY interactions DESC, channel, action LIMIT 10"
)

# The time as text: how DuckDB shows an instant depends on the machine's zone.
_HISTORY = (
    "SELECT strftime(make_timestamp(epoch_us(occurred_at)), '%Y-%m-%d %H:%M:%S') AS utc, vendor, channel, action, "
    "coalesce(subject, native_type) AS what FROM interactions WHERE contact_id IN ({known}) "
    "ORDER BY occurred_at LIMIT {lines}"
)


def create_console() -> Console:
    """The output, with a fixed width without a terminal."""
    made = Console(highlight=False)
    return made if made.is_terminal else Console(highlight=False, width=WIDTH)


class Lines:
    """Progress as plain lines, now and then."""

    def __init__(self, out: Console) -> None:
        self._out, self._last, self._printed = out, 0.0, ""

    def show(self, statuses: Sequence[Status]) -> None:
        """Print a line if something changed and the last line is `EVERY` seconds old."""
        tasks = sum(step.done for status in statuses for step in status.steps)
        windows = ", ".join(f"{status.vendor} {status.done} of {status.windows}" for status in statuses)
        text = f"  {tasks} tasks done; windows: {windows}"
        finished = all(status.done == status.windows for status in statuses)
        if text != self._printed and (finished or time.monotonic() - self._last >= EVERY):
            self._last, self._printed = time.monotonic(), text
            self._out.print(text, soft_wrap=True)

    def note(self, text: str) -> None:
        """Print it."""
        self._out.print(text, style="yellow", markup=False, soft_wrap=True)


class Bars:
    """Progress as one bar per vendor."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    def show(self, statuses: Sequence[Status]) -> None:
        """Move the bars."""
        for status in statuses:
            if status.vendor not in self._bars:
                self._bars[status.vendor] = self._progress.add_task(status.vendor, steps="")
            bar, steps = self._bars[status.vendor], _format_progress(status)
            self._progress.update(bar, completed=status.done, total=status.windows, steps=steps)

    def note(self, text: str) -> None:
        """Print it above the bars."""
        self._progress.console.print(text, style="yellow", markup=False, soft_wrap=True)


@contextmanager
def show_progress(out: Console) -> Iterator[Display]:
    """Bars on a terminal, lines elsewhere."""
    if not out.is_terminal:
        yield Lines(out)
        return
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(20),
        TextColumn("{task.fields[steps]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=out, transient=True) as bars:
        yield Bars(bars)


def build_table(outcomes: Mapping[str, Sequence[Outcome]], findings: Mapping[str, Sequence[Finding]]) -> Table:
    """A row for each vendor, a row for each of its windows, and what the sandbox expects there."""
    made = Table(
        title="From the vendors to the table",
        caption="fetched = landed = repeated (sent twice, or an older version) + rejected (unreadable) + canonical\n"
        "expected: how many interactions the sandbox holds; equal: the table has exactly these, field by field",
        title_justify="left",
        caption_justify="left",
    )
    made.add_column("vendor, window (UTC)")
    for name in ("fetched", "landed", "repeated", "rejected", "canonical", "loaded", "expected", "in table"):
        made.add_column(name, justify="right")
    made.add_column("equal")
    for vendor, windows in outcomes.items():
        _add_rows(made, vendor, windows, findings[vendor])
    return made


def build_digests(findings: Mapping[str, Sequence[Finding]]) -> Table:
    """A digest of all columns of all rows of a vendor, in the table and in the sandbox."""
    made = Table.grid(padding=(0, 2))
    made.add_row("digest of all rows", "in table", "expected")
    for vendor, (*_, total) in findings.items():
        made.add_row(f"  {vendor}", f"{total.digest[:16]}…", f"{total.truth[:16]}…")
    return made


def build_locations(where: Paths) -> Table:
    """The folders and files of the demo."""
    made = Table.grid(padding=(0, 2))
    made.add_row("Parquet files", f"{shorten(where.lake)}/interactions  ({_count_files(where.lake)})")
    made.add_row("raw records", f"{shorten(where.lake)}/raw")
    made.add_row("DuckDB file", shorten(where.database))
    made.add_row("logs", f"{shorten(where.logs)}, {shorten(where.airflow)}/logs")
    return made


def build_query(database: Path) -> str:
    """A command line for a first query: it needs only the Python that runs the demo."""
    return _build_command(database, _QUERY)


def build_history_query(database: Path, ids: Iterable[str]) -> str:
    """A command line for one person's history; the person has another id at each vendor."""
    # Dynamics' two vendors share their ids.
    known = ", ".join(f"'{text}'" for text in dict.fromkeys(ids))
    return _build_command(database, _HISTORY.format(known=known, lines=LINES))


def _build_command(database: Path, sql: str) -> str:
    python = shorten(Path(sys.executable))
    # By a name: DuckDB before 1.5 closes a connection that has none.
    opened = f"import duckdb; db = duckdb.connect({shorten(database)!r}, read_only=True)"
    program = f"{opened}; db.sql('''{sql}''').show(max_rows={LINES}, max_width={WIDTH})"
    simple = not set(python + program) & set('"$`\\!')
    return f'{python} -c "{program}"' if simple else shlex.join([python, "-c", program])


def run_query(command: str) -> str:
    """Run a command line and return what it prints."""
    done = subprocess.run(shlex.split(command), capture_output=True, text=True, check=False)
    if done.returncode:
        raise DemoError(f"The query failed:\n{done.stderr}")
    return done.stdout


def list_differences(findings: Mapping[str, Sequence[Finding]]) -> list[str]:
    """One sentence for each window that differs."""
    return [str(finding) for each in findings.values() for finding in each if finding.difference]


def list_addresses(airflow: str, sandbox: str, answer: str) -> list[str]:
    """The addresses to open with --ui."""
    return [
        f"Airflow       {airflow}  (no login, this machine only)",
        *(f"DAG           {airflow}/dags/{source.dag_id}" for source in SOURCES),
        f"connections   {airflow}/connections",
        f"one person    {answer}",
        f"sandbox       {sandbox}/_sandbox",
    ]


def _add_rows(made: Table, vendor: str, windows: Sequence[Outcome], findings: Sequence[Finding]) -> None:
    *each, total = findings
    made.add_row(vendor, *_format_numbers(windows, total), style="bold")
    for outcome, finding in zip(windows, each, strict=True):
        made.add_row(f"  {_format_window(outcome.window)}", *_format_numbers([outcome], finding))
    made.add_section()


def _format_numbers(outcomes: Sequence[Outcome], finding: Finding) -> list[str]:
    counts = sum((outcome.counts for outcome in outcomes), Counts())
    loaded = sum(outcome.loaded for outcome in outcomes)
    numbers = (
        counts.fetched,
        counts.landed,
        counts.repeated,
        counts.rejected,
        counts.canonical,
        loaded,
        finding.expected,
        finding.found,
    )
    return [*(f"{number:,}" for number in numbers), "[red]no[/]" if finding.difference else "[green]yes[/]"]


def _format_window(window: Window) -> str:
    return f"{window.start:%Y-%m-%d}" if window == Window.day(window.start.date()) else str(window)


def _count_files(folder: Path) -> str:
    sizes = [file.stat().st_size for file in folder.glob("interactions/**/*.parquet")]
    return f"{len(sizes)} files, {sum(sizes) / 1000:,.0f} kB"


def _format_progress(status: Status) -> str:
    steps = ", ".join(f"{step.name} {step.done}/{step.known}" for step in status.steps)
    return f"{status.done} of {status.windows} windows; {steps or 'waiting for the scheduler'}"
