"""Commands that read from a vendor, or a stand-in for one, and write nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from airflow_provider_interactions.shell.options import (
    Column,
    ConfigFile,
    ConnId,
    Contact,
    ContactsFile,
    Debug,
    End,
    Json,
    Kind,
    Options,
    Start,
    TimeZone,
    Vendor,
)
from airflow_provider_interactions.shell.session import Session, open_session

if TYPE_CHECKING:
    from airflow_provider_interactions.shell.sources import ContactChoice, Source


def sandbox(context: typer.Context, *, json: Json = False, debug: Debug = False) -> None:
    """Run a stand-in for the vendors, and print the connections to it. Its own options follow; see --help."""
    with open_session("sandbox", json, debug, None) as session:
        from airflow_provider_interactions.shell.sandbox import run_sandbox

        run_sandbox(session, context.args)


def try_connection(
    vendor: Vendor, *, conn_id: ConnId = None, config: ConfigFile = None, json: Json = False, debug: Debug = False
) -> None:
    """Send the vendor's cheapest request, to prove a connection."""
    with open_session("test", json, debug, config) as session:
        from airflow_provider_interactions.extract.table_probe import probe_connection
        from airflow_provider_interactions.shell.sources import open_source

        source = open_source(session, vendor, conn_id)
        message = probe_connection(source.vendor, source.credentials)
        session.result |= {"vendor": vendor, "account": source.credentials.account, "message": message}
        session.say(message)


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


def preview(
    vendor: Vendor,
    *,
    conn_id: ConnId = None,
    contact: Contact = None,
    kind: Kind = None,
    limit: Annotated[int, typer.Option(min=1, help="The most interactions.")] = 20,
    start: Start = None,
    end: End = None,
    time_zone: TimeZone = None,
    in_sandbox: Annotated[bool, typer.Option("--sandbox", help="Ask a sandbox of its own. Needs no account.")] = False,
    option: Options = None,
    config: ConfigFile = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show a few interactions, each as a row of the table and as the vendor sent it. Writes nothing."""
    with open_session("preview", json, debug, config) as session:
        from airflow_provider_interactions.shell import preview as command
        from airflow_provider_interactions.shell.sources import ContactChoice, list_contacts
        from airflow_provider_interactions.shell.windows import choose_span

        choice = ContactChoice(ids=contact or (), kind=kind)
        with _open_source(session, vendor, conn_id, choice, option, in_sandbox=in_sandbox) as (source, chosen):
            window = choose_span(source.vendor, start, end, time_zone)
            command.preview(session, source, list_contacts(source, chosen), window, limit)


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
