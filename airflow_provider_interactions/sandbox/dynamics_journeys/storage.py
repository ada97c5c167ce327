"""Reading and listing files: the Blob API, Data Lake Storage's listing, and Dataverse's blob proxy.

Sources: "List Blobs", "Get Blob" and "Get Blob Properties" of the Blob service REST API, "Path - List" of Data Lake
Storage Gen2's, "Connect to OneLake" (learn.microsoft.com, read 2026-11). The proxy is known from one public client.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

import msgspec
from aiohttp import web

from airflow_provider_interactions.sandbox.dynamics_journeys.storage_access import (
    Wanted,
    challenge_bearer,
    challenge_sas,
)
from airflow_provider_interactions.sandbox.dynamics_journeys.storage_responses import (
    describe_file,
    format_time,
    get_etag,
    is_dfs,
    refuse,
    reply,
)
from airflow_provider_interactions.sandbox.dynamics_journeys.tree import (
    Entry,
    Folder,
    find,
    is_guid,
    list_entries,
    open_managed_lake,
    open_workspace,
)
from airflow_provider_interactions.sandbox.vendor import Site

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


async def serve_onelake(site: Site, request: web.Request) -> web.Response:
    """Answer for the account ``onelake``: a container is a workspace, by id or by name."""
    refused = challenge_bearer(site, request)
    if refused is not None:
        return refused
    container, options = request.match_info["container"], site.options
    by_id = container.lower() == options.workspace_id
    if not by_id and container != options.workspace:
        return _refuse_container(request)
    path = _get_wanted_path(request)
    item = path.split("/")[0]
    # "GUIDs for both or names for both" (onelake-access-api.md); the refusal's status and code are unverified.
    if item and is_guid(item) != by_id:
        return refuse(request, 400, "FriendlyNameSupportDisabled")
    return await asyncio.to_thread(_answer, site, request, open_workspace(site.store, options, by_id=by_id))


async def serve_lake(site: Site, request: web.Request) -> web.Response:
    """Answer for Dataverse's own storage account and for its proxy, which want a SAS."""
    container = request.match_info["container"]
    permission = "l" if _is_listing(request) else "r"
    refused = challenge_sas(site, request, Wanted(container, _get_wanted_path(request), permission))
    if refused is not None:
        return refused
    if container != site.store.container:
        return _refuse_container(request)
    return await asyncio.to_thread(_answer, site, request, open_managed_lake(site.store, site.options))


def _refuse_container(request: web.Request) -> web.Response:
    return refuse(request, 404, "FilesystemNotFound" if is_dfs(request) else "ContainerNotFound")


def _is_listing(request: web.Request) -> bool:
    return request.query.get("comp") == "list" or request.query.get("resource") == "filesystem"


def _get_wanted_path(request: web.Request) -> str:
    """The path that a request is about, without the container."""
    asked = request.match_info.get("blob", "")
    return (asked or request.query.get("prefix") or request.query.get("directory") or "").strip("/")


def _answer(site: Site, request: web.Request, root: Folder) -> web.Response:
    if request.query.get("comp") == "list":
        return _list_blobs(site, request, root)
    if request.query.get("resource") == "filesystem":
        return _list_paths(site, request, root)
    node = find(root, request.match_info.get("blob", "").strip("/").split("/"))
    if isinstance(node, Path):
        return _read(request, node)
    if node is not None and "/storage/" in request.path and request.method == "HEAD":
        return web.Response()  # the proxy says of a folder that it exists, and no more
    return refuse(request, 404, "PathNotFound" if is_dfs(request) else "BlobNotFound")


class _Page(NamedTuple):
    entries: list[Entry]
    following: str | None


def _cut_page(site: Site, request: web.Request, entries: Iterable[Entry], mark: str, most: str) -> _Page:
    """One page of a listing, and the opaque mark of the next."""
    size = min(int(request.query.get(most, "5000")), site.options.page_size)
    after = base64.urlsafe_b64decode(mark).decode() if mark else ""
    page = list(islice((entry for entry in entries if entry.name >= after), size + 1))
    following = base64.urlsafe_b64encode(page[size].name.encode()).decode() if len(page) > size else None
    return _Page(page[:size], following)


