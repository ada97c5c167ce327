"""Commands that write windows, to the lake and to a table, and that remove old ones."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

import typer

from airflow_provider_interactions.shell.options import (
    Account,
    Alerts,
    Column,
    ConfigFile,
    ConnId,
    Contact,
    ContactsFile,
    Day,
    Debug,
    End,
    IdentityMap,
    Json,
    Kind,
    LakeUrl,
    MaxRequests,
    Missing,
    Options,
    PolicyText,
    RejectsShare,
    Start,
    TimeZone,
    Vendor,
    Width,
)
from airflow_provider_interactions.shell.session import Session, open_session


def extract(
    vendor: Vendor,
    *,
    conn_id: ConnId = None,
    contact: Contact = None,
    contacts_file: ContactsFile = None,
    column: Column = None,
    kind: Kind = None,
    day: Day = None,
    start: Start = None,
    end: End = None,
    width: Width = "1d",
    time_zone: TimeZone = None,
    missing: Missing = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Fetch all histories again, also new ones.")] = False,
    on_missing: Annotated[
        Literal["record", "allow", "fail"],
        typer.Option(help="What to do about contacts that the vendor does not know."),
    ] = "record",
    rejects_share: RejectsShare = None,
    max_requests: MaxRequests = None,
    option: Options = None,
    lake: LakeUrl = None,
    config: ConfigFile = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Write the vendor's records of each window to the lake, unchanged, as the operator does."""
    with open_session("extract", json, debug, config) as session:
        from airflow_provider_interactions.shell.plan import confirm_requests
        from airflow_provider_interactions.shell.sources import ContactChoice, open_source, require_contacts
        from airflow_provider_interactions.shell.steps import extract_windows
        from airflow_provider_interactions.shell.windows import choose_windows

        windows, store = choose_windows(day, start, end, width, time_zone), session.config.open_lake(lake)
        source = open_source(session, vendor, conn_id, option or ())
        choice = ContactChoice(contact or (), contacts_file, column, kind)
        people = require_contacts(source, choice)
        if max_requests is not None:
            confirm_requests(source, windows, len(people), kind, max_requests)
        extract_windows(
            session,
            source,
            store,
            windows,
            people,
            asked=choice.source,
            missing=missing,
            refresh=refresh,
            on_missing=on_missing,
            rejects_share=rejects_share,
        )


def normalize(
    vendor: Vendor,
    *,
    conn_id: ConnId = None,
    account: Account = None,
    day: Day = None,
    start: Start = None,
    end: End = None,
    width: Width = "1d",
    time_zone: TimeZone = None,
    missing: Missing = False,
    policy: PolicyText = None,
    identities: IdentityMap = None,
    rejects_share: RejectsShare = None,
    keep_former: Annotated[
        str | None, typer.Option(help="How long former files stay, such as 6h; 1d at most. Default: they do not stay.")
    ] = None,
    alert: Alerts = None,
    lake: LakeUrl = None,
    config: ConfigFile = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Turn the raw records of each window into rows of the table, and rejects. Asks no vendor."""
    with open_session("normalize", json, debug, config) as session:
        from airflow_provider_interactions.shell.policies import find_policy, open_persons
        from airflow_provider_interactions.shell.steps import Normalization, check_kinds, normalize_windows
        from airflow_provider_interactions.shell.windows import choose_windows, parse_length

        windows, store = choose_windows(day, start, end, width, time_zone), session.config.open_lake(lake)
        name = account or _find_account(session, vendor, conn_id)
        chosen = Normalization(
            policy=find_policy(session, vendor, conn_id, policy),
            persons=open_persons(identities),
            rejects_share=rejects_share,
            keep_former=parse_length("--keep-former", keep_former) if keep_former else timedelta(0),
            alerts=check_kinds(alert or ()),
        )
        normalize_windows(session, store, vendor, name, windows, chosen, missing=missing)


def load(
    vendor: Vendor,
    *,
    conn_id: ConnId = None,
    account: Account = None,
    day: Day = None,
    start: Start = None,
    end: End = None,
    width: Width = "1d",
    time_zone: TimeZone = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="Path of a DuckDB file, or id of a connection; may be repeated. Default: a file in the lake."
        ),
    ] = None,
    table: Annotated[str, typer.Option(help="Name of the table.")] = "interactions",
    lake: LakeUrl = None,
    config: ConfigFile = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Merge the rows of each window into a table; the newest version of a row wins."""
    with open_session("load", json, debug, config) as session:
        from airflow_provider_interactions.shell.steps import load_windows
        from airflow_provider_interactions.shell.targets import open_targets
        from airflow_provider_interactions.shell.windows import choose_windows

        windows, store = choose_windows(day, start, end, width, time_zone), session.config.open_lake(lake)
        name = account or _find_account(session, vendor, conn_id)
        load_windows(session, store, vendor, name, windows, open_targets(target or (), table, store, session.config))


def sweep(
    vendor: Vendor,
    *,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            help="Days for which a layer stays, LAYER=DAYS, or LAYER=none; may be repeated. Layers: raw, canonical, "
            "history, rejects, requests (answers), contacts (lists). Default: requests=30, contacts=30; others stay."
        ),
    ] = None,
    conn_id: ConnId = None,
    account: Account = None,
    lake: LakeUrl = None,
    config: ConfigFile = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Remove files that the lake has kept for long enough. Tables keep their rows. Asks no vendor."""
    with open_session("sweep", json, debug, config) as session:
        from airflow_provider_interactions.shell.sweep import parse_keep, sweep_account

        retention, store = parse_keep(keep or ()), session.config.open_lake(lake)
        name = account or _find_account(session, vendor, conn_id)
        sweep_account(session, store, vendor, name, retention)


def _find_account(session: Session, vendor: str, conn_id: str | None) -> str:
    from airflow_provider_interactions.shell.sources import open_source

    return open_source(session, vendor, conn_id).credentials.account
