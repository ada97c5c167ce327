"""The parts of Dataverse's Web API that lead to the managed lake.

Sources: "RetrieveAnalyticsStoreDetails" and "RetrieveAnalyticsStoreAccess" of the Web API reference
(learn.microsoft.com, read 2026-11); how they are used is known from one public client.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
from aiohttp import web

from airflow_provider_interactions.sandbox.dynamics_journeys.options import NAME
from airflow_provider_interactions.sandbox.dynamics_journeys.storage_access import issue_sas
from airflow_provider_interactions.sandbox.dynamics_marketing.errors import get_service_root, refuse, reply
from airflow_provider_interactions.sandbox.vendor import Site, get_base_url
from airflow_provider_interactions.sandbox.world import draw_guid

FOLDER = "Customer Insights Journeys"
_NAME_FILTER = re.compile(r"name eq '((?:[^']|'')*)'")
_ACCESS = re.compile(r"RetrieveAnalyticsStoreAccess\((.*)\)")
_PARAMETER = re.compile(r"(\w+)=(@\w+|'(?:[^']|'')*'|\w+)")
_LETTERS = {"Read": "r", "List": "l"}
#: Microsoft's sample and the public client ask for an hour, which the client calls the maximum
_MOST_MINUTES = 60


def answer(site: Site, request: web.Request) -> web.Response:
    """Answer ``GET /api/data/{version}/{segment}``."""
    segment = request.match_info["segment"]
    plain = {
        "WhoAmI": _who_am_i,
        "datalakefolders": _list_folders,
        "synapselinkprofiles": _list_profiles,
        "RetrieveAnalyticsStoreDetails": _describe_store,
        "RetrieveAnalyticsStoreDetails()": _describe_store,
    }
    if segment in plain:
        return plain[segment](site, request)
    access = _ACCESS.fullmatch(segment)
    if access:
        return _grant(site, request, access[1])
    return refuse(request, 404, "0x8006088a", f"Resource not found for the segment '{segment}'.")


def _reply(request: web.Request, context: str, body: dict[str, Any]) -> web.Response:
    root = get_service_root(request, NAME)
    return reply(request, msgspec.json.encode({"@odata.context": f"{root}/$metadata#{context}", **body}))


def _who_am_i(site: Site, request: web.Request) -> web.Response:
    ids = {name: draw_guid(site.world, NAME, name) for name in ("BusinessUnitId", "UserId", "OrganizationId")}
    return _reply(request, "Microsoft.Dynamics.CRM.WhoAmIResponse", ids)


def _list_folders(site: Site, request: web.Request) -> web.Response:
    found = _NAME_FILTER.fullmatch(request.query.get("$filter", f"name eq '{FOLDER}'"))
    if found is None:
        return refuse(request, 400, "0x80060888", "The $filter expression is not supported by the sandbox.")
    there = found[1] == FOLDER and site.options.folder
    row = {"path": site.store.folder_id, "name": FOLDER, "datalakefolderid": draw_guid(site.world, NAME, "row")}
    return _reply(request, "datalakefolders(path,name)", {"value": [row] if there else []})


def _list_profiles(site: Site, request: web.Request) -> web.Response:
    done = site.options.link == "hydrated"
    properties = {
        "LinkedToFabric": True,
        "DestinationInitialSyncState": "Completed" if done else "InProgress",
        "CDS3.IsCDS3Hydrated": done,
    }
    row = {"name": "Link to Fabric", "extendedproperties": json.dumps(properties)}
    return _reply(request, "synapselinkprofiles", {"value": [] if site.options.link == "none" else [row]})


def _get_endpoint(site: Site, request: web.Request) -> str:
    return f"{get_base_url(request, NAME)}/lake/{site.store.container}"


def _describe_store(site: Site, request: web.Request) -> web.Response:
    details = {"AnalyticsStoreDetails": {"Endpoint": _get_endpoint(site, request)}}
    return _reply(request, "Microsoft.Dynamics.CRM.RetrieveAnalyticsStoreDetailsResponse", details)


def _grant(site: Site, request: web.Request, text: str) -> web.Response:
    given = {name: _read_parameter(request, value) for name, value in _PARAMETER.findall(text)}
    if not site.options.may_read_lake:
        message = "Principal user is missing prvReaddatalakefolder privilege"
        return refuse(request, 403, "0x80040220", message)
    wrong = _find_wrong(site, request, given)
    if wrong:
        return refuse(request, 400, "0x80040203", wrong)
    letters = "".join(_LETTERS[name] for name in given["Permissions"].split(","))
    folder = given["Url"].removeprefix(f"{_get_endpoint(site, request)}/").strip("/")
    sas = issue_sas(site, site.store.container, folder, letters, int(given["SasTokenValidityInMinutes"]) * 60)
    if given.get("UseBlobProxy", "false").lower() == "true":
        sas = f"{get_base_url(request, NAME)}/storage/{site.store.container}/{folder}?{sas}"
    return _reply(request, "Microsoft.Dynamics.CRM.RetrieveAnalyticsStoreAccessResponse", {"SASToken": sas})


def _read_parameter(request: web.Request, value: str) -> str:
    """A parameter's value; an alias refers to one in the query string."""
    text = request.query.get(value, "") if value.startswith("@") else value
    return text[1:-1].replace("''", "'") if text.startswith("'") else text


def _find_wrong(site: Site, request: web.Request, given: dict[str, str]) -> str | None:
    """What is wrong with the parameters of RetrieveAnalyticsStoreAccess."""
    minutes = given.get("SasTokenValidityInMinutes", "")
    if not given.get("Url", "").startswith(f"{_get_endpoint(site, request)}/"):
        return "Url is not a path of the analytics store."
    if given.get("ResourceType") != "Folder":
        return "ResourceType must be Folder."
    if not set(given.get("Permissions", "").split(",")) <= set(_LETTERS):
        return "Permissions may be Read and List."
    if not minutes.isdigit() or not 0 < int(minutes) <= _MOST_MINUTES:
        return f"SasTokenValidityInMinutes must be between 1 and {_MOST_MINUTES}."
    return None
