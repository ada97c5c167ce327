"""The commands and their options. What a command does is imported when it runs, so that ``--help`` is quick."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from airflow_provider_interactions import __version__
from airflow_provider_interactions.shell.erase_commands import erase, lift
from airflow_provider_interactions.shell.options import (
    Account,
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
    Missing,
    Options,
    PolicyText,
    Start,
    Vendor,
    Width,
)
from airflow_provider_interactions.shell.session import Session, open_session

if TYPE_CHECKING:
    from airflow_provider_interactions.shell.sources import ContactChoice, Source

app = typer.Typer(
    name="interactions",
    help="Contact interactions from marketing systems, from a terminal and without Airflow. Connections come from "
    "Airflow's environment variables (AIRFLOW_CONN_…) or from interactions.toml.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line; ends the program with an exit code of ``exits.Exit``."""
    app(prog_name="interactions")


@app.callback(invoke_without_command=True)
def show_version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Contact interactions from marketing systems, from a terminal and without Airflow."""
    if version:
        sys.stdout.write(f"{__version__}\n")
        raise typer.Exit


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def sandbox(context: typer.Context, *, json: Json = False, debug: Debug = False) -> None:
    """Run a stand-in for the vendors, and print the connections to it. Its own options follow; see --help."""
    with open_session("sandbox", json, debug, None) as session:
        from airflow_provider_interactions.shell.sandbox import run_sandbox

        run_sandbox(session, context.args)


@app.command("test")
def try_connection(
    vendor: Vendor, *, conn_id: ConnId = None, config: ConfigFile = None, json: Json = False, debug: Debug = False
) -> None:
    """Send the vendor's cheapest request, to prove a connection."""
    with open_session("test", json, debug, config) as session:
        from airflow_provider_interactions.http.probe import probe
        from airflow_provider_interactions.shell.sources import open_source

        source = open_source(session, vendor, conn_id)
        message = probe(source.vendor, source.credentials)
        session.result |= {"vendor": vendor, "account": source.credentials.account, "message": message}
        session.say(message)


