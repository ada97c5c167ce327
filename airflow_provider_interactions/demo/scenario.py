"""The demo from beginning to end, on one screen."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from rich.console import Console

from airflow_provider_interactions.demo import airflow, backfill, report, sandbox_process
from airflow_provider_interactions.demo.check import Finding, check, somebody
from airflow_provider_interactions.demo.errors import Interrupted, Trouble
from airflow_provider_interactions.demo.paths import Places, fresh
from airflow_provider_interactions.demo.rest import Api
from airflow_provider_interactions.demo.sandbox_process import Witness
from airflow_provider_interactions.demo.supervisor import Company, company
from airflow_provider_interactions.demo.vendors import SOURCES
from airflow_provider_interactions.window import Window

#: the first window's day; the DAGs start before it
FIRST = date(2026, 3, 1)


@dataclass(frozen=True, slots=True)
class Stage:
    """What every act needs."""

    places: Places
    windows: Sequence[Window]
    running: Company
    out: Console
    begun: float = field(default_factory=time.monotonic)

    def say(self, text: str, style: str = "") -> None:
        """One line, with the seconds since the beginning."""
        self.out.print(f"{time.monotonic() - self.begun:5.1f} s  {text}", style=style, markup=False, soft_wrap=True)


def tell(days: int, contacts: int, home: Path, port: int, *, ui: bool) -> int:
    """Start everything, fill the windows through Airflow, check, report, end everything; returns the exit code."""
    places, windows = Places(home), [Window.day(FIRST + timedelta(days=n)) for n in range(days)]
    with fresh(places), company() as running:
        stage = Stage(places, windows, running, report.console())
        port = airflow.free_port(port)
        stage.say(f"Sandbox: {len(SOURCES)} vendors with {contacts} contacts each")
        sandbox = sandbox_process.start(running, places, windows, contacts)
        api = _airflow(stage, sandbox, port, ui=ui)
        code = _filled(stage, sandbox, api, ui=ui)
        if ui:
            _keep(stage, sandbox, api)
        stage.say("Ending everything that was started")
    return code


def _airflow(stage: Stage, sandbox: Witness, port: int, *, ui: bool) -> Api:
    stage.say(f"Airflow: database, scheduler, DAG processor, API at http://{airflow.HOST}:{port} (takes about 20 s)")
    given = {**sandbox.connections, **sandbox_process.variables(sandbox, stage.places)}
    settings = airflow.environment(stage.places, port, given, os.environ)
    return airflow.start(stage.running, stage.places, settings, for_people=ui)


def _filled(stage: Stage, sandbox: Witness, api: Api, *, ui: bool) -> int:
    try:
        _backfill(stage, api)
        return _checked(stage, sandbox, api)
    except Trouble as trouble:
        if not ui:
            raise
        stage.say(str(trouble), "red")  # and the UI stays, to find out why
        return 1


def _backfill(stage: Stage, api: Api) -> None:
    first, last = stage.windows[0], stage.windows[-1]
    for source in SOURCES:
        stage.say(f"Backfill: {source.dag_id}, {first.start:%Y-%m-%d} to {last.start:%Y-%m-%d}")
        backfill.create(stage.running, api, source, stage.windows)
    for source in SOURCES:
        backfill.release(api, source)
    with report.progress(stage.out) as display:
        backfill.watch(stage.running, api, SOURCES, display, stage.places.airflow / "logs")


def _checked(stage: Stage, sandbox: Witness, api: Api) -> int:
    database = stage.places.database
    stage.say("Check: every interaction of the table against the sandbox's own list")
    outcomes = {source.vendor: backfill.outcomes(api, source) for source in SOURCES}
    findings = {vendor: check(database, sandbox, vendor, stage.windows) for vendor in outcomes}
    for part in (report.table(outcomes, findings), report.digests(findings), report.places(stage.places)):
        stage.out.print("", part, sep="\n")
    _query(stage, "A first query to paste:", report.first_query(database))
    ids = somebody(database, {source.vendor: sandbox.contacts(source.vendor) for source in SOURCES})
    history = report.history_query(database, ids)
    _query(
        stage, "One person's history across the vendors (the sandbox gives a person one number everywhere):", history
    )
    return _judged(stage, findings)


def _query(stage: Stage, title: str, command: str) -> None:
    stage.out.print("", title, "", f"  {command}", sep="\n", markup=False, soft_wrap=True)
    stage.out.print(report.answer(command).rstrip(), markup=False, soft_wrap=True)


def _judged(stage: Stage, findings: Mapping[str, Sequence[Finding]]) -> int:
    wrong = report.complaints(findings)
    stage.out.print()
    for sentence in wrong:
        stage.say(f"WRONG: {sentence}", "red")
    if not wrong:
        total = sum(each[-1].found for each in findings.values())
        stage.say(f"All {total:,} interactions that exist are in the table, once and unchanged.", "green")
    return int(bool(wrong))


def _keep(stage: Stage, sandbox: Witness, api: Api) -> None:
    stage.out.print("", *report.addresses(api.url, sandbox.url, sandbox.connections), "", sep="\n")
    stage.say("Airflow and the sandbox stay up. End them with Ctrl-C.", "bold")
    with suppress(Interrupted):
        while True:
            stage.running.pause(60)
