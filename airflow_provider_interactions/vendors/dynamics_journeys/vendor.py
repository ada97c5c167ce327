"""Dynamics 365 Customer Insights - Journeys: tables of interactions, in OneLake or in Dataverse's managed lake.

Microsoft removed outbound marketing, and the action that ``dynamics_marketing`` calls, in May 2026. Its history was
merged into the store that these tables come from. A table holds everybody's interactions of one type, so a window costs
some reads for each type, however many contacts there are. Nobody has verified this module against the live service;
what the pages leave open is read both ways, and each such place says so.

Sources: see ``onelake``, ``managed_lake``, ``vocabulary`` and ``columns``.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Iterator, Sequence
from itertools import groupby

from airflow_provider_interactions import contract
from airflow_provider_interactions.contract import Contact, Credentials, Fetch, Pace, Query, Request, Vendor
from airflow_provider_interactions.contract.bulk import Access, Bulk, Folders, TableAddress
from airflow_provider_interactions.errors import ConfigError, RequestRejected
from airflow_provider_interactions.vendors.dynamics_journeys import columns, managed_lake, onelake
from airflow_provider_interactions.vendors.dynamics_journeys.about import ABOUT
from airflow_provider_interactions.vendors.dynamics_journeys.auth import auth
from airflow_provider_interactions.vendors.dynamics_journeys.errors import classify, judge_step
from airflow_provider_interactions.vendors.dynamics_journeys.mapping import map_records
from airflow_provider_interactions.vendors.dynamics_journeys.settings import NAME, Settings
from airflow_provider_interactions.vendors.dynamics_journeys.times import read_timestamps
from airflow_provider_interactions.vendors.dynamics_journeys.vocabulary import DEFAULT_TYPES, KINDS, OLDER, spell_type
from airflow_provider_interactions.vendors.shared.dataverse import HEADERS
from airflow_provider_interactions.vendors.shared.guids import spell_guid

log = logging.getLogger(__name__)

#: Stands for all people.
EVERYONE = Contact("*", "everyone")


class Options(contract.Options, frozen=True, kw_only=True):
    """``types``: the interaction types to read; default: those about a person's history (`vocabulary.HISTORY`)."""

    types: tuple[str, ...] = DEFAULT_TYPES

    def __post_init__(self) -> None:
        if not self.types:
            msg = f"{NAME}: the option types is empty. Name at least one interaction type, or leave it out."
            raise ConfigError(msg)


async def open_access(fetch: Fetch, token: str, credentials: Credentials[Settings]) -> Access:
    """Access to the tables by the connection's route. Raises VendorError that says which step failed."""
    settings = credentials.settings
    if settings.route == "onelake":
        return onelake.build_access(settings, token)
    return await managed_lake.open_access(fetch, settings)


def find_tables(folders: Folders, credentials: Credentials[Settings], options: Options) -> Sequence[TableAddress]:
    """The tables of the chosen types. Raises RequestRejected if the lakehouse has none, or two of one type.

    A new type that nobody has published is read, too, unless ``types`` were chosen. In a lakehouse it looks like
    a table of somebody else's, so there it must be named.
    """
    in_lakehouse = credentials.settings.route == "onelake"
    found = list(onelake.list_tables(folders) if in_lakehouse else managed_lake.list_tables(folders))
    named = [TableAddress(spell_type(table.native_type), table.path) for table in found]
    unknown = {table.native_type for table in named} - {*KINDS, *OLDER}
    chosen = {spell_type(name) for name in options.types}
    if not in_lakehouse and options.types == DEFAULT_TYPES:
        chosen |= unknown
    tables = [table for table in named if table.native_type in chosen]
    if in_lakehouse and not tables and unknown == {table.native_type for table in named}:
        raise judge_step("tables", "missing")
    if left := sorted(unknown - chosen):
        log.info("%s: tables of types that are not published are not read: %s", NAME, ", ".join(left))
    _refuse_doubles(tables)
    return tables


def _refuse_doubles(tables: Sequence[TableAddress]) -> None:
    """Raise RequestRejected for two tables of one type: their rows would come twice."""
    by_type = sorted(tables, key=lambda table: table.native_type)
    for name, some in groupby(by_type, key=lambda table: table.native_type):
        paths = [table.path for table in some]
        if len(paths) > 1:
            msg = f"there are several tables of the type {name}: {', '.join(paths)}. Remove the shortcuts but one"
            raise RequestRejected(msg)


async def list_contacts(fetch: Fetch, settings: Settings, options: Options) -> AsyncGenerator[Sequence[Contact], None]:  # noqa: ARG001
    """Everyone at once: the tables need no list of people."""
    yield [EVERYONE]


def spell_identifier(text: str, kind: str) -> str | None:
    """A GUID in its one spelling, or ``*`` of kind everyone. Profiles of other sources may have any printable id."""
    text = text.strip()
    if kind == EVERYONE.kind:
        return text if text == EVERYONE.id else None
    return spell_guid(text) or (text if kind in ("profile", "entity", "visitor") and text.isprintable() else None)


def queries(person: Contact, settings: Settings, options: Options) -> Iterator[Query[Settings, Options]]:
    """One query for each type: a plan counts them."""
    return (Query(person, settings, options, native_type) for native_type in dict.fromkeys(options.types))


def probe(settings: Settings) -> Request:
    """Who am I, for the route through Dataverse; see ``extract.table_probe`` for the tables."""
    return Request("GET", f"/api/data/{settings.api_version}/WhoAmI", headers=HEADERS)


VENDOR = Vendor(
    about=ABOUT,
    settings=Settings,
    options=Options,
    identifier=spell_identifier,
    identifiers="a GUID of a contact, lead or profile, or as * of kind everyone",
    queries=queries,
    map_records=map_records,
    auth=auth,
    classify=classify,
    probe=probe,
    contacts=list_contacts,
    bulk=Bulk(
        open_access=open_access,
        find_tables=find_tables,
        time=columns.TIME,
        read_times=read_timestamps,
        keys=columns.KEYS,
        version=columns.VERSION,
        read_versions=columns.read_versions,
        people=columns.PEOPLE,
        spell_ids=columns.spell_ids,
        count=columns.COUNT,
        mark_keys=columns.mark_cancellations,
    ),
    # Of Dataverse, as for the action. Three calls an hour go there; the storage's limits are its own.
    pace=Pace(concurrency=52, requests=6000, seconds=300, source="learn.microsoft.com, api-limits, 2026-11"),
)
