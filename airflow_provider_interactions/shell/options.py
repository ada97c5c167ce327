"""The options that several commands have, each described once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from airflow_provider_interactions.alerts import KINDS

Vendor = Annotated[str, typer.Argument(help="Name of the vendor, for example which50.", show_default=False)]
ConnId = Annotated[str | None, typer.Option(help="Id of the connection. Default: VENDOR_default.")]
Contact = Annotated[
    list[str] | None, typer.Option(help="Identifier of a contact; may be repeated. '-' reads lines of standard input.")
]
ContactsFile = Annotated[
    str | None,
    typer.Option(help="File of identifiers, at any address: Parquet, CSV, or text with one on each line. '-': stdin."),
]
Column = Annotated[str | None, typer.Option(help="Column of the file. Default: the first.")]
Kind = Annotated[str | None, typer.Option(help="Kind of the identifiers. Default: the vendor's first kind.")]
Day = Annotated[str | None, typer.Option(help="One day, for example 2026-01-31. UTC without --time-zone.")]
Start = Annotated[str | None, typer.Option(help="Start: a date (its midnight), or a time with its zone.")]
End = Annotated[str | None, typer.Option(help="End, which does not belong to the time itself.")]
Width = Annotated[str, typer.Option(help="Length of the windows, such as 6h, 1d or 1w.")]
TimeZone = Annotated[
    str | None,
    typer.Option(help="Time zone of dates and days, such as Europe/Berlin. Default: UTC.", show_default=False),
]
MaxRequests = Annotated[
    int | None,
    typer.Option(min=0, help="Requests of all windows together that need no confirmation.", show_default=False),
]
RejectsShare = Annotated[
    float | None,
    typer.Option(
        min=0, max=1, help="Share of records that may be unreadable. Default: 0.05, or ten records.", show_default=False
    ),
]
Missing = Annotated[bool, typer.Option("--missing", help="Leave out windows that the lake has already.")]
Options = Annotated[list[str] | None, typer.Option("--option", help="Option of the vendor, NAME=VALUE.")]
LakeUrl = Annotated[
    str | None, typer.Option("--lake", help="Folder or URL of the lake. Default: AIRFLOW__INTERACTIONS__LAKE.")
]
Account = Annotated[str | None, typer.Option(help="Account in the lake. Default: the connection's.")]
IdentityMap = Annotated[
    str | None,
    typer.Option("--identities", help="Map of identities that fills person_id: Parquet or CSV, at any address."),
]
PolicyText = Annotated[
    str | None,
    typer.Option("--policy", help="What becomes of personal data: mask, hmac, …, or JSON. Default: the connection's."),
]
Alerts = Annotated[
    list[str] | None,
    typer.Option("--alert", help=f"What to look for in the windows: {', '.join(KINDS)}; may be repeated."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON, for machines.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="TOML file with connections. Default: interactions.toml.")
]
