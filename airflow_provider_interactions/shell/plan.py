"""What a run would take, before it runs: ``plan_run``, with the account's own figures where the lake has some."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import typer

from airflow_provider_interactions import vendors
from airflow_provider_interactions.connection import build_options
from airflow_provider_interactions.coverage.pace import measure_pace
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.manifest import Manifest, read_last_manifests
from airflow_provider_interactions.plan.past import learn_figures
from airflow_provider_interactions.plan.run import Figures, Way, plan_run
from airflow_provider_interactions.plan.text import describe_plan
from airflow_provider_interactions.shell.session import Session
from airflow_provider_interactions.shell.sources import Source, open_source, read_options
from airflow_provider_interactions.window import Window

#: So many windows of the lake, the last ones, say how many rows there are.
LEARNED = 30


def show_plan(
    session: Session,
    vendor: str,
    conn_id: str | None,
    window: Window,
    width: timedelta,
    *,
    contacts: int,
    kind: str | None,
    option: Sequence[str],
    lake: str | None,
    most: int | None = None,
) -> None:
    """Print the plan. Without a connection and a lake, it is made of documented limits and of assumptions.

    Raises ConfigError if all windows together take more than ``most`` requests.
    """
    found = vendors.find_vendor(vendor)
    known = session.config.has_connection(conn_id or f"{vendor}_default")
    source = open_source(session, vendor, conn_id) if known or conn_id else None
    manifests, figures = _read_past(session, source, lake)
    plan = plan_run(
        found,
        contacts,
        window,
        width=width,
        kind=kind,
        settings=source.credentials.settings if source else None,
        options=build_options(found, read_options(option)),
        figures=figures,
    )
    session.result |= {"plan": msgspec.to_builtins(plan), "learned_from_windows": len(manifests)}
    session.say(describe_plan(plan))
    basis = f"{len(manifests)} windows of the lake say so" if manifests else "an assumption: the lake has no window"
    session.say(f"rows: {figures.rows:.2f} of a contact in a day ({basis})")
    if most is not None and plan.daily.requests > most:
        raise ConfigError(_describe_excess(plan.daily, most))


def confirm_requests(source: Source, windows: Sequence[Window], contacts: int, kind: str | None, most: int) -> None:
    """Ask before all windows together take more than ``most`` requests. Raises ConfigError without consent.

    Without a terminal there is nobody to ask.
    """
    span, width = Window(windows[0].start, windows[-1].end), windows[0].end - windows[0].start
    settings, options = source.credentials.settings, source.options
    plan = plan_run(source.vendor, contacts, span, width=width, kind=kind, settings=settings, options=options)
    if plan.daily.requests <= most:
        return
    excess = _describe_excess(plan.daily, most)
    if not sys.stdin.isatty() or not typer.confirm(f"{excess}\nSend them?", err=True):
        raise ConfigError(excess)


def _describe_excess(way: Way, most: int) -> str:
    return (
        f"All {way.runs:,} windows together take about {way.requests:,} requests, more than --max-requests {most:,}. "
        "Choose fewer windows or contacts, or raise the limit."
    )


def _read_past(session: Session, source: Source | None, lake: str | None) -> tuple[list[Manifest], Figures]:
    """The account's last windows in the lake, and what these and the ledger say.

    Nothing without a lake, or without a connection to name the account.
    """
    if source is None or not session.config.find_lake(lake):
        return [], Figures()
    store, vendor, account = session.config.open_lake(lake), source.vendor.name, source.credentials.account
    manifests = read_last_manifests(store, vendor, account, LEARNED)
    return manifests, learn_figures(manifests, measure_pace(store, vendor, account, datetime.now(UTC).date()))