def _list_blobs(site: Site, request: web.Request, root: Folder) -> web.Response:
    prefix, start = request.query.get("prefix", ""), request.query.get("startFrom", "")
    flat = not request.query.get("delimiter")
    found = list_entries(root, prefix.rpartition("/")[0], recursive=flat)
    # Within one level, a folder's name ends in the delimiter.
    named = (Entry(entry.name if flat or entry.file else f"{entry.name}/", entry.file) for entry in found)
    chosen = (entry for entry in named if entry.name.startswith(prefix) and entry.name >= start)
    page = _cut_page(site, request, chosen, request.query.get("marker", ""), "maxresults")
    body = (
        '\ufeff<?xml version="1.0" encoding="utf-8"?>'
        f'<EnumerationResults ServiceEndpoint="{escape(str(request.url.origin()))}" '
        f'ContainerName="{escape(request.match_info["container"])}"><Prefix>{escape(prefix)}</Prefix><Blobs>'
        f"{''.join(_show_blob(entry, flat=flat) for entry in page.entries)}</Blobs>"
        f"<NextMarker>{page.following or ''}</NextMarker></EnumerationResults>"
    )
    return reply(body.encode(), "application/xml")


def _show_blob(entry: Entry, *, flat: bool) -> str:
    name = f"<Name>{escape(entry.name)}</Name>"
    if entry.file is None and not flat:
        return f"<BlobPrefix>{name}</BlobPrefix>"
    kind = "directory" if entry.file is None else "file"
    size, etag, seconds = _measure(entry)
    return (
        f"<Blob>{name}<Properties><Creation-Time>{format_time(seconds)}</Creation-Time>"
        f"<Last-Modified>{format_time(seconds)}</Last-Modified><Etag>{etag}</Etag><ResourceType>{kind}</ResourceType>"
        f"<Content-Length>{size}</Content-Length><Content-Type>application/octet-stream</Content-Type>"
        "<BlobType>BlockBlob</BlobType></Properties><OrMetadata /></Blob>"
    )


def _measure(entry: Entry) -> tuple[int, str, float]:
    """Bytes, ETag and time of modification."""
    if entry.file is None:
        return 0, "0x8D0", 0.0
    known = entry.file.stat()
    return known.st_size, get_etag(entry.file), known.st_mtime


def _list_paths(site: Site, request: web.Request, root: Folder) -> web.Response:
    directory = request.query.get("directory", "").strip("/")
    if not isinstance(find(root, [part for part in directory.split("/") if part]), Folder):
        return refuse(request, 404, "PathNotFound")
    recursive = request.query.get("recursive", "").lower() == "true"
    found = list_entries(root, directory, recursive=recursive)
    page = _cut_page(site, request, found, request.query.get("continuation", ""), "maxResults")
    headers = {"x-ms-continuation": page.following} if page.following else {}
    return reply(msgspec.json.encode({"paths": list(map(_show_path, page.entries))}), "application/json", headers)


def _show_path(entry: Entry) -> dict[str, str]:
    """An entry with all values as texts; a file has no ``isDirectory``."""
    size, etag, seconds = _measure(entry)
    shown = {"contentLength": str(size), "etag": etag, "lastModified": format_time(seconds), "name": entry.name}
    return shown if entry.file else {"isDirectory": "true", **shown}


def _read(request: web.Request, file: Path) -> web.Response:
    headers = describe_file(file)
    wanted = request.headers.get("If-Match")
    if wanted not in {None, "*", headers["ETag"]}:
        return refuse(request, 412, "ConditionNotMet")
    size = file.stat().st_size
    if request.method == "HEAD":
        return web.Response(headers={**headers, "Content-Length": str(size)})
    asked = request.headers.get("x-ms-range") or request.headers.get("Range")
    if asked is None:
        return web.Response(body=file.read_bytes(), headers=headers)
    found = _RANGE.fullmatch(asked)
    # A range of the last bytes is not among those that "Specifying the range header" names.
    if found is None or int(found[1]) >= size:
        return refuse(request, 416, "InvalidRange", headers={"Content-Range": f"bytes */{size}"})
    first, last = int(found[1]), min(int(found[2] or size - 1), size - 1)
    with file.open("rb") as stream:
        stream.seek(first)
        body = stream.read(last - first + 1)
    return web.Response(status=206, body=body, headers={**headers, "Content-Range": f"bytes {first}-{last}/{size}"})
