"""Route 2: the managed data lake of Dataverse, with nothing but the Dataverse connection.

Known from one public client and the Web API reference of the functions (read 2026-11); nobody has called it with this
module. What the files of a table are is not published: ``tables.open`` looks.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NoReturn, TypeVar
from urllib.parse import parse_qsl, urlsplit

import msgspec

from airflow_provider_interactions.contract import Fetch, Request, Response
from airflow_provider_interactions.contract.bulk import Access, Folders, TableAddress
from airflow_provider_interactions.errors import BadResponse
from airflow_provider_interactions.urls import check_url
from airflow_provider_interactions.vendors.dynamics_journeys.errors import FOLDER, judge_step
from airflow_provider_interactions.vendors.dynamics_journeys.settings import NAME, Settings
from airflow_provider_interactions.vendors.shared.dataverse import HEADERS
from airflow_provider_interactions.vendors.shared.json import has_repeated

T = TypeVar("T")

#: Minutes that an access lasts: the most that the function gives.
MINUTES = 60

_NOTHING = (b"null", b"[]", b"{}", b'""')

#: The file in that folder that lists the tables.
LIST = "default.manifest.cdm.json"


class _Folder(msgspec.Struct):
    path: str
    name: str | None = None


class _Folders(msgspec.Struct):
    value: list[_Folder]
    next_link: str | None = msgspec.field(name="@odata.nextLink", default=None)


class _Profile(msgspec.Struct):
    properties: str | None = msgspec.field(name="extendedproperties", default=None)


class _Profiles(msgspec.Struct):
    value: list[_Profile]


class _LinkState(msgspec.Struct):
    hydrated: bool = msgspec.field(name="CDS3.IsCDS3Hydrated", default=True)


class _Details(msgspec.Struct):
    endpoint: str = msgspec.field(name="Endpoint")


class _Store(msgspec.Struct):
    details: _Details = msgspec.field(name="AnalyticsStoreDetails")


class _Signature(msgspec.Struct):
    sas: str = msgspec.field(name="SASToken")


class _Partition(msgspec.Struct):
    location: str = ""


class _Entity(msgspec.Struct):
    name: str = msgspec.field(name="entityName", default="")
    partitions: list[_Partition] = msgspec.field(name="dataPartitions", default_factory=list)


class _List(msgspec.Struct):
    entities: list[msgspec.Raw]
    others: list[msgspec.Raw] = msgspec.field(name="subManifests", default_factory=list)


async def open_access(fetch: Fetch, settings: Settings) -> Access:
    """Ask Dataverse for the folder, its storage, and a signature for an hour. Raises VendorError."""
    folder = await fetch(_ask_folder(settings), _read_folder) or await _explain_no_folder(fetch, settings)
    endpoint = await fetch(_ask(settings, "RetrieveAnalyticsStoreDetails"), _read_endpoint)
    check_url(endpoint, f"{NAME}: the storage that Dataverse names", allow_http=settings.allow_http)
    sas = await fetch(_ask_signature(settings, f"{endpoint}/{folder}"), _read_signature)
    return build_access(endpoint, folder, sas, settings)


def build_access(endpoint: str, folder: str, sas: str, settings: Settings) -> Access:
    """Access to a folder of a container (``endpoint`` ends with its name), by its Blob host."""
    base, _, container = endpoint.rpartition("/")
    options = {
        "account_name": (urlsplit(base).hostname or "").partition(".")[0],
        "sas_key": sas.lstrip("?"),
        "endpoint": (settings.storage_endpoint or base).rstrip("/").replace(".dfs.", ".blob.", 1),
        "allow_http": str(bool(settings.allow_http)).lower(),
    }
    return Access(f"az://{container}/{folder}", options, read_lifetime(sas))


def read_lifetime(sas: str) -> float:
    """Seconds that a signature lasts: from its start to its end, which are of one clock; an hour if it has no start.

    Source: "Create a service SAS" (learn.microsoft.com, read 2026-11): ``st`` and ``se`` are ISO 8601 in UTC.
    """
    fields = dict(parse_qsl(sas.lstrip("?")))
    try:
        start, end = (datetime.fromisoformat(fields[name]) for name in ("st", "se"))
    except (KeyError, ValueError):
        return MINUTES * 60
    return max(0.0, min((end - start).total_seconds(), MINUTES * 60))


def list_tables(folders: Folders) -> Iterator[TableAddress]:
    """The tables that the folder's list names. Entities without partitions have no data."""
    data = folders.read(LIST)
    if data is None:
        return  # Journeys makes it with the first interaction. Unverified: that it does not make an empty list before.
    root = folders.list_folders("")
    for entity in _read_entities(data):
        for path in dict.fromkeys(_spell_folder(one.location, root) for one in entity.partitions):
            yield TableAddress(entity.name, path)


