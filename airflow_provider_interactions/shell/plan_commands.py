"""Commands that ask no vendor: what an extraction would take, and what the lake has."""

from __future__ import annotations

from typing import Annotated

import typer

from airflow_provider_interactions.shell.options import (
    ConfigFile,
    ConnId,
    Day,
    Debug,
    End,
    Json,
    Kind,
    LakeUrl,
    MaxRequests,
    Options,
    Start,
    TimeZone,
    Vendor,
    Width,
)
from airflow_provider_interactions.shell.session import open_session


def plan(
    vendor: Vendor,
    *,
    contacts: Annotated[int, typer.Option(min=1, help="Number of contacts.", show_default=False)],
    conn_id: ConnId = None,
    kind: Kind = None,
    day: Day = None,
    start: Start = None,
    end: End = None,
    width: Width = "1d",
    time_zone: TimeZone = None,
    max_requests: MaxRequests = None,
    option: Options = None,
    lake: LakeUrl = None,
    config: ConfigFile = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Say what an extraction would take: requests, time, rows. Asks no vendor, and needs no connection."""
    with open_session("plan", json, debug, config) as session:
        from airflow_provider_interactions.shell.plan import show_plan
        from airflow_provider_interactions.shell.windows import choose_windows, parse_length
        from airflow_provider_interactions.window import Window

        windows = choose_windows(day, start, end, width, time_zone)
        span = Window(windows[0].start, windows[-1].end)
        show_plan(
            session,
            vendor,
            conn_id,
            span,
            parse_length("--width", width),
            contacts=contacts,
            kind=kind,
            option=option or (),
            lake=lake,
            most=max_requests,
        )


def coverage(
    vendor: Annotated[str | None, typer.Argument(help="Only this vendor.", show_default=False)] = None,
    *,
    account: Annotated[str | None, typer.Option(help="Only this account.")] = None,
    start: Start = None,
    end: End = None,
    time_zone: TimeZone = None,
    gaps: Annotated[bool, typer.Option("--gaps", help="Only windows that are missing or failed.")] = False,
    lake: LakeUrl = None,
    config: ConfigFile = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show which windows of the lake are complete, and which are missing. Asks no vendor."""
    with open_session("coverage", json, debug, config) as session:
        from airflow_provider_interactions.shell.coverage import show_coverage
        from airflow_provider_interactions.shell.windows import choose_bounds

        within = choose_bounds(start, end, time_zone)
        show_coverage(session, session.config.open_lake(lake), vendor, account, within, gaps=gaps)