@app.command()
def contacts(
    vendor: Vendor,
    *,
    conn_id: ConnId = None,
    limit: Annotated[int, typer.Option(min=0, help="The most contacts. 0: all.")] = 20,
    contacts_file: ContactsFile = None,
    column: Column = None,
    kind: Kind = None,
    option: Options = None,
    config: ConfigFile = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """List the vendor's contacts, or check those of a file. Piped, it prints one identifier on each line."""
    with open_session("contacts", json, debug, config) as session:
        from airflow_provider_interactions.shell.people import show_contacts
        from airflow_provider_interactions.shell.sources import ContactChoice, list_contacts, open_source

        source = open_source(session, vendor, conn_id, option or ())
        choice = ContactChoice(file=contacts_file, column=column, kind=kind)
        show_contacts(session, list_contacts(source, choice), limit)


@app.command()
def preview(
    vendor: Vendor,
    *,
    conn_id: ConnId = None,
    contact: Contact = None,
    kind: Kind = None,
    limit: Annotated[int, typer.Option(min=1, help="The most interactions.")] = 20,
    start: Start = None,
    end: End = None,
    in_sandbox: Annotated[bool, typer.Option("--sandbox", help="Ask a sandbox of its own. Needs no account.")] = False,
    option: Options = None,
    config: ConfigFile = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show a few interactions, canonical beside raw. Nothing is written."""
    with open_session("preview", json, debug, config) as session:
        from airflow_provider_interactions.shell import preview as command
        from airflow_provider_interactions.shell.sources import ContactChoice, list_contacts
        from airflow_provider_interactions.shell.windows import choose_span

        choice = ContactChoice(ids=contact or (), kind=kind)
        with _open_source(session, vendor, conn_id, choice, option, in_sandbox=in_sandbox) as (source, chosen):
            window = choose_span(source.vendor, start, end)
            command.preview(session, source, list_contacts(source, chosen), window, limit)


@app.command()
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
    option: Options = None,
    lake: LakeUrl = None,
    config: ConfigFile = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Say what an extraction would take: requests, time, rows. Asks no vendor, and needs no connection."""
    with open_session("plan", json, debug, config) as session:
        from airflow_provider_interactions.shell.plan import show_plan
        from airflow_provider_interactions.shell.windows import choose_windows, parse_width
        from airflow_provider_interactions.window import Window

        windows = choose_windows(day, start, end, width)
        span = Window(windows[0].start, windows[-1].end)
        show_plan(
            session,
            vendor,
            conn_id,
            span,
            parse_width(width),
            contacts=contacts,
            kind=kind,
            option=option or (),
            lake=lake,
        )


@app.command()
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
    missing: Missing = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Fetch histories again, whatever their age.")] = False,
    on_missing: Annotated[
        Literal["record", "allow", "fail"], typer.Option(help="What to do about contacts that the vendor lacks.")
    ] = "record",
    option: Options = None,
    lake: LakeUrl = None,
    config: ConfigFile = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Write the vendor's records of each window to the lake, unchanged, as the operator does."""
    with open_session("extract", json, debug, config) as session:
        from airflow_provider_interactions.shell.sources import ContactChoice, open_source, require_contacts
        from airflow_provider_interactions.shell.steps import extract_windows
        from airflow_provider_interactions.shell.windows import choose_windows

        windows, store = choose_windows(day, start, end, width), session.config.open_lake(lake)
        source = open_source(session, vendor, conn_id, option or ())
        choice = ContactChoice(contact or (), contacts_file, column, kind)
        extract_windows(
            session,
            source,
            store,
            windows,
            require_contacts(source, choice),
            asked=choice.source,
            missing=missing,
            refresh=refresh,
            on_missing=on_missing,
        )


@app.command()
def normalize(
    vendor: Vendor,
    *,
    conn_id: ConnId = None,
    account: Account = None,
    day: Day = None,
    start: Start = None,
    end: End = None,
    width: Width = "1d",
    missing: Missing = False,
    policy: PolicyText = None,
    identities: IdentityMap = None,
    lake: LakeUrl = None,
    config: ConfigFile = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Turn the raw records of each window into rows of the table, and rejects. Asks no vendor."""
    with open_session("normalize", json, debug, config) as session:
        from airflow_provider_interactions.shell.policies import find_policy, open_persons
        from airflow_provider_interactions.shell.steps import normalize_windows
        from airflow_provider_interactions.shell.windows import choose_windows

        windows, store = choose_windows(day, start, end, width), session.config.open_lake(lake)
        name = account or _find_account(session, vendor, conn_id)
        chosen = find_policy(session, vendor, conn_id, policy)
        persons = open_persons(identities)
        normalize_windows(session, store, vendor, name, windows, missing=missing, policy=chosen, persons=persons)


@app.command()
def load(
    vendor: Vendor,
    *,
    conn_id: ConnId = None,
    account: Account = None,
    day: Day = None,
    start: Start = None,
    end: End = None,
    width: Width = "1d",
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

        windows, store = choose_windows(day, start, end, width), session.config.open_lake(lake)
        name = account or _find_account(session, vendor, conn_id)
        load_windows(session, store, vendor, name, windows, open_targets(target or (), table, store, session.config))


@app.command()
def coverage(
    vendor: Annotated[str | None, typer.Argument(help="Only this vendor.", show_default=False)] = None,
    *,
    account: Annotated[str | None, typer.Option(help="Only this account.")] = None,
    start: Start = None,
    end: End = None,
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

        within = choose_bounds(start, end)
        show_coverage(session, session.config.open_lake(lake), vendor, account, within, gaps=gaps)


@app.command()
def person(
    vendor: Vendor,
    *,
    contact: Annotated[
        list[str], typer.Option(help="Identifier of a person; may be repeated. '-' reads lines of standard input.")
    ],
    conn_id: ConnId = None,
    kind: Kind = None,
    start: Start = None,
    end: End = None,
    type_: Annotated[list[str] | None, typer.Option("--type", help="Only this type; may be repeated.")] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the records, too: personal data.")] = False,
    option: Options = None,
    lake: LakeUrl = None,
    config: ConfigFile = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Write everything that a vendor knows about given people to four files in the lake."""
    with open_session("person", json, debug, config) as session:
        from airflow_provider_interactions.shell.people import answer, check_people
        from airflow_provider_interactions.shell.sources import open_source

        store = session.config.open_lake(lake)
        source = open_source(session, vendor, conn_id, option or ())
        answer(session, source, check_people(source, contact, kind, start, end, type_ or ()), store, show=show)


app.command()(erase)
app.command()(lift)


@app.command("rewrap-keys")
def rewrap_keys(*, lake: LakeUrl = None, config: ConfigFile = None, json: Json = False, debug: Debug = False) -> None:
    """Encrypt the keys of encrypted raw records with the current master key, so that former ones can go."""
    with open_session("rewrap-keys", json, debug, config) as session:
        from airflow_provider_interactions.lake.encryption import require_key_ring

        count = require_key_ring(session.config.open_lake(lake)).rewrap_keys()
        session.result |= {"keys": count}
        session.say(f"{count} keys were encrypted again.")


def _find_account(session: Session, vendor: str, conn_id: str | None) -> str:
    from airflow_provider_interactions.shell.sources import open_source

    return open_source(session, vendor, conn_id).credentials.account


@contextmanager
def _open_source(
    session: Session,
    vendor: str,
    conn_id: str | None,
    choice: ContactChoice,
    option: list[str] | None,
    *,
    in_sandbox: bool,
) -> Iterator[tuple[Source, ContactChoice]]:
    from airflow_provider_interactions.shell.sandbox import open_sandbox
    from airflow_provider_interactions.shell.sources import open_source

    if not in_sandbox:
        yield open_source(session, vendor, conn_id, option or ()), choice
        return
    with open_sandbox(vendor, choice, option or ()) as found:
        yield found
