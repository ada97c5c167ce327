"""The command line. What a command does is imported when it runs, so that ``--help`` is quick."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from airflow_provider_interactions import __version__
from airflow_provider_interactions.shell import ask_commands, lake_commands, plan_commands
from airflow_provider_interactions.shell.erase_commands import erase, lift
from airflow_provider_interactions.shell.options import (
    ConfigFile,
    ConnId,
    Debug,
    End,
    Json,
    Kind,
    LakeUrl,
    Options,
    Start,
    Vendor,
)
from airflow_provider_interactions.shell.session import open_session

app = typer.Typer(
    name="interactions",
    help="Contact interactions from marketing systems, from a terminal and without Airflow. Connections come from "
    "Airflow's environment variables (AIRFLOW_CONN_…) or from interactions.toml.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

# In the order in which ``--help`` lists them. ``sandbox`` passes its arguments on.
PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
app.command(context_settings=PASS_ON)(ask_commands.sandbox)
app.command("test")(ask_commands.try_connection)
app.command()(ask_commands.contacts)
app.command()(ask_commands.preview)
app.command()(plan_commands.plan)
app.command()(lake_commands.extract)
app.command()(lake_commands.normalize)
app.command()(lake_commands.load)
app.command()(plan_commands.coverage)
app.command()(lake_commands.sweep)


def main() -> None:
    """Run the command line; ends the program with an exit code of ``exits.Exit``."""
    app(prog_name="interactions")


@app.callback(invoke_without_command=True)
def show_version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Contact interactions from marketing systems, from a terminal and without Airflow."""
    if version:
        sys.stdout.write(f"{__version__}\n")
        raise typer.Exit


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
    time_zone: Annotated[
        str | None,
        typer.Option(help="Time zone of dates, and of the times on the page. Default: UTC.", show_default=False),
    ] = None,
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
        request = check_people(source, contact, kind, start, end, type_ or (), time_zone)
        answer(session, source, request, store, show=show)


app.command()(erase)
app.command()(lift)


@app.command("rewrap-keys")
def rewrap_keys(*, lake: LakeUrl = None, config: ConfigFile = None, json: Json = False, debug: Debug = False) -> None:
    """Encrypt the keys of encrypted raw records with the current master key, so that former ones can go."""
    with open_session("rewrap-keys", json, debug, config) as session:
        from airflow_provider_interactions.lake.pseudonyms import require_key_ring

        count = require_key_ring(session.config.open_lake(lake)).rewrap_keys()
        session.result |= {"keys": count}
        session.say(f"{count} keys were encrypted again.")