def _read_entities(data: bytes) -> Iterator[_Entity]:
    """The entities of the list. Raises BadResponse if it has tables or partitions in a form that no page promises.

    The Common Data Model also knows lists of lists, and patterns that partitions match.
    """
    found = _decode(data, _List, LIST)
    members = _decode(data, dict[str, msgspec.Raw], LIST)
    entities = [_decode(raw, dict[str, msgspec.Raw], LIST) for raw in found.entities]
    names = {name for fields in entities for name, value in fields.items() if bytes(value) not in _NOTHING}
    unknown = sorted(name for name in names if "partition" in name.lower() and name != "dataPartitions")
    pairs = [(data.removeprefix(codecs.BOM_UTF8), members), *zip(map(bytes, found.entities), entities, strict=True)]
    if found.others or unknown or any(has_repeated(*pair) for pair in pairs):
        msg = f"{LIST} names tables or their files in a form that is not known of this vendor. Please report it"
        raise BadResponse(msg, lasting=True)
    yield from (_decode(raw, _Entity, LIST) for raw in found.entities)


def _ask(settings: Settings, segment: str, query: Mapping[str, str] | None = None) -> Request:
    return Request("GET", f"/api/data/{settings.api_version}/{segment}", query=query or {}, headers=HEADERS)


def _ask_folder(settings: Settings) -> Request:
    return _ask(settings, "datalakefolders", {"$filter": f"name eq '{FOLDER}'", "$select": "path,name"})


def _ask_signature(settings: Settings, url: str) -> Request:
    arguments = f"Url=@p1,ResourceType='Folder',Permissions='Read,List',SasTokenValidityInMinutes={MINUTES}"
    return _ask(settings, f"RetrieveAnalyticsStoreAccess({arguments},UseBlobProxy=false)", {"@p1": f"'{url}'"})


def _read_folder(response: Response) -> str:
    found = _decode(response.body, _Folders, "the list of the managed lake's folders")
    paths = {row.path.strip("/") for row in found.value if (row.name or FOLDER).casefold() == FOLDER.casefold()}
    if len(paths) > 1 or found.next_link:
        raise judge_step("folder", "several")
    if "" in paths:
        msg = "the managed lake's folder has no path"
        raise BadResponse(msg)
    return paths.pop() if paths else ""


async def _explain_no_folder(fetch: Fetch, settings: Settings) -> NoReturn:
    """Raise the reason why the folder is missing: Dataverse may still copy the first data."""
    query = {"$select": "name,extendedproperties", "$filter": "statecode eq 0"}
    copying = await fetch(_ask(settings, "synapselinkprofiles", query), _read_copying)
    raise judge_step(*(("link", "incomplete") if copying else ("folder", "missing")))


def _read_copying(response: Response) -> bool:
    """Whether a link has not copied its first data. Known from public code of others only; unverified."""
    profiles = _decode(response.body, _Profiles, "the list of links").value
    states = (_decode((one.properties or "{}").encode(), _LinkState, "the state of a link") for one in profiles)
    return any(not state.hydrated for state in states)


def _read_endpoint(response: Response) -> str:
    return _decode(response.body, _Store, "the address of the managed lake").details.endpoint.rstrip("/")


def _read_signature(response: Response) -> str:
    return _decode(response.body, _Signature, "the access to the managed lake").sas


def _decode(data: bytes | msgspec.Raw, kind: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(bytes(data).removeprefix(codecs.BOM_UTF8), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as wrong:
        msg = f"{what} cannot be read ({type(wrong).__name__})"
        raise BadResponse(msg) from None


def _spell_folder(location: str, root: Sequence[str]) -> str:
    """The folder of a table below the root.

    Unverified: what a location looks like. It may be relative, or a path or address that goes through the root. Then
    it is cut where the first of the root's own folders begins. It may name a file of the folder.
    """
    parts = [part for part in urlsplit(location).path.split("/") if part not in ("", ".")]
    if parts and parts[-1].lower().endswith((".csv", ".parquet")):
        parts.pop()
    start = next((n for n, part in enumerate(parts) if part in root), None)
    if start is None or ".." in parts:
        msg = f"{LIST} of the managed lake names a folder that is not there"
        raise BadResponse(msg)
    return "/".join(parts[start:])
