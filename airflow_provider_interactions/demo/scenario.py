"""The demo from start to end."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from rich.console import Console

from airflow_provider_interactions.demo import airflow, backfill, postgres, report, request, sandbox_process
from airflow_provider_interactions.demo.check import Finding, check, check_rows, choose_person
from airflow_provider_interactions.demo.errors import DemoError, Interrupted
from airflow_provider_interactions.demo.paths import Paths, prepare_home
from airflow_provider_interactions.demo.rest import Api
from airflow_provider_interactions.demo.sandbox_process import SandboxProcess
from airflow_provider_interactions.demo.supervisor import Supervisor, supervise
from airflow_provider_interactions.demo.vendors import SOURCES
from airflow_provider_interactions.window import Window

#: the request of a person that the UI shows
REQUEST, REQUESTED = "request-1", "which50"

_SHARED = "in the sandbox, a person's ids share one number, and dynamics_journeys has some rows of dynamics_marketing"


@dataclass(frozen=True, slots=True)
class Context:
    """What every step needs."""

    paths: Paths
    windows: Sequence[Window]
    running: Supervisor
    out: Console
    begun: float = field(default_factory=time.monotonic)
    warehouse: str | None = field(default=None, repr=False)

    def say(self, text: str, style: str = "") -> None:
        """Print one line, with the seconds since the start."""
        self.out.print(f"{time.monotonic() - self.begun:5.1f} s  {text}", style=style, markup=False, soft_wrap=True)


def run(
    days: int, contacts: int, home: Path, port: int, *, ui: bool, target: str | None = None, start: date | None = None
) -> int:
    """Start everything, fill the windows through Airflow, check, report, stop; returns the exit code.

    ``start`` is the first window's day, see `list_windows`. ``target`` is a PostgreSQL database's URL, or
    `postgres.OWN`, to load into as well.
    """
    paths, windows = Paths(home), list_windows(days, start, datetime.now(UTC).date())
    with ExitStack() as opened:
        opened.enter_context(prepare_home(paths))
        folder = opened.enter_context(ExitStack())  # of PostgreSQL's data, which goes once the server has ended
        running = opened.enter_context(supervise())
        warehouse = folder.enter_context(postgres.serve(running, paths, target)) if target else None
        context = Context(paths, windows, running, report.create_console(), warehouse=warehouse)
        port = airflow.find_free_port(port)
        context.say(f"Sandbox: {len(SOURCES)} vendors with {contacts} contacts each")
        sandbox = sandbox_process.start(running, paths, windows, contacts, realistic=True)
        api = _start_airflow(context, sandbox, port, ui=ui)
        code = _fill_and_check(context, sandbox, api, ui=ui)
        if ui:
            _keep_running(context, sandbox, api)
        context.say("Stopping Airflow and the sandbox")
    return code


def list_windows(days: int, start: date | None, today: date) -> list[Window]:
    """Days in UTC from ``start`` on, or up to yesterday.

    Airflow's home page counts runs that were due in the last 24 hours, and a day's run is due when the day is over.
    """
    first = start or today - timedelta(days=days)
    return [Window.day(first + timedelta(days=n)) for n in range(days)]


def _start_airflow(context: Context, sandbox: SandboxProcess, port: int, *, ui: bool) -> Api:
    context.say(f"Airflow: database, scheduler, DAG processor, API at http://{airflow.HOST}:{port} (takes about 20 s)")
    given = sandbox_process.build_variables(sandbox, context.paths)
    if context.warehouse:
        context.say("PostgreSQL: each load writes the table there, too")
        given |= {f"AIRFLOW_CONN_{postgres.CONNECTION.upper()}": context.warehouse}
        given |= {"INTERACTIONS_POSTGRES": postgres.CONNECTION}
    settings = airflow.build_environment(context.paths, port, given, os.environ)
    api = airflow.start(context.running, context.paths, settings, for_people=ui)
    for variable, value in sandbox.connections.items():
        airflow.create(context.running, api, "connections", airflow.describe_connection(variable, value))
    return api


def _fill_and_check(context: Context, sandbox: SandboxProcess, api: Api, *, ui: bool) -> int:
    try:
        _backfill(context, api)
        code = _check_table(context, sandbox, api)
        if ui:
            _request_person(context, sandbox, api)
    except DemoError as error:
        if not ui:
            raise
        context.say(str(error), "red")  # the UI keeps running, to find out why
        return 1
    return code


def _backfill(context: Context, api: Api) -> None:
    first, last = context.windows[0], context.windows[-1]
    for source in SOURCES:
        context.say(f"Backfill: {source.dag_id}, {first.start:%Y-%m-%d} to {last.start:%Y-%m-%d}")
        backfill.create(context.running, api, source, context.windows)
    for source in SOURCES:
        backfill.release(api, source)
    with report.show_progress(context.out) as display:
        backfill.watch(context.running, api, SOURCES, display, context.paths.airflow / "logs")


def _check_table(context: Context, sandbox: SandboxProcess, api: Api) -> int:
    database = context.paths.database
    context.say("Check: compare every row of the table with the sandbox's own list")
    outcomes = {source.vendor: backfill.read_outcomes(api, source) for source in SOURCES}
    findings = {vendor: check(database, sandbox, vendor, context.windows) for vendor in outcomes}
    others = _check_warehouse(context, sandbox) if context.warehouse else {}
    for part in (
        report.build_table(outcomes, findings),
        report.build_digests(findings),
        report.build_locations(context.paths),
    ):
        context.out.print("", part, sep="\n")
    _print_query(context, "A first query to copy and paste:", report.build_query(database))
    history = report.build_history_query(database, _choose_person(context, sandbox).values())
    _print_query(context, f"One person's history at all vendors ({_SHARED}):", history)
    return _print_result(context, findings) | (_print_result(context, others, "PostgreSQL") if others else 0)


def _choose_person(context: Context, sandbox: SandboxProcess) -> dict[str, str]:
    people = {source.vendor: sandbox.contacts(source.vendor) for source in SOURCES}
    return dict(zip(people, choose_person(context.paths.database, people), strict=True))


def _request_person(context: Context, sandbox: SandboxProcess, api: Api) -> None:
    """Ask for one person as the form does, so that the UI has an answer to look at."""
    person = _choose_person(context, sandbox)[REQUESTED]
    context.say(f"Request: everything that {REQUESTED} knows about {person}")
    state = request.ask(context.running, api, REQUEST, {"vendor": REQUESTED, "contacts": [person]})
    if state != "success":
        raise DemoError(f"The request ended as {state}. Its log: {request.build_url(api.url, REQUEST)}")


def _check_warehouse(context: Context, sandbox: SandboxProcess) -> dict[str, list[Finding]]:
    url = context.warehouse or ""
    vendors = [source.vendor for source in SOURCES]
    return {name: check_rows(postgres.read_rows(url, name), sandbox, name, context.windows) for name in vendors}


def _print_query(context: Context, title: str, command: str) -> None:
    context.out.print("", title, "", f"  {command}", sep="\n", markup=False, soft_wrap=True)
    context.out.print(report.run_query(command).rstrip(), markup=False, soft_wrap=True)


def _print_result(context: Context, findings: Mapping[str, Sequence[Finding]], place: str = "DuckDB") -> int:
    wrong = report.list_differences(findings)
    context.out.print()
    for sentence in wrong:
        context.say(f"WRONG in {place}: {sentence}", "red")
    if not wrong:
        total = sum(each[-1].found for each in findings.values())
        where = "the table" if place == "DuckDB" else f"the table in {place}"
        context.say(f"All {total:,} interactions are in {where}, each once and unchanged.", "green")
    return int(bool(wrong))


def _keep_running(context: Context, sandbox: SandboxProcess, api: Api) -> None:
    context.out.print(
        "", *report.list_addresses(api.url, sandbox.url, request.build_url(api.url, REQUEST)), "", sep="\n"
    )
    context.say("Airflow and the sandbox keep running. Stop them with Ctrl-C.", "bold")
    with suppress(Interrupted):
        while True:
            context.running.pause(60)
