"""The commands about erasures and their options. What they do is imported when they run."""

from __future__ import annotations

from typing import Annotated

import typer

from airflow_provider_interactions.shell.options import ConfigFile, Contact, Debug, Json, Kind, LakeUrl, Vendor
from airflow_provider_interactions.shell.session import open_session

Target = Annotated[
    list[str] | None,
    typer.Option(
        help="Table to erase from: path of a DuckDB file, or id of a connection; may be repeated. Default: the file in "
        "the lake, if it exists."
    ),
]


def erase(
    vendor: Annotated[str | None, typer.Argument(help="Vendor of the contacts.", show_default=False)] = None,
    *,
    contact: Contact = None,
    kind: Kind = None,
    person_id: Annotated[str | None, typer.Option(help="A person in the map of identities, at all systems.")] = None,
    identifier: Annotated[str | None, typer.Option(help="Any one identifier of a person in the map.")] = None,
    identities: Annotated[
        str | None, typer.Option(help="Address of the map. Default: AIRFLOW__INTERACTIONS__IDENTITIES.")
    ] = None,
    all_accounts: Annotated[
        bool, typer.Option("--all-accounts", help="From all accounts of a vendor, also if the map names one.")
    ] = False,
    target: Target = None,
    table: Annotated[str, typer.Option(help="Name of the table.")] = "interactions",
    account: Annotated[
        list[str] | None, typer.Option(help="Account that a table has, and the lake has no longer; may be repeated.")
    ] = None,
    policy_key: Annotated[
        list[str] | None, typer.Option(help="Connection of a key that a policy has hashed contacts with.")
    ] = None,
    approved_by: Annotated[
        str | None, typer.Option(help="Who approved it, for the receipt. Default: the user of this machine.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the receipt. The same name continues an erasure that failed.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Erase. Without it, only say what would be erased.")] = False,
    lake: LakeUrl = None,
    config: ConfigFile = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Erase people from the lake and from tables. Without --yes it changes nothing and says what it would erase."""
    with open_session("erase", json, debug, config) as session:
        from airflow_provider_interactions.shell.erase import Choice, Place, erase_chosen, show_plan

        store = session.config.open_lake(lake)
        choice = Choice(vendor, contact or (), kind, person_id, identifier, identities, all_accounts)
        place = Place(store, target or (), table, account or (), policy_key or ())
        if yes:
            erase_chosen(session, choice, place, approved_by, name)
        else:
            show_plan(session, choice, place)


def lift(
    vendor: Vendor,
    *,
    contact: Annotated[
        list[str], typer.Option(help="Identifier of a contact; may be repeated. '-' reads lines of standard input.")
    ],
    kind: Kind = None,
    lake: LakeUrl = None,
    config: ConfigFile = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Take people off the suppression list of an erasure. Later extractions and requests may bring them back."""
    with open_session("lift", json, debug, config) as session:
        from airflow_provider_interactions.shell.erase import lift_contacts

        lift_contacts(session, session.config.open_lake(lake), vendor, contact, kind)
