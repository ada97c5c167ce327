"""How a sandbox's Customer Insights - Journeys differs from the default."""

from __future__ import annotations

from typing import Literal

import msgspec

from airflow_provider_interactions.sandbox.dynamics_journeys.tables import USUAL

NAME = "dynamics_journeys"

#: what may be wrong with a table; see ``damage.py``
Damage = Literal[
    "truncated_parquet", "unknown_reader_feature", "missing_file", "unknown_columns", "other_type", "broken_log"
]


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How this sandbox's Customer Insights - Journeys differs from the default; what nobody published is a choice."""

    tenant_id: str = "8f2c1f0e-55aa-4c1e-9d3b-0a5b7c9d1e2f"
    client_id: str = "3b6e1a52-7d44-4f0c-8a1f-6c2d9e8b7a10"
    #: with characters that must be escaped in a form body
    client_secret: str = "sandbox~secret+with&odd=chars%"  # noqa: S105  made up for the sandbox
    #: seconds until a token expires
    token_seconds: float = 3599.0
    #: most seconds until a SAS expires, also if a client asks for more
    sas_seconds: float = 3600.0
    #: tables that have rows; any of the 136
    types: tuple[str, ...] = USUAL
    #: which route the connection takes: OneLake's, or Dataverse's, which leaves out workspace and lakehouse
    route: Literal["onelake", "dataverse"] = "onelake"
    #: the workspace's name
    workspace: str = "Marketing"
    #: the workspace's GUID
    workspace_id: str = "5d1f0a0c-2b64-4c7a-9f3e-0d6a51c2b701"
    #: the lakehouse's name, without ``.Lakehouse``
    lakehouse: str = "Journeys"
    #: the lakehouse's GUID
    lakehouse_id: str = "9a3c77e2-61f5-4e0b-8d17-3f2b6c40e802"
    #: the lakehouse keeps its tables below Tables/dbo
    schemas: bool = False
    #: False: nobody has made the shortcuts, so the lakehouse has no tables
    shortcut: bool = True
    #: False: the principal has no role in the workspace
    role: bool = True
    #: what synapselinkprofiles says: hydrated, still copying, or no link at all
    link: Literal["hydrated", "copying", "none"] = "hydrated"
    #: False: Dataverse has no folder "Customer Insights Journeys"
    folder: bool = True
    #: False: the application user's role may not ask for access to the managed lake
    may_read_lake: bool = True
    #: True: no type has a row yet
    empty: bool = False
    #: the managed lake's files; unpublished
    format: Literal["delta", "parquet", "csv"] = "delta"
    #: the manifest's locations: "EmailSent", "{folder}/EmailSent", or "EmailSent/deltalake"; unpublished
    location: Literal["relative", "path", "deltalake"] = "relative"
    #: names of the tables' folders in lower case, as one public adapter has them
    lower_case: bool = False
    #: deletion vectors, column mapping and partitions: in some tables each, in none, or in all; unpublished
    delta: Literal["mixed", "none", "all"] = "mixed"
    #: entries of one page of a listing; the storage's own maximum is 5000
    page_size: int = 5000
    #: True: some rows have no person, key or Timestamp, and a reader must reject them
    bad_rows: bool = False
    #: pairs of a table and what is wrong with it
    damage: tuple[tuple[str, Damage], ...] = ()
    #: rows a day that are made by the column, for measurements, spread evenly over ``scale_types``
    scale_rows: int = 0
    #: the tables that have them
    scale_types: tuple[str, ...] = ("EmailSent", "EmailDelivered", "EmailOpened", "EmailClicked")
